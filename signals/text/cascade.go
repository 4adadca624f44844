package text

import (
	"cmp"
	_ "embed" // the weights and how they are joined
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"sync"

	"redalert/schemas"
	"redalert/signals/text/encoder"
)

// Cascade is the text model in two stages. The first, Model, counts words and is
// fast; where it is sure, its word stands. Else the encoder reads the message,
// and the two together say how likely it is a red alert, what it is about and
// which words say so. It is immutable and safe for concurrent use.
//
// The same message has the same verdict on every architecture: both stages
// compute in integers or in a fixed order, and joining wraps each product.
type Cascade struct {
	first    *Model
	encoder  *encoder.Encoder
	joint    Joint
	flag     int // places among the encoder's outputs
	category []categoryOutput
	results  sync.Pool
	memory   memory
}

// Joint says how the stages are joined: a logistic regression of both scores,
// then a calibration by a line through points. It is fitted by package train
// on messages neither stage was trained on.
type Joint struct {
	Version string `json:"version"` // of the whole model; verdicts keep it
	Encoder string `json:"encoder"` // the encoder's version that it was fitted with

	// The first stage's calibrated probability below which a message is quiet and
	// the second stage is not asked. Whatever may be flagged is read: categories
	// and marked words come from there.
	SureBelow float64 `json:"sure_below"`

	First  float64 `json:"first"`  // weight of the first stage's raw score
	Second float64 `json:"second"` // weight of the encoder's logit
	Bias   float64 `json:"bias"`

	Scores []float64 `json:"scores"` // of the calibration, rising
	Probs  []float64 `json:"probabilities"`

	// Thresholds of the logits from which on a message is about a category, and
	// from which on a word is marked.
	Categories map[schemas.Category]float64 `json:"categories"`
	Word       float64                      `json:"word"`
}

// flagOutput is the encoder's output that says review or red; outputs that
// begin with categoryPrefix name a category.
const (
	flagOutput     = "flag"
	categoryPrefix = "cat:"
)

type categoryOutput struct {
	at        int
	category  schemas.Category
	threshold float32
}

//go:embed encoder.bin
var encoderFile []byte

//go:embed joint.json
var jointFile []byte

// LoadEncoder answers the second stage that ships with the program. It is read
// once, and stays where the program's file is mapped into memory.
var LoadEncoder = sync.OnceValues(func() (*encoder.Encoder, error) {
	defer forget(encoderFile)
	return encoder.Read(encoderFile)
})

// LoadCascade answers the model that ships with the program. It is read once.
var LoadCascade = sync.OnceValues(func() (*Cascade, error) {
	first, err := Load()
	if err != nil {
		return nil, err
	}
	enc, err := LoadEncoder()
	if err != nil {
		return nil, err
	}
	var j Joint
	if err := json.Unmarshal(jointFile, &j); err != nil {
		return nil, fmt.Errorf("joint.json: %w", err)
	}
	return NewCascade(first, enc, j)
})

var errJoint = errors.New("the stages of the text model do not fit")

// NewCascade joins two stages; it checks that they fit.
func NewCascade(first *Model, enc *encoder.Encoder, j Joint) (*Cascade, error) {
	if j.Encoder != enc.Version() {
		return nil, fmt.Errorf("%w: joined with encoder %q, but it is %q", errJoint, j.Encoder, enc.Version())
	}
	if len(j.Scores) < 2 || len(j.Scores) != len(j.Probs) || !slices.IsSorted(j.Scores) || !slices.IsSorted(j.Probs) {
		return nil, fmt.Errorf("%w: calibration of %d scores and %d probabilities", errJoint, len(j.Scores), len(j.Probs))
	}
	c := &Cascade{first: first, encoder: enc, joint: j, flag: -1}
	for i, name := range enc.Outputs() {
		if name == flagOutput {
			c.flag = i
		}
		cat := schemas.Category(strings.TrimPrefix(name, categoryPrefix))
		if t, ok := j.Categories[cat]; ok && strings.HasPrefix(name, categoryPrefix) {
			c.category = append(c.category, categoryOutput{i, cat, float32(t)})
		}
	}
	if c.flag < 0 {
		return nil, fmt.Errorf("%w: the encoder has no output %q", errJoint, flagOutput)
	}
	return c, nil
}

// Version names the weights of both stages; verdicts keep it.
func (c *Cascade) Version() string { return c.joint.Version }

// Predict says how likely a text is a red alert. A survey's question is read
// with it. Categories and marked words are looked for only from a probability
// of 0.5 on. Of long texts the first stage reads the first thousand words, the
// second what encoder.Encode does. The slices of the answer are not to be
// changed: the next call with the same text may get them, too.
func (c *Cascade) Predict(s string, h Hints) Prediction {
	p, _ := c.Hear(s, h)
	return p
}

// Hear is Predict, and what DefaultFinder finds in the text, for one reading of
// it by the first stage.
func (c *Cascade) Hear(s string, h Hints) (Prediction, []Finding) {
	sc := pool.Get().(*scratch)
	defer release(sc)
	c.first.finder.read(s, sc)
	score, sure := c.glance(s, sc)
	if sure && h.Question == "" { // what "Not this time" means hangs on the question
		return Prediction{Probability: c.first.probability(score)}, sc.findings()
	}
	if len(s)+len(h.Question) > rememberedBytes {
		return c.read(s, h, score, sc), sc.findings()
	}
	key := heard{h.Question, s}
	p, ok := c.memory.get(key)
	if !ok {
		p = c.read(s, h, score, sc)
		c.memory.keep(key, p)
	}
	return p, sc.findings()
}

