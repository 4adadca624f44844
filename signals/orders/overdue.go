package orders

import (
	"fmt"
	"math"
	"slices"
	"time"

	"redalert/schemas"
)

// How an overdue order is told from chance. A customer who does not change is to
// be flagged in at most falseAMonth of their months. Someone whose gaps last m
// days in the mean has 30/m gaps a month, so one gap may be called too long with
// probability
//
//	α = falseAMonth · m / 30, at most maxAlpha.
//
// Gaps are taken as gamma distributed with an unknown mean: then the next gap
// over the mean of the last n follows an F distribution with 2k and 2nk degrees
// of freedom, k being the shape (1: as irregular as a Poisson process, where this
// is exact; a habit has more). 1/k is the squared coefficient of variation of the
// gaps, taken as larger than it looks by what n gaps leave open: times
// (1 + spreadDoubt/√n), plus fewDoubt/n, within leastSpread and mostSpread. The
// limit is the upper α point of F by Paulson's cube-root approximation (Annals of
// Mathematical Statistics 13, 1942), times the mean; but never less than the
// longest of the gaps, nor 1.5 times their median. falseAMonth is below the 2 %
// that must hold, for rhythms that are no gamma; overdue_test.go measures both.
const (
	falseAMonth = 0.005
	maxAlpha    = 0.01
	spreadDoubt = 1.5
	fewDoubt    = 0.4
	leastSpread = 0.04
	mostSpread  = 2.0
	maxGaps     = 12
)

// Overdue is an order that did not come.
type Overdue struct {
	Purchases int       // days with orders that the rhythm is made of
	Usual     int       // days: their median gap
	Silent    int       // days since the last
	Allowed   int       // days of silence that are still chance
	Due       time.Time // when Allowed ran out, to the day of the last order
}

// OverdueAt reports whether, at a moment handed in, a customer has been silent
// for longer than their own rhythm explains. facts are the customer's order
// events, oldest first; what occurred after at is not looked at. Orders of one
// day (in loc, nil = UTC) count once. Orders that the customer cancelled are
// none; those that we cancelled show that the customer wanted to come, and
// count. ok is false with fewer than MinOrders days of orders. Between two
// orders there is one Due: a signal keyed by it is raised once however often this
// is asked.
func OverdueAt(facts []schemas.OrderFact, at time.Time, loc *time.Location) (o Overdue, ok bool) {
	if loc == nil {
		loc = time.UTC
	}
	days, last := purchaseDays(facts, at, loc)
	if len(days) < MinOrders {
		return o, false
	}
	gaps := make([]float64, 0, maxGaps)
	for i := len(days) - 1; i > 0 && len(gaps) < maxGaps; i-- {
		gaps = append(gaps, float64(days[i]-days[i-1]))
	}
	allowed := allowedSilence(gaps)
	o = Overdue{Purchases: len(gaps) + 1, Usual: int(medianFloat(gaps) + 0.5), Silent: dayNumber(at.In(loc)) - days[len(days)-1],
		Allowed: allowed, Due: last.In(loc).AddDate(0, 0, allowed)}
	return o, o.Silent > allowed
}

// Message says it in numbers: "usually every 28 days, 61 days since the last".
func (o Overdue) Message() string {
	usual := fmt.Sprintf("every %d days", o.Usual)
	if o.Usual <= 1 {
		usual = "every day"
	}
	return fmt.Sprintf("usually %s, %d days since the last", usual, o.Silent)
}

// purchaseDays are the days with orders up to at, rising, and the time of the
// last order.
func purchaseDays(facts []schemas.OrderFact, at time.Time, loc *time.Location) (days []int, last time.Time) {
	gone := map[string]bool{}
	for _, f := range facts {
		if f.Type == schemas.OrderCancelled && f.CausedBy != schemas.BySeller && f.OrderRef != "" && !f.OccurredAt.After(at) {
			gone[f.OrderRef] = true
		}
	}
	for _, f := range facts {
		if f.Type != schemas.OrderPlaced || f.OccurredAt.After(at) || f.OrderRef != "" && gone[f.OrderRef] {
			continue
		}
		days = append(days, dayNumber(f.OccurredAt.In(loc)))
		if f.OccurredAt.After(last) {
			last = f.OccurredAt
		}
	}
	slices.Sort(days)
	return slices.Compact(days), last
}

// dayNumber counts the calendar days that t shows.
func dayNumber(t time.Time) int {
	y, m, d := t.Date()
	return int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// allowedSilence is the limit described above, in whole days, and never below
// the median gap by half.
func allowedSilence(gaps []float64) int {
	n := float64(len(gaps))
	sum := 0.0
	for _, g := range gaps {
		sum += g
	}
	mean := sum / n
	sq := 0.0
	for _, g := range gaps {
		sq += float64((g - mean) * (g - mean))
	}
	cv2 := sq / float64(max(n-1, 1)*float64(mean*mean))
	spread := float64(cv2*(1+spreadDoubt/math.Sqrt(n))) + fewDoubt/n
	shape := 1 / min(max(spread, leastSpread), mostSpread)
	alpha := min(falseAMonth*mean/30, maxAlpha)
	limit := float64(mean * upperF(2*shape, float64(2*n)*shape, alpha))
	return int(math.Ceil(max(limit, slices.Max(gaps), 1.5*medianFloat(gaps))))
}

// upperF is the value that F with v1 and v2 degrees of freedom exceeds with
// probability alpha: Paulson's approximation, that
//
//	z = ((1 − b)·F^⅓ − (1 − a)) / √(b·F^⅔ + a),  a = 2/(9·v1), b = 2/(9·v2)
//
// is a standard normal, solved for F^⅓ as a quadratic. Where v2 is so small that
// it has no solution no silence is too long.
func upperF(v1, v2, alpha float64) float64 {
	a, b, z := 2/(9*v1), 2/(9*v2), upperNormal(alpha)
	z2 := float64(z * z)
	p := float64((1-b)*(1-b)) - float64(z2*b)
	if p <= 0 {
		return 1e6
	}
	q := float64((1 - a) * (1 - b))
	r := float64((1-a)*(1-a)) - float64(z2*a)
	root := (q + math.Sqrt(max(float64(q*q)-float64(p*r), 0))) / p
	return float64(float64(root*root) * root)
}

// upperNormal is the value a standard normal exceeds with probability alpha ≤ ½:
// Abramowitz and Stegun 26.2.23, off by at most 0.00045.
func upperNormal(alpha float64) float64 {
	t := math.Sqrt(2 * logOf(1/alpha))
	num := 2.515517 + float64(t*(0.802853+float64(t*0.010328)))
	den := 1 + float64(t*(1.432788+float64(t*(0.189269+float64(t*0.001308)))))
	return t - num/den
}
