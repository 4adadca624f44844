// Package signals decides which event is a red alert and says why: hard rules
// first, then a text model that ranks and adds but never removes. The worker
// takes events from the log, scores them, keeps them in history and raises
// alerts.
//
// Scoring is pure: no I/O, no clock, no randomness, and the same verdict on
// every architecture. What a case does with an alert is package alerting's.
package signals

import (
	"slices"
	"strings"

	"redalert/schemas"
	"redalert/signals/learn"
	"redalert/signals/orders"
	"redalert/signals/text"
)

// TextModel predicts from a text whether it is a red alert. Predict must be
// pure, deterministic and safe for concurrent use. A better model replaces the
// present one (text.Default) behind this interface.
type TextModel interface {
	Version() string
	Predict(s string, h text.Hints) text.Prediction
}

// RulesVersion is the model version of verdicts made without a text model.
const RulesVersion = "rules-1"

// codeModel is the reason for which only the model speaks.
const codeModel = "text_unhappy"

// Score says of one event how loud it is and why. It is pure and deterministic:
// no clock (ScoredAt stays zero), no I/O, no randomness. m may be nil: then the
// hard rules alone decide. A layer (Teach) corrects the model's word only where no
// hard rule spoke. Score never fails: data that cannot be read counts
// as empty, so the rules that need only the type still hold. It does not
// recover from a panic of m; Worker does.
func Score(ev schemas.Event, ctx CustomerContext, m TextModel) schemas.Verdict {
	v := schemas.Verdict{EventID: ev.ID, ModelVersion: RulesVersion, Level: schemas.LevelNone, Severity: schemas.SeverityNone,
		Reasons: []schemas.Reason{}, Categories: []schemas.Category{}}
	f := read(ev, ctx)
	if !scored(ev, f.feedback) {
		v.ModelVersion = schemas.Unscored
		return v
	}
	if m != nil {
		v.ModelVersion = m.Version()
	}
	m, layer := untaught(m)
	p := f.hear(m)
	ruled := f.applyRules(&v)
	if layer != nil && !ruled {
		p.Probability = learn.Correct(layer, p.Probability, ev.Source, f.topics(p))
	}
	v.Probability = p.Probability
	if ruled {
		v.Probability = max(v.Probability, schemas.RedThreshold)
	}
	level(&v, p.Probability, ruled)
	if v.Level != schemas.LevelNone {
		f.addTopics(&v, p)
		finish(&v)
	}
	return v
}

// hearer is a TextModel that answers also what text.DefaultFinder finds, for one
// reading of the text.
type hearer interface {
	Hear(s string, h text.Hints) (text.Prediction, []text.Finding)
}

// hear reads the text: what the model says of it, and the phrases in it.
func (f *facts) hear(m TextModel) (p text.Prediction) {
	if f.text == "" {
		return p
	}
	h, both := m.(hearer)
	switch {
	case both:
		p, f.heard = h.Hear(f.text, hints(f.feedback))
	case m != nil:
		p = m.Predict(f.text, hints(f.feedback))
	}
	if !both {
		f.heard = text.DefaultFinder().Find(f.text)
	}
	p.Probability = clamp(p.Probability)
	return p
}

// scored reports whether the event is for scoring at all: our own replies and
// mail that no person wrote are kept, not scored.
func scored(ev schemas.Event, fb schemas.Feedback) bool {
	if ev.Type == schemas.ReplySent {
		return false
	}
	return ev.Type != schemas.EmailReceived || fb.MetaString(schemas.MetaMailKind) == ""
}

func read(ev schemas.Event, ctx CustomerContext) *facts {
	f := &facts{ev: ev, ctx: ctx}
	switch {
	case ev.Type.IsFeedback():
		f.feedback, _ = ev.Feedback()
		f.text = f.feedback.ValueText
	case ev.Type.IsOrder():
		f.order, _ = ev.Order()
		f.order.CausedBy = orders.Cause(f.order)
	case ev.Type == schemas.MistakeReported:
		if m, err := ev.Mistake(); err == nil {
			f.text = m.WhatHappened
		}
	}
	return f
}

