package text

import (
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

// features tells the features of the tokens in sc: words, pairs of words and
// the character 3- to 5-grams of each word, which hold against typing errors and
// endings; all of them under a negation apart from those that are not ("not
// bad"). each is told the token a feature belongs to.
func features(s string, sc *scratch, each func(token int, f uint32)) {
	toks := sc.toks
	if len(toks) > maxModelTokens {
		toks = toks[:maxModelTokens]
	}
	var before uint64
	for i, t := range toks {
		h, chars := t.Hash, saltChars
		if sc.scope[i]&scopeNegated != 0 {
			h ^= saltNegated
			chars ^= saltNegated
		}
		each(i, mix(h^saltWord))
		if t.Flags&FlagSentence != 0 {
			before = 0
		}
		each(i, mix((before*31+h)^saltPair))
		before = h
		charGrams(s[t.Start:t.End], func(g uint64) { each(i, mix(g^chars)) })
	}
}

// charGrams tells the hashes of the 3- to 5-grams of a word, its ends marked.
func charGrams(w string, each func(uint64)) {
	var ring [5]rune
	n := 0
	push := func(r rune) {
		ring[n%5] = r
		n++
		h := uint64(fnvOffset)
		for k := 1; k <= 5 && k <= n; k++ {
			h = hashRune(h, ring[(n-k)%5])
			if k >= 3 {
				each(h)
			}
		}
	}
	push('^')
	for len(w) > 0 {
		r, size := utf8.DecodeRuneInString(w)
		w = w[size:]
		if !apostrophe(r) {
			push(lower(r))
		}
	}
	push('$')
}

// FeaturesOf answers the distinct features of a text, for training; the order is
// that of the text.
func FeaturesOf(s string) []uint32 {
	sc := pool.Get().(*scratch)
	defer release(sc)
	DefaultFinder().read(s, sc)
	seen := map[uint32]bool{}
	var out []uint32
	features(s, sc, func(_ int, f uint32) {
		if !seen[f] {
			seen[f] = true
			out = append(out, f)
		}
	})
	return out
}

func spanOf(toks []Token, first, last int) schemas.Span {
	return schemas.Span{Start: int(toks[first].Start), End: int(toks[last].End)}
}
