package encoder

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"unsafe"
)

const magic = "redalert-encoder\x01"

// Bounds of a file. Within them nothing overflows: not the integer sums (see
// linear), and not floating point, so that no NaN can come up.
const (
	maxLayers       = 24
	maxHidden       = 1024
	maxIntermediate = 4096
	maxPositions    = 512
	maxOutputs      = 256
	maxVocabulary   = math.MaxUint16 - 1
	maxConfig       = 64 << 10
	maxFloat        = 100 // of biases, embeddings and normalisations
	maxScale        = 1   // of quantised weights
	maxHead         = 1e4 // of the heads
	leastText       = 8   // tokens that a question must leave the text
	alignment       = 64
)

// errDamaged begins what Read answers of a file it cannot use.
var errDamaged = errors.New("the encoder's file is damaged")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errDamaged, fmt.Sprintf(format, args...))
}

// config is the configuration of a file; see the package's documentation.
type config struct {
	Version        string   `json:"version"`
	Layers         int      `json:"layers"`
	Hidden         int      `json:"hidden"`
	Heads          int      `json:"heads"`
	Intermediate   int      `json:"intermediate"`
	Positions      int      `json:"positions"`
	QuestionTokens int      `json:"question_tokens"`
	LayerNormEps   float32  `json:"layer_norm_eps"`
	Outputs        []string `json:"outputs"`
}

func (c *config) check() error {
	switch {
	case c.Version == "":
		return damaged("the configuration has no version")
	case c.Layers < 1 || c.Layers > maxLayers:
		return damaged("%d layers; 1 to %d are possible", c.Layers, maxLayers)
	case c.Hidden < panelCols || c.Hidden > maxHidden || c.Hidden%panelCols != 0:
		return damaged("hidden size %d; a multiple of %d up to %d is possible", c.Hidden, panelCols, maxHidden)
	case c.Intermediate < panelCols || c.Intermediate > maxIntermediate || c.Intermediate%panelCols != 0:
		return damaged("intermediate size %d; a multiple of %d up to %d is possible", c.Intermediate, panelCols, maxIntermediate)
	case c.Heads < 1 || c.Hidden%(c.Heads*laneCount) != 0:
		return damaged("%d heads; each must have a multiple of %d of %d values", c.Heads, laneCount, c.Hidden)
	case c.Positions > maxPositions:
		return damaged("%d positions; up to %d are possible", c.Positions, maxPositions)
	case c.QuestionTokens < 0 || c.QuestionTokens > c.Positions-3-leastText:
		return damaged("%d of %d positions for the question leave the text too few", c.QuestionTokens, c.Positions)
	case !(c.LayerNormEps >= 1e-20 && c.LayerNormEps <= 1):
		return damaged("layer_norm_eps is %v", c.LayerNormEps)
	case len(c.Outputs) > maxOutputs:
		return damaged("%d outputs; up to %d are possible", len(c.Outputs), maxOutputs)
	}
	return nil
}

// matrix is a linear layer; see the package's documentation for its order.
type matrix struct {
	weights     []int8
	scale, bias []float32
	in, out     int
}

type normalisation struct{ gamma, beta []float32 }

type layer struct {
	qkv, attended, up, down matrix
	afterAttention, after   normalisation
}

// parser takes parts off a file; after the first error it takes nothing.
type parser struct {
	file []byte
	pos  int
	err  error
}

// take answers the next n bytes, which are part of what.
func (p *parser) take(what string, n int) []byte {
	if p.err != nil {
		return nil
	}
	if n < 0 || n > len(p.file)-p.pos {
		p.err = damaged("it ends at %d bytes, within %s", len(p.file), what)
		return nil
	}
	p.pos += n
	return p.file[p.pos-n : p.pos : p.pos]
}

// block answers a part that has its length before it.
func (p *parser) block(what string) []byte {
	head := p.take("the length of "+what, 4)
	if p.err != nil {
		return nil
	}
	return p.take(what, int(min(uint64(binary.LittleEndian.Uint32(head)), math.MaxInt32)))
}

// tensor answers the next tensor's bytes.
func (p *parser) tensor(what string, n int) []byte {
	for _, b := range p.take("the padding before "+what, -p.pos&(alignment-1)) {
		if b != 0 && p.err == nil {
			p.err = damaged("the padding before %s is not zero", what)
		}
	}
	return p.take(what, n)
}

// ints answers a tensor of int8, a view of the file.
func (p *parser) ints(what string, n int) []int8 {
	b := p.tensor(what, n)
	if len(b) == 0 {
		return nil
	}
	return unsafe.Slice((*int8)(unsafe.Pointer(unsafe.SliceData(b))), len(b))
}

