package text

import (
	"bytes"
	_ "embed" // the weights
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"redalert/schemas"
)

// Model is the first text model: logistic regression over hashed features,
// weights quantised to one byte, calibrated by a line through a few points.
// It scores in integers up to the last steps, and wraps each product there, so
// that a message has one verdict on every architecture. It knows English; what
// it does not know it keeps quiet about.
type Model struct {
	version string
	weights []int8 // Features of them
	bias    int64  // in units of a weight
	points  []point
	finder  *Finder
}

// point maps a raw score to a calibrated probability.
type point struct{ score, p float64 }

//go:embed weights.bin
var weightsFile []byte

// Load answers the model that ships with the program. It is read once.
var Load = sync.OnceValues(func() (*Model, error) { return Read(weightsFile) })

// magic begins a weights file; the last byte is its format.
var magic = []byte("redalert-text\x01")

// Raw is a model as the trainer writes it.
type Raw struct {
	Version string
	Weights []int8
	Bias    int64
	Scores  []float64 // of the calibration, rising
	Probs   []float64
}

// Write encodes a model: magic, version, bias, calibration, weights.
func (r Raw) Write() []byte {
	var b bytes.Buffer
	b.Write(magic)
	b.WriteByte(byte(len(r.Version)))
	b.WriteString(r.Version)
	le := binary.LittleEndian
	b.Write(le.AppendUint64(nil, uint64(r.Bias)))
	b.WriteByte(byte(len(r.Scores)))
	for i := range r.Scores {
		b.Write(le.AppendUint64(nil, math.Float64bits(r.Scores[i])))
		b.Write(le.AppendUint64(nil, math.Float64bits(r.Probs[i])))
	}
	for _, w := range r.Weights {
		b.WriteByte(byte(w))
	}
	return b.Bytes()
}

var errWeights = errors.New("the weights of the text model are damaged")

// Read decodes what Write wrote.
func Read(b []byte) (*Model, error) {
	rest, ok := bytes.CutPrefix(b, magic)
	if !ok || len(rest) < 1 || len(rest) < 1+int(rest[0])+9 {
		return nil, errWeights
	}
	m := &Model{finder: DefaultFinder()}
	n := int(rest[0])
	m.version, rest = string(rest[1:1+n]), rest[1+n:]
	le := binary.LittleEndian
	m.bias, rest = int64(le.Uint64(rest)), rest[8:]
	n, rest = int(rest[0]), rest[1:]
	if n < 2 || len(rest) != 16*n+Features {
		return nil, fmt.Errorf("%w: %d bytes", errWeights, len(b))
	}
	for range n {
		m.points = append(m.points, point{math.Float64frombits(le.Uint64(rest)), math.Float64frombits(le.Uint64(rest[8:]))})
		rest = rest[16:]
	}
	m.weights = make([]int8, Features)
	for i, w := range rest {
		m.weights[i] = int8(w)
	}
	return m, nil
}

// Version names the weights; verdicts keep it.
func (m *Model) Version() string { return m.version }

// Score is the raw score of a text: the sum of the weights of its features by
// the square root of their number, so that long texts do not shout. Zero means
// nothing known. Not calibrated.
func (m *Model) Score(s string) float64 {
	sc := pool.Get().(*scratch)
	defer release(sc)
	m.finder.read(s, sc)
	return m.score(s, sc)
}

func (m *Model) score(s string, sc *scratch) float64 {
	features(s, sc)
	if len(sc.feats) == 0 {
		return math.Inf(-1)
	}
	var sum int64
	for _, f := range sc.feats {
		sum += int64(m.weights[f])
	}
	return Normalise(sum, int64(len(sc.feats)), m.bias)
}

// Normalise is how a sum over n features becomes a raw score. math.Sqrt and
// division are correctly rounded everywhere (IEEE 754).
func Normalise(sum, n, bias int64) float64 {
	return float64(float64(sum)/math.Sqrt(float64(n))) + float64(bias)
}

// Calibrated is the probability that belongs to a raw score.
func (m *Model) Calibrated(score float64) float64 { return m.probability(score) }

// probability goes along the line through the points, rounded to four decimals.
func (m *Model) probability(score float64) float64 {
	ps := m.points
	if score <= ps[0].score {
		return round4(ps[0].p)
	}
	for i := 1; i < len(ps); i++ {
		if score <= ps[i].score {
			share := (score - ps[i-1].score) / (ps[i].score - ps[i-1].score)
			return round4(ps[i-1].p + float64(share*(ps[i].p-ps[i-1].p)))
		}
	}
	return round4(ps[len(ps)-1].p)
}

func round4(p float64) float64 { return float64(int64(float64(p*10000)+0.5)) / 10000 }

// Predict says how likely a text is a red alert. Reasons are looked for only
// from a probability of 0.5 on. It reads the first thousand words.
func (m *Model) Predict(s string, h Hints) Prediction {
	p, _ := m.Hear(s, h)
	return p
}

// Hear is Predict, and what DefaultFinder finds in the text, for one reading of
// it.
func (m *Model) Hear(s string, _ Hints) (Prediction, []Finding) {
	sc := pool.Get().(*scratch)
	defer release(sc)
	m.finder.read(s, sc)
	p := Prediction{Probability: m.probability(m.score(s, sc))}
	if p.Probability >= schemas.ReviewThreshold {
		p.Spans = m.marks(sc)
	}
	return p, sc.findings()
}

// maxMarks is how many runs of words are marked, markWords how long one is.
const (
	maxMarks  = 3
	markWords = 4
)

// marks finds the runs of words that carried most of the score; score has read
// the features.
func (m *Model) marks(sc *scratch) []Mark {
	weight := make([]int64, len(sc.upto))
	var total int64
	from := int32(0)
	for i, to := range sc.upto {
		for _, f := range sc.feats[from:to] {
			weight[i] += int64(m.weights[f])
		}
		from = to
		total += max(weight[i], 0)
	}
	var out []Mark
	for len(out) < maxMarks && total > 0 {
		first, last, sum := bestRun(weight, sc.toks)
		if sum*6 < total && len(out) > 0 || sum <= 0 {
			break
		}
		out = append(out, Mark{Span: spanOf(sc.toks, first, last), Weight: float64(sum*1000/total) / 1000})
		for i := first; i <= last; i++ {
			weight[i] = 0
		}
	}
	slices.SortStableFunc(out, func(a, b Mark) int { return a.Span.Start - b.Span.Start })
	return out
}

// bestRun is the heaviest run of at most markWords words of one sentence.
func bestRun(weight []int64, toks []Token) (first, last int, best int64) {
	for i := range weight {
		var sum int64
		for j := i; j < min(i+markWords, len(weight)); j++ {
			if j > i && toks[j].Flags&FlagSentence != 0 {
				break
			}
			if sum += weight[j]; sum > best && weight[i] > 0 && weight[j] > 0 {
				first, last, best = i, j, sum
			}
		}
	}
	return first, last, best
}
