package risk

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"redalert/internal/lane"
	"redalert/signals/churn"
)

var update = flag.Bool("update", false, "write prior.go anew")

// business is one simulated business: how often people come, how regular they
// are, and how they leave. Nothing in it is taken from real customers.
type business struct {
	gap, spread float64 // typical days between purchases, and how customers differ (log)
	shape       float64 // of the gaps: 1 irregular as a Poisson process, 4 a habit
	rough       float64 // what else makes gaps longer and shorter (log): seasons, moods, money
	pause       float64 // of those who seem to leave: how many only stay away for long
	once, leave float64 // chance to be gone after the first purchase, and after each other
	alive       float64 // days until people move away for reasons of their own, in the mean
	value       float64 // how customers differ in what they spend (log)
	returns     float64 // chance that an order is taken back
	days        int
}

func drawBusiness(r *rand.Rand) business {
	between := func(a, b float64) float64 { return a + (b-a)*r.Float64() }
	return business{
		gap: math.Exp(between(math.Log(6), math.Log(150))), spread: between(0.5, 1.5),
		shape: []float64{1, 1, 1, 1.5, 4}[r.IntN(5)], rough: between(0, 1), pause: between(0.2, 0.8),
		once: between(0, 0.8), leave: between(0.01, 0.2), alive: between(400, 4000), value: between(0.3, 1), returns: between(0, 0.1), days: 300 + r.IntN(800),
	}
}

// gamma draws with mean 1 (Marsaglia and Tsang 2000), shape ≥ 1.
func gamma(r *rand.Rand, shape float64) float64 {
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(r.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v / shape
		}
	}
}

// drawCustomer lives one customer. Who is about to leave often comes less often
// and buys less before; who spends more or never takes anything back stays
// a little longer.
func (b business) drawCustomer(r *rand.Rand) (h History) {
	z := r.NormFloat64()
	gap := b.gap * math.Exp(b.spread*r.NormFloat64())
	mean := 5000 * math.Exp(b.value*z)
	leave := b.leave * math.Exp(-0.3*z)
	day := r.Float64() * float64(b.days)
	end := day + b.alive*r.ExpFloat64()
	slow, less := 1.0, 1.0
	for i := 0; day < min(end, float64(b.days)); i++ {
		total := int64(mean * less * math.Exp(0.4*r.NormFloat64()))
		o := Order{Day: churn.Day(day) + 1, Total: max(total, 1)}
		h.Orders = append(h.Orders, o)
		gone := leave
		if r.Float64() < b.returns {
			h.Returns = append(h.Returns, Return{Day: o.Day + 3, Total: o.Total})
			gone *= 1.5
		}
		if i == 0 {
			gone = max(gone, b.once)
		}
		if slow > 1 {
			gone = 0.4
		}
		if r.Float64() < gone {
			switch {
			case r.Float64() < b.pause:
				day += gap * 5 * r.ExpFloat64()
			case slow > 1 || r.Float64() < 0.7:
				return h
			default:
				slow, less = 1.6, 0.75
			}
		}
		day += gap * slow * gamma(r, b.shape) * math.Exp(b.rough*r.NormFloat64())
	}
	return h
}

// simulated are the examples that the prior is fitted on.
func simulated(seed uint64, businesses, customers int) *rows {
	r := rand.New(rand.NewPCG(seed, 20))
	all := &rows{w: features}
	for range businesses {
		b := drawBusiness(r)
		var hs []History
		for range customers {
			hs = append(hs, b.drawCustomer(r))
		}
		horizon := []int{30, 60, 90, 180}[r.IntN(4)]
		at := horizon + r.IntN(b.days-horizon)
		s := pastSet{day: churn.Day(at - horizon/2), rows: *all}
		if at+horizon/2 > b.days {
			s.day = churn.Day(b.days - horizon)
		}
		money := typical(hs, s.day)
		if r.IntN(4) == 0 {
			money = 0 // a business whose typical order is not known
		}
		for _, h := range hs {
			s.learnFrom(h, horizon, money)
		}
		*all = s.rows
	}
	return all
}

func fitPrior() []float64 {
	return newProblem(simulated(1, 400, 120), make([]float64, features), 8, 0.01).solve()
}

// TestPrior: the weights that ship are those of the recipe above.
func TestPrior(t *testing.T) {
	if !*update {
		lane.Long(t, "fitting the prior anew")
	}
	got := fitPrior()
	if *update {
		var b strings.Builder
		b.WriteString("package risk\n\n// prior are the shipped weights, one a feature: a logistic regression over 400\n" +
			"// simulated businesses. Made by `go test -run TestPrior -update` from\n// simulate_test.go; the same test holds them to it.\nvar prior = [features]float64{")
		for j, w := range got {
			if j%10 == 0 {
				b.WriteString("\n\t")
			} else {
				b.WriteString(" ")
			}
			fmt.Fprintf(&b, "%.4f,", w+0)
		}
		b.WriteString("\n}\n")
		if err := os.WriteFile("prior.go", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for j, w := range got {
		if math.Abs(w-prior[j]) > 0.01 {
			t.Errorf("weight %d is %.4f, the recipe gives %.4f; -update writes it", j, prior[j], w)
		}
	}
}
