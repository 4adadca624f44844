package risk

import "math"

// rows are the examples of a fit: features side by side, and whether the
// customer stayed away.
type rows struct {
	x []float64 // n × width
	y []float64
	w int // width
}

func (r *rows) n() int             { return len(r.y) }
func (r *rows) at(i int) []float64 { return r.x[i*r.w : (i+1)*r.w] }

// problem is a logistic regression that is drawn towards given weights:
//
//	minimise Σ ln(1 + e^(b·x)) − y·b·x  +  Σ pull_j/2 · (b_j − to_j)²,  b_j ≥ low_j
//
// The pull is that of a normal prior with variance 1/pull: the more rows, the
// less it matters.
type problem struct {
	rows *rows
	to   []float64
	pull []float64
	low  []float64
}

const (
	newtonSteps = 40
	sweeps      = 400
	settled     = 1e-7 // of the objective, relative
)

// solve finds the minimum by Newton's method; each step is a quadratic problem
// with bounds, solved by coordinate descent (as in Friedman, Hastie and
// Tibshirani, Journal of Statistical Software 33, 2010), and halved until the
// objective falls. The objective is convex; the result does not hang on luck.
func (p *problem) solve() []float64 {
	d := len(p.to)
	b := append([]float64(nil), p.to...)
	value := p.objective(b)
	grad, hess := make([]float64, d), make([]float64, d*d)
	for range newtonSteps {
		p.derive(b, grad, hess)
		step := p.descend(b, grad, hess)
		next, nextValue, ok := p.halve(b, step, value)
		if !ok {
			break
		}
		gain := value - nextValue
		b, value = next, nextValue
		if gain <= settled*(1+math.Abs(value)) {
			break
		}
	}
	return b
}

func (p *problem) halve(b, step []float64, value float64) (next []float64, v float64, ok bool) {
	for scale := 1.0; scale > 1e-4; scale /= 2 {
		next = make([]float64, len(b))
		for j := range b {
			next[j] = max(b[j]+float64(scale*step[j]), p.low[j])
		}
		if v = p.objective(next); v < value {
			return next, v, true
		}
	}
	return nil, 0, false
}

func (p *problem) objective(b []float64) float64 {
	sum := 0.0
	for i := range p.rows.n() {
		eta := dot(b, p.rows.at(i))
		sum += softplus(eta) - float64(p.rows.y[i]*eta)
	}
	for j := range b {
		away := b[j] - p.to[j]
		sum += float64(float64(p.pull[j]*away)*away) / 2
	}
	return sum
}

// derive fills gradient and Hessian of the objective at b.
func (p *problem) derive(b, grad, hess []float64) {
	d := len(b)
	clear(hess)
	for j := range b {
		grad[j] = float64(p.pull[j] * (b[j] - p.to[j]))
		hess[j*d+j] = p.pull[j]
	}
	var at []int // of what is not zero: most ramps are
	for i := range p.rows.n() {
		x := p.rows.at(i)
		mu := logistic(dot(b, x))
		weight, off := max(float64(mu*(1-mu)), 1e-6), mu-p.rows.y[i]
		at = at[:0]
		for j, v := range x {
			if v != 0 {
				at = append(at, j)
			}
		}
		for k, j := range at {
			grad[j] += float64(off * x[j])
			wx := float64(weight * x[j])
			h := hess[j*d : (j+1)*d]
			for _, l := range at[k:] {
				h[l] += float64(wx * x[l])
			}
		}
	}
	for j := range d {
		for l := range j {
			hess[j*d+l] = hess[l*d+j]
		}
	}
}

// descend answers the step that minimises grad·s + s·hess·s/2 within the bounds.
func (p *problem) descend(b, grad, hess []float64) []float64 {
	d := len(b)
	step, slope := make([]float64, d), append([]float64(nil), grad...)
	for range sweeps {
		most := 0.0
		for j := range d {
			h := hess[j*d : (j+1)*d]
			to := max(step[j]-slope[j]/h[j], p.low[j]-b[j])
			move := to - step[j]
			if move == 0 {
				continue
			}
			step[j] = to
			for l := range d {
				slope[l] += float64(move * h[l])
			}
			most = max(most, math.Abs(move))
		}
		if most < 1e-8 {
			break
		}
	}
	return step
}
