package text

import (
	"slices"
	"unicode/utf8"

	"redalert/schemas"
)

// featureBits is the size of the hashed feature space: 2^18 weights of one byte
// each. Hashing instead of a vocabulary: Weinberger et al., "Feature Hashing
// for Large Scale Multitask Learning", ICML 2009.
const featureBits = 18

// Features is how many features there are.
const Features = 1 << featureBits

// maxModelTokens bounds what the model reads of one text; complaints say it
// within the first thousand words.
const maxModelTokens = 1000

// Salts keep the kinds of features apart.
const (
	saltWord    uint64 = 0x9e3779b97f4a7c15
	saltPair    uint64 = 0xc2b2ae3d27d4eb4f
	saltChars   uint64 = 0x165667b19e3779f9
	saltNegated uint64 = 0x27d4eb2f165667c5
)

func mix(h uint64) uint32 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	return uint32(h >> (64 - featureBits))
}

// features puts the features of the tokens into sc.feats, and into sc.upto how
// many there are up to and with each token: words, pairs of words and the
// character 3- to 5-grams of each word, which hold against typing errors and
// endings; all of them under a negation apart from those that are not ("not
// bad").
func features(s string, sc *scratch) {
	toks := sc.toks
	if len(toks) > maxModelTokens {
		toks = toks[:maxModelTokens]
	}
	feats := sc.feats[:0]
	sc.upto = grow(sc.upto, len(toks))
	var before uint64
	for i, t := range toks {
		h, chars := t.Hash, saltChars
		if sc.scope[i]&scopeNegated != 0 {
			h ^= saltNegated
			chars ^= saltNegated
		}
		if t.Flags&FlagSentence != 0 {
			before = 0
		}
		feats = append(feats, mix(h^saltWord), mix((before*31+h)^saltPair))
		before = h
		feats = charGrams(s[t.Start:min(t.End, t.Start+gramBytes)], chars, feats)
		sc.upto[i] = int32(len(feats))
	}
	sc.feats = feats
}

// gramBytes is how much of a word its n-grams are made of: a megabyte without a
// space is no word.
const gramBytes = 128

// charGrams appends the 3- to 5-grams of a word, its ends marked. Each is hashed
// from its last character to its first.
func charGrams(w string, salt uint64, out []uint32) []uint32 {
	var a, b, c, d rune // the four characters before; 0 = none
	d = '^'
	for end := false; !end; {
		r := '$'
		if end = w == ""; !end {
			size := 1
			if r = rune(w[0]); r >= utf8.RuneSelf {
				r, size = utf8.DecodeRuneInString(w)
			}
			if w = w[size:]; apostrophe(r) {
				continue
			}
			r = lower(r)
		}
		if c != 0 {
			h := hashRune(hashRune(hashRune(fnvOffset, r), d), c)
			out = append(out, mix(h^salt))
			if b != 0 {
				h = hashRune(h, b)
				out = append(out, mix(h^salt))
				if a != 0 {
					out = append(out, mix(hashRune(h, a)^salt))
				}
			}
		}
		a, b, c, d = b, c, d, r
	}
	return out
}

// FeaturesOf answers the features of a text as Score counts them, for training:
// in the order of the text, what comes twice twice.
func FeaturesOf(s string) []uint32 {
	sc := pool.Get().(*scratch)
	defer release(sc)
	DefaultFinder().read(s, sc)
	features(s, sc)
	return slices.Clone(sc.feats)
}

func spanOf(toks []Token, first, last int) schemas.Span {
	return schemas.Span{Start: int(toks[first].Start), End: int(toks[last].End)}
}
