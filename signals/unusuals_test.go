package signals_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"redalert/schemas"
	"redalert/signals"
)

// counted is a history of which only counts are asked.
type counted struct {
	signals.History
	mu     sync.Mutex
	asked  [][2]string
	counts []signals.GroupCount
	err    error
}

func (c *counted) GroupCounts(_ context.Context, from, to string) ([]signals.GroupCount, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, [2]string{from, to})
	return c.counts, c.err
}

func TestUnusuals(t *testing.T) {
	now := time.Date(2026, 3, 8, 22, 30, 0, 0, time.UTC) // Monday the 9th in Berlin +2
	zone := time.FixedZone("", 2*3600)
	h := &counted{}
	for d := range 7 * 20 {
		day := time.Date(2025, 10, 20, 0, 0, 0, 0, time.UTC).AddDate(0, 0, d).Format(time.DateOnly)
		red := int64(0)
		if d%7 == 2 {
			red = 2
		}
		if d == 7*20-2 {
			red = 9
		}
		h.counts = append(h.counts, signals.GroupCount{Day: day, Source: "care", Location: "North", N: red + 5, Red: red},
			signals.GroupCount{Day: day, Source: "care", Location: "North", Category: "late", Red: red},
			signals.GroupCount{Day: day, Source: "care", Location: "East", N: 5})
	}
	u := &signals.Unusuals{History: h, Business: schemas.Business{Timezone: zone}}
	ask := func(at time.Time, locations ...string) int {
		t.Helper()
		got, err := u.Unusual(t.Context(), locations, at)
		if err != nil {
			t.Fatal(err)
		}
		return len(got)
	}
	var g sync.WaitGroup
	for range 8 {
		g.Go(func() {
			for _, l := range [][]string{nil, {"North"}, {"East"}} {
				if got, err := u.Unusual(t.Context(), l, now); err != nil || (len(got) == 1) == (len(l) == 1 && l[0] == "East") {
					t.Errorf("%v: %v %v", l, got, err)
				}
			}
		})
	}
	g.Wait()
	if len(h.asked) != 1 || h.asked[0] != [2]string{"2024-11-25", "2026-03-10"} {
		t.Fatalf("asked %v", h.asked)
	}
	ask(now.Add(5 * time.Minute))
	ask(now.Add(6 * time.Minute))
	ask(now.Add(-24 * time.Hour)) // another day
	if len(h.asked) != 3 {
		t.Fatalf("asked %v", h.asked)
	}
	h.err = errors.New("no connection")
	if _, err := u.Unusual(t.Context(), nil, now.Add(time.Hour)); err == nil {
		t.Error("an error of history was kept quiet")
	}
	if n, err := (*signals.Unusuals)(nil).Unusual(t.Context(), nil, now); n != nil || err != nil {
		t.Error(n, err)
	}
}
