package churn

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"redalert/schemas"
)

// DefaultFloor is how many days without an order nobody is called churned for.
const DefaultFloor = 60

// fewOrders: with fewer orders than this a customer has no rhythm of their own.
const fewOrders = 3

// Purchase is one standing order of a customer: the local day it was placed,
// and where.
type Purchase struct {
	Customer string // canonical id
	Day      string // YYYY-MM-DD, business time zone
	Source   string
	Location string
}

// Trend is the churn chart of DESIGN §4 over purchases, which the caller has
// narrowed to standing orders of customers it may show; their order does not
// matter. floor is in days, DefaultFloor if not positive.
//
// Orders of one day are one purchase. After each purchase a customer is allowed
// a silence of max(1.5 × the median of the gaps so far, floor) days, rounded up;
// with fewer than three purchases so far, max(the business's 80th-percentile
// gap, floor). Who does not order within it has churned on its last day; who
// orders again later is active again, and may churn again. Only what was known
// at the time decides, except for the business's percentile, which is taken
// over all gaps up to today. Percentiles are exact, by nearest rank.
//
// A point's N is the customers active when the period began: they had ordered
// before and had not churned. Value is how many of them churned in it. Split by
// source or location, a customer belongs to that of their last purchase.
// Purchases after q.Today do not exist yet.
func Trend(q schemas.TrendQuery, purchases []Purchase, floor int) (schemas.Trend, error) {
	if floor <= 0 {
		floor = DefaultFloor
	}
	periods, today, err := parse(q)
	if err != nil {
		return schemas.Trend{}, err
	}
	customers, err := gather(purchases, q.By, today)
	if err != nil {
		return schemas.Trend{}, err
	}
	business, gaps := businessGap(customers)
	points := map[string][]schemas.Point{}
	if q.By == schemas.ByAll {
		points["all"] = blank(periods)
	}
	for _, c := range customers {
		ps := points[c.series]
		if ps == nil {
			ps = blank(periods)
			points[c.series] = ps
		}
		c.count(ps, periods, spans(c.days, business, floor), today)
	}
	return chart(q, points, Definition(floor, business, gaps)), nil
}

// parse reads a query for churn.
func parse(q schemas.TrendQuery) (periods []Period, today Day, err error) {
	if periods, err = Periods(q); err != nil {
		return nil, 0, err
	}
	if q.By != schemas.ByAll && q.By != schemas.BySource && q.By != schemas.ByLocation {
		return nil, 0, &QueryError{"by", fmt.Sprintf("churn is not counted by %q; leave it away, or use source or location", q.By)}
	}
	today = endless
	if q.Today != "" {
		if today, err = ParseDay(q.Today); err != nil {
			return nil, 0, &QueryError{"today", err.Error()}
		}
	}
	return periods, today, nil
}

// endless is a today that never comes.
const endless = Day(1 << 30)

func chart(q schemas.TrendQuery, points map[string][]schemas.Point, definition string) schemas.Trend {
	t := schemas.Trend{Definition: definition, Period: q.Period, Series: []schemas.Series{}}
	for _, name := range slices.Sorted(maps.Keys(points)) {
		t.Series = append(t.Series, schemas.Series{Name: name, Points: points[name]})
	}
	return t
}

// Definition says in words who has churned, for people beside a chart: floor in days,
// the 80th-percentile gap of the business in days, and how many gaps that is of.
func Definition(floor, business, gaps int) string {
	few := fmt.Sprintf("%d days", max(business, floor))
	if gaps > 0 {
		few += fmt.Sprintf(" (80%% of all gaps between orders are at most %d days)", business)
	}
	return fmt.Sprintf("Churned: no order for 1.5 times the customer's own median gap between orders, at least %d days; "+
		"with fewer than %d orders, %s. Orders of one day count once, cancelled ones not at all. "+
		"Value: customers who churned in the period, of n active when it began.", floor, fewOrders, few)
}

