package signals_test

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
	"unicode/utf8"

	"redalert/schemas"
	"redalert/signals"
	"redalert/signals/text"

	"pgregory.net/rapid"
)

// wild answers whatever it is told to, even what no model should.
type wild struct{ p text.Prediction }

func (wild) Version() string                              { return "wild" }
func (w wild) Predict(string, text.Hints) text.Prediction { return w.p }

func drawModel(t *rapid.T) signals.TextModel {
	if rapid.Bool().Draw(t, "no model") {
		return nil
	}
	p := rapid.OneOf(rapid.Float64Range(0, 1), rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), -3, 7})).Draw(t, "p")
	return wild{text.Prediction{Probability: p}}
}

// TestG7_HardRulesCannotBeOutvoted: whatever the model says, and whatever quiet
// text surrounds it, an event that matches a hard rule is red with at least the
// rule's severity. Recall on the class is exactly 1.
func TestG7_HardRulesCannotBeOutvoted(t *testing.T) {
	var loud []ruleCase
	for _, c := range ruleCases() {
		if c.code != "" {
			loud = append(loud, c)
		}
	}
	around := []string{"", "Thank you for the lovely cake. ", "Hello there! ", "Best team ever, five stars. ", "🙂 Grüße, ", "Not a problem at all. "}
	rapid.Check(t, func(rt *rapid.T) {
		c := rapid.SampledFrom(loud).Draw(rt, "case")
		data := c.data
		if f, ok := data.(schemas.Feedback); ok && f.ValueText != "" {
			f.ValueText = rapid.SampledFrom(around).Draw(rt, "before") + f.ValueText + " " + rapid.SampledFrom(around).Draw(rt, "after")
			data = f
		}
		ev := event(t, c.typ, data)
		v := signals.Score(ev, signals.NewContext(c.facts, ev, "EUR"), drawModel(rt))
		if !v.Red || v.Level != schemas.LevelRed || v.Severity.Rank() < c.sev.Rank() || !(v.Probability >= schemas.RedThreshold) {
			rt.Fatalf("%s was out-voted: %+v", c.name, v)
		}
		checkVerdict(rt, ev, v)
	})
}

type fataler interface{ Fatalf(string, ...any) }

// checkVerdict holds for every verdict there is.
func checkVerdict(t fataler, ev schemas.Event, v schemas.Verdict) {
	if v.Red != (v.Level == schemas.LevelRed) || v.Red != (v.Probability >= schemas.RedThreshold) ||
		(v.Level == schemas.LevelNone) != (v.Probability < schemas.ReviewThreshold) {
		t.Fatalf("level and probability disagree: %+v", v)
	}
	if (v.FlaggedBy == nil) != (v.Level == schemas.LevelNone) || (v.Severity == schemas.SeverityNone) != (v.Level == schemas.LevelNone) {
		t.Fatalf("flagged_by or severity disagrees with the level: %+v", v)
	}
	written := ""
	if f, err := ev.Feedback(); err == nil {
		written = f.ValueText
	} else if m, err := ev.Mistake(); err == nil {
		written = m.WhatHappened
	}
	for _, r := range v.Reasons {
		if r.Code == "" || r.Message == "" || !(r.Weight >= 0 && r.Weight <= 1) {
			t.Fatalf("reason %+v", r)
		}
		if s := r.Span; s != nil && (s.Start < 0 || s.End > len(written) || s.Start >= s.End || !utf8.ValidString(written[s.Start:s.End])) {
			t.Fatalf("span %+v of %q", *s, written)
		}
	}
	if _, err := json.Marshal(v); err != nil {
		t.Fatalf("verdict does not encode: %v", err)
	}
}

// FuzzScore: any type with any data gets one verdict that holds together, and
// the same one again.
func FuzzScore(f *testing.F) {
	for i, c := range ruleCases() {
		raw, _ := json.Marshal(c.data)
		f.Add(uint8(i), raw, 0.4)
	}
	f.Add(uint8(1), []byte(`{"value_text":5}`), 0.9)
	f.Add(uint8(4), []byte(`{"total":{"amount":-9223372036854775808}}`), 0.1)
	types := schemas.EventTypes()
	f.Fuzz(func(t *testing.T, typ uint8, data []byte, p float64) {
		ev := schemas.Event{ID: "e", Type: types[int(typ)%len(types)], OccurredAt: noon, CustomerID: "c", Data: data}
		ctx := signals.NewContext(habit(1, math.MaxInt64, 3, 0, 5, 9), ev, "EUR")
		m := wild{text.Prediction{Probability: p}}
		v := signals.Score(ev, ctx, m)
		checkVerdict(t, ev, v)
		if again := signals.Score(ev, ctx, m); !reflect.DeepEqual(v, again) {
			t.Fatalf("two verdicts: %+v and %+v", v, again)
		}
	})
}
