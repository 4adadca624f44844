package encoder

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// fileOf writes a file of random weights, as export.py would of trained ones.
func fileOf(t testing.TB, c config, words []string, seed uint64) []byte {
	t.Helper()
	head, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	w := &fileWriter{r: rand.New(rand.NewPCG(seed, 0)), b: []byte(magic)}
	w.block(head)
	w.block([]byte(strings.Join(words, "\n") + "\n"))
	h, n := c.Hidden, len(words)
	w.ints(n * h)
	w.floats(n, 0.01, 0)
	w.floats(c.Positions*h, 0, 0.2)
	w.floats(2*h, 0, 0.2)
	w.norm(h)
	for range c.Layers {
		w.linear(h, 3*h)
		w.linear(h, h)
		w.norm(h)
		w.linear(h, c.Intermediate)
		w.linear(c.Intermediate, h)
		w.norm(h)
	}
	w.floats(len(c.Outputs)*h, 0, 1)
	w.floats(len(c.Outputs), 0, 1)
	w.floats(h, 0, 1)
	w.floats(1, 0, 1)
	return w.b
}

type fileWriter struct {
	r *rand.Rand
	b []byte
}

func (w *fileWriter) block(raw []byte) {
	w.b = append(binary.LittleEndian.AppendUint32(w.b, uint32(len(raw))), raw...)
}

func (w *fileWriter) pad() {
	for len(w.b)%alignment != 0 {
		w.b = append(w.b, 0)
	}
}

func (w *fileWriter) ints(n int) {
	w.pad()
	for range n {
		w.b = append(w.b, byte(w.r.IntN(255)-127))
	}
}

func (w *fileWriter) floats(n int, mean, spread float64) {
	w.pad()
	for range n {
		v := float32(mean + spread*w.r.NormFloat64())
		w.b = binary.LittleEndian.AppendUint32(w.b, math.Float32bits(v))
	}
}

func (w *fileWriter) norm(n int) {
	w.floats(n, 1, 0.1)
	w.floats(n, 0, 0.1)
}

func (w *fileWriter) linear(in, out int) {
	w.ints(in * out)
	w.floats(out, 1/(73*math.Sqrt(float64(in))), 0)
	w.floats(out, 0, 0.1)
}

func testWords(t testing.TB) []string {
	t.Helper()
	raw, err := os.ReadFile("testdata/vocab.txt")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n")
}

// miniature is a small network with all parts; no size is a round one.
var miniature = config{
	Version: "miniature", Layers: 2, Hidden: 48, Heads: 3, Intermediate: 80, Positions: 40,
	QuestionTokens: 9, LayerNormEps: 1e-12, Outputs: []string{"flag", "red"},
}

// asShipped has the size of what ships, for speed and sums.
var asShipped = config{
	Version: "random", Layers: 12, Hidden: 384, Heads: 12, Intermediate: 1536, Positions: 128,
	QuestionTokens: 32, LayerNormEps: 1e-12, Outputs: []string{"flag", "red", "cat:billing"},
}

func encoderOf(t testing.TB, c config) *Encoder {
	t.Helper()
	e, err := Read(fileOf(t, c, testWords(t), 1))
	if err != nil {
		t.Fatal(err)
	}
	return e
}
