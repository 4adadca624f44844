package risk

import (
	"math"
	"slices"

	"redalert/signals/churn"
)

// How a business's own past is used.
const (
	pastCutoffs = 5  // at most so many, the newest
	weightPull  = 15 // prior examples each weight stands for
	basePull    = 4  // the same of the intercept: how often people stay away differs most
	curvePull   = 60 // and of the calibration
)

// Fit learns from the customers' histories as they were at the end of the day
// at: from past cut-offs whose horizon was over by then, so that nothing after
// at is looked at. The newest cut-off is horizon days before, the others a quarter
// of the horizon apart. Weights are drawn towards the prior's as if it were some
// dozens of customers; with few customers or a short past the answer is the
// prior. Slope and shift are calibrated on cut-offs held back. Work and memory grow with the customers: about 2.5 kB and
// 20 µs each.
func Fit(histories []History, at churn.Day, horizon int) Model {
	m := Prior(horizon)
	m.typical = typical(histories, at)
	sets := pastRows(histories, at, m.Horizon)
	if len(sets) == 0 {
		return m
	}
	if len(sets) > 1 {
		m.slope, m.shift = calibrate(sets[:len(sets)/2], sets[len(sets)/2:])
	}
	all := join(sets)
	m.weights, m.Rows, m.Customers = learn(all), all.n(), sets[0].n()
	for _, s := range sets {
		m.Cutoffs = append(m.Cutoffs, int(s.day))
	}
	return m
}

// pastSet is what one past cut-off teaches.
type pastSet struct {
	day churn.Day
	rows
}

func pastRows(histories []History, at churn.Day, horizon int) []pastSet {
	var sets []pastSet
	apart := max(horizon/4, 1)
	for k := range pastCutoffs {
		s := pastSet{day: at - churn.Day(horizon+k*apart), rows: rows{w: features}}
		money := typical(histories, s.day)
		for _, h := range histories {
			s.learnFrom(h, horizon, money)
		}
		if s.n() == 0 {
			break
		}
		sets = append(sets, s)
	}
	return sets
}

func (s *pastSet) learnFrom(h History, horizon int, money float64) {
	v, ok := see(h, s.day)
	if !ok {
		return
	}
	var row [features]float64
	v.fill(&row, float64(horizon), money)
	y := 1.0
	if Returned(h, s.day, horizon) {
		y = 0
	}
	s.x, s.y = append(s.x, row[:]...), append(s.y, y)
}

// Returned reports whether the customer ordered in the horizon days after at,
// by what was known at their end: an order that was cancelled within them is
// none. It is the outcome that Risk estimates.
func Returned(h History, at churn.Day, horizon int) bool {
	until := at + churn.Day(horizon)
	return slices.ContainsFunc(h.Orders, func(o Order) bool {
		return o.Day > at && o.Day <= until && (o.Gone == 0 || o.Gone > until)
	})
}

func join(sets []pastSet) *rows {
	all := rows{w: features}
	for _, s := range sets {
		all.x, all.y = append(all.x, s.x...), append(all.y, s.y...)
	}
	return &all
}

func learn(r *rows) []float64 {
	return newProblem(r, prior[:], weightPull, basePull).solve()
}

func newProblem(r *rows, to []float64, pull, base float64) *problem {
	p := &problem{rows: r, to: to, pull: make([]float64, features), low: make([]float64, features)}
	for j := range p.pull {
		p.pull[j], p.low[j] = pull, math.Inf(-1)
		if grows(j) {
			p.low[j] = 0
		}
	}
	p.pull[0] = base
	return p
}

// calibrate fits slope and shift of the logit (Platt 1999), drawn towards 1 and
// 0, on past cut-offs that the weights have not seen: each half of them is judged
// by what the other teaches.
func calibrate(newer, older []pastSet) (slope, shift float64) {
	two := rows{w: 2}
	for _, half := range [...]struct{ judged, by []pastSet }{{newer, older}, {older, newer}} {
		weights := learn(join(half.by))
		for _, s := range half.judged {
			for i := range s.n() {
				two.x = append(two.x, dot(weights, s.at(i)), 1)
			}
			two.y = append(two.y, s.y...)
		}
	}
	p := problem{rows: &two, to: []float64{1, 0}, pull: []float64{curvePull, curvePull}, low: []float64{0.25, math.Inf(-1)}}
	b := p.solve()
	return b[0], b[1]
}

// typical is the median (nearest rank) of all totals placed by a day, 0 when
// there are none.
func typical(histories []History, at churn.Day) float64 {
	var all []int64
	for _, h := range histories {
		for _, o := range h.Orders {
			if t := o.totalAt(at); o.Day <= at && t > 0 {
				all = append(all, t)
			}
		}
	}
	slices.Sort(all)
	return float64(churn.Percentile(all, 50))
}
