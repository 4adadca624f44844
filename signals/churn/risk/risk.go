// Package risk estimates churn_risk: how likely a customer who has ordered
// before places no order within the next days, from the orders alone. It ships
// with a prior that any business can start from, and refits on the business's
// own past as that grows.
//
// It is pure: no clock, no I/O, no randomness; the moment of evaluation is
// handed in, and nothing after it is looked at. Everything is computed in one
// fixed order with exponential and logarithm of its own, and the figure is
// rounded to four decimals, so that a customer has one risk on every
// architecture. What churned means on a chart is package churn's; docs/churn-risk.md
// says how the figure comes about and how good it is.
package risk

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"redalert/signals/churn"
)

// Order is one order of a customer.
type Order struct {
	Day     churn.Day // local day it was placed
	Total   int64     // minor units, as placed; 0 when unknown
	Changes []Change  // of the total, oldest first
	Gone    churn.Day // local day it was cancelled or refunded in full; 0 while it stands
}

// Change is a new total of an order.
type Change struct {
	Day   churn.Day
	Total int64
}

// totalAt is what the order came to at the end of a day.
func (o Order) totalAt(day churn.Day) int64 {
	total := o.Total
	for _, c := range o.Changes {
		if c.Day <= day {
			total = c.Total
		}
	}
	return total
}

// Return is a cancellation or refund whose order is not known.
type Return struct {
	Day   churn.Day
	Total int64 // minor units, stored positive
}

// History is all that is known of one customer. The order of its entries does
// not matter; orders of one day are one purchase.
type History struct {
	Orders  []Order
	Returns []Return
}

// Model says how risk follows from a history, for one horizon. The zero Model
// is of no use: make one with Prior or Fit. It is never changed and safe for
// concurrent use.
type Model struct {
	Horizon   int       // days looked ahead
	Rows      int       // customers × past cut-offs of the business's own that it learnt from; 0 = the prior alone
	Customers int       // of the newest of those cut-offs
	Cutoffs   []int     // days since 1970 of those cut-offs, newest first
	weights   []float64 // one a feature
	slope     float64   // calibration: logit = slope × weights·features + shift
	shift     float64
	typical   float64 // the business's median order in minor units; 0 = unknown
}

// Prior is the model before a business has a past of its own: the weights that
// ship, fitted on simulated businesses (simulate_test.go). horizon is in days
// and at least 1; all times count relative to it.
func Prior(horizon int) Model {
	return Model{Horizon: max(horizon, 1), weights: slices.Clone(prior[:]), slope: 1}
}

// Risk is the probability (0–1, four decimals, up is worse) that the customer
// places no order in the Horizon days after at, judged by what was known at the
// end of that day. ok is false for who has no standing order by then. For one
// history and model it never falls while at moves on.
func (m Model) Risk(h History, at churn.Day) (p float64, ok bool) {
	s, ok := see(h, at)
	if !ok || len(m.weights) != features {
		return 0, false
	}
	var row [features]float64
	s.fill(&row, float64(m.Horizon), m.typical)
	return round4(logistic(float64(m.slope*dot(m.weights, row[:])) + m.shift)), true
}

// Explain says in numbers what the risk hangs on: "last ordered 61 days ago,
// usually every 28 days (9 orders)". It is "" for who has no order.
func Explain(h History, at churn.Day) string {
	s, ok := see(h, at)
	switch {
	case !ok:
		return ""
	case len(s.days) == 1:
		return fmt.Sprintf("ordered once, %d days ago", int(s.recency))
	}
	return fmt.Sprintf("last ordered %d days ago, usually every %d days (%d orders)",
		int(s.recency), int(math.Round(s.gaps.median)), len(s.days))
}

// gaps sums the days between purchases up.
type gaps struct{ median, mean, last, longest, shortest, deviation, trend float64 }

// seen is what was known of a customer on one day.
type seen struct {
	days     []churn.Day // of purchases, rising, no repeats
	totals   []float64   // of each day
	recency  float64     // days since the last one
	orders   int
	gaps     gaps // zero with one purchase
	returned int  // orders and goods taken back
	back     float64
}

// see looks at a history as it was at the end of a day.
func see(h History, at churn.Day) (s seen, ok bool) {
	standing := make([]Order, 0, len(h.Orders))
	for _, o := range h.Orders {
		o.Total = o.totalAt(at)
		switch {
		case o.Day > at:
		case o.Gone != 0 && o.Gone <= at:
			s.returned++
			s.back += float64(o.Total)
		default:
			standing = append(standing, o)
		}
	}
	if len(standing) == 0 {
		return s, false
	}
	for _, r := range h.Returns {
		if r.Day <= at {
			s.returned++
			s.back += float64(r.Total)
		}
	}
	slices.SortFunc(standing, func(a, b Order) int { return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Total, b.Total)) })
	s.orders = len(standing)
	for _, o := range standing {
		if n := len(s.days); n > 0 && s.days[n-1] == o.Day {
			s.totals[n-1] += float64(o.Total)
			continue
		}
		s.days, s.totals = append(s.days, o.Day), append(s.totals, float64(o.Total))
	}
	s.recency = float64(at - s.days[len(s.days)-1])
	s.gaps = gapsOf(s.days)
	return s, true
}

func gapsOf(days []churn.Day) (g gaps) {
	n := len(days) - 1
	if n < 1 {
		return g
	}
	all := make([]float64, n)
	sum := 0.0
	for i := range all {
		all[i] = float64(days[i+1] - days[i])
		sum += all[i]
	}
	g.last, g.mean = all[n-1], sum/float64(n)
	if n >= 4 { // do the last two gaps differ from those before?
		recent := (all[n-1] + all[n-2]) / 2
		g.trend = ln((recent + 3) / ((sum-2*recent)/float64(n-2) + 3))
	}
	sq := 0.0
	for _, v := range all {
		sq += float64((v - g.mean) * (v - g.mean))
	}
	g.deviation = math.Sqrt(sq / float64(n))
	slices.Sort(all)
	g.shortest, g.longest = all[0], all[n-1]
	g.median = (all[(n-1)/2] + all[n/2]) / 2
	return g
}

// PurchaseDays are the days, rising and without repeats, of the orders that
// stood at the end of the day at.
func PurchaseDays(h History, at churn.Day) []churn.Day {
	s, _ := see(h, at)
	return s.days
}