func blank(periods []Period) []schemas.Point {
	ps := make([]schemas.Point, len(periods))
	for i, p := range periods {
		ps[i] = schemas.Point{Start: p.Start.String(), Complete: p.Complete}
	}
	return ps
}

type customer struct {
	series string
	days   []Day // of purchases, rising, no repeats
}

func gather(purchases []Purchase, by schemas.TrendBy, today Day) ([]customer, error) {
	type purchase struct {
		customer, series string
		day              Day
	}
	all := make([]purchase, 0, len(purchases))
	for _, p := range purchases {
		d, err := ParseDay(p.Day)
		if err != nil {
			return nil, fmt.Errorf("order of customer %s: %w", p.Customer, err)
		}
		if d > today || p.Customer == "" {
			continue
		}
		series := "all"
		switch by {
		case schemas.BySource:
			series = SeriesName(p.Source)
		case schemas.ByLocation:
			series = SeriesName(p.Location)
		}
		all = append(all, purchase{p.Customer, series, d})
	}
	slices.SortFunc(all, func(a, b purchase) int {
		return cmp.Or(cmp.Compare(a.customer, b.customer), cmp.Compare(a.day, b.day), cmp.Compare(a.series, b.series))
	})
	var out []customer
	for i, p := range all {
		if i == 0 || all[i-1].customer != p.customer {
			out = append(out, customer{})
		}
		c := &out[len(out)-1]
		c.series = p.series
		if n := len(c.days); n == 0 || c.days[n-1] != p.day {
			c.days = append(c.days, p.day)
		}
	}
	return out, nil
}

// SeriesName is how a chart calls a source or location; "" has a name too.
func SeriesName(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}

// Percentile is the exact percentile of sorted values by nearest rank: the
// smallest value such that at least p percent are no greater. 0 without values.
func Percentile[T int | int64](sorted []T, p int) T {
	n := len(sorted)
	if n == 0 {
		return 0
	}
	rank := (p*n + 99) / 100
	return sorted[min(max(rank, 1), n)-1]
}

func businessGap(customers []customer) (p80, n int) {
	var gaps []int
	for _, c := range customers {
		for i := 1; i < len(c.days); i++ {
			gaps = append(gaps, int(c.days[i]-c.days[i-1]))
		}
	}
	slices.Sort(gaps)
	return Percentile(gaps, 80), len(gaps)
}

// span is one stretch of a customer's activity: from the first purchase to the
// day they churned.
type span struct{ first, churned Day }

func spans(days []Day, business, floor int) []span {
	var out []span
	for i, end := range Ends(days, business, floor) {
		d := days[i]
		if n := len(out); n > 0 && d <= out[n-1].churned {
			out[n-1].churned = end
		} else {
			out = append(out, span{d, end})
		}
	}
	return out
}

// Ends answers for each purchase of a customer the last day of the silence
// allowed after it (see Trend): who has not bought again by its end has churned.
// days rise and do not repeat; business is the 80th-percentile gap of all
// customers, floor in days, DefaultFloor if not positive.
func Ends(days []Day, business, floor int) []Day {
	if floor <= 0 {
		floor = DefaultFloor
	}
	out := make([]Day, len(days))
	var gaps []int // sorted
	for i, d := range days {
		if i > 0 {
			gap := int(d - days[i-1])
			at, _ := slices.BinarySearch(gaps, gap)
			gaps = slices.Insert(gaps, at, gap)
		}
		allowed := business
		if i+1 >= fewOrders {
			allowed = (3*Percentile(gaps, 50) + 1) / 2
		}
		out[i] = d + Day(max(allowed, floor))
	}
	return out
}

// count adds a customer's spans to the points. What would happen after today
// has not happened; a period that has not begun has nobody in it.
func (c customer) count(ps []schemas.Point, periods []Period, spans []span, today Day) {
	for i, p := range periods {
		if p.From > today {
			return
		}
		for _, s := range spans {
			if s.first < p.From && s.churned >= p.From {
				ps[i].N++
				if s.churned < p.To && s.churned < today {
					ps[i].Value++
				}
				break
			}
		}
	}
}
