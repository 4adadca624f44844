package signals_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"redalert/internal/memstore"
	"redalert/schemas"
	"redalert/signals"
)

// rhythm draws the days between two orders of somebody who does not change.
var rhythms = []func(*rand.Rand) float64{
	func(r *rand.Rand) float64 { return 7 * math.Exp(0.3*r.NormFloat64()) },
	func(r *rand.Rand) float64 { return 14 * (0.8 + 0.4*r.Float64()) },
	func(r *rand.Rand) float64 { return 28 + 2*r.NormFloat64() },
	func(r *rand.Rand) float64 { return 10 * r.ExpFloat64() },
	func(r *rand.Rand) float64 { return 30 * r.ExpFloat64() },
	func(r *rand.Rand) float64 {
		return 5 * (r.ExpFloat64() + r.ExpFloat64() + r.ExpFloat64() + r.ExpFloat64())
	},
}

// TestStationaryBusinessRaisesFewFlags: through the real clock, day by day, for a
// year and a half: at most 2 % of customer-months are flagged wrongly, who stops
// is found, and all of it again adds nothing.
func TestStationaryBusinessRaisesFewFlags(t *testing.T) {
	const customers, days, stopAt = 180, 540, 420
	b := newTrade(true)
	rng := rand.New(rand.NewPCG(6, 1))
	next := make([]float64, customers)
	stops := func(c int) bool { return c%12 < 6 && c >= 120 } // ten of each rhythm
	for day := range days {
		for c := range customers {
			for next[c] <= float64(day) {
				if !stops(c) || day < stopAt {
					b.order(t, fmt.Sprintf("c%03d", c), morning(day).Add(-time.Duration(rng.IntN(600))*time.Minute))
				}
				next[c] += max(rhythms[c%len(rhythms)](rng), 0.5)
			}
		}
		b.tick(t, morning(day).Add(time.Hour))
	}
	wrong, found, months := 0, map[string]bool{}, float64(0)
	for c := range customers {
		if stops(c) {
			months += stopAt / 30.0
		} else {
			months += days / 30.0
		}
	}
	signalled := b.raised(t, schemas.OrderOverdue)
	for _, x := range signalled {
		var c int
		if _, err := fmt.Sscanf(x.Event.CustomerID, "c%d", &c); err != nil {
			t.Fatal(err)
		}
		if stops(c) && x.Event.CollectedAt.After(morning(stopAt)) {
			found[x.Event.CustomerID] = true
		} else {
			wrong++
		}
	}
	stopped, regular := 0, 0
	for c := range customers {
		if stops(c) {
			stopped++
			if k := c % len(rhythms); k < 3 && !found[fmt.Sprintf("c%03d", c)] {
				regular++
			}
		}
	}
	rate := float64(wrong) / months
	t.Logf("%.2f %% of customer-months flagged wrongly; %d of %d who stopped are found", 100*rate, len(found), stopped)
	if rate > 0.02 {
		t.Errorf("%.2f %% of customer-months are flagged wrongly, at most 2 %%", 100*rate)
	}
	if regular > 0 || len(found)*3 < stopped*2 {
		t.Errorf("%d of %d who stopped are found; %d with a regular rhythm are not", len(found), stopped, regular)
	}
	c := b.config()
	c.Schedule = memstore.New().Schedule()
	b.clock = signals.NewClock(c)
	for day := days - 20; day < days; day++ {
		b.tick(t, morning(day).Add(time.Hour))
	}
	if again := b.raised(t, schemas.OrderOverdue); len(again) != len(signalled) {
		t.Errorf("the last days once more raised %d signals", len(again)-len(signalled))
	}
}