// floats answers a copy of a tensor of float32, none beyond limit: a copy holds
// on every byte order and alignment, and these are few.
func (p *parser) floats(what string, n int, least, most float32) []float32 {
	b := p.tensor(what, 4*n)
	if p.err != nil {
		return nil
	}
	out := make([]float32, n)
	for i := range out {
		out[i] = floatAt(b, i)
		if !(out[i] >= least && out[i] <= most) {
			p.err = damaged("number %d of %s is %v, not between %v and %v", i, what, out[i], least, most)
			return nil
		}
	}
	return out
}

func floatAt(b []byte, i int) float32 {
	return math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
}

func (p *parser) matrix(what string, in, out int) matrix {
	return matrix{
		weights: p.ints(what+", weights", in*out),
		scale:   p.floats(what+", scales", out, 0, maxScale),
		bias:    p.floats(what+", biases", out, -maxFloat, maxFloat),
		in:      in, out: out,
	}
}

func (p *parser) norm(what string, n int) normalisation {
	return normalisation{
		gamma: p.floats(what+", gamma", n, -maxFloat, maxFloat),
		beta:  p.floats(what+", beta", n, -maxFloat, maxFloat),
	}
}

func (p *parser) layer(i int, c *config) layer {
	name := fmt.Sprintf("layer %d, ", i)
	return layer{
		qkv:            p.matrix(name+"query, key, value", c.Hidden, 3*c.Hidden),
		attended:       p.matrix(name+"attention output", c.Hidden, c.Hidden),
		afterAttention: p.norm(name+"normalisation of the attention", c.Hidden),
		up:             p.matrix(name+"intermediate", c.Hidden, c.Intermediate),
		down:           p.matrix(name+"output", c.Intermediate, c.Hidden),
		after:          p.norm(name+"normalisation of the output", c.Hidden),
	}
}

// Read makes an Encoder of a file, whose format the package's documentation
// tells. It keeps references into b, which must not change afterwards: weights
// and vocabulary stay where they are, and only about half a megabyte is copied.
// Sizes and numbers are checked, and an error says which part is damaged; that
// weights were altered within their bounds it does not notice.
func Read(b []byte) (*Encoder, error) {
	if !bytes.HasPrefix(b, []byte(magic)) {
		return nil, damaged("it does not begin with %q", magic)
	}
	p := &parser{file: b, pos: len(magic)}
	e := &Encoder{simd: haveSIMD()}
	raw := p.block("the configuration")
	if p.err != nil {
		return nil, p.err
	}
	if len(raw) > maxConfig {
		return nil, damaged("the configuration has %d bytes; up to %d are possible", len(raw), maxConfig)
	}
	if err := json.Unmarshal(raw, &e.config); err != nil {
		return nil, damaged("the configuration: %v", err)
	}
	if err := e.config.check(); err != nil {
		return nil, err
	}
	words := p.block("the vocabulary")
	if p.err != nil {
		return nil, p.err
	}
	var err error
	if e.vocab, err = newVocabulary(words); err != nil {
		return nil, err
	}
	e.readTensors(p)
	if p.err == nil && p.pos != len(b) {
		p.err = damaged("it goes on for %d bytes after its end", len(b)-p.pos)
	}
	if p.err != nil {
		return nil, p.err
	}
	return e, nil
}

func (e *Encoder) readTensors(p *parser) {
	c := &e.config
	e.words = p.ints("the word embeddings", e.vocab.size*c.Hidden)
	e.wordScales = p.tensor("the scales of the word embeddings", 4*e.vocab.size)
	for i := range len(e.wordScales) / 4 {
		if s := floatAt(e.wordScales, i); !(s >= 0 && s <= maxScale) {
			p.err = damaged("the scale of word %d is %v, not between 0 and %v", i, s, maxScale)
			return
		}
	}
	e.positions = p.floats("the position embeddings", c.Positions*c.Hidden, -maxFloat, maxFloat)
	e.types = p.floats("the type embeddings", 2*c.Hidden, -maxFloat, maxFloat)
	e.embedded = p.norm("normalisation of the embeddings", c.Hidden)
	for i := 0; i < c.Layers && p.err == nil; i++ {
		e.layers = append(e.layers, p.layer(i, c))
	}
	e.sentence = p.floats("the sentence head, weights", len(c.Outputs)*c.Hidden, -maxHead, maxHead)
	e.sentenceBias = p.floats("the sentence head, biases", len(c.Outputs), -maxHead, maxHead)
	e.word = p.floats("the word head, weights", c.Hidden, -maxHead, maxHead)
	e.wordBias = p.floats("the word head, bias", 1, -maxHead, maxHead)
}
