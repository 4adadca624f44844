package encoder

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// What is read of a text that is too long: its beginning and its end, where
// people say what they want. A quarter of the tokens are kept for the end. No
// more than headBytes and tailBytes are looked at, so that a text of any length
// costs the same.
const (
	headBytes = 8 << 10
	tailBytes = 2 << 10
	tailShare = 4
)

// input reads what is to be encoded into sc: [CLS] question [SEP] text [SEP],
// or [CLS] text [SEP] if the question has no tokens. Tokens from sc.typeStart on
// are of the second type. A question is cut after its first tokens.
func (e *Encoder) input(sc *scratch, question, text string) {
	r := &sc.reader
	r.vocab = e.vocab
	r.tokens, r.words = r.tokens[:0], r.words[:0]
	r.special(e.vocab.cls)
	sc.typeStart = e.config.Positions
	if question != "" {
		r.most = 1 + e.config.QuestionTokens
		r.read(question, 0, runeStart(question, min(len(question), headBytes)))
		r.tokens, r.words = r.tokens[:min(len(r.tokens), r.most)], r.words[:0]
		if len(r.tokens) > 1 {
			for i := range r.tokens {
				r.tokens[i].word = -1
			}
			r.special(e.vocab.sep)
			sc.typeStart = len(r.tokens)
		}
	}
	r.text(text, e.config.Positions-1-len(r.tokens))
	r.special(e.vocab.sep)
}

func (r *reader) special(id int32) { r.tokens = append(r.tokens, token{id: id, word: -1}) }

// text appends at most n tokens of a text.
func (r *reader) text(text string, n int) {
	before := len(r.tokens)
	r.most = before + n + 1
	to := runeStart(text, min(len(text), headBytes))
	all := r.read(text, 0, to) && to == len(text)
	if all && len(r.tokens) <= before+n {
		return
	}
	r.tokens = r.tokens[:min(len(r.tokens), before+n-n/tailShare)]
	end := 0
	if len(r.tokens) > before {
		last := r.tokens[len(r.tokens)-1].word
		r.words = r.words[:last+1]
		end = r.words[last].End
	}
	r.tail(text, end, before+n)
}

// tail appends the last tokens of a text after byte from, until there are most.
func (r *reader) tail(text string, from, most int) {
	if start := len(text) - tailBytes; start > from {
		from = max(from, runeStart(text, start))
		if i := strings.IndexFunc(text[from:], unicode.IsSpace); i >= 0 {
			from += i
		}
	}
	head := len(r.tokens)
	r.most = head + tailBytes
	r.read(text, from, len(text))
	if over := len(r.tokens) - most; over > 0 {
		r.tokens = append(r.tokens[:head], r.tokens[head+over:]...)
	}
	r.dropWords(head)
}

// dropWords removes the words between those of the head and the first of the
// tokens from head on.
func (r *reader) dropWords(head int) {
	if head >= len(r.tokens) {
		return
	}
	keep := int32(0)
	for _, t := range r.tokens[:head] {
		keep = max(keep, t.word+1)
	}
	gap := r.tokens[head].word - keep
	if gap <= 0 {
		return
	}
	r.words = append(r.words[:keep], r.words[keep+gap:]...)
	for i := head; i < len(r.tokens); i++ {
		r.tokens[i].word -= gap
	}
}

// runeStart moves i back to where a character begins.
func runeStart(s string, i int) int {
	if i >= len(s) {
		return len(s)
	}
	for j := i; j > 0 && j > i-utf8.UTFMax; j-- {
		if utf8.RuneStart(s[j]) {
			return j
		}
	}
	return i
}
