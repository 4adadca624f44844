package churn

import (
	"cmp"
	"errors"
	"slices"

	"redalert/schemas"
)

// A store that can group does the work of Trend where the data is, by the same
// rules: with days the days of a customer's purchases, rising and without
// repeats, purchase i allows a silence until
//
//	end(i) = days[i] + max(⌈1.5 × median of the gaps before it⌉, floor)
//
// (of the business's 80th-percentile gap for the first two). The customer
// churned on end(i) if there is no purchase i+1 or it lies after end(i), and
// began again with purchase i+1, as with the first.

// SpanDay says how many stretches of activity began and ended on a day, among
// the customers of a series. Rows of the same day and series add up.
type SpanDay struct {
	Series         string // as SeriesName calls it; "all" when not split
	Day            Day
	Began, Churned int64
}

// longestPeriod is the most days of a Period. A stretch lasts at least as long
// as the floor, so it cannot begin and end in one period.
const longestPeriod = 31

// CheckQuery answers the *QueryError of a query that Trend cannot answer.
func CheckQuery(q schemas.TrendQuery) error {
	_, _, err := parse(q)
	return err
}

// CountedTrend is Trend from counted stretches, business being the 80th
// percentile of all gaps (0 without any) and gaps their number. The stretches
// must be of purchases up to q.Today, and floor at least 31 days.
func CountedTrend(q schemas.TrendQuery, counts []SpanDay, business, gaps, floor int) (schemas.Trend, error) {
	periods, today, err := parse(q)
	if err != nil {
		return schemas.Trend{}, err
	}
	if floor < longestPeriod {
		return schemas.Trend{}, errors.New("churn: stretches are counted by day only for a floor of 31 days or more")
	}
	bySeries := map[string][]SpanDay{}
	if q.By == schemas.ByAll {
		bySeries["all"] = nil
	}
	for _, c := range counts {
		bySeries[c.Series] = append(bySeries[c.Series], c)
	}
	points := make(map[string][]schemas.Point, len(bySeries))
	for name, days := range bySeries {
		points[name] = countDays(periods, days, today)
	}
	return chart(q, points, Definition(floor, business, gaps)), nil
}

// countDays walks through periods and days once, both rising.
func countDays(periods []Period, days []SpanDay, today Day) []schemas.Point {
	slices.SortFunc(days, func(a, b SpanDay) int { return cmp.Compare(a.Day, b.Day) })
	ps := blank(periods)
	next, active := 0, int64(0)
	for i, p := range periods {
		if p.From > today {
			break
		}
		for ; next < len(days) && days[next].Day < p.From; next++ {
			active += days[next].Began - days[next].Churned
		}
		ps[i].N = active
		for k := next; k < len(days) && days[k].Day < min(p.To, today); k++ {
			ps[i].Value += float64(days[k].Churned)
		}
	}
	return ps
}
