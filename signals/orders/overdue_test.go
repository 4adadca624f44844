package orders

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"redalert/schemas"

	"pgregory.net/rapid"
)

// gapOf draws the days until the next order of a customer who does not change.
type gapOf func(r *rand.Rand) float64

func gammaGaps(mean, shape float64) gapOf {
	return func(r *rand.Rand) float64 { // a sum of exponentials: whole shapes
		sum := 0.0
		for range int(shape) {
			sum += r.ExpFloat64()
		}
		return mean * sum / shape
	}
}

func lognormalGaps(mean, sigma float64) gapOf {
	return func(r *rand.Rand) float64 { return mean * math.Exp(sigma*r.NormFloat64()-sigma*sigma/2) }
}

var rhythms = map[string]gapOf{
	"Poisson, weekly":           gammaGaps(7, 1),
	"Poisson, monthly":          gammaGaps(30, 1),
	"Poisson, every 3 days":     gammaGaps(3, 1),
	"gamma 2, fortnightly":      gammaGaps(14, 2),
	"gamma 4, weekly":           gammaGaps(7, 4),
	"gamma 10, monthly":         gammaGaps(28, 10),
	"exact, weekly":             func(*rand.Rand) float64 { return 7 },
	"log-normal 0.3, weekly":    lognormalGaps(7, 0.3),
	"log-normal 0.6, 10 days":   lognormalGaps(10, 0.6),
	"log-normal 1, fortnightly": lognormalGaps(14, 1),
	"weekly, one in ten missed": func(r *rand.Rand) float64 { return 7 * float64(1+r.IntN(10)/9) },
}

func placed(i int, day float64) schemas.OrderFact {
	return schemas.OrderFact{EventID: strconv.Itoa(i), OrderRef: strconv.Itoa(i), Type: schemas.OrderPlaced, Total: 5000,
		OccurredAt: time.Unix(int64(day*86400), 0)}
}

// TestStationaryRhythmsStayQuiet: customers who do not change, neither in rhythm
// nor in size, looked at at the end of each silence over two years, are flagged in
// at most 2 % of their months: for an order that did not come, or for one below
// their habit.
func TestStationaryRhythmsStayQuiet(t *testing.T) {
	const customers, days = 250, 730
	for name, gap := range rhythms {
		r := rand.New(rand.NewPCG(17, 19))
		late, small := 0, 0
		for range customers {
			var facts []schemas.OrderFact
			day := 1000 + gap(r)
			for i := 0; day < 1000+days; i++ {
				f := placed(i, day)
				f.Total = lognormal(0.35)(r, i)
				facts = facts[max(0, len(facts)-30):]
				if _, ok := BelowHabit(f.Total, facts); ok {
					small++
				}
				facts = append(facts, f)
				next := day + gap(r)
				// Just before the next order the silence is longest.
				if _, ok := OverdueAt(facts, time.Unix(int64(next*86400)-1, 0), nil); ok && next < 1000+days {
					late++
				}
				day = next
			}
		}
		const months = customers * days / 30.0
		perMonth := float64(late+small) / months
		t.Logf("%-26s %.2f %% false flags a month: %.2f %% overdue, %.2f %% below habit", name, 100*perMonth, 100*float64(late)/months, 100*float64(small)/months)
		if perMonth > 0.02 {
			t.Errorf("%s: %.2f %% false flags a month, at most 2 %%", name, 100*perMonth)
		}
	}
}

// TestWhoStopsIsFound: after ten orders a customer never comes again. How soon
// that is seen hangs on how regular they were: who keeps a rhythm by the second
// order missed, a Poisson process after several times its usual gap, as α wants.
func TestWhoStopsIsFound(t *testing.T) {
	for name, most := range map[string]float64{ // silence in usual gaps until flagged, in the median
		"exact, weekly": 2.2, "gamma 10, monthly": 2.9, "log-normal 0.3, weekly": 3.4, "gamma 4, weekly": 5.5, "Poisson, monthly": 13,
	} {
		r := rand.New(rand.NewPCG(23, 29))
		var waits []float64
		for range 300 {
			var facts []schemas.OrderFact
			day := 1000.0
			for i := range 10 {
				day += rhythms[name](r)
				facts = append(facts, placed(i, day))
			}
			for silent := 1; ; silent++ {
				if o, ok := OverdueAt(facts, time.Unix(int64((day+float64(silent))*86400), 0), nil); ok {
					waits = append(waits, float64(silent)/float64(max(o.Usual, 1)))
					break
				}
				if silent > 10_000 {
					t.Fatalf("%s: never found", name)
				}
			}
		}
		slices.Sort(waits)
		t.Logf("%-26s found after %.1f usual gaps in the median, nine of ten after %.1f", name, waits[150], waits[270])
		if waits[150] > most {
			t.Errorf("%s: found after %.1f usual gaps, want %.1f", name, waits[150], most)
		}
	}
}

