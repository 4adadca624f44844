// Package bgnbd is the BG/NBD model of Fader, Hardie and Lee ("Counting Your
// Customers" the Easy Way, Marketing Science 24, 2005): the peer that churn_risk
// is measured against. While alive a customer buys as a Poisson process whose
// rate is gamma distributed over customers (r, α); after each purchase they
// leave with a chance that is beta distributed (a, b). It is for evaluation
// alone and scores nobody.
package bgnbd

import (
	"cmp"
	"errors"
	"math"
	"slices"
)

// Customer is what the model knows of one: repeat purchases after the first,
// the time of the last one and of the evaluation, both counted from the first.
// Any unit of time, the same throughout.
type Customer struct {
	Repeats int
	Last    float64 // 0 without repeats
	Age     float64
}

// Params of the model; all positive.
type Params struct{ R, Alpha, A, B float64 }

// ErrEmpty is answered when there is nobody to fit on.
var ErrEmpty = errors.New("bgnbd: no customers")

// Fit estimates the parameters by maximum likelihood: Nelder-Mead on their
// logarithms, begun at several places, the best end taken. Deterministic.
func Fit(cs []Customer) (Params, error) {
	if len(cs) == 0 {
		return Params{}, ErrEmpty
	}
	kinds := tally(cs)
	cost := func(x []float64) float64 {
		for _, v := range x {
			if math.Abs(v) > 12 { // beyond it the likelihood is flat
				return math.Inf(1)
			}
		}
		return -logLikelihood(unpack(x), kinds) / float64(len(cs))
	}
	scale := 0.0
	for _, c := range cs {
		scale += c.Age / float64(len(cs))
	}
	best, value := []float64(nil), math.Inf(1)
	for _, start := range [][]float64{{0, 0, 0, 0}, {-1, 1, -0.5, 1}} {
		x := slices.Clone(start)
		x[1] += math.Log(max(scale, 1) / 8)
		x, _ = nelderMead(cost, x)
		if x, v := nelderMead(cost, x); best == nil || v < value {
			best, value = x, v
		}
	}
	return unpack(best), nil
}

func unpack(x []float64) Params {
	return Params{R: math.Exp(x[0]), Alpha: math.Exp(x[1]), A: math.Exp(x[2]), B: math.Exp(x[3])}
}

// kind is equal customers and how many they are.
type kind struct {
	Customer
	n float64
}

func tally(cs []Customer) []kind {
	s := slices.Clone(cs)
	slices.SortFunc(s, func(a, b Customer) int {
		return cmp.Or(cmp.Compare(a.Repeats, b.Repeats), cmp.Compare(a.Last, b.Last), cmp.Compare(a.Age, b.Age))
	})
	var out []kind
	for i, c := range s {
		if i == 0 || c != s[i-1] {
			out = append(out, kind{Customer: c})
		}
		out[len(out)-1].n++
	}
	return out
}

// logLikelihood is the sum of equation (6) of the paper over customers, put as
// in Fader and Hardie's note on implementing the model.
func logLikelihood(p Params, kinds []kind) float64 {
	sum := 0.0
	lr, lb, lab := lgamma(p.R), lgamma(p.B), lgamma(p.A+p.B)
	la, lalpha := math.Log(p.A), p.R*math.Log(p.Alpha)
	last, gammas := -1, 0.0
	for _, k := range kinds {
		x := float64(k.Repeats)
		if k.Repeats != last { // sorted: the gamma functions are those of the one before
			last, gammas = k.Repeats, lgamma(p.R+x)-lr+lab+lgamma(p.B+x)-lb-lgamma(p.A+p.B+x)
		}
		stays := -(p.R + x) * math.Log(p.Alpha+k.Age)
		term := stays
		if k.Repeats > 0 {
			left := la - math.Log(p.B+x-1) - (p.R+x)*math.Log(p.Alpha+k.Last)
			term = max(stays, left) + math.Log1p(math.Exp(-math.Abs(stays-left)))
		}
		sum += k.n * (gammas + lalpha + term)
	}
	return sum
}

func lgamma(x float64) float64 {
	v, _ := math.Lgamma(x)
	return v
}

// Alive is the probability that the customer has not left: 1 without repeats,
// since the model lets people leave only after a purchase that is not the first.
func (p Params) Alive(c Customer) float64 {
	if c.Repeats == 0 {
		return 1
	}
	x := float64(c.Repeats)
	odds := p.A / (p.B + x - 1) * math.Exp((p.R+x)*math.Log((p.Alpha+c.Age)/(p.Alpha+c.Last)))
	return 1 / (1 + odds)
}

// Silent is the probability that the customer buys nothing in the next h units
// of time. Who is alive has a gamma rate with parameters r + x and α + T, and
// cannot leave before the next purchase: so that comes later than h with
// probability ((α + T)/(α + T + h))^(r + x).
func (p Params) Silent(c Customer, h float64) float64 {
	none := math.Exp((p.R + float64(c.Repeats)) * math.Log((p.Alpha+c.Age)/(p.Alpha+c.Age+h)))
	return 1 - p.Alive(c)*(1-none)
}
