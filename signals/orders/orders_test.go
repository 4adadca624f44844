package orders

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"redalert/schemas"

	"pgregory.net/rapid"
)

// customer draws the total of the i-th order of a customer who does not change.
type customer func(r *rand.Rand, i int) int64

func lognormal(sigma float64) customer {
	return func(r *rand.Rand, _ int) int64 { return int64(12000 * math.Exp(sigma*r.NormFloat64())) }
}

func poisson(lambda float64) customer {
	return func(r *rand.Rand, _ int) int64 {
		l, k, p := math.Exp(-lambda), 0, 1.0
		for p > l {
			k++
			p *= r.Float64()
		}
		return int64(max(k-1, 1)) * 1500
	}
}

var stationary = map[string]customer{
	"constant":         func(*rand.Rand, int) int64 { return 9900 },
	"lognormal 0.1":    lognormal(0.1),
	"lognormal 0.2":    lognormal(0.2),
	"lognormal 0.35":   lognormal(0.35),
	"lognormal 0.5":    lognormal(0.5),
	"lognormal 0.8":    lognormal(0.8),
	"poisson 3":        poisson(3),
	"poisson 8":        poisson(8),
	"alternating":      func(_ *rand.Rand, i int) int64 { return []int64{20000, 4000}[i%2] },
	"alternating, 1:3": func(_ *rand.Rand, i int) int64 { return []int64{20000, 7000, 7000, 7000}[i%4] },
	"seasonal, weekly": seasonal(52),
	"seasonal, monthly": func(r *rand.Rand, i int) int64 {
		return seasonal(12)(r, i)
	},
}

func seasonal(period float64) customer {
	return func(r *rand.Rand, i int) int64 {
		return int64(12000 * (1 + 0.4*math.Sin(2*math.Pi*float64(i)/period)) * math.Exp(0.15*r.NormFloat64()))
	}
}

func fact(i int, total int64) schemas.OrderFact {
	return schemas.OrderFact{EventID: strconv.Itoa(i), OrderRef: strconv.Itoa(i), Type: schemas.OrderPlaced, Total: total,
		OccurredAt: time.Unix(int64(i)*7*86400, 0)}
}

// TestStationaryCustomersStayQuiet: customers who order every week for a year
// and do not change raise at most 2 % false flags a customer-month.
func TestStationaryCustomersStayQuiet(t *testing.T) {
	const customers, weeks = 400, 52
	for name, draw := range stationary {
		r := rand.New(rand.NewPCG(7, 11))
		flags := 0
		for range customers {
			var facts []schemas.OrderFact
			start := r.IntN(52)
			for i := range weeks {
				total := draw(r, start+i)
				if _, ok := BelowHabit(total, facts); ok {
					flags++
				}
				facts = append(facts, fact(i, total))
			}
		}
		perMonth := float64(flags) / (customers * 12)
		t.Logf("%-18s %.2f %% false flags a month", name, 100*perMonth)
		if perMonth > 0.02 {
			t.Errorf("%s: %.2f %% false flags a month, at most 2 %%", name, 100*perMonth)
		}
	}
}

// TestPlantedDropsAreFound: from the 10th order on everything is cut to 40 %.
// Customers whose orders vary by a third or more are found less often (about a
// quarter by the second order at 0.35): the limits are set for few false flags.
func TestPlantedDropsAreFound(t *testing.T) {
	const customers = 400
	for name, want := range map[string]float64{"constant": 0.99, "lognormal 0.1": 0.95, "lognormal 0.2": 0.75, "seasonal, weekly": 0.7} {
		r := rand.New(rand.NewPCG(3, 5))
		first, second := 0, 0
		for range customers {
			var facts []schemas.OrderFact
			start := r.IntN(52)
			for i := range 9 {
				facts = append(facts, fact(i, stationary[name](r, start+i)))
			}
			for i := 9; i < 11; i++ {
				total := stationary[name](r, start+i) * 2 / 5
				if _, ok := BelowHabit(total, facts); ok {
					if i == 9 {
						first++
					}
					second++
					break
				}
				facts = append(facts, fact(i, total))
			}
		}
		t.Logf("%-18s found at the first order %.0f %%, by the second %.0f %%", name, 100*float64(first)/customers, 100*float64(second)/customers)
		if got := float64(second) / customers; got < want {
			t.Errorf("%s: %.2f of planted drops found within one order, want %.2f", name, got, want)
		}
	}
}

func TestHabit(t *testing.T) {
	var facts []schemas.OrderFact
	for i, total := range []int64{10000, 12000, 11000} {
		facts = append(facts, fact(i, total))
	}
	if _, ok := BelowHabit(100, facts); ok {
		t.Fatal("three orders are no habit")
	}
	facts = append(facts, fact(3, 12500), fact(4, 12000),
		schemas.OrderFact{EventID: "x", OrderRef: "3", Type: schemas.OrderChanged, Total: 12000},
		schemas.OrderFact{EventID: "y", OrderRef: "0", Type: schemas.OrderCancelled, Total: 10000})
	h, ok := HabitOf(facts)
	if !ok || h.Orders != 4 || h.Usual != 12000 || h.Lowest != 11000 {
		t.Fatalf("habit %+v", h)
	}
	r, ok := BelowHabit(4800, facts)
	if !ok {
		t.Fatal("40 % of the usual is below the habit")
	}
	if got, want := r.Message("EUR"), "ordered €48.00, 40 % of the usual €120.00 (last 4 orders)"; got != want {
		t.Fatalf("message %q, want %q", got, want)
	}
	if _, ok := BelowHabit(11500, facts); ok {
		t.Fatal("a little less is no drop")
	}
}

func TestChanged(t *testing.T) {
	facts := []schemas.OrderFact{fact(1, 500), {OrderRef: "1", Type: schemas.OrderChanged, Total: 400}}
	prev := int64(350)
	for _, c := range []struct {
		ref    string
		total  int64
		prev   *int64
		before int64
		lower  bool
	}{
		{"1", 399, nil, 400, true}, {"1", 400, nil, 400, false}, {"1", 399, &prev, 350, false},
		{"1", 349, &prev, 350, true}, {"2", 1, nil, 0, false}, {"", 1, nil, 0, false},
	} {
		if b, l := Changed(c.ref, c.total, c.prev, facts); b != c.before || l != c.lower {
			t.Errorf("%+v: got %d %v", c, b, l)
		}
	}
}

func TestLogAgreesWithMath(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, math.MaxInt64).Draw(t, "n")
		if d := math.Abs(log(n) - math.Log(float64(n))); d > 1e-9 {
			t.Fatalf("log(%d) off by %g", n, d)
		}
	})
}
