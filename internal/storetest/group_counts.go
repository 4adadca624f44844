package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"redalert/schemas"
	"redalert/signals"
)

// groupCounts: every event counts by day, source and location, every red one
// also by each of its categories, whatever was stored in between.
func groupCounts(t *testing.T, s Pipeline) {
	quiet := redMail(scoredMail("q", "c", 0, schemas.CatLate), "2026-03-02", "desk", "North")
	quiet.Verdict.Red, quiet.Verdict.Level = false, schemas.LevelNone
	again := redMail(scoredMail("a", "c", 0, schemas.CatBilling), "2026-03-01", "desk", "North")
	store(t, s,
		redMail(scoredMail("a", "c", 0, schemas.CatLate, schemas.CatRude), "2026-03-01", "desk", "North"),
		redMail(scoredMail("b", "c", 0), "2026-03-02", "desk", "North"),
		redMail(scoredMail("c", "c", 0, schemas.CatLate), "2026-03-02", "desk", "North"),
		quiet,
		redMail(scoredMail("d", "c", 0, schemas.CatLate), "2026-03-02", "desk", "Ängelholm"),
		redMail(scoredMail("e", "c", 0, schemas.CatLate), "2026-03-02", "web", ""),
		redMail(scoredMail("f", "c", 0, schemas.CatLate), "2026-03-03", "web", ""),
		redMail(scoredMail("g", "c", 0, schemas.CatLate), "2026-02-28", "web", ""))
	store(t, s, again)
	got, err := s.History.GroupCounts(t.Context(), "2026-03-01", "2026-03-03")
	must(t, "GroupCounts", err)
	same(t, "counts", got, []signals.GroupCount{
		{Day: "2026-03-01", Source: "desk", Location: "North", Red: 1, N: 1},
		{Day: "2026-03-01", Source: "desk", Location: "North", Category: "late", Red: 1},
		{Day: "2026-03-01", Source: "desk", Location: "North", Category: "rude", Red: 1},
		{Day: "2026-03-02", Source: "desk", Location: "North", Red: 1, N: 3},
		{Day: "2026-03-02", Source: "desk", Location: "North", Category: "late", Red: 1},
		{Day: "2026-03-02", Source: "desk", Location: "Ängelholm", Red: 1, N: 1},
		{Day: "2026-03-02", Source: "desk", Location: "Ängelholm", Category: "late", Red: 1},
		{Day: "2026-03-02", Source: "web", Red: 1, N: 1},
		{Day: "2026-03-02", Source: "web", Category: "late", Red: 1},
	})
	none, err := s.History.GroupCounts(t.Context(), "2025-03-01", "2025-03-03")
	must(t, "GroupCounts of nothing", err)
	if len(none) != 0 {
		t.Errorf("days without events: %v", none)
	}
	for _, bad := range [][2]string{{"yesterday", "2026-03-03"}, {"2026-03-01", ""}, {"2026-03-01", "2026-03-01"}} {
		var q *signals.TrendQueryError
		if _, err := s.History.GroupCounts(t.Context(), bad[0], bad[1]); !errors.As(err, &q) {
			t.Errorf("from %q to %q: %v", bad[0], bad[1], err)
		}
	}
}

// sameGroupCounts: two stores count alike, and what they count adds up to the
// chart of alerts.
func (w *world) sameGroupCounts(t *testing.T, a, b Pipeline) {
	t.Helper()
	for range 3 {
		from := worldStart.AddDate(0, 0, w.rng.IntN(700)-60)
		to := from.AddDate(0, 0, 1+w.rng.IntN(500))
		days := [2]string{from.Format(time.DateOnly), to.Format(time.DateOnly)}
		want, err := a.History.GroupCounts(t.Context(), days[0], days[1])
		must(t, "GroupCounts", err)
		got, err := b.History.GroupCounts(t.Context(), days[0], days[1])
		must(t, "GroupCounts", err)
		same(t, fmt.Sprint("counts by group ", days), got, want)
		sums := map[string]schemas.Point{}
		for _, c := range want {
			key := "category " + c.Category
			if c.Category == "" {
				key = "all"
			}
			p := sums[key]
			p.Value += float64(c.Red)
			p.N += c.N
			sums[key] = p
		}
		for _, by := range []schemas.TrendBy{schemas.ByAll, schemas.ByCategory} {
			for _, line := range trend(t, a, signals.TrendAlerts, schemas.TrendQuery{From: days[0], To: days[1], Period: schemas.PeriodMonth, By: by}).Series {
				key := "all"
				if by == schemas.ByCategory {
					key = "category " + line.Name
				}
				var value float64
				for _, p := range line.Points {
					value += p.Value
				}
				if sums[key].Value != value {
					t.Errorf("%v %s: %v red by group, %v in the chart", days, key, sums[key].Value, value)
				}
			}
		}
	}
}
