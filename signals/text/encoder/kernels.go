package encoder

import "math"

// The kernels of the network. Each has a portable form, which defines the
// result, and on amd64 with AVX2 a vector form that answers the same bits:
// integers are exact in any order, and floating point goes element by element
// through the same operations in the same order, sums in eight lanes that
// sumLanes joins. Products are converted to float32 explicitly before they are
// added, for else the compiler may fuse the two on some architectures (see
// "Floating-point operators" in the Go specification).

const (
	laneCount = 8  // floats of a vector
	panelCols = 16 // outputs of a panel of packed weights
	quadRows  = 4  // rows that are multiplied together
)

// linearArgs are the arguments of one panel of a linear layer:
// dst = float(a·b)·rowScale·colScale + bias, for 4·quads rows and 16 columns.
type linearArgs struct {
	dst      []float32
	a        []int16   // quantised rows
	b        []int8    // one packed panel: [pairs][16][2]
	rowScale []float32 // of each row of a
	colScale []float32 // 16
	bias     []float32 // 16
	ldd, lda int       // elements from row to row
	pairs    int       // half the length of a row of a; a multiple of 4
	quads    int
}

// linear runs one panel. The sums cannot overflow: |a| ≤ actMax, |b| ≤ 128 and
// 2·pairs ≤ maxIntermediate.
func linear(simd bool, p *linearArgs) {
	rows := p.quads * quadRows
	_ = p.dst[(rows-1)*p.ldd+panelCols-1]
	_ = p.a[(rows-1)*p.lda+2*p.pairs-1]
	_ = p.b[p.pairs*2*panelCols-1]
	_, _, _ = p.rowScale[rows-1], p.colScale[panelCols-1], p.bias[panelCols-1]
	if simd {
		linearAVX2(p)
		return
	}
	for q := range p.quads {
		for c := 0; c < panelCols; c += 2 {
			linearQuad(p, q*quadRows, c)
		}
	}
}

// linearQuad does four rows and two columns. Both columns share one
// multiplication: one sits in the upper half of a 64 bit word, one in the
// lower, from which the upper is borrowed when negative.
func linearQuad(p *linearArgs, row, col int) {
	k := 2 * p.pairs
	a0 := p.a[row*p.lda:][:k]
	a1 := p.a[(row+1)*p.lda:][:k]
	a2 := p.a[(row+2)*p.lda:][:k]
	a3 := p.a[(row+3)*p.lda:][:k]
	var s0, s1, s2, s3 int64
	b := p.b[2*col:]
	for i := 0; i+1 < len(a0); i += 2 {
		w := b[i*panelCols:][:4]
		even := int64(w[0]) + int64(w[2])<<32
		odd := int64(w[1]) + int64(w[3])<<32
		s0 += even*int64(a0[i]) + odd*int64(a0[i+1])
		s1 += even*int64(a1[i]) + odd*int64(a1[i+1])
		s2 += even*int64(a2[i]) + odd*int64(a2[i+1])
		s3 += even*int64(a3[i]) + odd*int64(a3[i+1])
	}
	for r, s := range [quadRows]int64{s0, s1, s2, s3} {
		lo := int32(s)
		hi := int32((s - int64(lo)) >> 32)
		scale := p.rowScale[row+r]
		out := p.dst[(row+r)*p.ldd+col:][:2]
		out[0] = float32(float32(lo)*float32(scale*p.colScale[col])) + p.bias[col]
		out[1] = float32(float32(hi)*float32(scale*p.colScale[col+1])) + p.bias[col+1]
	}
}

// multiplyArgs are the arguments of dst = a·b in floating point, for 4·quads
// rows of a, k rows of b and cols columns, a multiple of 8.
type multiplyArgs struct {
	dst, a, b     []float32
	ldd, lda, ldb int // elements from row to row
	k, cols       int
	quads         int
}

// multiply sums over k in rising order, a multiplication and an addition each.
func multiply(simd bool, p *multiplyArgs) {
	rows := p.quads * quadRows
	_ = p.dst[(rows-1)*p.ldd+p.cols-1]
	_ = p.a[(rows-1)*p.lda+p.k-1]
	_ = p.b[(p.k-1)*p.ldb+p.cols-1]
	if simd {
		multiplyAVX2(p)
		return
	}
	for r := range rows {
		a := p.a[r*p.lda:][:p.k]
		for c := 0; c < p.cols; c += laneCount {
			var sum [laneCount]float32
			for i, v := range a {
				b := p.b[i*p.ldb+c:][:laneCount]
				for l := range sum {
					sum[l] += float32(v * b[l])
				}
			}
			copy(p.dst[r*p.ldd+c:], sum[:])
		}
	}
}

// sumLanes joins eight partial sums, halves first.
func sumLanes(s *[laneCount]float32) float32 {
	a, b, c, d := s[0]+s[4], s[1]+s[5], s[2]+s[6], s[3]+s[7]
	return (a + c) + (b + d)
}

// layerNorm sets dst to the normalised sum of x and rest: zero mean, variance
// one, times gamma plus beta (Ba et al., "Layer Normalization", 2016). dst may
// be x or rest. The lengths are equal, a multiple of 8.
func layerNorm(simd bool, dst, x, rest, gamma, beta []float32, eps float32) {
	n := len(dst)
	x, rest, gamma, beta = x[:n], rest[:n], gamma[:n], beta[:n]
	if simd {
		layerNormAVX2(&dst[0], &x[0], &rest[0], &gamma[0], &beta[0], n, eps)
		return
	}
	var sum [laneCount]float32
	for i := range dst {
		dst[i] = x[i] + rest[i]
		sum[i%laneCount] += dst[i]
	}
	mean := sumLanes(&sum) / float32(n)
	sum = [laneCount]float32{}
	for i := range dst {
		dst[i] -= mean
		sum[i%laneCount] += float32(dst[i] * dst[i])
	}
	by := 1 / sqrt(sumLanes(&sum)/float32(n)+eps)
	for i := range dst {
		dst[i] = float32(float32(dst[i]*by)*gamma[i]) + beta[i]
	}
}

// sqrt is correctly rounded: a float64 has more than twice the digits.
func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }

// actMax is the greatest quantised activation. Weights have 8 bits but
// activations 13, for free: the vector kernel multiplies 16 bit integers.
const actMax = 4095

// roundBits are the bits of 1.5·2^23. Adding that number to a small one rounds
// it to an integer, halves to even, which then stands in the lowest bits.
const roundBits = 0x4b400000

// leastMax is the least maximum of a row that is not taken for zero.
const leastMax = 1e-30

// quantise writes x as integers of magnitude up to actMax and answers the size
// of a step; rounding is half to even. The length is a multiple of 16.
func quantise(simd bool, dst []int16, x []float32) float32 {
	dst = dst[:len(x)]
	most := absMax(simd, x)
	if most < leastMax {
		clear(dst)
		return 0
	}
	by := actMax / most
	if simd {
		quantiseAVX2(&dst[0], &x[0], len(x), by)
		return most / actMax
	}
	magic := math.Float32frombits(roundBits)
	for i, v := range x {
		dst[i] = int16(math.Float32bits(float32(v*by)+magic) - roundBits)
	}
	return most / actMax
}

func absMax(simd bool, x []float32) float32 {
	if simd {
		return absMaxAVX2(&x[0], len(x))
	}
	var most float32
	for _, v := range x {
		most = max(most, math.Float32frombits(math.Float32bits(v)&^(1<<31)))
	}
	return most
}