func monthly(n int) (facts []schemas.OrderFact) {
	for i := range n {
		facts = append(facts, placed(i, 1000+28*float64(i)))
	}
	return facts
}

func TestOverdueExplainsItself(t *testing.T) {
	facts := monthly(9) // the last on day 1224
	at := func(day int) time.Time { return time.Unix(int64(day)*86400, 0) }
	o, ok := OverdueAt(facts, at(1224+61), nil)
	if !ok || o.Message() != "usually every 28 days, 61 days since the last" {
		t.Fatalf("%+v %v %q", o, ok, o.Message())
	}
	if _, ok := OverdueAt(facts, at(1224+30), nil); ok {
		t.Error("two days late is not overdue")
	}
	if later, _ := OverdueAt(facts, at(1224+90), nil); !later.Due.Equal(o.Due) {
		t.Errorf("one silence has two due dates: %v, %v", o.Due, later.Due)
	}
	if _, ok := OverdueAt(facts[:3], at(5000), nil); ok {
		t.Error("three orders are no rhythm")
	}
	if _, ok := OverdueAt(append(facts, placed(20, 1290)), at(1224+61), nil); !ok {
		t.Error("an order of the future was looked at")
	}
	byUs := append(slices.Clone(facts), placed(20, 1270),
		schemas.OrderFact{EventID: "x", OrderRef: "20", Type: schemas.OrderCancelled, CausedBy: schemas.BySeller, OccurredAt: at(1271)})
	if _, ok := OverdueAt(byUs, at(1224+61), nil); ok {
		t.Error("the customer did order; we cancelled it")
	}
	byUs[len(byUs)-1].CausedBy = schemas.ByCustomer
	if _, ok := OverdueAt(byUs, at(1224+61), nil); !ok {
		t.Error("what the customer cancelled is no order")
	}
}

// TestOverdueProperties: a replay and the order of facts change nothing, and who
// is overdue stays so while silent.
func TestOverdueProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var facts []schemas.OrderFact
		day := 1000.0
		for i := range rapid.IntRange(0, 20).Draw(t, "orders") {
			day += float64(rapid.IntRange(0, 90).Draw(t, "gap"))
			facts = append(facts, placed(i, day))
		}
		at := time.Unix(int64(day*86400), 0).AddDate(0, 0, rapid.IntRange(0, 2000).Draw(t, "silence"))
		o, ok := OverdueAt(facts, at, nil)
		again := append(slices.Clone(facts), facts...)
		slices.Reverse(again)
		if p, also := OverdueAt(again, at, nil); p != o || ok != also {
			t.Fatalf("replayed: %+v %v, before %+v %v", p, also, o, ok)
		}
		if _, still := OverdueAt(facts, at.AddDate(0, 0, 1), nil); ok && !still {
			t.Fatal("one more day of silence, and no longer overdue")
		}
		if ok && (o.Silent <= o.Allowed || 2*o.Allowed < 3*o.Usual-3) {
			t.Fatalf("%+v", o)
		}
	})
}

func TestCause(t *testing.T) {
	for _, c := range []struct {
		by     schemas.CausedBy
		reason string
		want   schemas.CausedBy
	}{
		{"", "Item out of stock", schemas.BySeller},
		{schemas.ByUnknown, "Delivery failed twice", schemas.BySeller},
		{"", "leider ausverkauft", schemas.BySeller},
		{schemas.ByCustomer, "it was out of stock last time, so I buy elsewhere", schemas.ByCustomer},
		{"", "changed my mind", schemas.ByUnknown},
		{schemas.BySeller, "", schemas.BySeller},
		{"", "", schemas.ByUnknown},
	} {
		if got := Cause(schemas.Order{CausedBy: c.by, Reason: c.reason}); got != c.want {
			t.Errorf("%q by %q: %s, want %s", c.reason, c.by, got, c.want)
		}
	}
}

// TestUpperF against the published tables of F.
func TestUpperF(t *testing.T) {
	for _, c := range []struct{ v1, v2, alpha, want float64 }{
		{2, 24, 0.01, 5.61}, {10, 60, 0.01, 2.63}, {20, 120, 0.01, 2.03}, {4, 20, 0.05, 2.87}, {24, 24, 0.05, 1.98},
	} {
		if got := upperF(c.v1, c.v2, c.alpha); math.Abs(got/c.want-1) > 0.03 {
			t.Errorf("F(%v, %v; %v) = %.3f, tables say %.2f", c.v1, c.v2, c.alpha, got, c.want)
		}
	}
}
