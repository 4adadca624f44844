package bgnbd

import (
	"cmp"
	"math"
	"slices"
)

// vertex is one corner of the simplex.
type vertex struct {
	x []float64
	v float64
}

// nelderMead minimises f from x (Nelder and Mead, Computer Journal 7, 1965,
// with their coefficients 1, 2, ½, ½) until the corners' values agree to 1e-9
// or 600 steps are done.
func nelderMead(f func([]float64) float64, x []float64) ([]float64, float64) {
	s := []vertex{{slices.Clone(x), f(x)}}
	for i := range x {
		y := slices.Clone(x)
		y[i] += 0.5
		s = append(s, vertex{y, f(y)})
	}
	n := len(x)
	for range 600 {
		slices.SortStableFunc(s, func(a, b vertex) int { return cmp.Compare(a.v, b.v) })
		if math.Abs(s[n].v-s[0].v) < 1e-9 {
			break
		}
		step(f, s)
	}
	slices.SortStableFunc(s, func(a, b vertex) int { return cmp.Compare(a.v, b.v) })
	return s[0].x, s[0].v
}

// step moves the worst corner, or shrinks the simplex; s is sorted.
func step(f func([]float64) float64, s []vertex) {
	n := len(s) - 1
	worst := s[n]
	centre := make([]float64, n)
	for _, c := range s[:n] {
		for i, v := range c.x {
			centre[i] += v / float64(n)
		}
	}
	along := func(t float64) vertex {
		x := make([]float64, n)
		for i := range x {
			x[i] = centre[i] + t*(worst.x[i]-centre[i])
		}
		return vertex{x, f(x)}
	}
	reflected := along(-1)
	switch {
	case reflected.v < s[0].v:
		if far := along(-2); far.v < reflected.v {
			reflected = far
		}
		s[n] = reflected
	case reflected.v < s[n-1].v:
		s[n] = reflected
	default:
		near := along(0.5)
		if reflected.v < worst.v {
			near = along(-0.5)
		}
		if near.v < min(worst.v, reflected.v) {
			s[n] = near
			return
		}
		for k := 1; k <= n; k++ {
			for i := range s[k].x {
				s[k].x[i] = (s[k].x[i] + s[0].x[i]) / 2
			}
			s[k].v = f(s[k].x)
		}
	}
}
