package signals

import (
	"redalert/schemas"
	"redalert/signals/learn"
	"redalert/signals/text"
)

// taught is a text model with what this business's decisions add on top. Score
// hears the model, and asks the layer only where no hard rule spoke.
type taught struct {
	TextModel
	layer *schemas.Layer
}

// Version names both, such as text-3+own-2.
func (t taught) Version() string { return learn.Version(t.TextModel.Version(), t.layer.Number) }

// Teach puts a layer on top of the model that ships. It answers m itself for no
// layer (nil, or number 0) and for one that was fitted on another model: its
// weights say nothing of this one's probabilities. l must not be changed later.
func Teach(m TextModel, l *schemas.Layer) TextModel {
	if m == nil || l == nil || l.Number <= 0 || l.Base != m.Version() {
		return m
	}
	return taught{m, l}
}

func untaught(m TextModel) (TextModel, *schemas.Layer) {
	if t, ok := m.(taught); ok {
		return t.TextModel, t.layer
	}
	return m, nil
}

// topics are what a text is about: phrases of the lexicon, and what the model
// read.
func (f *facts) topics(p text.Prediction) []string {
	var out []string
	for _, h := range f.heard {
		out = append(out, h.Topic)
	}
	for _, c := range p.Categories {
		out = append(out, string(c))
	}
	return out
}

// Lesson is what a decision about an event can teach: what the shipped model
// says of it. ok is false where the text decides nothing: a hard rule flags the
// event, or there is no text, or it is not for scoring. Red is the caller's to
// set. m may be taught; its layer is not asked.
func Lesson(ev schemas.Event, m TextModel) (x learn.Example, ok bool) {
	m, _ = untaught(m)
	f := read(ev, CustomerContext{})
	if m == nil || !ev.Type.IsFeedback() || f.text == "" || !scored(ev, f.feedback) {
		return x, false
	}
	p := f.hear(m)
	if f.applyRules(&schemas.Verdict{}) {
		return x, false
	}
	return learn.Example{EventID: ev.ID, P: p.Probability, Source: ev.Source, Topics: f.topics(p)}, true
}
