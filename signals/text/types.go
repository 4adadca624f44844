// Package text reads what customers write: it tokenises a message once, finds
// phrases (hard rules and the words that name a category) by sets of words
// instead of regular expressions, and predicts with a small linear model how likely the
// message is a red alert.
//
// Everything here is pure and deterministic: no clock, no I/O, no randomness,
// and no floating-point operation whose result depends on the architecture.
// The package imports nothing of Redalert but schemas.
package text

import "redalert/schemas"

// Hints is what is known of a message beside its words. The zero value is
// always allowed.
type Hints struct {
	Source    schemas.SourceType // "" = unknown
	Question  string             // the survey's question, "" = none
	HasRating bool               // Rating is set
	Rating    float64            // 0 (worst) … 1 (best), as schemas.Feedback.NormalisedRating
	Language  string             // BCP 47, "" = not said
}

// Mark is a run of words that carried the decision.
type Mark struct {
	Span   schemas.Span // byte offsets into the text, on rune boundaries
	Weight float64      // share of the decision, 0–1; 0 of words that only say what it is about
	// Category is the one of the prediction's that these words say most for, "" if
	// the model does not know.
	Category schemas.Category
}

// Prediction is what a model says of one text.
type Prediction struct {
	Probability float64            // calibrated, 0–1, rounded to four decimals
	Spans       []Mark             // only from Probability ≥ 0.5 on; in the order of the text; at most 3, and one for each category without
	Categories  []schemas.Category // what the model says it is about, the surest first; may be empty
}
