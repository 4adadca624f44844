package encoder

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"redalert/internal/lane"
)

func needSIMD(t testing.TB) {
	t.Helper()
	if !haveSIMD() {
		lane.Missing(t, "this machine has no vector kernels (AVX2): they were not compared with the plain code")
	}
}

func floats(r *rand.Rand, n int, size float32) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(r.NormFloat64()) * size
	}
	return out
}

// sameBits compares floats by their bits.
func sameBits(t *testing.T, what string, simd, portable []float32) {
	t.Helper()
	for i := range simd {
		if math.Float32bits(simd[i]) != math.Float32bits(portable[i]) {
			t.Fatalf("%s [%d]: vector %v, portable %v", what, i, simd[i], portable[i])
		}
	}
}

func linearSample(r *rand.Rand, quads, pairs int) linearArgs {
	rows, lda := quads*quadRows, 2*pairs+16
	p := linearArgs{
		ldd: 48, lda: lda, pairs: pairs, quads: quads, a: make([]int16, rows*lda), b: make([]int8, pairs*2*panelCols),
		rowScale: floats(r, rows, 1), colScale: floats(r, panelCols, 1), bias: floats(r, panelCols, 100),
	}
	for i := range p.a {
		p.a[i] = int16(r.IntN(2*actMax+1) - actMax)
	}
	for i := range p.b {
		p.b[i] = int8(r.IntN(256) - 128)
	}
	return p
}

func TestLinear(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, quads := range []int{1, 2, 3, 7} {
		for _, pairs := range []int{4, 8, 12, 192, 768, maxIntermediate / 2} {
			p := linearSample(r, quads, pairs)
			if pairs > 700 { // the greatest sums there are
				for i := range p.a {
					p.a[i] = actMax
				}
				for i := range p.b {
					p.b[i] = -128
				}
			}
			p.dst = make([]float32, quads*quadRows*p.ldd)
			linear(false, &p)
			for row := range quads * quadRows {
				for col := range panelCols {
					var sum int64
					for i := range 2 * pairs {
						sum += int64(p.a[row*p.lda+i]) * int64(p.b[i/2*2*panelCols+2*col+i%2])
					}
					want := float32(float32(sum)*float32(p.rowScale[row]*p.colScale[col])) + p.bias[col]
					if got := p.dst[row*p.ldd+col]; got != want {
						t.Fatalf("%d pairs, row %d, column %d: %v, want %v", pairs, row, col, got, want)
					}
				}
			}
			if haveSIMD() {
				q := p
				q.dst = make([]float32, len(p.dst))
				linear(true, &q)
				sameBits(t, fmt.Sprintf("linear %d×%d", quads, pairs), q.dst, p.dst)
			}
		}
	}
}

func TestMultiplyBothWays(t *testing.T) {
	needSIMD(t)
	r := rand.New(rand.NewPCG(2, 1))
	for _, k := range []int{1, 2, 7, 32, 55} {
		for _, cols := range []int{8, 16, 24, 56} {
			p := multiplyArgs{ldd: cols + 3, lda: k + 1, ldb: cols + 5, k: k, cols: cols, quads: 3}
			p.a, p.b = floats(r, 12*p.lda, 1), floats(r, k*p.ldb, 1)
			q := p
			p.dst, q.dst = make([]float32, 12*p.ldd), make([]float32, 12*p.ldd)
			multiply(false, &p)
			multiply(true, &q)
			sameBits(t, fmt.Sprintf("multiply k=%d cols=%d", k, cols), q.dst, p.dst)
			var want float64
			for i := range k {
				want += float64(p.a[5*p.lda+i]) * float64(p.b[i*p.ldb+3])
			}
			if got := float64(p.dst[5*p.ldd+3]); math.Abs(got-want) > 1e-4 {
				t.Fatalf("k=%d: %v, want %v", k, got, want)
			}
		}
	}
}

