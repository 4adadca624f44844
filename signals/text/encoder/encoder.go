package encoder

import (
	"slices"
	"sync"
)

// Encoder is a trained encoder. It is immutable and safe for concurrent use; a
// call takes its memory, about one megabyte, from a pool.
type Encoder struct {
	config config
	vocab  *vocabulary
	simd   bool

	words                  []int8 // [vocabulary][hidden]
	wordScales             []byte // float32 of each word
	positions, types       []float32
	embedded               normalisation
	layers                 []layer
	sentence, sentenceBias []float32
	word, wordBias         []float32

	pool sync.Pool
}

// Word is what the encoder says of one word: a run of letters and digits, one
// mark of punctuation or one Chinese character.
type Word struct {
	Start, End int     // bytes of the text, on boundaries of characters
	Logit      float32 // the greatest of its pieces
}

// Result is what Encode answers. Its slices are used again by the next Encode
// into it.
type Result struct {
	Logits []float32 // by Outputs; not calibrated
	Pooled []float32 // the mean of the last hidden state
	Words  []Word    // of the text, in its order, as far as it was read
	// Shares says what each word adds to each logit, summed over its pieces: a
	// word's len(Logits) numbers stand together, in the order of Words. With the
	// shares of the question and the special tokens, and the bias, they add up to
	// the logit: it is linear in the mean of the last hidden state.
	Shares []float32
}

// Version names the weights; verdicts keep it.
func (e *Encoder) Version() string { return e.config.Version }

// Outputs answers the names of Result.Logits, from the file. The caller owns
// the slice.
func (e *Encoder) Outputs() []string { return slices.Clone(e.config.Outputs) }

// Dimension is the length of Result.Pooled.
func (e *Encoder) Dimension() int { return e.config.Hidden }

// MaxTokens is the most tokens that one input has, question and special tokens
// included.
func (e *Encoder) MaxTokens() int { return e.config.Positions }

// Encode says what the network makes of a text, which may answer a question
// ("" for none). It never fails: bytes that are not UTF-8 count for nothing, an
// empty text has a result too, and of long texts it reads the beginning and the
// end, in bounded time: with n tokens left by the question, the first n - n/4
// and the last n/4 of them, and these from the first 8 and the last 2 KiB only.
// Out is overwritten; once its slices have grown, nothing is allocated.
func (e *Encoder) Encode(question, text string, out *Result) {
	sc, _ := e.pool.Get().(*scratch)
	if sc == nil {
		sc = new(scratch)
	}
	defer e.pool.Put(sc)
	e.input(sc, question, text)
	e.forward(sc)
	e.heads(sc, out)
}

// share adds what each word of the text says for each output.
func (e *Encoder) share(sc *scratch, out *Result) {
	h, n := e.config.Hidden, len(e.sentenceBias)
	out.Shares = resize(out.Shares, n*len(out.Words))
	clear(out.Shares)
	for i, t := range sc.reader.tokens {
		if t.word < 0 {
			continue
		}
		by := out.Shares[int(t.word)*n:][:n]
		for o := range by {
			by[o] += dot(e.sentence[o*h:][:h], sc.x[i*h:][:h]) / float32(len(sc.reader.tokens))
		}
	}
}

// heads turns the last hidden state into the result.
func (e *Encoder) heads(sc *scratch, out *Result) {
	h, tokens := e.config.Hidden, sc.reader.tokens
	out.Pooled = resize(out.Pooled, h)
	clear(out.Pooled)
	for i := range tokens {
		for j, v := range sc.x[i*h:][:h] {
			out.Pooled[j] += v
		}
	}
	for j := range out.Pooled {
		out.Pooled[j] /= float32(len(tokens))
	}
	out.Logits = resize(out.Logits, len(e.sentenceBias))
	for i := range out.Logits {
		out.Logits[i] = dot(e.sentence[i*h:][:h], out.Pooled) + e.sentenceBias[i]
	}
	out.Words = append(out.Words[:0], sc.reader.words...)
	seen := int32(-1)
	for i, t := range tokens {
		if t.word < 0 {
			continue
		}
		logit := dot(e.word, sc.x[i*h:][:h]) + e.wordBias[0]
		if w := &out.Words[t.word]; t.word > seen || logit > w.Logit {
			w.Logit = logit
		}
		seen = t.word
	}
	e.share(sc, out)
}

// dot sums in rising order.
func dot(a, b []float32) float32 {
	b = b[:len(a)]
	var sum float32
	for i, v := range a {
		sum += float32(v * b[i])
	}
	return sum
}

// resize answers a slice of n, whose content does not matter.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
