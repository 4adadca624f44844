package learn

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strings"

	"redalert/schemas"
)

// Example is one decision about an event that the text alone decides.
type Example struct {
	EventID string
	P       float64 // the shipped model's probability
	Source  string
	Topics  []string
	Red     bool // what staff said
}

const (
	// MinDecisions is how many decisions there must be.
	MinDecisions = 30
	minEach      = 5 // and of either kind at least
	folds        = 10
	// minSeen is how often a source or topic must stand in decisions to get a
	// weight of its own.
	minSeen = 5
)

// Priors: the standard deviation, in logits, that we expect of each weight
// before any decision was made. Decisions exist only for what was flagged, so
// they are narrow. They are choices, tried on simulated businesses and on public
// sets (learn_test.go; package teach, real_test.go).
const (
	sdBias   = 0.7
	sdSlope  = 0.2
	sdSource = 0.5
	sdTopic  = 0.3
	minSlope = 0.2
	maxSlope = 4.0
)

// Fit fits a layer on decisions and checks it on each tenth of them, held back
// while the rest is fitted. Accepted is set when there are decisions enough, and
// held back the layer's mean log loss is surely lower and its precision not lower, at
// the recall that the shipped model has at schemas.RedThreshold. Number, Base, At, By and
// Report.Marks are the caller's to set. Which tenth an event belongs to follows
// from its id, and the order of examples does not matter. Examples that the
// layer never touches (P below schemas.ReviewThreshold) are left out.
func Fit(examples []Example) schemas.Layer {
	xs := prepare(examples)
	l := schemas.Layer{Slope: 1, Sources: map[string]float64{}, Topics: map[string]float64{}}
	r := &l.Report
	r.Decisions, r.Digest, r.BySource = len(xs), digest(xs), []schemas.SourceFit{}
	for _, x := range xs {
		if x.Red {
			r.Confirmed++
		}
	}
	if refused := r.Decisions - r.Confirmed; r.Decisions < MinDecisions || r.Confirmed < minEach || refused < minEach {
		r.Why = fmt.Sprintf("It takes at least %d decisions about messages that no hard rule flagged, %d of them yes and %d no. So far: %d yes, %d no.",
			MinDecisions, minEach, minEach, r.Confirmed, refused)
		return l
	}
	own := fit(xs)
	held, ranked := crossValidate(xs, own.Bias)
	check(r, xs, held, ranked)
	l.Bias, l.Slope, l.Sources, l.Topics = own.Bias, own.Slope, own.Sources, own.Topics
	return l
}

func prepare(examples []Example) []Example {
	var xs []Example
	for _, x := range examples {
		if x.P >= schemas.ReviewThreshold && x.P <= 1 {
			x.Topics = Topics(x.Topics)
			xs = append(xs, x)
		}
	}
	slices.SortFunc(xs, func(a, b Example) int { return strings.Compare(a.EventID, b.EventID) })
	return slices.CompactFunc(xs, func(a, b Example) bool { return a.EventID == b.EventID })
}

func digest(xs []Example) string {
	h := sha256.New()
	for _, x := range xs {
		fmt.Fprintf(h, "%q %q %q %t ", x.EventID, x.Source, x.Topics, x.Red)
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], math.Float64bits(x.P))
		h.Write(b[:])
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

func fold(id string) int {
	h := fnv.New32a()
	h.Write([]byte(id))
	return int(h.Sum32() % folds)
}

// crossValidate answers each example's probability by a layer fitted on the
// other folds, and once more with the bias of all decisions in the place of the
// fold's own: by these the examples of all folds are ranked. A bias moves every
// message alike and so tells nothing of their order, but that of the other folds
// is low exactly where the fold held back has many red alerts; ranked by it, every
// layer would look worse than it is.
func crossValidate(xs []Example, bias float64) (held, ranked []float64) {
	held, ranked = make([]float64, len(xs)), make([]float64, len(xs))
	for k := range folds {
		var rest []Example
		for _, x := range xs {
			if fold(x.EventID) != k {
				rest = append(rest, x)
			}
		}
		l := fit(rest)
		same := l
		same.Bias = bias
		for i, x := range xs {
			if fold(x.EventID) == k {
				held[i] = Correct(&l, x.P, x.Source, x.Topics)
				ranked[i] = Correct(&same, x.P, x.Source, x.Topics)
			}
		}
	}
	return held, ranked
}

