package learn

import (
	"math"
	"slices"

	"redalert/schemas"
)

// design is the columns of a regression: bias, slope, then sources and topics
// that stand often enough.
type design struct {
	sources, topics []string
	column          map[string]int // "s:" and "t:" with the name
}

func newDesign(xs []Example) design {
	seen := map[string]int{}
	for _, x := range xs {
		seen["s:"+x.Source]++
		for _, t := range x.Topics {
			seen["t:"+t]++
		}
	}
	d := design{column: map[string]int{}}
	for name, n := range seen {
		switch {
		case n < minSeen:
		case name[0] == 's':
			d.sources = append(d.sources, name[2:])
		default:
			d.topics = append(d.topics, name[2:])
		}
	}
	slices.Sort(d.sources)
	slices.Sort(d.topics)
	for i, s := range d.sources {
		d.column["s:"+s] = 2 + i
	}
	for i, t := range d.topics {
		d.column["t:"+t] = 2 + len(d.sources) + i
	}
	return d
}

func (d design) width() int { return 2 + len(d.sources) + len(d.topics) }

// row lists the columns of an example that are not zero; all but the slope's
// are 1.
func (d design) row(x Example) []int {
	cols := []int{0}
	if c, ok := d.column["s:"+x.Source]; ok {
		cols = append(cols, c)
	}
	for _, t := range x.Topics {
		if c, ok := d.column["t:"+t]; ok {
			cols = append(cols, c)
		}
	}
	return cols
}

func (d design) precision(i int) float64 {
	sd := sdTopic
	switch {
	case i == 0:
		sd = sdBias
	case i == 1:
		sd = sdSlope
	case i < 2+len(d.sources):
		sd = sdSource
	}
	return 1 / (sd * sd)
}

const (
	newtonSteps = 25
	newtonDone  = 1e-9
)

// fit finds the most probable weights (MAP): logistic regression with a normal
// prior around "as shipped" (bias 0, slope 1, the rest 0), by Newton's method.
// The prior makes the loss strictly convex, so that there is one answer; steps
// are halved while they do not help. Weights are rounded to four decimals, so
// that what is stored is what was checked.
func fit(xs []Example) schemas.Layer {
	d := newDesign(xs)
	n := d.width()
	w := make([]float64, n)
	w[1] = 1
	rows, zs := make([][]int, len(xs)), make([]float64, len(xs))
	for i, x := range xs {
		rows[i], zs[i] = d.row(x), logit(x.P)
	}
	loss := d.loss(xs, rows, zs, w)
	for range newtonSteps {
		step, ok := d.step(xs, rows, zs, w)
		if !ok {
			break
		}
		size, better := 1.0, false
		for range 20 {
			try := make([]float64, n)
			for i := range w {
				try[i] = w[i] - size*step[i]
			}
			try[1] = min(max(try[1], minSlope), maxSlope)
			if l := d.loss(xs, rows, zs, try); l < loss {
				better = loss-l > newtonDone
				w, loss = try, l
				break
			}
			size /= 2
		}
		if !better {
			break
		}
	}
	return d.layer(w)
}

func (d design) layer(w []float64) schemas.Layer {
	l := schemas.Layer{Bias: round(w[0]), Slope: round(w[1]), Sources: map[string]float64{}, Topics: map[string]float64{}}
	for i, s := range d.sources {
		l.Sources[s] = round(w[2+i])
	}
	for i, t := range d.topics {
		l.Topics[t] = round(w[2+len(d.sources)+i])
	}
	return l
}

func score(row []int, z float64, w []float64) float64 {
	s := float64(w[1] * z)
	for _, c := range row {
		s += w[c]
	}
	return s
}

func (d design) loss(xs []Example, rows [][]int, zs, w []float64) float64 {
	sum := 0.0
	for i, x := range xs {
		s := score(rows[i], zs[i], w)
		if x.Red {
			s = -s
		}
		if s > 30 {
			sum += s
		} else {
			sum += log(1 + exp(max(s, -40)))
		}
	}
	for i, v := range w {
		if i == 1 {
			v--
		}
		sum += d.precision(i) * v * v / 2
	}
	return sum
}

// step is the inverse Hessian times the gradient; ok is false when the Hessian
// cannot be factored, which the prior rules out but for numbers that overflow.
func (d design) step(xs []Example, rows [][]int, zs, w []float64) (out []float64, ok bool) {
	n := len(w)
	g, h := make([]float64, n), make([][]float64, n)
	for i := range h {
		h[i] = make([]float64, n)
		off := w[i]
		if i == 1 {
			off--
		}
		g[i], h[i][i] = d.precision(i)*off, d.precision(i)
	}
	value := func(c int, z float64) float64 {
		if c == 1 {
			return z
		}
		return 1
	}
	for i, x := range xs {
		p := sigmoid(score(rows[i], zs[i], w))
		miss := p
		if x.Red {
			miss--
		}
		cols := append([]int{1}, rows[i]...)
		for _, a := range cols {
			g[a] += miss * value(a, zs[i])
			for _, b := range cols {
				h[a][b] += p * (1 - p) * value(a, zs[i]) * value(b, zs[i])
			}
		}
	}
	return solve(h, g)
}

// solve answers h⁻¹g by Cholesky's factoring; h is changed.
func solve(h [][]float64, g []float64) ([]float64, bool) {
	n := len(g)
	for i := range n {
		for j := range i + 1 {
			s := h[i][j]
			for k := range j {
				s -= h[i][k] * h[j][k]
			}
			if i != j {
				h[i][j] = s / h[j][j]
				continue
			}
			if !(s > 0) {
				return nil, false
			}
			h[i][i] = math.Sqrt(s)
		}
	}
	y := slices.Clone(g)
	for i := range n {
		for k := range i {
			y[i] -= h[i][k] * y[k]
		}
		y[i] /= h[i][i]
	}
	for i := n - 1; i >= 0; i-- {
		for k := i + 1; k < n; k++ {
			y[i] -= h[k][i] * y[k]
		}
		y[i] /= h[i][i]
	}
	return y, true
}
