package unusual

import (
	"math"
	"slices"
)

// Constants of the baseline.
const (
	outlier  = 2.58 // Anscombe residual from which a week counts less (Noufaily et al. 2013)
	maxRough = 25   // five standard deviations: one disaster widens nothing for the others
	jeffrey  = 0.5  // prior count of Jeffreys' prior for a Poisson rate
)

// usual is what earlier weeks say: mean a week, dispersion phi (variance over
// mean, at least 1) = chi / df, and how many weeks there are. rough is the sum of
// (y − mean)² / mean without weights, each at most maxRough: what a group adds to
// what is known of all.
type usual struct {
	mean, phi, chi, df, rough float64
	weeks                     int
}

// fit estimates usual from full weeks' counts; weeks that stand out upwards count
// less. Of no weeks it answers phi 1 and nothing else.
func fit(weeks []float64) usual {
	n := len(weeks)
	if n == 0 {
		return usual{phi: 1}
	}
	mean, phi := start(weeks)
	u := usual{phi: 1, weeks: n}
	weights := make([]float64, n)
	for range 3 {
		var sum float64
		for i, y := range weeks {
			weights[i] = 1
			if r := anscombe(y, mean, phi); r > outlier {
				weights[i] = 1 / float64(r*r)
			}
			sum += weights[i]
		}
		var total float64
		for i, y := range weeks {
			total += float64(weights[i] * y)
		}
		if mean = total / sum; mean <= 0 {
			return usual{phi: 1, weeks: n}
		}
		u.mean, u.chi, u.df = mean, 0, max(1, sum-1)
		for i, y := range weeks {
			d := y - mean
			u.chi += float64(weights[i] * float64(d*d) / mean)
		}
		phi = max(1, u.chi/u.df)
	}
	for _, y := range weeks {
		d := y - u.mean
		u.rough += min(maxRough, float64(d*d)/u.mean)
	}
	u.phi = phi
	return u
}

// start answers a mean and a dispersion that few odd weeks do not move: the
// median, and the median absolute deviation × 1.4826 as a standard deviation.
func start(weeks []float64) (mean, phi float64) {
	sorted := slices.Sorted(slices.Values(weeks))
	mean = sorted[(len(sorted)-1)/2]
	if mean == 0 {
		for _, y := range weeks {
			mean += y
		}
		return mean / float64(len(weeks)), 1
	}
	for i, y := range sorted {
		sorted[i] = math.Abs(y - mean)
	}
	slices.Sort(sorted)
	sd := 1.4826 * sorted[(len(sorted)-1)/2]
	return mean, max(1, float64(sd*sd)/mean)
}

// anscombe is the residual of a count against a mean, about standard normal:
// 3/2·(y^⅔ − μ^⅔) / (μ^⅙·√φ) (Anscombe 1953; as in Farrington et al. 1996).
func anscombe(y, mean, phi float64) float64 {
	if mean <= 0 {
		return 0
	}
	c := math.Cbrt(mean)
	cy := math.Cbrt(y)
	return 1.5 * (float64(cy*cy) - float64(c*c)) / float64(math.Sqrt(c)*math.Sqrt(phi))
}

// predict answers mean and variance of the count of a part of a week whose usual
// share is share (0–1), with factor × as much expected as usual.
func (u usual) predict(share, factor float64) (mean, variance float64) {
	e := float64(share * factor)
	n := float64(max(u.weeks, 1))
	mean = e * (u.mean + jeffrey/n)
	return mean, float64(u.phi*mean) * (1 + e/n)
}

// tail is the probability (0–1) of y or more, of a negative binomial with that
// mean and variance, or of a Poisson where the variance is no larger than the
// mean. It sums upwards from y, so that small probabilities stay exact.
func tail(y int64, mean, variance float64) float64 {
	switch {
	case y <= 0:
		return 1
	case mean <= 0:
		return 0
	case float64(y) <= mean: // nobody asks for more than that it is ordinary
		return 1
	}
	k := float64(y)
	poisson := variance <= mean*1.0000001
	var r, p float64 // size and success probability of the negative binomial
	var log float64
	if poisson {
		lg, _ := math.Lgamma(k + 1)
		log = float64(k*math.Log(mean)) - mean - lg
	} else {
		r, p = float64(mean*mean)/(variance-mean), 1-mean/variance
		a, _ := math.Lgamma(k + r)
		b, _ := math.Lgamma(r)
		c, _ := math.Lgamma(k + 1)
		log = a - b - c + float64(r*math.Log1p(-p)) + float64(k*math.Log(p))
	}
	term := math.Exp(log)
	sum := term
	for i := 1; i < 100_000 && term > float64(sum*1e-12); i++ {
		if poisson {
			term *= mean / (k + 1)
		} else {
			term *= float64((k+r)/(k+1)) * p
		}
		k++
		sum += term
	}
	return min(1, sum)
}

// discoveries answers the threshold of Benjamini and Hochberg at rate q: values
// at or below it are discoveries; −1 when none is.
func discoveries(ps []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(ps))
	for i := len(sorted) - 1; i >= 0; i-- {
		if sorted[i] <= float64(q*float64(i+1))/float64(len(sorted)) {
			return sorted[i]
		}
	}
	return -1
}
