package signals_test

import (
	"fmt"
	"reflect"
	"testing"

	"redalert/schemas"
	"redalert/signals"
	"redalert/signals/learn"
	"redalert/signals/text"

	"pgregory.net/rapid"
)

func drawLayer(t *rapid.T) *schemas.Layer {
	weight := rapid.Float64Range(-12, 12)
	return &schemas.Layer{Number: rapid.IntRange(1, 9).Draw(t, "number"), Base: "wild", Bias: weight.Draw(t, "bias"),
		Slope:   rapid.Float64Range(-1, 8).Draw(t, "slope"),
		Sources: map[string]float64{"": weight.Draw(t, "source"), "desk": weight.Draw(t, "desk")},
		Topics:  map[string]float64{"late": weight.Draw(t, "late"), "refund_request": weight.Draw(t, "refund"), "price": weight.Draw(t, "price")}}
}

// TestG7_NoLayerSilencesAHardRule: with any layer on top of any model, the
// verdict of an event that a hard rule flags is the same in everything but the
// version: level, severity, reasons, categories, probability.
func TestG7_NoLayerSilencesAHardRule(t *testing.T) {
	cases := ruleCases()
	rapid.Check(t, func(rt *rapid.T) {
		c := rapid.SampledFrom(cases).Draw(rt, "case")
		ev := event(t, c.typ, c.data)
		m := wild{text.Prediction{Probability: rapid.Float64Range(0, 1).Draw(rt, "p"), Categories: []schemas.Category{schemas.CatLate}}}
		l := drawLayer(rt)
		ctx := signals.NewContext(c.facts, ev, "EUR")
		shipped, taught := signals.Score(ev, ctx, m), signals.Score(ev, ctx, signals.Teach(m, l))
		checkVerdict(rt, ev, taught)
		if shipped.ModelVersion != schemas.Unscored && taught.ModelVersion != learn.Version("wild", l.Number) {
			rt.Fatalf("version %q", taught.ModelVersion)
		}
		if c.code == "" { // no hard rule: red by the model is never hidden, quiet by the model stays quiet
			if shipped.Red && taught.Level == schemas.LevelNone || shipped.Level == schemas.LevelNone && taught.Level != schemas.LevelNone {
				rt.Fatalf("%s: %s became %s", c.name, shipped.Level, taught.Level)
			}
			return
		}
		taught.ModelVersion = shipped.ModelVersion
		if !reflect.DeepEqual(shipped, taught) {
			rt.Fatalf("%s: the layer changed\n%+v to\n%+v", c.name, shipped, taught)
		}
	})
}

func TestTeachTakesOnlyItsOwnModel(t *testing.T) {
	m := wild{text.Prediction{Probability: 0.9}}
	for _, l := range []*schemas.Layer{nil, {Base: "wild", Slope: 1}, {Number: 3, Base: "another", Slope: 1}} {
		if got := signals.Teach(m, l); got.Version() != "wild" {
			t.Errorf("%+v: %s", l, got.Version())
		}
	}
	if signals.Teach(nil, &schemas.Layer{Number: 1}) != nil {
		t.Error("no model was taught")
	}
}

func TestLesson(t *testing.T) {
	m := wild{text.Prediction{Probability: 0.7, Categories: []schemas.Category{schemas.CatRude}}}
	mail := event(t, schemas.EmailReceived, schemas.Feedback{SourceType: schemas.SourceEmail, FieldType: schemas.FieldText, ValueText: "Well, that was something."})
	mail.Source = "desk"
	x, ok := signals.Lesson(mail, signals.Teach(m, &schemas.Layer{Number: 1, Base: "wild", Slope: 1, Bias: 5}))
	if !ok || x.P != 0.7 || x.Source != "desk" || fmt.Sprint(x.Topics) != "[rude]" || x.EventID != mail.ID {
		t.Errorf("%v %+v", ok, x)
	}
	for name, ev := range map[string]schemas.Event{
		"a hard rule": event(t, schemas.EmailReceived, schemas.Feedback{SourceType: schemas.SourceEmail, FieldType: schemas.FieldText, ValueText: "I want my money back."}),
		"no text":     event(t, schemas.SurveyAnswered, schemas.Feedback{SourceType: schemas.SourceSurvey, FieldType: schemas.FieldRating}),
		"an order":    event(t, schemas.OrderPlaced, schemas.Order{OrderRef: "1"}),
		"no scoring": event(t, schemas.EmailReceived, schemas.Feedback{SourceType: schemas.SourceEmail, FieldType: schemas.FieldText, ValueText: "Out of office",
			Metadata: map[string]any{schemas.MetaMailKind: "auto_reply"}}),
	} {
		if _, ok := signals.Lesson(ev, m); ok {
			t.Errorf("%s teaches", name)
		}
	}
	if _, ok := signals.Lesson(mail, nil); ok {
		t.Error("without a model there is nothing to teach")
	}
}
