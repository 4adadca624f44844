package learn

import "math"

// math.Exp and math.Log are assembly on some architectures and differ in the
// last bits; verdicts must not. These use +, −, ×, ÷ alone, each product wrapped
// so that none is fused with a sum.

const ln2Hi, ln2Lo = 6.93147180369123816490e-01, 1.90821492927058770002e-10

// exp is e^x for |x| ≤ 700, to about 1e-14: x = k·ln 2 + r, and the Taylor
// series of e^r.
func exp(x float64) float64 {
	k := math.Floor(float64(x/math.Ln2) + 0.5)
	r := x - float64(k*ln2Hi) - float64(k*ln2Lo)
	sum, term := 1.0, 1.0
	for i := 1; i <= 14; i++ {
		term = float64(term * r / float64(i))
		sum += term
	}
	return math.Ldexp(sum, int(k))
}

// log is the natural logarithm of x > 0, to about 1e-14: x = m·2^k with m near 1,
// and ln m = 2·artanh((m−1)/(m+1)).
func log(x float64) float64 {
	m, k := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, k = float64(2*m), k-1
	}
	t := (m - 1) / (m + 1)
	tt := float64(t * t)
	sum, power := 0.0, t
	for i := 1; i <= 23; i += 2 {
		sum += power / float64(i)
		power = float64(power * tt)
	}
	return float64(2*sum) + float64(float64(k)*ln2Hi) + float64(float64(k)*ln2Lo)
}

// most is the largest logit that counts: a probability beyond is rounding.
const most = 8

// logit is ln(p/(1−p)), within ±most.
func logit(p float64) float64 {
	const least = 0.0003353501304664781 // sigmoid(−most)
	switch {
	case !(p > least):
		return -most
	case p >= 1-least:
		return most
	}
	return log(p / (1 - p))
}

func sigmoid(z float64) float64 {
	z = min(max(z, -40), 40)
	return 1 / (1 + exp(-z))
}

// round cuts to four decimals, as the text model's own probabilities.
func round(x float64) float64 { return math.Floor(float64(x*10000)+0.5) / 10000 }
