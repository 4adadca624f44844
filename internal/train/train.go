// Package train makes the weights of the first text model: logistic regression
// over the hashed features of signals/text, AdaGrad (Duchi, Hazan and Singer,
// JMLR 2011), quantised to one byte a weight and calibrated on texts it was not
// trained on (isotonic regression by pool adjacent violators: Zadrozny and
// Elkan, KDD 2002). The same data and seed give the same bytes on one machine.
package train

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"redalert/signals/text"
)

// Example is one labelled text. Weight is how much it counts.
type Example struct {
	Features []uint32
	Red      bool
	Weight   float64
}

// Settings of a training run.
type Settings struct {
	Epochs int
	Rate   float64
	Decay  float64 // L2, by step
	Seed   uint64
}

// Linear is a trained model before quantisation: score = Σ w / √n + bias.
type Linear struct {
	Weights []float64
	Bias    float64
}

// Fit trains on examples; it reorders them.
func Fit(examples []Example, s Settings) Linear {
	m := Linear{Weights: make([]float64, text.Features)}
	squares := make([]float64, text.Features)
	var biasSquares float64
	r := rand.New(rand.NewPCG(s.Seed, 1))
	for range s.Epochs {
		r.Shuffle(len(examples), func(i, j int) { examples[i], examples[j] = examples[j], examples[i] })
		for _, e := range examples {
			if len(e.Features) == 0 {
				continue
			}
			x := 1 / math.Sqrt(float64(len(e.Features)))
			y := 0.0
			if e.Red {
				y = 1
			}
			g := (sigmoid(m.Score(e.Features)) - y) * e.Weight
			for _, f := range e.Features {
				gf := g*x + s.Decay*m.Weights[f]
				squares[f] += gf * gf
				m.Weights[f] -= s.Rate * gf / (math.Sqrt(squares[f]) + 1e-6)
			}
			biasSquares += g * g
			m.Bias -= s.Rate * g / (math.Sqrt(biasSquares) + 1e-6)
		}
	}
	return m
}

// Score is the raw score of a text's features.
func (m Linear) Score(features []uint32) float64 {
	if len(features) == 0 {
		return m.Bias
	}
	var sum float64
	for _, f := range features {
		sum += m.Weights[f]
	}
	return sum/math.Sqrt(float64(len(features))) + m.Bias
}

func sigmoid(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

// Quantise makes weights of one byte: the 99.99th percentile of their size
// becomes 127, larger ones are cut.
func (m Linear) Quantise() (weights []int8, bias int64) {
	sizes := make([]float64, 0, len(m.Weights))
	for _, w := range m.Weights {
		if w != 0 {
			sizes = append(sizes, math.Abs(w))
		}
	}
	slices.Sort(sizes)
	unit := 1.0
	if len(sizes) > 0 {
		unit = 127 / sizes[int(float64(len(sizes)-1)*0.9999)]
	}
	weights = make([]int8, len(m.Weights))
	for i, w := range m.Weights {
		weights[i] = int8(max(-127, min(127, math.Round(w*unit))))
	}
	return weights, int64(math.Round(m.Bias * unit))
}

// Scored is a raw score with its truth.
type Scored struct {
	Score  float64
	Red    bool
	Weight float64
}

// Calibrate fits a rising line of at most 24 points from score to probability.
func Calibrate(scored []Scored) (scores, probs []float64) {
	slices.SortFunc(scored, func(a, b Scored) int { return cmp.Compare(a.Score, b.Score) })
	type block struct{ score, red, weight float64 }
	var blocks []block
	for _, s := range scored {
		b := block{s.Score * s.Weight, 0, s.Weight}
		if s.Red {
			b.red = s.Weight
		}
		blocks = append(blocks, b)
		for n := len(blocks); n > 1 && blocks[n-2].red*blocks[n-1].weight >= blocks[n-1].red*blocks[n-2].weight; n = len(blocks) {
			last := blocks[n-1]
			blocks = blocks[:n-1]
			blocks[n-2].score += last.score
			blocks[n-2].red += last.red
			blocks[n-2].weight += last.weight
		}
	}
	step := max(1, (len(blocks)+22)/23)
	for i := 0; i < len(blocks); i += step {
		var g block
		for _, b := range blocks[i:min(i+step, len(blocks))] {
			g.score, g.red, g.weight = g.score+b.score, g.red+b.red, g.weight+b.weight
		}
		scores = append(scores, g.score/g.weight)
		probs = append(probs, max(0.01, min(0.99, g.red/g.weight)))
	}
	return scores, probs
}

// AUROC is the chance that a red text scores above one that is not (ties count
// half: Mann–Whitney).
func AUROC(scored []Scored) float64 {
	s := slices.Clone(scored)
	slices.SortFunc(s, func(a, b Scored) int { return cmp.Compare(a.Score, b.Score) })
	var rankSum, red, quiet float64
	for i := 0; i < len(s); {
		j := i
		for j < len(s) && s[j].Score == s[i].Score {
			j++
		}
		rank := float64(i+j+1) / 2
		for _, x := range s[i:j] {
			if x.Red {
				rankSum += rank
				red++
			} else {
				quiet++
			}
		}
		i = j
	}
	if red == 0 || quiet == 0 {
		return math.NaN()
	}
	return (rankSum - red*(red+1)/2) / (red * quiet)
}
