package text

import (
	"strings"
	"unicode"

	"github.com/abadojack/whatlanggo"
)

// languageBytes is how much of a text is looked at to tell its language.
const languageBytes = 2000

// Below so many letters a language is not told: whatlanggo compares the
// frequencies of three letters in a row, and short English notes then pass for
// Dutch or French.
const (
	fewestLetters = 24
	fewestForeign = 4 // of another script
)

// commonEnglish are words that hardly any other language writes. Two of them
// in a text, and it is English, whatever a name or a dish in it looks like.
var commonEnglish = func() map[string]bool {
	words := map[string]bool{}
	for w := range strings.FieldsSeq(`the and you your was were have has with this that they them there what when where which who would
		could should please thanks thank it's i'm i've don't didn't our my we it is for not been just from got ordered want need
		of to but if than her his she he how again today after before because about any only still`) {
		words[w] = true
	}
	return words
}()

// OtherLanguage answers the English name of the language that a text is surely
// written in, and ok only where that is not English: the words of such a text
// are not understood (the weights know English only), and whoever shows its
// verdict says so. It is pure; the same text has the same answer. Texts of a
// few words, and those in which English and another language mix, are not
// told. Letters of another script are; the language of short texts in Latin
// letters is sometimes named as a neighbouring one (Czech as Slovak). Where only
// the script is sure the answer is "Cyrillic letters".
//
// Method: Cavnar and Trenkle, N-Gram-Based Text Categorization (1994), by
// whatlanggo, behind a guard of common English words.
func OtherLanguage(s string) (name string, ok bool) {
	if len(s) > languageBytes {
		s = strings.ToValidUTF8(s[:languageBytes], "")
	}
	if plainlyEnglish(s) {
		return "", false
	}
	latin, other := 0, 0
	for _, r := range s {
		switch {
		case unicode.Is(unicode.Latin, r):
			latin++
		case unicode.IsLetter(r):
			other++
		}
	}
	foreign := other > latin // a script says more than a letter
	if !foreign && latin < fewestLetters || foreign && other < fewestForeign {
		return "", false
	}
	info := whatlanggo.Detect(s)
	switch {
	case info.Lang >= 0 && info.Lang != whatlanggo.Eng && info.IsReliable():
		return info.Lang.String(), true
	case foreign && info.Script != nil:
		return whatlanggo.Scripts[info.Script] + " letters", true
	}
	return "", false
}

func plainlyEnglish(s string) bool {
	n := 0
	for w := range strings.FieldsFuncSeq(s, func(r rune) bool { return !unicode.IsLetter(r) && r != '\'' && r != '’' }) {
		if commonEnglish[strings.ToLower(strings.ReplaceAll(w, "’", "'"))] {
			if n++; n == 2 {
				return true
			}
		}
	}
	return false
}
