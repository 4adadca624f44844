package storetest

import (
	"testing"
	"time"

	"redalert/schemas"
)

// historyRescored: a rescored verdict takes the place of the first in every
// answer, for good; the event, and what history does not hold, stay as they are.
func historyRescored(t *testing.T, s Pipeline) {
	first := scoredMail("a", "customer", 1, schemas.CatLate)
	other := scoredMail("b", "customer", 2, schemas.CatLate)
	quiet := scoredMail("c", "customer", 3)
	store(t, s, first, other, quiet)
	again := func(x schemas.Scored, version string, n int, categories ...schemas.Category) schemas.Scored {
		x.Verdict = aVerdict(x.Event.ID, categories...)
		x.Verdict.ModelVersion, x.Verdict.ScoredAt = version, mark(n)
		return x
	}
	a2, c2 := again(first, "m2", 1000), again(quiet, "m2", 1000, schemas.CatBilling)
	must(t, "Rescore", s.History.Rescore(t.Context(), []schemas.Scored{a2, c2, scoredMail("stranger", "customer", 4)}))
	must(t, "Rescore nothing", s.History.Rescore(t.Context(), nil))
	check := func(what string, want ...schemas.Verdict) {
		t.Helper()
		same(t, what+": verdicts", listVerdicts(t, s, schemas.ListQuery{}), want)
		got, err := s.Records.Scored(t.Context(), []string{"a", "b", "c", "stranger"})
		must(t, "Scored", err)
		if len(got) != 3 || len(listEvents(t, s, schemas.ListQuery{})) != 3 {
			t.Fatalf("%s: %d scored", what, len(got))
		}
		for _, x := range got {
			for _, v := range want {
				if v.EventID == x.Event.ID {
					same(t, what+": scored", x.Verdict, v)
				}
			}
		}
		events, err := s.Records.CustomerEvents(t.Context(), "customer", 0)
		must(t, "CustomerEvents", err)
		if len(events) != 3 {
			t.Fatalf("%s: %d events of the customer", what, len(events))
		}
	}
	check("rescored", other.Verdict, a2.Verdict, c2.Verdict)
	same(t, "a replay answers", store(t, s, first, quiet), []schemas.Verdict{a2.Verdict, c2.Verdict})
	check("after a replay", other.Verdict, a2.Verdict, c2.Verdict)
	a3 := again(first, "m3", 1, schemas.CatRude) // scored earlier, by a clock that was set back
	must(t, "Rescore", s.History.Rescore(t.Context(), []schemas.Scored{a3}))
	check("twice", a3.Verdict, other.Verdict, c2.Verdict)
	day := first.Event.LocalDate
	trend, err := s.History.Trend(t.Context(), "alerts", schemas.TrendQuery{From: day, To: mark(0).AddDate(0, 0, 1).Format(time.DateOnly), Period: schemas.PeriodDay, By: schemas.ByCategory})
	must(t, "Trend", err)
	red := map[string]float64{}
	for _, series := range trend.Series {
		for _, p := range series.Points {
			if p.Value > 0 {
				red[series.Name] += p.Value
			}
		}
	}
	if red["rude"] != 1 || red["billing"] != 1 || red["late"] != 1 {
		t.Errorf("the trend counts %v; want one each of rude, billing and late", red)
	}
}