// bothWays runs f with the kernels off and on.
func bothWays(t *testing.T, what string, x []float32, f func(simd bool, x []float32)) []float32 {
	t.Helper()
	portable := slices.Clone(x)
	f(false, portable)
	if haveSIMD() {
		simd := slices.Clone(x)
		f(true, simd)
		sameBits(t, what, simd, portable)
	}
	return portable
}

func TestRowsBothWays(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	for _, n := range []int{16, 32, 48, 384, 1536} {
		for _, size := range []float32{1e-20, 1, 100} {
			x, rest, gamma, beta := floats(r, n, size), floats(r, n, size), floats(r, n, 1), floats(r, n, 1)
			out := bothWays(t, "layerNorm", x, func(simd bool, x []float32) {
				layerNorm(simd, x, x, rest, gamma, beta, 1e-12)
			})
			checkLayerNorm(t, out, x, rest, gamma, beta)
			bothWays(t, "quantise", x, func(simd bool, x []float32) {
				q := make([]int16, n)
				step := quantise(simd, q, x)
				for i := range x {
					if math.Abs(float64(x[i]-float32(q[i])*step)) > 0.501*float64(step) {
						t.Fatalf("%v became %d steps of %v", x[i], q[i], step)
					}
					x[i] = float32(q[i]) * step
				}
			})
			bothWays(t, "gelu", x, gelu)
			bothWays(t, "softmax", x, func(simd bool, x []float32) { softmax(simd, x, 0.17) })
		}
	}
	zero := make([]float32, 32)
	bothWays(t, "quantise zeros", zero, func(simd bool, x []float32) {
		q := slices.Repeat([]int16{7}, 32)
		if step := quantise(simd, q, x); step != 0 || q[5] != 0 {
			t.Errorf("zeros became %d steps of %v", q[5], step)
		}
	})
}

func checkLayerNorm(t *testing.T, out, x, rest, gamma, beta []float32) {
	t.Helper()
	var mean, variance float64
	n := float64(len(x))
	for i := range x {
		mean += float64(x[i]+rest[i]) / n
	}
	for i := range x {
		d := float64(x[i]+rest[i]) - mean
		variance += d * d / n
	}
	for i := range x {
		want := (float64(x[i]+rest[i])-mean)/math.Sqrt(variance+1e-12)*float64(gamma[i]) + float64(beta[i])
		if math.Abs(float64(out[i])-want) > 1e-4 {
			t.Fatalf("layerNorm %d: %v, want %v", i, out[i], want)
		}
	}
}

func TestFunctions(t *testing.T) {
	for x := -100.0; x <= 100; x += 0.0037 {
		v := float64(float32(x))
		if got := float64(erf(float32(x))); math.Abs(got-math.Erf(v)) > 7e-7 {
			t.Fatalf("erf(%v) = %v", v, got)
		}
		if x > 0 || x < -80 {
			continue
		}
		if got, want := float64(exp(float32(x))), math.Exp(v); math.Abs(got-want) > 3e-7*want {
			t.Fatalf("exp(%v) = %v, want %v", v, got, want)
		}
	}
	row := []float32{-1000, 0, 1, 2, 3, 4, 5, -1e30}
	softmax(false, row, 1)
	var sum float32
	for _, p := range row {
		sum += p
	}
	if row[0] > 1e-30 || row[7] > 1e-30 || math.Abs(float64(sum)-1) > 1e-6 {
		t.Errorf("softmax: %v", row)
	}
	x := []float32{-10, -1, 0, 1, 2, 10, 0.5, -0.5}
	gelu(false, x)
	for i, v := range []float64{-10, -1, 0, 1, 2, 10, 0.5, -0.5} {
		if want := v * 0.5 * (1 + math.Erf(v/math.Sqrt2)); math.Abs(float64(x[i])-want) > 2e-6 {
			t.Errorf("gelu(%v) = %v, want %v", v, x[i], want)
		}
	}
}
