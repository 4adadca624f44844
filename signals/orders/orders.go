// Package orders finds orders that fall below the customer's own habit. It is
// pure: no clock, no I/O, no randomness, and its floating-point operations have
// the same result on every architecture.
package orders

import (
	"fmt"
	"math"
	"slices"

	"redalert/schemas"
)

// MinOrders is how many earlier orders a habit takes; with fewer nothing is
// ever below it.
const MinOrders = 4

// maxOrders is how many of the last orders make up the usual total, maxSpread
// how many say how much it varies: a spread needs more of them to be known.
const (
	maxOrders = 12
	maxSpread = 24
)

// The limits a reduction must pass. They are chosen so that customers who do
// not change (log-normal, Poisson, constant, alternating, seasonal) raise at
// most 2 % false flags a customer-month at an order a week, while orders cut to 40 % for good
// are found at the first or second;
// orders_test.go measures both.
const (
	maxRatio   = 0.62 // of the usual total
	priorSigma = 0.35 // what an unknown customer's orders vary by, relative to their size
	priorCount = 3.0  // how many orders that prior weighs
)

// limit is how many standard deviations below the usual an order must lie, both
// on the logarithmic scale (sizes spread by factors) and on the plain one
// (counts of things, whose logarithms have a long lower tail).
type limit struct {
	log, plain float64
	lowest     float64 // share of the lowest total of the habit it must not pass
}

var (
	once  = limit{3.0, 2.6, 0.6} // one order
	twice = limit{2.0, 1.7, 0.7} // each of two orders running
)

// Habit is what a customer usually orders, in minor units.
type Habit struct {
	Orders int     // how many orders it is made of, at most 12
	Usual  int64   // their median (nearest rank, lower)
	Lowest int64   // the smallest of them
	Sigma  float64 // robust spread of their logarithms
	Plain  float64 // robust spread of them, relative to Usual
}

// Reduced describes an order below the habit.
type Reduced struct {
	Total int64
	Habit Habit
	Ratio float64 // Total / Usual
}

// order is one order folded from its facts.
type order struct {
	total int64
	gone  bool
}

// HabitOf folds facts, oldest first, into the totals of the customer's last
// orders: an order as the customer last changed it, whatever we took out; cancelled and refunded ones and those
// without a total are left out. ok is false with fewer than MinOrders.
func HabitOf(facts []schemas.OrderFact) (h Habit, ok bool) {
	return habit(lastTotals(facts))
}

func habit(totals []int64) (h Habit, ok bool) {
	if len(totals) < MinOrders {
		return h, false
	}
	last := totals[:min(len(totals), maxOrders)]
	h = Habit{Orders: len(last), Lowest: slices.Min(last), Usual: median(last)}
	logs, plain := make([]float64, len(totals)), make([]float64, len(totals))
	for i, t := range totals {
		logs[i] = log(t)
		plain[i] = float64(t) / float64(h.Usual)
	}
	h.Sigma, h.Plain = spread(logs), spread(plain)
	return h, true
}

// spread estimates the standard deviation of v; it overwrites v. 1.4826 × the
// median absolute deviation is robust (Rousseeuw & Croux 1993); the mean
// absolute deviation × √(π/2) catches long tails that the median does not see:
// the larger of both counts. A prior keeps few values that happen to lie close
// together from looking like a rule.
func spread(v []float64) float64 {
	mid := medianFloat(v)
	var sum float64
	for i := range v {
		v[i] = math.Abs(v[i] - mid)
		sum += v[i]
	}
	n := float64(len(v))
	s := max(float64(1.4826*medianFloat(v)), float64(1.2533*(sum/n)))
	return math.Sqrt((float64(n*float64(s*s)) + float64(priorCount*float64(priorSigma*priorSigma))) / (n + priorCount))
}

