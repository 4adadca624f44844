package churn

import (
	"fmt"
	"time"

	"redalert/schemas"
)

// QueryError is a trend query that cannot be answered; doors answer it with
// 400 or 422. Message is for people.
type QueryError struct {
	Field   string // from, to, today, period, by
	Message string
}

func (e *QueryError) Error() string { return e.Field + ": " + e.Message }

// maxPeriods bounds the points of one series: ten years of days.
const maxPeriods = 3700

// Day is a calendar day, counted from 1970-01-01.
type Day int

// ParseDay reads YYYY-MM-DD.
func ParseDay(s string) (Day, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a day such as 2026-03-01", s)
	}
	return Day(floorDiv(t.Unix(), 86400)), nil
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// String is YYYY-MM-DD.
func (d Day) String() string { return d.time().Format(time.DateOnly) }

func (d Day) time() time.Time { return time.Unix(int64(d)*86400, 0).UTC() }

// PeriodStart is the first day of the period that d lies in; weeks start on
// Monday.
func (d Day) PeriodStart(p schemas.Period) Day {
	t := d.time()
	switch p {
	case schemas.PeriodWeek:
		return d - Day((int(t.Weekday())+6)%7)
	case schemas.PeriodMonth:
		return d - Day(t.Day()-1)
	}
	return d
}

// Next is the first day of the period after the one that starts at d.
func (d Day) Next(p schemas.Period) Day {
	switch p {
	case schemas.PeriodWeek:
		return d + 7
	case schemas.PeriodMonth:
		t := d.time()
		return Day(floorDiv(time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, time.UTC).Unix(), 86400))
	}
	return d + 1
}

// Period is one point in time of a chart. Start names it; days in [From, To)
// count, which is less than the whole period at the ends of the query.
type Period struct {
	Start, From, To Day
	// Complete: the whole period lies within the query and before today.
	Complete bool
}

// Periods cuts the days [q.From, q.To) of a query into periods, empty ones
// included. Today itself is unfinished. Without q.Today nothing is unfinished.
func Periods(q schemas.TrendQuery) ([]Period, error) {
	switch q.Period {
	case schemas.PeriodDay, schemas.PeriodWeek, schemas.PeriodMonth:
	default:
		return nil, &QueryError{"period", fmt.Sprintf("%q is not day, week or month", q.Period)}
	}
	var days [3]Day
	for i, f := range []struct{ name, value string }{{"from", q.From}, {"to", q.To}, {"today", q.Today}} {
		if f.name == "today" && f.value == "" {
			days[i] = endless
			continue
		}
		d, err := ParseDay(f.value)
		if err != nil {
			return nil, &QueryError{f.name, err.Error()}
		}
		days[i] = d
	}
	from, to, today := days[0], days[1], days[2]
	if to <= from {
		return nil, &QueryError{"to", fmt.Sprintf("%s is not after from (%s); to is exclusive", q.To, q.From)}
	}
	var ps []Period
	for start := from.PeriodStart(q.Period); start < to; {
		next := start.Next(q.Period)
		ps = append(ps, Period{Start: start, From: max(start, from), To: min(next, to),
			Complete: start >= from && next <= to && next <= today})
		if len(ps) > maxPeriods {
			return nil, &QueryError{"from", fmt.Sprintf("more than %d points; ask for a longer period or fewer days", maxPeriods)}
		}
		start = next
	}
	return ps, nil
}
