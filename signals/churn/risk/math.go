package risk

import "math"

// exp and ln are written out, since those of package math are assembly on some
// architectures and differ in the last digits. Products are wrapped in float64
// so that no compiler fuses them with a sum.

// ln is the natural logarithm of a positive finite number: of the exponent, and
// of the fraction by 2·artanh((f−1)/(f+1)).
func ln(x float64) float64 {
	frac, e := math.Frexp(x) // frac in [0.5, 1)
	if frac < math.Sqrt2/2 {
		frac, e = frac*2, e-1
	}
	y := (frac - 1) / (frac + 1) // within ±0.172
	y2 := float64(y * y)
	sum, p := 0.0, y
	for k := 1; k <= 19; k += 2 {
		sum += p / float64(k)
		p = float64(p * y2)
	}
	return float64(2*sum) + float64(float64(e)*math.Ln2)
}

// exp is the exponential function: 2^k × a series on what is left, within
// ±0.347. 0 below −700, and no more than e^700.
func exp(x float64) float64 {
	if x < -700 {
		return 0
	}
	x = min(x, 700)
	k := math.Floor(float64(x/math.Ln2) + 0.5)
	r := x - float64(k*math.Ln2)
	sum, p := 1.0, 1.0
	for i := 1; i <= 14; i++ {
		p = float64(p*r) / float64(i)
		sum += p
	}
	return math.Ldexp(sum, int(k))
}

func logistic(x float64) float64 {
	if x >= 0 {
		return 1 / (1 + exp(-x))
	}
	e := exp(x)
	return e / (1 + e)
}

// softplus is ln(1 + e^x).
func softplus(x float64) float64 { return max(x, 0) + ln(1+exp(-math.Abs(x))) }

func dot(a, b []float64) float64 {
	sum := 0.0
	for i, v := range b {
		if v != 0 {
			sum += float64(a[i] * v)
		}
	}
	return sum
}

func round4(p float64) float64 { return math.Round(float64(p*10000)) / 10000 }