// lastTotals folds facts into orders and answers the totals of the last ones,
// newest first.
func lastTotals(facts []schemas.OrderFact) []int64 {
	byRef := make(map[string]int, len(facts))
	var all []order
	for _, f := range facts {
		ref := f.OrderRef
		if ref == "" {
			ref = "event:" + f.EventID
		}
		i, known := byRef[ref]
		switch f.Type {
		case schemas.OrderPlaced, schemas.OrderChanged:
			if !known {
				i = len(all)
				byRef[ref] = i
				all = append(all, order{})
			}
			if !known || f.CausedBy != schemas.BySeller { // what we took out is not what the customer wants
				all[i].total = f.Total
			}
		case schemas.OrderCancelled, schemas.OrderRefunded:
			if known {
				all[i].gone = true
			}
		}
	}
	totals := make([]int64, 0, maxSpread)
	for i := len(all) - 1; i >= 0 && len(totals) < maxSpread; i-- {
		if all[i].total > 0 && !all[i].gone {
			totals = append(totals, all[i].total)
		}
	}
	return totals
}

// BelowHabit reports whether a new order of total is below the habit that the
// customer's earlier facts (oldest first, the order itself not among them)
// show: far below it, or clearly below it for the second time running.
func BelowHabit(total int64, facts []schemas.OrderFact) (r Reduced, ok bool) {
	if total <= 0 {
		return r, false
	}
	return below(total, lastTotals(facts), true)
}

// below reports whether a value is below the habit that values, newest first,
// show; all are positive. single: one far below is enough.
func below(total int64, totals []int64, single bool) (r Reduced, ok bool) {
	h, known := habit(totals)
	if !known {
		return r, false
	}
	r = Reduced{Total: total, Habit: h, Ratio: float64(total) / float64(h.Usual)}
	if single && h.below(total, once) {
		return r, true
	}
	// totals are newest first: the habit before the last order.
	if h, known = habit(totals[1:]); !known || !h.below(totals[0], twice) || !h.below(total, twice) {
		return r, false
	}
	return Reduced{Total: total, Habit: h, Ratio: float64(total) / float64(h.Usual)}, true
}

// below reports whether total is well under everything of the habit and by l
// under the usual.
func (h Habit) below(total int64, l limit) bool {
	t, usual := float64(total), float64(h.Usual)
	return t <= float64(maxRatio*usual) && t <= float64(l.lowest*float64(h.Lowest)) &&
		1-t/usual >= float64(l.plain*h.Plain) &&
		log(h.Usual)-log(total) >= float64(l.log*h.Sigma)
}

// Message says it in numbers: "ordered €48.00, 40 % of the usual €120.00
// (last 9 orders)".
func (r Reduced) Message(currency string) string {
	return fmt.Sprintf("ordered %s, %d %% of the usual %s (last %d orders)",
		schemas.Money{Amount: r.Total, Currency: currency}, int(math.Round(float64(r.Ratio*100))),
		schemas.Money{Amount: r.Habit.Usual, Currency: currency}, r.Habit.Orders)
}

// Changed reports whether a changed order is worth less than before, and by how
// much. previous is the total the event itself names, nil if it names none;
// then the last total of that order among the earlier facts counts.
func Changed(ref string, total int64, previous *int64, facts []schemas.OrderFact) (before int64, lower bool) {
	if previous != nil {
		return *previous, total < *previous
	}
	for i := len(facts) - 1; i >= 0; i-- {
		f := facts[i]
		if f.OrderRef == ref && ref != "" && (f.Type == schemas.OrderPlaced || f.Type == schemas.OrderChanged) {
			return f.Total, total < f.Total
		}
	}
	return 0, false
}

func median(v []int64) int64 {
	s := slices.Clone(v)
	slices.Sort(s)
	return s[(len(s)-1)/2]
}

func medianFloat(v []float64) float64 {
	s := slices.Clone(v)
	slices.Sort(s)
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// log is the natural logarithm of a positive amount, computed in a fixed order
// so that every architecture agrees: math.Log is assembly on some.
func log(n int64) float64 { return logOf(float64(n)) }

func logOf(x float64) float64 {
	frac, exp := math.Frexp(x) // frac in [0.5, 1)
	// ln(frac) = 2·artanh((frac−1)/(frac+1)), series to the 25th power.
	y := (frac - 1) / (frac + 1)
	y2 := float64(y * y)
	sum, p := 0.0, y
	for k := 1; k <= 25; k += 2 {
		sum += p / float64(k)
		p = float64(p * y2)
	}
	return float64(2*sum) + float64(float64(exp)*math.Ln2)
}
