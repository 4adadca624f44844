package signals

import (
	"fmt"
	"maps"
	"slices"

	"redalert/schemas"
	"redalert/signals/churn"
)

// Kinds of trends that History answers.
const (
	TrendAlerts = "alerts"
	TrendChurn  = "churn"
)

// UnknownTrend is returned by History.Trend for a kind it does not know; doors
// answer it with 404.
type UnknownTrend struct{ Kind string }

func (e *UnknownTrend) Error() string {
	return fmt.Sprintf("there is no trend %q; there are %s and %s", e.Kind, TrendAlerts, TrendChurn)
}

// TrendQueryError is a trend query that cannot be answered; doors answer 400.
type TrendQueryError = churn.QueryError

// DayCount is how many events of one local day, and of one series, there were,
// and how many of them were red.
type DayCount struct {
	Day    string // YYYY-MM-DD
	Series string // source, category or location; ignored when all is asked for
	Red, N int64
}

const alertsDefinition = "Red alerts by the day they happened on, in the business's time zone. " +
	"Value: events scored red, of n events of every kind. Weeks start on Monday."

// AlertTrend turns daily counts into the alerts chart. Days outside the query
// do not count. Split by category, counts hold the red events of each category
// and all holds every event, because an event that is not red has no category;
// an event of two categories stands in both series. Otherwise all is ignored.
func AlertTrend(q schemas.TrendQuery, counts, all []DayCount) (schemas.Trend, error) {
	periods, err := churn.Periods(q)
	if err != nil {
		return schemas.Trend{}, err
	}
	switch q.By {
	case schemas.ByAll, schemas.BySource, schemas.ByCategory, schemas.ByLocation:
	default:
		return schemas.Trend{}, &TrendQueryError{Field: "by", Message: fmt.Sprintf("%q is not source, category or location", q.By)}
	}
	series := map[string][]schemas.Point{}
	if q.By == schemas.ByAll {
		series["all"] = blankPoints(periods)
	}
	for _, c := range counts {
		i, err := periodOf(periods, c.Day)
		if err != nil {
			return schemas.Trend{}, err
		}
		if i < 0 {
			continue
		}
		name := "all"
		if q.By != schemas.ByAll {
			name = churn.SeriesName(c.Series)
		}
		if series[name] == nil {
			series[name] = blankPoints(periods)
		}
		series[name][i].Value += float64(c.Red)
		series[name][i].N += c.N
	}
	if q.By == schemas.ByCategory {
		if err := spreadTotals(series, periods, all); err != nil {
			return schemas.Trend{}, err
		}
	}
	t := schemas.Trend{Definition: alertsDefinition, Period: q.Period, Series: []schemas.Series{}}
	for _, name := range slices.Sorted(maps.Keys(series)) {
		t.Series = append(t.Series, schemas.Series{Name: name, Points: series[name]})
	}
	return t, nil
}

func spreadTotals(series map[string][]schemas.Point, periods []churn.Period, all []DayCount) error {
	for _, ps := range series {
		for i := range ps {
			ps[i].N = 0
		}
	}
	for _, c := range all {
		i, err := periodOf(periods, c.Day)
		if err != nil {
			return err
		}
		if i < 0 {
			continue
		}
		for _, ps := range series {
			ps[i].N += c.N
		}
	}
	return nil
}

func blankPoints(periods []churn.Period) []schemas.Point {
	ps := make([]schemas.Point, len(periods))
	for i, p := range periods {
		ps[i] = schemas.Point{Start: p.Start.String(), Complete: p.Complete}
	}
	return ps
}

// periodOf answers the index of the period that counts a day; −1 if none does.
func periodOf(periods []churn.Period, day string) (int, error) {
	d, err := churn.ParseDay(day)
	if err != nil {
		return 0, fmt.Errorf("count of a day: %w", err)
	}
	i, found := slices.BinarySearchFunc(periods, d, func(p churn.Period, d churn.Day) int {
		switch {
		case d < p.From:
			return 1
		case d >= p.To:
			return -1
		}
		return 0
	})
	if !found {
		return -1, nil
	}
	return i, nil
}