// check fills in the figures of held-back decisions and whether they are better.
func check(r *schemas.LayerReport, xs []Example, held, ranked []float64) {
	shipped := make([]float64, len(xs))
	hits := 0
	for i, x := range xs {
		shipped[i] = x.P
		if x.Red && x.P >= schemas.RedThreshold {
			hits++
		}
	}
	if hits == 0 { // it finds none by itself: compare where half are found
		hits = (r.Confirmed + 1) / 2
	}
	r.Recall = float64(hits) / float64(r.Confirmed)
	r.Shipped = schemas.LayerScores{Precision: precisionAt(xs, shipped, hits), LogLoss: logLoss(xs, shipped)}
	r.Taught = schemas.LayerScores{Precision: precisionAt(xs, ranked, hits), LogLoss: logLoss(xs, held)}
	r.BySource = bySource(xs, held)
	switch {
	case !surer(xs, shipped, held):
		r.Why = "On decisions held back it was no surer than the model that ships."
	case r.Taught.Precision < r.Shipped.Precision:
		r.Why = "On decisions held back it would have raised more false alarms than the model that ships."
	default:
		r.Accepted = true
	}
}

// surer reports whether q has a lower mean log loss than p by more than its
// standard error over the decisions (Breiman et al., Classification and Regression
// Trees, 1984: the rule of one standard error): less is as likely chance.
func surer(xs []Example, p, q []float64) bool {
	n := float64(len(xs))
	var sum, squares float64
	for i, x := range xs {
		gain := loss(x, p[i]) - loss(x, q[i])
		sum, squares = sum+gain, squares+float64(gain*gain)
	}
	mean := sum / n
	return mean > 0 && n*float64(mean*mean) > squares/n-float64(mean*mean)
}

// precisionAt is the precision when the threshold is low enough to find so many
// of the confirmed ones; all that ties with the last one found counts.
func precisionAt(xs []Example, p []float64, hits int) float64 {
	order := make([]int, len(xs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case p[a] > p[b]:
			return -1
		case p[a] < p[b]:
			return 1
		}
		return 0
	})
	found, shown := 0, 0
	for i := 0; i < len(order); {
		tie := p[order[i]]
		for ; i < len(order) && p[order[i]] == tie; i++ {
			shown++
			if xs[order[i]].Red {
				found++
			}
		}
		if found >= hits {
			break
		}
	}
	return float64(found) / float64(max(shown, 1))
}

// logLoss is the mean of −ln of what was given to what turned out, with
// probabilities kept within 0.001 and 0.999.
func logLoss(xs []Example, p []float64) float64 {
	sum := 0.0
	for i, x := range xs {
		sum += loss(x, p[i])
	}
	return sum / float64(len(xs))
}

func loss(x Example, p float64) float64 {
	p = min(max(p, 0.001), 0.999)
	if !x.Red {
		p = 1 - p
	}
	return -log(p)
}

func bySource(xs []Example, held []float64) []schemas.SourceFit {
	at := map[string]int{}
	out := []schemas.SourceFit{}
	for i, x := range xs {
		k, ok := at[x.Source]
		if !ok {
			k = len(out)
			at[x.Source] = k
			out = append(out, schemas.SourceFit{Source: x.Source})
		}
		out[k].Decisions++
		if x.Red {
			out[k].Confirmed++
		}
		out[k].Before += x.P
		out[k].After += held[i]
	}
	for i := range out {
		out[i].Before = round(out[i].Before / float64(out[i].Decisions))
		out[i].After = round(out[i].After / float64(out[i].Decisions))
	}
	slices.SortFunc(out, func(a, b schemas.SourceFit) int {
		if a.Decisions != b.Decisions {
			return b.Decisions - a.Decisions
		}
		return strings.Compare(a.Source, b.Source)
	})
	return out
}
