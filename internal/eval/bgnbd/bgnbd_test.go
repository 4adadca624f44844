package bgnbd

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// draw is one customer of the model, watched for age.
func draw(r *rand.Rand, p Params, age float64) Customer {
	rate := gamma(r, p.R) / p.Alpha
	a, b := gamma(r, p.A), gamma(r, p.B)
	leave := a / (a + b)
	c := Customer{Age: age}
	for t := r.ExpFloat64() / rate; t < age; t += r.ExpFloat64() / rate {
		c.Repeats, c.Last = c.Repeats+1, t
		if r.Float64() < leave {
			break
		}
	}
	return c
}

// gamma draws with scale 1 (Marsaglia and Tsang 2000).
func gamma(r *rand.Rand, shape float64) float64 {
	if shape < 1 {
		return gamma(r, shape+1) * math.Pow(r.Float64(), 1/shape)
	}
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		if v := math.Pow(1+c*x, 3); v > 0 && math.Log(r.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

// published are the parameters of the paper for the CDNOW sample, in weeks.
var published = Params{R: 0.243, Alpha: 4.414, A: 0.793, B: 2.426}

// TestFitFindsWhatWasPlanted: customers drawn from the published parameters give
// them back.
func TestFitFindsWhatWasPlanted(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var cs []Customer
	for range 20_000 {
		cs = append(cs, draw(r, published, 27+12*r.Float64()))
	}
	got, err := Fit(cs)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		got, want float64
	}{{"r", got.R, published.R}, {"alpha", got.Alpha, published.Alpha}, {"a/(a+b)", got.A / (got.A + got.B), published.A / (published.A + published.B)}} {
		if math.Abs(c.got/c.want-1) > 0.1 {
			t.Errorf("%s = %.3f, planted %.3f", c.name, c.got, c.want)
		}
	}
}

// TestSilent: of customers drawn from the model, as many stay silent as it says.
func TestSilent(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	said, so, n := 0.0, 0.0, 40_000
	for range n {
		full := Customer{}
		// One life, watched twice: until 30 and until 43.
		rate := gamma(r, published.R) / published.Alpha
		a, b := gamma(r, published.A), gamma(r, published.B)
		silent := 1.0
		full.Age = 30
		for t := r.ExpFloat64() / rate; t < 43; t += r.ExpFloat64() / rate {
			if t >= 30 {
				silent = 0
				break
			}
			full.Repeats, full.Last = full.Repeats+1, t
			if r.Float64() < a/(a+b) {
				break
			}
		}
		said, so = said+published.Silent(full, 13), so+silent
	}
	if math.Abs(said-so)/float64(n) > 0.01 {
		t.Errorf("said %.3f, so %.3f", said/float64(n), so/float64(n))
	}
}

// TestByHand: values of the formulas worked out apart from this code.
func TestByHand(t *testing.T) {
	// CDNOW customer 0001 of the paper's spreadsheet: x = 2, t_x = 30.43, T = 38.86.
	if got := published.Alive(Customer{2, 30.43, 38.86}); math.Abs(got-0.7266) > 0.001 {
		t.Errorf("P(alive) = %.4f", got)
	}
	if got := published.Alive(Customer{0, 0, 38.86}); got != 1 {
		t.Errorf("without repeats P(alive) = %v", got)
	}
	if _, err := Fit(nil); !errors.Is(err, ErrEmpty) {
		t.Errorf("nobody: %v", err)
	}
}

func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		age := rapid.Float64Range(0, 500).Draw(t, "age")
		c := Customer{Repeats: rapid.IntRange(0, 50).Draw(t, "x"), Age: age}
		if c.Repeats > 0 {
			c.Last = rapid.Float64Range(0, age).Draw(t, "last")
		}
		p := published.Silent(c, 10)
		later := c
		later.Age += 5
		if !(p >= 0 && p <= 1) || published.Silent(later, 10) < p || published.Silent(c, 20) > p {
			t.Fatalf("%+v: %v, later %v, longer %v", c, p, published.Silent(later, 10), published.Silent(c, 20))
		}
	})
}

func TestNelderMead(t *testing.T) {
	x, v := nelderMead(func(x []float64) float64 { // Rosenbrock's valley
		return math.Pow(1-x[0], 2) + 100*math.Pow(x[1]-x[0]*x[0], 2)
	}, []float64{-1.2, 1})
	if v > 1e-6 || math.Abs(x[0]-1) > 0.01 {
		t.Errorf("ended at %v, %v", x, v)
	}
}
