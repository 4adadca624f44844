// Package learn is a small layer for one business on top of the text model that
// ships: what staff decided about earlier messages corrects how likely the
// model's next word is right. It is a logistic regression on the model's logit
// with a weight for each source and topic, shrunk towards "as shipped" (ridge;
// Platt 1999 for the logit and intercept alone), checked on decisions held back.
//
// Decisions exist only for what was shown to somebody: a layer says nothing of
// messages nobody looked at, so what the model finds quiet stays as it is, and
// what it calls red goes down to review at most, where somebody still sees it.
// Hard rules are no business of this package: package signals applies a layer
// to the text model's word alone.
//
// Everything here is pure and deterministic: no clock, no I/O, no randomness.
package learn

import (
	"fmt"
	"slices"

	"redalert/schemas"
)

// Version names the shipped model and the layer on top of it: text-3+own-2.
// Layer 0 is the shipped model alone.
func Version(base string, number int) string {
	if number <= 0 {
		return base
	}
	return fmt.Sprintf("%s+own-%d", base, number)
}

// below is the highest probability of what is not even for review.
const below = schemas.ReviewThreshold - 0.0001

// Correct answers the probability of a red alert, rounded to four decimals,
// for one that the shipped model gave (0–1), the name of the source and the
// topics of the text. It rises with p. A p below schemas.ReviewThreshold stays
// what it is; from schemas.RedThreshold on the answer is at least
// schemas.ReviewThreshold. Sources and topics that the layer does not know
// change nothing. A layer that was not fitted (Slope 0) changes nothing.
func Correct(l *schemas.Layer, p float64, source string, topics []string) float64 {
	if l == nil || !(l.Slope > 0) || !(p >= schemas.ReviewThreshold) {
		return p
	}
	z := l.Bias + float64(l.Slope*logit(min(p, 1))) + l.Sources[source]
	for _, t := range Topics(topics) {
		z += l.Topics[t]
	}
	least := below
	if p >= schemas.RedThreshold {
		least = schemas.ReviewThreshold
	}
	q := round(sigmoid(z))
	if !(q >= least) { // also of a layer that is no number
		return least
	}
	return min(q, 1)
}

// Topics are in order, each once, so that sums of their weights are the same
// however they were found. The argument is not changed.
func Topics(topics []string) []string {
	if len(topics) == 0 {
		return nil
	}
	out := slices.Clone(topics)
	slices.Sort(out)
	return slices.Compact(out)
}
