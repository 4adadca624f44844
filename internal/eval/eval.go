// Package eval measures how well probabilities tell red alerts from the rest,
// on labelled messages. It scores nothing and reads no file; its figures are
// those of the definitions named at each function, exact, and equal whatever
// the order of the messages.
package eval

import (
	"cmp"
	"math"
	"slices"
)

// Labelled is one message's probability (0–1) beside what people said of it.
type Labelled struct {
	P   float64
	Red bool // label 1: review or red
}

// Levels of the verdict.
const (
	ReviewFrom = 0.5
	RedFrom    = 0.8
)

// At is what a threshold finds: a message is flagged when P ≥ Threshold.
type At struct {
	Threshold float64 `json:"threshold"`
	Precision float64 `json:"precision"` // 0 when nothing is flagged
	Recall    float64 `json:"recall"`    // 0 when nothing is red
	F1        float64 `json:"f1"`        // harmonic mean of the two; 0 when either is
}

// Report is every figure of one set of messages. Fields that no set of one class
// alone can have are null in JSON (NaN here).
type Report struct {
	N         int    `json:"n"`
	Positives int    `json:"positives"`
	Review    At     `json:"at_review"`
	Red       At     `json:"at_red"`
	Best      At     `json:"at_best"` // the lowest threshold of those with the greatest F1
	AUROC     Number `json:"auroc"`
	AP        Number `json:"average_precision"`
	RecallAt9 Number `json:"recall_at_precision_0.9"`
	ECE       Number `json:"expected_calibration_error"`
}

// Number is a figure that may not exist.
type Number float64

// MarshalJSON writes null for a figure that does not exist.
func (n Number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) {
		return []byte("null"), nil
	}
	return appendFloat(nil, float64(n)), nil
}

// Measure answers every figure; xs is not changed.
func Measure(xs []Labelled) Report {
	s := slices.Clone(xs)
	slices.SortFunc(s, func(a, b Labelled) int { return cmp.Compare(b.P, a.P) })
	r := Report{N: len(s), ECE: Number(calibrationError(s))}
	for _, x := range s {
		if x.Red {
			r.Positives++
		}
	}
	r.Review, r.Red = at(s, ReviewFrom, r.Positives), at(s, RedFrom, r.Positives)
	r.curve(s)
	return r
}

func at(s []Labelled, threshold float64, positives int) At {
	flagged, hit := 0, 0
	for _, x := range s {
		if x.P < threshold {
			break
		}
		if flagged++; x.Red {
			hit++
		}
	}
	return found(threshold, flagged, hit, positives)
}

func found(threshold float64, flagged, hit, positives int) At {
	a := At{Threshold: threshold}
	if flagged > 0 {
		a.Precision = float64(hit) / float64(flagged)
	}
	if positives > 0 {
		a.Recall = float64(hit) / float64(positives)
	}
	if a.Precision+a.Recall > 0 {
		a.F1 = 2 * a.Precision * a.Recall / (a.Precision + a.Recall)
	}
	return a
}

// curve walks down the probabilities, equal ones together: AUROC is the share of
// pairs of a red and a quiet message that are in the right order, ties half
// (Mann and Whitney, Annals of Mathematical Statistics 18, 1947); average
// precision is Σ (recall step × precision) without interpolation, as
// scikit-learn's average_precision_score.
func (r *Report) curve(s []Labelled) {
	quiet := r.N - r.Positives
	hit, miss := 0, 0
	var above, ap, recall9 float64
	for i := 0; i < len(s); {
		reds, quiets, j := 0, 0, i
		for ; j < len(s) && s[j].P == s[i].P; j++ {
			if s[j].Red {
				reds++
			} else {
				quiets++
			}
		}
		above += float64(quiets) * (float64(hit) + float64(reds)/2)
		hit, miss = hit+reds, miss+quiets
		a := found(s[i].P, hit+miss, hit, r.Positives)
		ap += float64(reds) / float64(max(r.Positives, 1)) * a.Precision
		if a.Precision >= 0.9 {
			recall9 = max(recall9, a.Recall)
		}
		if a.F1 >= r.Best.F1 {
			r.Best = a
		}
		i = j
	}
	if r.Positives == 0 || quiet == 0 {
		none := Number(math.NaN())
		r.AUROC, r.AP, r.RecallAt9 = none, none, none
		return
	}
	r.AUROC, r.AP, r.RecallAt9 = Number(above/float64(r.Positives)/float64(quiet)), Number(ap), Number(recall9)
}

// bins of the calibration error.
const bins = 10

// calibrationError is the expected calibration error over ten bins of equal
// width: the mean distance between what was said and what was so, weighed by
// how many messages fall into each (Guo et al., ICML 2017).
func calibrationError(s []Labelled) float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	var n, red [bins]int
	var sum [bins]float64
	for _, x := range s {
		b := min(int(x.P*bins), bins-1)
		n[b]++
		sum[b] += x.P
		if x.Red {
			red[b]++
		}
	}
	ece := 0.0
	for b := range n {
		ece += math.Abs(sum[b] - float64(red[b]))
	}
	return ece / float64(len(s))
}

// Mean is the mean of each figure over sets of messages, each counting once;
// figures that a set does not have are left out: without a red message there is
// nothing to find. N and Positives are sums.
func Mean(rs []Report) Report {
	var m Report
	for _, r := range rs {
		m.N, m.Positives = m.N+r.N, m.Positives+r.Positives
	}
	part := func(get func(*Report) *At) {
		of := func(figure func(*At) float64) float64 {
			sum, n := 0.0, 0
			for i := range rs {
				if rs[i].Positives > 0 {
					sum, n = sum+figure(get(&rs[i])), n+1
				}
			}
			return sum / float64(max(n, 1))
		}
		*get(&m) = At{of(func(a *At) float64 { return a.Threshold }), of(func(a *At) float64 { return a.Precision }),
			of(func(a *At) float64 { return a.Recall }), of(func(a *At) float64 { return a.F1 })}
	}
	part(func(r *Report) *At { return &r.Review })
	part(func(r *Report) *At { return &r.Red })
	part(func(r *Report) *At { return &r.Best })
	for _, get := range []func(*Report) *Number{
		func(r *Report) *Number { return &r.AUROC }, func(r *Report) *Number { return &r.AP },
		func(r *Report) *Number { return &r.RecallAt9 }, func(r *Report) *Number { return &r.ECE },
	} {
		*get(&m) = Number(mean(rs, func(r *Report) float64 { return float64(*get(r)) }))
	}
	return m
}

func mean(rs []Report, get func(*Report) float64) float64 {
	sum, n := 0.0, 0
	for i := range rs {
		if v := get(&rs[i]); !math.IsNaN(v) {
			sum += v
			n++
		}
	}
	if n == 0 {
		return math.NaN()
	}
	return sum / float64(n)
}
