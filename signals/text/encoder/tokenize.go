package encoder

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Tokens are those of BERT's uncased WordPiece (Devlin et al., 2019), as
// Hugging Face's tokenizers library makes them: control and format characters
// go, Chinese characters stand alone, accents are stripped after canonical
// decomposition, letters lower-cased, words end at white space and around
// punctuation, and each is cut into the longest pieces of the vocabulary from
// the left. Two things differ: "[SEP]" and its like in a text are text, and
// Unicode is as new as Go's tables.

// maxWordChars is the most characters of a word; a longer one is unknown.
const maxWordChars = 100

// token is a piece of the input with its place in the text.
type token struct {
	id         int32
	word       int32 // number among the words, -1 for none
	start, end int   // bytes
}

// reader cuts a text into tokens.
type reader struct {
	vocab  *vocabulary
	most   int // tokens after which it stops
	tokens []token
	words  []Word

	// The word at hand.
	norm    []byte
	chars   []char
	n       int // its characters; those above maxWordChars are not kept
	wordEnd int
}

// char is a character of the word at hand.
type char struct {
	start, end int // bytes of the text
	off        int // where it begins in norm
}

// read appends the tokens of text[from:to] until there are r.most, and says
// whether that was all. Both bounds must be such of characters.
func (r *reader) read(text string, from, to int) bool {
	r.reset()
	for pos := from; pos < to && len(r.tokens) < r.most; {
		c, size := rune(text[pos]), 1
		if c >= utf8.RuneSelf {
			c, size = utf8.DecodeRuneInString(text[pos:to])
		}
		r.put(c, text[pos:pos+size], pos)
		pos += size
		if len(r.tokens) >= r.most && pos < to {
			return false
		}
	}
	r.finish()
	return len(r.tokens) <= r.most
}

func (r *reader) reset() {
	r.norm, r.chars, r.n = r.norm[:0], r.chars[:0], 0
}

// put takes one character, raw its bytes at start.
func (r *reader) put(c rune, raw string, start int) {
	end := start + len(raw)
	switch {
	case unicode.IsSpace(c) && !unicode.IsControl(c) || c == '\t' || c == '\n' || c == '\r':
		r.finish()
	case c < utf8.RuneSelf:
		if c >= ' ' && c != 0x7f {
			r.add(c, start, end)
		}
	case c == utf8.RuneError || unicode.In(c, unicode.Cc, unicode.Cf, unicode.Co):
	case chinese(c):
		r.finish()
		r.decompose(c, raw, start, end)
		r.finish()
	default:
		r.decompose(c, raw, start, end)
	}
}

const (
	hangulBase, hangulEnd  = 0xac00, 0xd7a4
	jamoL, jamoV, jamoT    = 0x1100, 0x1161, 0x11a7
	jamoVCount, jamoTCount = 21, 28
	hangulPerL             = jamoVCount * jamoTCount
)

// decompose adds the canonical decomposition of a character; for Hangul it is
// computed (The Unicode Standard, section 3.12).
func (r *reader) decompose(c rune, raw string, start, end int) {
	if c >= hangulBase && c < hangulEnd {
		s := c - hangulBase
		r.add(jamoL+s/hangulPerL, start, end)
		r.add(jamoV+s%hangulPerL/jamoTCount, start, end)
		if t := s % jamoTCount; t > 0 {
			r.add(jamoT+t, start, end)
		}
		return
	}
	parts := norm.NFD.PropertiesString(raw).Decomposition()
	if len(parts) == 0 {
		r.add(c, start, end)
		return
	}
	for len(parts) > 0 {
		part, size := utf8.DecodeRune(parts)
		r.add(part, start, end)
		parts = parts[size:]
	}
}

// add takes one character of the decomposed text. Marks are dropped, but belong
// to the span of the character before them.
func (r *reader) add(c rune, start, end int) {
	if c >= utf8.RuneSelf && unicode.Is(unicode.Mn, c) {
		if r.n > 0 && r.wordEnd == start {
			r.wordEnd = end
			r.chars[len(r.chars)-1].end = end
		}
		return
	}
	if punctuation(c) {
		r.finish()
		r.keep(c, start, end)
		r.finish()
		return
	}
	if c < utf8.RuneSelf {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
	} else {
		c = unicode.ToLower(c)
	}
	r.keep(c, start, end)
}

func (r *reader) keep(c rune, start, end int) {
	r.wordEnd = end
	if r.n++; r.n > maxWordChars {
		r.chars[len(r.chars)-1].end = end
		return
	}
	r.chars = append(r.chars, char{start, end, len(r.norm)})
	r.norm = utf8.AppendRune(r.norm, c)
}

// finish ends the word at hand, if there is one, and appends its tokens.
func (r *reader) finish() {
	if r.n == 0 {
		return
	}
	first := len(r.tokens)
	word := int32(len(r.words))
	r.words = append(r.words, Word{Start: r.chars[0].start, End: r.wordEnd})
	for i := 0; i < len(r.chars); {
		id, next := r.longest(i)
		if next == i || r.n > maxWordChars {
			r.tokens = append(r.tokens[:first], token{r.vocab.unknown, word, r.chars[0].start, r.wordEnd})
			break
		}
		r.tokens = append(r.tokens, token{id, word, r.chars[i].start, r.chars[next-1].end})
		i = next
	}
	r.reset()
}

// longest answers the longest piece that begins at character i, and the
// character after it; i itself if there is none.
func (r *reader) longest(i int) (int32, int) {
	var hashes [maxWordChars]uint32
	h, from := uint32(hashOffset), r.chars[i].off
	if i > 0 {
		h = hashInner
	}
	last := i
	for ; last < len(r.chars); last++ {
		end := r.offset(last + 1)
		if end-from > r.vocab.longest {
			break
		}
		for _, c := range r.norm[r.chars[last].off:end] {
			h = (h ^ uint32(c)) * hashPrime
		}
		hashes[last] = h
	}
	for ; last > i; last-- {
		if id, ok := r.vocab.find(hashes[last-1], r.norm[from:r.offset(last)], i > 0); ok {
			return id, last
		}
	}
	return 0, i
}

// offset is where character i begins in norm, or the end of norm.
func (r *reader) offset(i int) int {
	if i < len(r.chars) {
		return r.chars[i].off
	}
	return len(r.norm)
}

// punctuation is Unicode's and all of ASCII that is neither letter nor digit.
func punctuation(c rune) bool {
	if c < utf8.RuneSelf {
		return '!' <= c && c <= '/' || ':' <= c && c <= '@' || '[' <= c && c <= '`' || '{' <= c && c <= '~'
	}
	return unicode.IsPunct(c)
}

// chinese says whether a character is of the CJK ideographs that stand alone.
// The ranges are BERT's, as the tokenizers library has them.
func chinese(c rune) bool {
	return c >= 0x3400 && (c <= 0x4dbf || 0x4e00 <= c && c <= 0x9fff || 0xf900 <= c && c <= 0xfaff ||
		0x20000 <= c && c <= 0x2a6df || 0x2a700 <= c && c <= 0x2b81f ||
		0x2b920 <= c && c <= 0x2ceaf || 0x2f800 <= c && c <= 0x2fa1f)
}
