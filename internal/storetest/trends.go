package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"redalert/schemas"
	"redalert/signals"
)

func trend(t *testing.T, s Pipeline, kind string, q schemas.TrendQuery) schemas.Trend {
	t.Helper()
	got, err := s.History.Trend(t.Context(), kind, q)
	must(t, "Trend", err)
	if got.Definition == "" || got.Period != q.Period {
		t.Fatalf("trend without its definition or of another period: %+v", got)
	}
	return got
}

// Trends: charts count what happened, by day of the business, exactly.
func Trends(t *testing.T, open func(t *testing.T) Pipeline) {
	suite{
		{"alerts", false, trendAlerts},
		{"churn", false, trendChurn},
		{"counts by group", false, groupCounts},
		{"questions without an answer", false, trendErrors},
	}.run(t, open)
}

func redMail(s schemas.Scored, day, source, location string) schemas.Scored {
	s.Event.LocalDate, s.Event.Source, s.Event.Location = day, source, location
	return s
}

func trendAlerts(t *testing.T, s Pipeline) {
	store(t, s,
		redMail(scoredMail("a", "c", 0, schemas.CatLate, schemas.CatRude), "2026-03-01", "desk", "North"), // a Sunday
		redMail(scoredMail("b", "c", 0), "2026-03-02", "desk", "North"),
		redMail(scoredMail("c", "c", 0, schemas.CatLate), "2026-03-02", "web", "South"),
		redMail(scoredMail("d", "c", 0, schemas.CatLate), "2026-03-16", "web", ""),
		redMail(scoredMail("e", "c", 0, schemas.CatLate), "2026-03-20", "web", ""),
		redMail(scoredMail("f", "c", 0, schemas.CatLate), "2026-02-22", "web", "North"))
	q := schemas.TrendQuery{From: "2026-02-23", To: "2026-03-19", Today: "2026-03-18", Period: schemas.PeriodWeek}
	points := func(vs ...float64) []schemas.Point { // value, n, value, n …
		out := []schemas.Point{}
		for i, start := range []string{"2026-02-23", "2026-03-02", "2026-03-09", "2026-03-16"} {
			out = append(out, schemas.Point{Start: start, Value: vs[2*i], N: int64(vs[2*i+1]), Complete: i < 3})
		}
		return out
	}
	for _, tt := range []struct {
		by        schemas.TrendBy
		locations []string
		want      []schemas.Series
	}{
		{schemas.ByAll, nil, []schemas.Series{{Name: "all", Points: points(1, 1, 1, 2, 0, 0, 1, 1)}}},
		{schemas.ByAll, []string{"South"}, []schemas.Series{{Name: "all", Points: points(0, 0, 1, 1, 0, 0, 0, 0)}}},
		{schemas.ByAll, []string{"Nowhere"}, []schemas.Series{{Name: "all", Points: points(0, 0, 0, 0, 0, 0, 0, 0)}}},
		{schemas.BySource, nil, []schemas.Series{{Name: "desk", Points: points(1, 1, 0, 1, 0, 0, 0, 0)}, {Name: "web", Points: points(0, 0, 1, 1, 0, 0, 1, 1)}}},
		{schemas.ByLocation, nil, []schemas.Series{{Name: "(none)", Points: points(0, 0, 0, 0, 0, 0, 1, 1)}, {Name: "North", Points: points(1, 1, 0, 1, 0, 0, 0, 0)},
			{Name: "South", Points: points(0, 0, 1, 1, 0, 0, 0, 0)}}},
		{schemas.ByCategory, nil, []schemas.Series{{Name: "late", Points: points(1, 1, 1, 2, 0, 0, 1, 1)}, {Name: "rude", Points: points(1, 1, 0, 2, 0, 0, 0, 1)}}},
		{schemas.ByCategory, []string{"North"}, []schemas.Series{{Name: "late", Points: points(1, 1, 0, 1, 0, 0, 0, 0)}, {Name: "rude", Points: points(1, 1, 0, 1, 0, 0, 0, 0)}}},
	} {
		q.By, q.Locations = tt.by, tt.locations
		same(t, fmt.Sprintf("by %q for %v", tt.by, tt.locations), trend(t, s, signals.TrendAlerts, q).Series, tt.want)
	}
	months := trend(t, s, signals.TrendAlerts, schemas.TrendQuery{From: "2026-02-01", To: "2026-04-01", Today: "2026-03-31", Period: schemas.PeriodMonth})
	same(t, "months", months.Series, []schemas.Series{{Name: "all", Points: []schemas.Point{
		{Start: "2026-02-01", Value: 1, N: 1, Complete: true}, {Start: "2026-03-01", Value: 4, N: 5}}}})
}

