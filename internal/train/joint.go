package train

import (
	"cmp"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"redalert/schemas"
	"redalert/signals/text"
	"redalert/signals/text/encoder"
)

// reading is what both stages say of one text that neither was trained on.
type reading struct {
	text   *Text
	first  float64 // raw score of the first stage
	logits []float32
}

// readAll lets both stages read texts, on all processors; the order is kept.
func readAll(first *text.Model, enc *encoder.Encoder, ts []Text) []reading {
	out := make([]reading, len(ts))
	var pool sync.Pool
	each(len(ts), func(i int) {
		r, _ := pool.Get().(*encoder.Result)
		if r == nil {
			r = new(encoder.Result)
		}
		defer pool.Put(r)
		enc.Encode(ts[i].Question, ts[i].Text, r)
		out[i] = reading{text: &ts[i], first: finite(first.Score(ts[i].Text)), logits: slices.Clone(r.Logits)}
	})
	return out
}

// each calls f for 0 … n-1, on all processors.
func each(n int, f func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wg.Wait()
}

// finite is the score of a text in which the first stage knows nothing: none.
func finite(score float64) float64 {
	if math.IsInf(score, 0) {
		return 0
	}
	return score
}

// place finds an output of the encoder; -1 if it has none of that name.
func place(outputs []string, name string) int {
	for i, o := range outputs {
		if o == name {
			return i
		}
	}
	return -1
}

// definitionWeight is how much more the corpus counts than public sets when the
// stages are joined and calibrated: it alone says what a red alert is, while the
// sets say what is a complaint.
const definitionWeight = 4

// fitJoint joins the stages on texts that neither was trained on: logistic
// regression of both scores by Newton's method (Hosmer and Lemeshow, Applied
// Logistic Regression), then isotonic calibration.
func fitJoint(version string, enc *encoder.Encoder, rs []reading) text.Joint {
	flag := place(enc.Outputs(), "flag")
	j := text.Joint{Version: version, Encoder: enc.Version(), Categories: map[schemas.Category]float64{}}
	xs := make([][3]float64, len(rs))
	for i, r := range rs {
		xs[i] = [3]float64{r.first / 100, float64(r.logits[flag]), 1}
	}
	w := newton(xs, rs)
	j.First, j.Second, j.Bias = w[0]/100, w[1], w[2]
	scored := make([]Scored, len(rs))
	for i, r := range rs {
		scored[i] = Scored{Score: j.First*r.first + j.Second*float64(r.logits[flag]) + j.Bias, Red: r.text.Red, Weight: weightOf(r)}
	}
	j.Scores, j.Probs = Calibrate(scored)
	return j
}

// weightOf is how much a text counts in joining and calibrating.
func weightOf(r reading) float64 {
	if r.text.Message != nil {
		return r.text.Weight * definitionWeight
	}
	return r.text.Weight
}

// newton fits a weighted logistic regression of three features.
func newton(xs [][3]float64, rs []reading) (w [3]float64) {
	for range 25 {
		var g [3]float64
		h := [3][3]float64{{1e-6}, {0, 1e-6}, {0, 0, 1e-6}}
		for i, x := range xs {
			p := sigmoid(w[0]*x[0] + w[1]*x[1] + w[2]*x[2])
			y, c := 0.0, weightOf(rs[i])
			if rs[i].text.Red {
				y = 1
			}
			for a := range 3 {
				g[a] += c * (y - p) * x[a]
				for b := range 3 {
					h[a][b] += c * p * (1 - p) * x[a] * x[b]
				}
			}
		}
		d := solve(h, g)
		for a := range 3 {
			w[a] += d[a]
		}
	}
	return w
}

// solve answers x with h·x = g, by elimination; h is positive definite.
func solve(h [3][3]float64, g [3]float64) (x [3]float64) {
	for i := range 3 {
		for k := i + 1; k < 3; k++ {
			f := h[k][i] / h[i][i]
			for c := range 3 {
				h[k][c] -= f * h[i][c]
			}
			g[k] -= f * g[i]
		}
	}
	for i := 2; i >= 0; i-- {
		x[i] = g[i]
		for c := i + 1; c < 3; c++ {
			x[i] -= h[i][c] * x[c]
		}
		x[i] /= h[i][i]
	}
	return x
}

// fitCategories sets each category's threshold where it tells the flagged
// messages held back that are about it best from those that are not; where only
// one of two readings says so, nothing is learned. No category is named for less
// than a logit of lowestCategory.
func fitCategories(j *text.Joint, enc *encoder.Encoder, rs []reading) {
	for i, name := range enc.Outputs() {
		c, ok := cutCategory(name)
		if !ok {
			continue
		}
		var said []float32
		var about []bool
		for _, r := range rs {
			if m := r.text.Message; m != nil && m.Flagged() && m.About(c) != inDoubt {
				said, about = append(said, r.logits[i]), append(about, m.About(c) == 1)
			}
		}
		j.Categories[c] = max(lowestCategory, bestThreshold(said, about))
	}
	j.Word = wordThreshold
}

// inDoubt is Message.About where the two readings differ.
const inDoubt = 0.5

// missedWeight is how much more it counts to find what a message is about than to
// name nothing else: a reason too many is read over, one that is missing is not.
const missedWeight = 1.5

// bestThreshold is the logit from which on naming has the greatest F measure with
// missedWeight (van Rijsbergen, Information Retrieval, 1979), ties to the lower;
// +Inf if there is nothing to name.
func bestThreshold(said []float32, about []bool) float64 {
	order := make([]int, len(said))
	wanted := 0.0
	for i := range order {
		order[i] = i
		if about[i] {
			wanted++
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(said[b], said[a]) })
	best, at, right := 0.0, neverNamed, 0.0
	const w = missedWeight * missedWeight
	for n, i := range order {
		if about[i] {
			right++
		}
		if n+1 < len(order) && said[order[n+1]] == said[i] {
			continue
		}
		if f := (1 + w) * right / (w*wanted + float64(n+1)); f >= best && right > 0 {
			best, at = f, float64(said[i])
		}
	}
	return at
}

const (
	lowestCategory = -2.0
	neverNamed     = 1e9
	wordThreshold  = 0.0
)

func cutCategory(name string) (schemas.Category, bool) {
	const prefix = "cat:"
	if len(name) <= len(prefix) || name[:len(prefix)] != prefix {
		return "", false
	}
	return schemas.Category(name[len(prefix):]), true
}

// sureShare is how many of the texts that the first stage calls quiet alone both
// stages may call otherwise.
const sureShare = 0.005

// fitSure lets the first stage decide alone where it is hardly ever wrong: below
// the highest probability under which at most sureShare of the texts are flagged
// by both stages together.
func fitSure(j *text.Joint, first *text.Model, flag int, rs []reading) {
	type pair struct {
		p       float64
		flagged bool
	}
	var ps []pair
	for _, r := range rs {
		ps = append(ps, pair{first.Calibrated(r.first), j.Probability(r.first, r.logits[flag]) >= schemas.ReviewThreshold})
	}
	j.SureBelow = 0
	for _, at := range []float64{0.01, 0.02, 0.03, 0.05, 0.08, 0.1} {
		n, wrong := 0, 0
		for _, p := range ps {
			if p.p < at {
				if n++; p.flagged {
					wrong++
				}
			}
		}
		if float64(wrong) <= sureShare*float64(n) {
			j.SureBelow = at
		}
	}
}