func hints(fb schemas.Feedback) text.Hints {
	h := text.Hints{Source: fb.SourceType, Question: fb.FieldLabel, Language: fb.Language}
	h.Rating, h.HasRating = fb.NormalisedRating()
	return h
}

func clamp(p float64) float64 {
	if !(p >= 0) { // also NaN: a broken model is silent, not loud
		return 0
	}
	return min(p, 1)
}

// applyRules adds a reason for every hard rule that matches and reports whether
// any did.
func (f *facts) applyRules(v *schemas.Verdict) bool {
	any := false
	for i := range Rules {
		r := &Rules[i]
		if r.Phrase {
			any = f.applyPhrase(v, r) || any
			continue
		}
		said, ok := r.match(f)
		if !ok {
			continue
		}
		any = true
		message := r.Message
		switch {
		case strings.Contains(message, "%s"):
			message = strings.Replace(message, "%s", said, 1)
		case said != "":
			message = said
		}
		f.add(v, r, message, nil)
	}
	return any
}

// maxSpans is how many places in a text one rule or topic marks at most.
const maxSpans = 3

func (f *facts) applyPhrase(v *schemas.Verdict, r *Rule) bool {
	// Staff's own words about a mistake threaten nobody.
	if f.ev.Type == schemas.MistakeReported && r.Code != CodeLegalSafety {
		return false
	}
	n := 0
	for _, h := range f.heard {
		if h.Topic != r.Code {
			continue
		}
		if n++; n <= maxSpans {
			span := h.Span
			f.add(v, r, r.Message, &span)
		}
	}
	return n > 0
}

func (f *facts) add(v *schemas.Verdict, r *Rule, message string, span *schemas.Span) {
	v.Reasons = append(v.Reasons, schemas.Reason{Code: r.Code, Message: message, Span: span, Weight: float64(r.Severity.Rank())})
	if r.Severity.Rank() > v.Severity.Rank() {
		v.Severity = r.Severity
	}
	addCategory(v, r.Category)
}

func addCategory(v *schemas.Verdict, c schemas.Category) {
	if c != "" && !slices.Contains(v.Categories, c) {
		v.Categories = append(v.Categories, c)
	}
}

// level sets level, severity and who flagged, from the final probability.
func level(v *schemas.Verdict, model float64, ruled bool) {
	by := schemas.FlaggedByRule
	switch {
	case ruled && model >= schemas.ReviewThreshold:
		by = schemas.FlaggedByBoth
	case !ruled:
		by = schemas.FlaggedByModel
	}
	switch {
	case v.Probability >= schemas.RedThreshold:
		v.Level, v.Red = schemas.LevelRed, true
	case v.Probability >= schemas.ReviewThreshold:
		v.Level = schemas.LevelReview
	default:
		return
	}
	v.FlaggedBy = &by
	if !ruled {
		v.Severity = schemas.SeverityLow
		if v.Red {
			v.Severity = schemas.SeverityMedium
		}
	}
}

// addTopics says what the text is about, from the lexicon and the model.
func (f *facts) addTopics(v *schemas.Verdict, p text.Prediction) {
	about := false
	count := map[string]int{}
	for _, h := range f.heard {
		message, ok := categoryMessages[schemas.Category(h.Topic)]
		if !ok || isPhraseRule(h.Topic) {
			continue
		}
		about = true
		addCategory(v, schemas.Category(h.Topic))
		if count[h.Topic]++; count[h.Topic] <= maxSpans {
			span := h.Span
			v.Reasons = append(v.Reasons, schemas.Reason{Code: h.Topic, Message: message, Span: &span, Weight: topicWeight})
		}
	}
	if p.Probability < schemas.ReviewThreshold {
		return
	}
	f.addRead(v, p, about)
}

