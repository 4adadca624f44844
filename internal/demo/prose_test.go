package demo

import (
	"encoding/json"
	"testing"

	"redalert/schemas"
	"redalert/signals"
	"redalert/signals/text"
)

// verdictOf scores a text by itself, without any score beside it.
func verdictOf(t *testing.T, msg string) schemas.Verdict {
	t.Helper()
	m, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(schemas.Feedback{SourceType: schemas.SourceEmail, FieldType: schemas.FieldText, ValueText: msg})
	if err != nil {
		t.Fatal(err)
	}
	return signals.Score(schemas.Event{ID: "m", Type: schemas.EmailReceived, Data: data}, signals.CustomerContext{}, m)
}

// TestTheDemoIsScoredAsItReads: what is friendly or neutral stays quiet, what
// complains is heard.
func TestTheDemoIsScoredAsItReads(t *testing.T) {
	s := Write(Seed, now)
	c := &s.customers[3]
	for _, texts := range [][]string{happySurvey, neutralMail, goodReview} {
		for _, msg := range texts {
			if v := verdictOf(t, s.fill(msg, c, "RH-20001")); v.Level == schemas.LevelRed {
				t.Errorf("%s at %.2f: %s %v", v.Level, v.Probability, msg, v.Reasons)
			}
		}
	}
	heard, all := 0, 0
	for _, texts := range [][]string{unhappySurvey, noShow, priceRise, leakingValve, complaintMail, badReview} {
		for _, msg := range texts {
			all++
			if v := verdictOf(t, s.fill(msg, c, "RH-20001")); v.Level != schemas.LevelNone {
				heard++
			} else {
				t.Logf("not heard, %.2f: %s", v.Probability, msg)
			}
		}
	}
	if heard*4 < all*3 { // a floor for the first model, not a goal
		t.Errorf("only %d of %d complaints are heard", heard, all)
	}
}