func trendChurn(t *testing.T, s Pipeline) {
	start := time.Date(2025, 1, 1, 9, 0, 0, 0, time.UTC)
	n := 0
	place := func(customer, location string, days ...int) {
		for _, d := range days {
			n++
			ref := fmt.Sprint("o", n)
			store(t, s, order{id: ref, ref: ref, kind: schemas.OrderPlaced, customer: customer, at: start.AddDate(0, 0, d), total: 1, location: location}.scored())
		}
	}
	// Gaps of the business: 10, 10, 50, 50, 70 → 80th percentile 50 → with
	// fewer than three orders 60 days.
	place("fast", "North", 0, 10, 20, 20) // median 10 → the floor of 60 days → 22 March
	place("slow", "South", 0, 50, 100)    // median 50 → 75 days → day 175 = 25 June
	place("twice", "North", 5, 75)        // churned on day 65 = 7 March, back on day 75, churned on day 135 = 16 May
	place("", "North", 0)                 // nobody
	old := resolve(t, s, 0, schemas.CustomerRef{Email: "once@example.com"})[0]
	place(old, "South", 1)
	resolve(t, s, 1, schemas.CustomerRef{Email: "once@example.com", Ref: "C1"})
	store(t, s, order{id: "p", ref: "kept away", kind: schemas.OrderPlaced, customer: old, at: start.AddDate(0, 0, 40), total: 5}.scored(),
		order{id: "q", ref: "kept away", kind: schemas.OrderCancelled, customer: idOf("ref", "C1"), at: start.AddDate(0, 0, 41), total: 5}.scored())
	q := schemas.TrendQuery{From: "2025-01-01", To: "2025-08-01", Today: "2025-07-10", Period: schemas.PeriodMonth}
	points := func(vs ...float64) []schemas.Point {
		out := []schemas.Point{}
		for i := range 7 {
			out = append(out, schemas.Point{Start: start.AddDate(0, i, 0).Format(time.DateOnly), Value: vs[2*i], N: int64(vs[2*i+1]), Complete: i < 6})
		}
		return out
	}
	got := trend(t, s, signals.TrendChurn, q)
	same(t, "all", got.Series, []schemas.Series{{Name: "all", Points: points(0, 0, 0, 4, 3, 4, 0, 2, 1, 2, 1, 1, 0, 0)}})
	if !strings.Contains(got.Definition, "60 days") || !strings.Contains(got.Definition, "50 days") {
		t.Errorf("the definition lacks its numbers: %s", got.Definition)
	}
	q.By = schemas.ByLocation
	same(t, "by location", trend(t, s, signals.TrendChurn, q).Series, []schemas.Series{
		{Name: "North", Points: points(0, 0, 0, 2, 2, 2, 0, 1, 1, 1, 0, 0, 0, 0)}, {Name: "South", Points: points(0, 0, 0, 2, 1, 2, 0, 1, 0, 1, 1, 1, 0, 0)}})
	q.By, q.Locations = schemas.ByAll, []string{"South"}
	same(t, "for a viewer of one location", trend(t, s, signals.TrendChurn, q).Series, []schemas.Series{{Name: "all", Points: points(0, 0, 0, 2, 1, 2, 0, 1, 0, 1, 1, 1, 0, 0)}})
}

