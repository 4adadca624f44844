package encoder

import "math"

// The functions of the network. math.Exp and math.Erf differ by architecture,
// so they stand here as polynomials in float32.

const (
	geluConsts = 16
	expConsts  = 12
)

// geluTable holds what gelu needs, each number in eight lanes: 1/√2, the bounds
// of the error function's argument, 1, ½, then numerator and denominator of
// erf(x)/x in x², highest power first: our own minimax fit on [-4, 4], by least
// squares with weights drawn to where the error is greatest (Lawson). The
// error of erf is below 7e-7.
var geluTable = lanes([geluConsts]float32{
	math.Sqrt2 / 2, 4, -4, 1, 0.5,
	0.000384959509, 0.0108693959, 0.0747446194, 0.364526927, 1.12837648,
	2.19059366e-05, 0.00276692351, 0.0293411277, 0.185135752, 0.656356215, 1,
})

// expTable holds what softmax needs: the least exponent, log2(e), the rounding
// number, ln 2 in two parts, 1, then the polynomial, highest power first. The
// coefficients are those of Cephes' expf (Moshier, 1989).
var expTable = expLanes([expConsts]float32{
	-80, math.Log2E, 12582912, 0.693359375, -2.12194440e-4, 1,
	1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3,
	4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1,
})

func lanes(in [geluConsts]float32) (out [geluConsts][laneCount]float32) {
	for i, v := range in {
		for l := range laneCount {
			out[i][l] = v
		}
	}
	return out
}

func expLanes(in [expConsts]float32) (out [expConsts][laneCount]float32) {
	for i, v := range in {
		for l := range laneCount {
			out[i][l] = v
		}
	}
	return out
}

// gelu sets each x to x·Φ(x), Φ the normal distribution function (Hendrycks and
// Gimpel, "Gaussian Error Linear Units", 2016), by the error function and not
// its tanh approximation. The length is a multiple of 8.
func gelu(simd bool, x []float32) {
	if simd {
		geluAVX2(&x[0], len(x), &geluTable)
		return
	}
	for i, v := range x {
		x[i] = float32(float32(v*geluTable[4][0]) * (erf(float32(v*geluTable[0][0])) + geluTable[3][0]))
	}
}

func erf(x float32) float32 {
	c := &geluTable
	x = max(min(x, c[1][0]), c[2][0])
	x2 := float32(x * x)
	p := c[5][0]
	for i := 6; i < 10; i++ {
		p = float32(p*x2) + c[i][0]
	}
	q := c[10][0]
	for i := 11; i < geluConsts; i++ {
		q = float32(q*x2) + c[i][0]
	}
	return float32(p*x) / q
}

// softmax sets x to exp(scale·x) over the sum of them all, less the greatest
// first. The length is a multiple of 8; scale is above zero.
func softmax(simd bool, x []float32, scale float32) {
	if simd {
		softmaxAVX2(&x[0], len(x), scale, &expTable)
		return
	}
	most := x[0]
	for _, v := range x {
		most = max(most, v)
	}
	var sum [laneCount]float32
	for i, v := range x {
		x[i] = exp(float32((v - most) * scale))
		sum[i%laneCount] += x[i]
	}
	by := 1 / sumLanes(&sum)
	for i := range x {
		x[i] = float32(x[i] * by)
	}
}

// exp is e to the x for x up to zero; below -80 it answers that of -80.
func exp(x float32) float32 {
	c := &expTable
	x = max(x, c[0][0])
	shifted := float32(x*c[1][0]) + c[2][0]
	power := math.Float32frombits(math.Float32bits(shifted)<<23 + math.Float32bits(c[5][0]))
	n := shifted - c[2][0]
	r := x - float32(n*c[3][0])
	r -= float32(n * c[4][0])
	p := c[6][0]
	for i := 7; i < expConsts; i++ {
		p = float32(p*r) + c[i][0]
	}
	p = float32(float32(p*r) * r)
	return float32(((p + r) + c[5][0]) * power)
}