// read asks the second stage.
func (c *Cascade) read(s string, h Hints, score float64, sc *scratch) Prediction {
	r, _ := c.results.Get().(*encoder.Result)
	if r == nil {
		r = new(encoder.Result)
	}
	defer c.results.Put(r)
	c.encoder.Encode(h.Question, s, r)
	p := Prediction{Probability: c.joint.Probability(score, r.Logits[c.flag])}
	if p.Probability < schemas.ReviewThreshold {
		return p
	}
	about := c.categories(r.Logits)
	p.Categories = names(about)
	p.Spans = c.marks(r, about)
	if len(p.Spans) == 0 {
		p.Spans = c.first.marks(sc)
	}
	return p
}

// glance is the first stage's raw score, and whether it is surely quiet. Of a
// text without a word that it knows it is not sure.
func (c *Cascade) glance(s string, sc *scratch) (score float64, sure bool) {
	score = c.first.score(s, sc)
	if math.IsInf(score, 0) {
		return 0, false
	}
	p := c.first.probability(score)
	return score, p < c.joint.SureBelow && p < schemas.ReviewThreshold
}

// Probability joins the raw score of the first stage and the encoder's logit,
// calibrated, rounded to four decimals.
func (j *Joint) Probability(first float64, second float32) float64 {
	z := float64(j.First*first) + float64(j.Second*float64(second)) + j.Bias
	return onLine(j.Scores, j.Probs, z)
}

// onLine goes along the line through points, rounded to four decimals.
func onLine(scores, probs []float64, z float64) float64 {
	i := sort.SearchFloat64s(scores, z)
	switch {
	case i == 0:
		return round4(probs[0])
	case i == len(scores):
		return round4(probs[i-1])
	}
	share := (z - scores[i-1]) / (scores[i] - scores[i-1])
	return round4(probs[i-1] + float64(share*(probs[i]-probs[i-1])))
}

// categories are those above their threshold, the surest first; if none is, the
// one nearest to it.
func (c *Cascade) categories(logits []float32) []categoryOutput {
	var found []categoryOutput
	var nearest categoryOutput
	over := func(o categoryOutput) float32 { return logits[o.at] - o.threshold }
	for i, o := range c.category {
		if over(o) >= 0 {
			found = append(found, o)
		}
		if i == 0 || over(o) > over(nearest) {
			nearest = o
		}
	}
	if len(found) == 0 && len(c.category) > 0 {
		return []categoryOutput{nearest}
	}
	slices.SortStableFunc(found, func(a, b categoryOutput) int { return cmp.Compare(over(b), over(a)) })
	return found
}

func names(found []categoryOutput) []schemas.Category {
	out := make([]schemas.Category, len(found))
	for i, o := range found {
		out[i] = o.category
	}
	return out
}

// run is words that stand together and carry the decision.
type run struct {
	first, last int // words
	best        float32
}

func (u run) has(word int) bool { return u.first <= word && word <= u.last }

func (u run) span(words []encoder.Word) schemas.Span {
	return schemas.Span{Start: words[u.first].Start, End: words[u.last].End}
}

// runs joins words that carry the decision and stand together, and answers the
// strongest runs in the order of the text.
func (c *Cascade) runs(words []encoder.Word) []run {
	var all []run
	open := false
	for i, w := range words {
		if float64(w.Logit) < c.joint.Word {
			open = false
			continue
		}
		if !open {
			all = append(all, run{first: i, best: w.Logit})
		}
		last := &all[len(all)-1]
		last.last, last.best, open = i, max(last.best, w.Logit), true
	}
	slices.SortStableFunc(all, func(a, b run) int { return cmp.Compare(b.best, a.best) })
	all = all[:min(len(all), maxMarks)]
	slices.SortFunc(all, func(a, b run) int { return a.first - b.first })
	return all
}

// marks answers the runs, each with the category that its words say most for. A
// category that no run says most for gets the run, or the word, that says most
// for it, so that every reason has its words.
func (c *Cascade) marks(r *encoder.Result, about []categoryOutput) []Mark {
	runs := c.runs(r.Words)
	if len(runs) == 0 {
		return nil
	}
	adds := make([][]float32, len(about))
	for i, o := range about {
		adds[i] = adding(r, o.at)
	}
	out := make([]Mark, 0, len(runs)+len(about))
	had := make([]bool, len(about))
	for _, u := range runs {
		most := 0
		for i := range about {
			if slices.Max(adds[i][u.first:u.last+1]) > slices.Max(adds[most][u.first:u.last+1]) {
				most = i
			}
		}
		had[most] = true
		out = append(out, Mark{Span: u.span(r.Words), Weight: round4(1 / float64(len(runs))), Category: about[most].category})
	}
	for i, o := range about {
		if had[i] {
			continue
		}
		word := slices.Index(adds[i], slices.Max(adds[i]))
		place := run{first: word, last: word}
		if k := slices.IndexFunc(runs, func(u run) bool { return u.has(word) }); k >= 0 {
			place = runs[k]
		}
		out = append(out, Mark{Span: place.span(r.Words), Category: o.category})
	}
	slices.SortStableFunc(out, func(a, b Mark) int { return a.Span.Start - b.Span.Start })
	return out
}

// adding answers how much more each word adds to an output than a word of this
// text does on average.
func adding(r *encoder.Result, output int) []float32 {
	out := make([]float32, len(r.Words))
	var mean float32
	for w := range out {
		out[w] = r.Shares[w*len(r.Logits)+output]
		mean += out[w]
	}
	mean /= float32(len(out))
	for w := range out {
		out[w] -= mean
	}
	return out
}