func trendErrors(t *testing.T, s Pipeline) {
	good := schemas.TrendQuery{From: "2026-01-01", To: "2026-02-01", Period: schemas.PeriodWeek}
	var unknown *signals.UnknownTrend
	if _, err := s.History.Trend(t.Context(), "retention", good); !errors.As(err, &unknown) || unknown.Kind != "retention" {
		t.Errorf("unknown kind: %v", err)
	}
	for field, edit := range map[string]func(*schemas.TrendQuery){
		"from":   func(q *schemas.TrendQuery) { q.From = "1 March" },
		"to":     func(q *schemas.TrendQuery) { q.To = q.From },
		"today":  func(q *schemas.TrendQuery) { q.Today = "soon" },
		"period": func(q *schemas.TrendQuery) { q.Period = "year" },
		"by":     func(q *schemas.TrendQuery) { q.By = "colour" },
	} {
		q := good
		edit(&q)
		for _, kind := range []string{signals.TrendAlerts, signals.TrendChurn} {
			var bad *signals.TrendQueryError
			if _, err := s.History.Trend(t.Context(), kind, q); !errors.As(err, &bad) || bad.Field != field {
				t.Errorf("%s with a wrong %s: %v", kind, field, err)
			}
		}
	}
	long := schemas.TrendQuery{From: "0001-01-01", To: "9999-12-31", Period: schemas.PeriodDay}
	var bad *signals.TrendQueryError
	if _, err := s.History.Trend(t.Context(), signals.TrendAlerts, long); !errors.As(err, &bad) {
		t.Errorf("ten thousand years of days: %v", err)
	}
}

// SameTrends: two adapters with the same random content answer every trend
// alike.
func SameTrends(t *testing.T, a, b Pipeline) {
	rng := rand.New(rand.NewPCG(5, 6))
	start := time.Date(2024, 12, 20, 12, 0, 0, 0, time.UTC)
	kinds := []schemas.EventType{schemas.OrderPlaced, schemas.OrderPlaced, schemas.OrderPlaced, schemas.OrderChanged, schemas.OrderCancelled, schemas.OrderRefunded}
	pick := func(from ...string) string { return from[rng.IntN(len(from))] }
	var scored []schemas.Scored
	for i := range 600 {
		at := start.AddDate(0, 0, rng.IntN(500))
		customer := fmt.Sprint("c", rng.IntN(40))
		location, source := pick("North", "South", ""), pick("shop", "web")
		if i%4 == 0 {
			x := scoredMail(fmt.Sprint("m", i), customer, i)
			if rng.IntN(2) == 0 {
				x = scoredMail(fmt.Sprint("m", i), customer, i, schemas.Categories()[rng.IntN(4)], schemas.Categories()[4+rng.IntN(4)])
			}
			scored = append(scored, redMail(x, at.Format(time.DateOnly), source, location))
			continue
		}
		scored = append(scored, order{id: fmt.Sprint("e", i), ref: fmt.Sprint(rng.IntN(250)), kind: kinds[rng.IntN(len(kinds))], customer: customer, at: at,
			total: int64(rng.IntN(500)), location: location, source: source}.scored())
	}
	store(t, a, scored...)
	rng.Shuffle(len(scored), func(i, j int) { scored[i], scored[j] = scored[j], scored[i] })
	for i := 0; i < len(scored); i += 50 {
		store(t, b, scored[i:min(i+50, len(scored))]...)
	}
	for _, kind := range []string{signals.TrendAlerts, signals.TrendChurn} {
		for _, period := range []schemas.Period{schemas.PeriodDay, schemas.PeriodWeek, schemas.PeriodMonth} {
			for _, by := range []schemas.TrendBy{schemas.ByAll, schemas.BySource, schemas.ByLocation, schemas.ByCategory} {
				for _, locations := range [][]string{nil, {"North"}} {
					if kind == signals.TrendChurn && by == schemas.ByCategory {
						continue
					}
					q := schemas.TrendQuery{From: "2025-01-10", To: "2026-07-01", Today: "2026-04-15", Period: period, By: by, Locations: locations}
					same(t, fmt.Sprintf("%s by %q per %s for %v", kind, by, period, locations), trend(t, a, kind, q), trend(t, b, kind, q))
				}
			}
		}
	}
}
