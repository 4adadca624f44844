package text

import (
	"unicode"
	"unicode/utf8"
)

// Flag says where a token stands.
type Flag uint8

// Flags of a token.
const (
	FlagSentence Flag = 1 << iota // first of a sentence
	FlagClause                    // follows a comma, dash, colon or bracket, or begins a sentence
	FlagQuoted                    // inside double quotes
	FlagReply                     // on a line that begins with ">"
	FlagQuestion                  // its sentence ends in a question mark
	FlagShout                     // two letters or more, all of them capitals
)

// Token is one word, number, emoji or emoticon of a text. Its word is not kept,
// only the hash of its normalised form: lower case, apostrophes left out
// ("Won’t" → "wont").
type Token struct {
	Hash       uint64
	Start, End int32 // byte offsets on rune boundaries
	Flags      Flag
}

const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

func hashRune(h uint64, r rune) uint64 {
	for r >= 0x80 {
		h = (h ^ uint64(r&0x7f|0x80)) * fnvPrime
		r >>= 7
	}
	return (h ^ uint64(r)) * fnvPrime
}

// HashWord is the hash of a word as Tokenize would see it; for phrase lists.
func HashWord(w string) uint64 {
	h := uint64(fnvOffset)
	for _, r := range w {
		if !apostrophe(r) {
			h = hashRune(h, lower(r))
		}
	}
	return h
}

func lower(r rune) rune {
	if r < utf8.RuneSelf {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	return unicode.ToLower(r)
}

func apostrophe(r rune) bool { return r == '\'' || r == '’' || r == '‘' || r == '`' || r == 'ʼ' }

func doubleQuote(r rune) bool {
	return r == '"' || r == '“' || r == '”' || r == '„' || r == '«' || r == '»'
}

func wordRune(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
	}
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}

// ideograph reports scripts written without spaces: each rune is a word.
func ideograph(r rune) bool {
	return r >= 0x2E80 && (unicode.Is(unicode.Han, r) || unicode.Is(unicode.Hiragana, r) || unicode.Is(unicode.Katakana, r)) ||
		r >= 0x0E00 && r <= 0x0E7F
}

func emoji(r rune) bool { return r >= 0x1F300 && r <= 0x1FAFF || r >= 0x2600 && r <= 0x27BF }

// tokenizer holds what is open while a text is read.
type tokenizer struct {
	s         string
	out       []Token
	flags     Flag // of the next token
	sentence  int  // index of the first token of this sentence
	quoteFrom int  // index of the first quoted token, -1 outside
	quoted    int
	reply     bool
}

// Tokenize appends the tokens of s to out and answers it; it allocates only to
// grow out. It is linear in the length of s. Invalid UTF-8 separates words.
func Tokenize(s string, out []Token) []Token {
	t := tokenizer{s: s, out: out[:0], flags: FlagSentence | FlagClause, quoteFrom: -1, reply: len(s) > 0 && s[0] == '>'}
	for i := 0; i < len(s); {
		r, n := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(s[i:])
		}
		switch {
		case r == utf8.RuneError && n == 1:
			i++
		case wordRune(r):
			i = t.word(i)
		case emoji(r):
			t.add(hashRune(fnvOffset, r), i, i+n, false)
			i += n
		default:
			i = t.punctuation(i, r, n)
		}
	}
	t.finish()
	return t.out
}

func (t *tokenizer) add(h uint64, start, end int, shout bool) {
	f := t.flags
	t.flags = 0
	if shout {
		f |= FlagShout
	}
	if t.quoteFrom >= 0 {
		f |= FlagQuoted
	}
	if t.reply {
		f |= FlagReply
	}
	if f&FlagSentence != 0 {
		t.sentence = len(t.out)
	}
	t.out = append(t.out, Token{Hash: h, Start: int32(start), End: int32(end), Flags: f})
}

func (t *tokenizer) word(start int) int {
	h := uint64(fnvOffset)
	upper, letters := 0, 0
	i, end := start, start
	for i < len(t.s) {
		r, n := rune(t.s[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(t.s[i:])
		}
		if !wordRune(r) {
			if apostrophe(r) {
				i += n
				continue
			}
			break
		}
		if ideograph(r) {
			if i == start {
				t.add(hashRune(h, r), i, i+n, false)
				return i + n
			}
			break
		}
		l := lower(r)
		if l != r {
			upper++
		}
		if l > '9' {
			letters++
		}
		h = hashRune(h, l)
		i += n
		end = i
	}
	t.add(h, start, end, letters > 1 && upper == letters)
	return end
}

func (t *tokenizer) punctuation(i int, r rune, n int) int {
	next := i + n
	switch {
	case doubleQuote(r):
		t.quote()
	case r == '\n':
		t.newline(next)
	case r == '?' || r == '？' || r == '¿':
		t.endSentence(r != '¿')
	case r == '!' || r == ';' && !t.emoticon(i) || r == '。' || r == '！' || r == '…':
		t.endSentence(false)
	case r == '.':
		if next >= len(t.s) || t.s[next] <= ' ' || t.s[next] == '.' || t.s[next] == '"' {
			t.endSentence(false)
		}
	case (r == ':' || r == ';') && t.emoticon(i):
		next = i + 2
		if t.s[i+1] == '-' {
			next++
		}
		t.add(hashRune(hashRune(fnvOffset, ':'), rune(t.s[next-1])), i, next, false)
	case r == ',' || r == ':' || r == '(' || r == ')' || r == '–' || r == '—' || r == '-' && i > 0 && t.s[i-1] == ' ':
		t.flags |= FlagClause
	}
	return next
}

// emoticon reports whether :) ;-( and the like stand at i.
func (t *tokenizer) emoticon(i int) bool {
	j := i + 1
	if j < len(t.s) && t.s[j] == '-' {
		j++
	}
	return j < len(t.s) && (t.s[j] == ')' || t.s[j] == '(' || t.s[j] == '/' && j+1 < len(t.s) && t.s[j+1] == ' ')
}

// newline ends a sentence only before an empty line: mail is wrapped anywhere.
func (t *tokenizer) newline(next int) {
	t.reply = next < len(t.s) && t.s[next] == '>'
	if next < len(t.s) && (t.s[next] == '\n' || t.s[next] == '\r') || t.reply {
		t.endSentence(false)
	}
}

func (t *tokenizer) endSentence(question bool) {
	if question {
		for i := t.sentence; i < len(t.out); i++ {
			t.out[i].Flags |= FlagQuestion
		}
	}
	t.flags |= FlagSentence | FlagClause
	t.sentence = len(t.out)
}

func (t *tokenizer) quote() {
	if t.quoteFrom < 0 {
		t.quoteFrom = len(t.out)
		return
	}
	t.quoted += len(t.out) - t.quoteFrom
	t.quoteFrom = -1
}

// finish takes the mark of quotation back where it was none: a quote that never
// closes, and a message that stands in quotes as a whole.
func (t *tokenizer) finish() {
	from := t.quoteFrom
	if t.quoted*5 > len(t.out)*4 {
		from = 0
	}
	for i := max(from, 0); from >= 0 && i < len(t.out); i++ {
		t.out[i].Flags &^= FlagQuoted
	}
}