// isPhraseRule reports whether a list of the lexicon is a hard rule's.
func isPhraseRule(topic string) bool {
	return slices.ContainsFunc(Rules, func(r Rule) bool { return r.Phrase && r.Code == topic })
}

// addRead adds what the model made of the text: a reason for each category that
// neither rules nor lexicon named, with the words that carried the decision, and
// where nobody knows what it is about those words alone.
func (f *facts) addRead(v *schemas.Verdict, p text.Prediction, about bool) {
	for _, c := range p.Categories {
		if slices.Contains(v.Categories, c) || c == schemas.CatOther && len(p.Categories) > 1 {
			continue // "other" beside something known says nothing
		}
		addCategory(v, c)
		r := schemas.Reason{Code: string(c), Message: categoryMessages[c], Weight: topicWeight}
		places := placesOf(p, c)
		if len(places) == 0 {
			v.Reasons = append(v.Reasons, r)
		}
		for _, span := range places {
			r.Span = &span
			v.Reasons = append(v.Reasons, r)
		}
	}
	if about || len(v.Reasons) > 0 {
		return
	}
	for _, m := range p.Spans {
		span := m.Span
		v.Reasons = append(v.Reasons, schemas.Reason{Code: codeModel, Message: "sounds unhappy", Span: &span, Weight: m.Weight})
	}
	if len(v.Reasons) == 0 {
		v.Reasons = append(v.Reasons, schemas.Reason{Code: codeModel, Message: "sounds unhappy", Weight: 1})
	}
}

// placesOf answers the words that say most for a category. Where the model does
// not know what words say, all belong to the surest category.
func placesOf(p text.Prediction, c schemas.Category) (out []schemas.Span) {
	for _, m := range p.Spans {
		if m.Category == c || m.Category == "" && c == p.Categories[0] {
			out = append(out, m.Span)
		}
	}
	return out
}

// topicWeight is what a topic weighs beside rules, whose weight is the rank of
// their severity (1–4).
const topicWeight = 0.5

// finish gives a verdict without a category the category other, and makes the
// weights shares that add up to 1 (rounded to three decimals).
func finish(v *schemas.Verdict) {
	if len(v.Categories) == 0 {
		v.Categories = append(v.Categories, schemas.CatOther)
	}
	if i := slices.Index(v.Categories, schemas.CatOther); i >= 0 && len(v.Categories) > 1 {
		v.Categories = slices.Delete(v.Categories, i, i+1)
	}
	var sum float64
	for _, r := range v.Reasons {
		sum += r.Weight
	}
	for i := range v.Reasons {
		v.Reasons[i].Weight = round3(v.Reasons[i].Weight / sum)
	}
}

func round3(x float64) float64 { return float64(int64(float64(x*1000)+0.5)) / 1000 }

// mistakeCategories are the topics of a text that say we did something wrong.
var mistakeCategories = []schemas.Category{schemas.CatLate, schemas.CatQuality, schemas.CatDamaged, schemas.CatWrongItem,
	schemas.CatMissedAppointment, schemas.CatNoReply, schemas.CatRude, schemas.CatBilling}

// IsMistake decides whether a red event makes its case a mistake rather than a
// risk (DESIGN §5, Playbook by kind): caused by the seller, reported by staff,
// left unanswered, or a text that says we did something wrong.
func IsMistake(ev schemas.Event, v schemas.Verdict) bool {
	if !v.Red {
		return false
	}
	switch {
	case ev.Type == schemas.MistakeReported, ev.Type == schemas.Unanswered:
		return true
	case ev.Type.IsOrder():
		o, err := ev.Order()
		return err == nil && orders.Cause(o) == schemas.BySeller
	case ev.Type.IsFeedback():
		return slices.ContainsFunc(v.Categories, func(c schemas.Category) bool { return slices.Contains(mistakeCategories, c) })
	}
	return false
}
