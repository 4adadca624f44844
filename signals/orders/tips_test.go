package orders

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"redalert/schemas"

	"pgregory.net/rapid"
)

func tipped(i int, total, tip int64) schemas.OrderFact {
	f := fact(i, total)
	f.Tip = &tip
	return f
}

func TestTipBelowHabit(t *testing.T) {
	regular := []schemas.OrderFact{tipped(0, 10000, 1500), tipped(1, 8000, 1280), tipped(2, 12000, 1800), tipped(3, 9000, 1260), tipped(4, 10000, 1500)}
	sometimes := []schemas.OrderFact{tipped(0, 10000, 1500), tipped(1, 8000, 0), tipped(2, 12000, 1800), tipped(3, 9000, 1260), tipped(4, 10000, 1500)}
	unstated := []schemas.OrderFact{fact(0, 10000), fact(1, 8000), fact(2, 12000), tipped(3, 9000, 1260), tipped(4, 10000, 1500)}
	told := append(append([]schemas.OrderFact{}, regular[:4]...), fact(4, 10000),
		schemas.OrderFact{EventID: "x", OrderRef: "4", Type: schemas.OrderFulfilled, Tip: regular[4].Tip})
	gone := append(append([]schemas.OrderFact{}, regular[:4]...), schemas.OrderFact{EventID: "x", OrderRef: "3", Type: schemas.OrderCancelled})
	for _, c := range []struct {
		name       string
		tip, total int64
		facts      []schemas.OrderFact
		want       string
	}{
		{"none at all, once", 0, 10000, regular, ""},
		{"none at all, again", 0, 10000, append(append([]schemas.OrderFact{}, regular...), tipped(5, 9000, 0)), "tipped 0 %, usually 15 % (last 5 orders)"},
		{"next to nothing", 250, 10000, regular, "tipped 2.5 %, usually 15 % (last 5 orders)"},
		{"little, of a small order", 9, 900, regular, "tipped 1 %, usually 15 % (last 5 orders)"},
		{"told when the order was done", 100, 10000, told, "tipped 1 %, usually 15 % (last 5 orders)"},
		{"the usual share of a small order", 150, 1000, regular, ""},
		{"a little less", 1100, 10000, regular, ""},
		{"more", 5000, 10000, regular, ""},
		{"more than the order", 20000, 10000, regular, ""},
		{"who sometimes gives nothing", 100, 10000, sometimes, ""},
		{"too few that say so", 100, 10000, unstated, ""},
		{"three orders that stand", 100, 10000, gone, ""},
		{"of nothing", 0, 0, regular, ""},
		{"nobody known", 100, 10000, nil, ""},
	} {
		got := ""
		if r, ok := TipBelowHabit(c.tip, c.total, c.facts); ok {
			got = r.Message()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestStationaryTipsStayQuiet: who tips as ever, every week for a year, raises at
// most 2 % false flags a customer-month, and who stops is found at once or at the
// second order.
func TestStationaryTipsStayQuiet(t *testing.T) {
	const customers, weeks = 150, 52
	draws := map[string]func(r *rand.Rand, total int64) int64{
		"rounded up": func(_ *rand.Rand, total int64) int64 { return (total*11/10+499)/500*500 - total },
		"fifteen per cent": func(r *rand.Rand, total int64) int64 {
			return int64(float64(total) * 0.15 * math.Exp(0.2*r.NormFloat64()))
		},
		"as the mood is":   func(r *rand.Rand, total int64) int64 { return int64(float64(total) * 0.25 * r.Float64()) },
		"mostly nothing":   func(r *rand.Rand, total int64) int64 { return int64(r.IntN(5)/4) * total / 10 },
		"mostly something": func(r *rand.Rand, total int64) int64 { return int64(min(r.IntN(8), 1)) * total / 10 },
	}
	for name, draw := range draws {
		r := rand.New(rand.NewPCG(5, 6))
		flags, found := 0, 0
		for range customers {
			var facts []schemas.OrderFact
			for i := range weeks {
				total := lognormal(0.35)(r, i)
				tip := draw(r, total)
				if _, ok := TipBelowHabit(tip, total, facts); ok {
					flags++
				}
				facts = append(facts, tipped(i, total, tip))
			}
			for i := range 2 {
				if _, ok := TipBelowHabit(0, 9000, facts); ok {
					found++
					break
				}
				facts = append(facts, tipped(weeks+i, 9000, 0))
			}
		}
		rate := float64(flags) / (customers * 12)
		t.Logf("%-17s %.2f %% false flags a month; who stops is found %.0f %%", name, 100*rate, 100*float64(found)/customers)
		if rate > 0.02 {
			t.Errorf("%s: %.2f %% false flags a month, at most 2 %%", name, 100*rate)
		}
		if name == "fifteen per cent" && found < customers*95/100 {
			t.Errorf("%s: %d of %d who stop are found", name, found, customers)
		}
	}
}

// TestTipProperties: a larger tip is never below the habit when a smaller one (but
// none at all) is not, and scale does not matter.
func TestTipProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var facts, tenfold []schemas.OrderFact
		for i := range rapid.IntRange(0, 15).Draw(t, "n") {
			total := rapid.Int64Range(100, 100000).Draw(t, "total "+strconv.Itoa(i))
			tip := rapid.Int64Range(0, total/3).Draw(t, "tip "+strconv.Itoa(i))
			facts, tenfold = append(facts, tipped(i, total, tip)), append(tenfold, tipped(i, 10*total, 10*tip))
		}
		total := rapid.Int64Range(1, 100000).Draw(t, "total")
		a := rapid.Int64Range(0, total).Draw(t, "tip")
		b := rapid.Int64Range(a, total).Draw(t, "larger")
		_, small := TipBelowHabit(a, total, facts)
		_, large := TipBelowHabit(b, total, facts)
		if large && !small && a > 0 {
			t.Fatalf("%d of %d is below the habit, %d is not", b, total, a)
		}
		if _, ten := TipBelowHabit(10*a, 10*total, tenfold); ten != small {
			t.Fatalf("in other coins the answer is %v", ten)
		}
	})
}
