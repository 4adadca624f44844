// Package signals decides which event is a red alert and says why: hard rules
// first, then a text model that ranks and adds but never removes. The worker
// takes events from the log, scores them, keeps them in history and raises
// alerts.
//
// Scoring is pure: no I/O, no clock, no randomness, and the same verdict on
// every architecture. What a case does with an alert is package alerting's.
package signals

import (
	"cmp"
	"slices"

	"redalert/schemas"
	"redalert/signals/text"
)

// TextModel predicts from a text whether it is a red alert. Predict is pure,
// deterministic and safe for concurrent use; it may panic on no input, but
// whoever calls it for foreign text recovers all the same.
type TextModel interface {
	Version() string
	Predict(s string, h text.Hints) text.Prediction
}

// RulesVersion is the model version of verdicts by the hard rules alone.
const RulesVersion = "rules-1"

// Score says of one event how loud it is and why (DESIGN "Hard rules",
// "Verdict"). It is pure. A nil model scores by the hard rules alone. ScoredAt
// is left zero. It panics only where m does.
func Score(ev schemas.Event, ctx CustomerContext, m TextModel) schemas.Verdict {
	v := schemas.Verdict{
		EventID: ev.ID, ModelVersion: RulesVersion, Level: schemas.LevelNone, Severity: schemas.SeverityNone,
		Reasons: []schemas.Reason{}, Categories: []schemas.Category{},
	}
	if m != nil {
		v.ModelVersion = m.Version()
	}
	if unscored(ev) {
		v.ModelVersion = schemas.Unscored
		return v
	}
	written, hints := scoredText(ev)
	hits := factHits(ev, ctx)
	var found []text.Finding
	var p text.Prediction
	if written != "" {
		found = text.DefaultFinder().Find(written)
		hits = append(hits, phraseHits(found)...)
		if m != nil {
			p = m.Predict(written, hints)
		}
	}
	decide(&v, hits, p.Probability)
	if v.Level != schemas.LevelNone {
		explain(&v, hits, found, p)
	}
	return v
}

// unscored tells what is kept but never scored: our own replies and mail that
// no customer wrote.
func unscored(ev schemas.Event) bool {
	if ev.Type == schemas.ReplySent {
		return true
	}
	if ev.Type != schemas.EmailReceived {
		return false
	}
	f, err := ev.Feedback()
	return err == nil && f.MetaString(schemas.MetaMailKind) != ""
}

// scoredText is what somebody wrote, and what is known beside it.
func scoredText(ev schemas.Event) (string, text.Hints) {
	h := text.Hints{Source: schemas.SourceTypeOf(ev.Type)}
	switch {
	case ev.Type.IsFeedback():
		f, err := ev.Feedback()
		if err != nil {
			return "", h
		}
		h.Question, h.Language = f.FieldLabel, f.Language
		h.Rating, h.HasRating = f.NormalisedRating()
		return f.ValueText, h
	case ev.Type == schemas.MistakeReported:
		if m, err := ev.Mistake(); err == nil {
			return m.WhatHappened, h
		}
	}
	return "", h
}

// phraseHits are the hard rules among the phrases found, once each.
func phraseHits(found []text.Finding) []hit {
	var hits []hit
	for _, f := range found {
		if _, hard := hardRules[f.Topic]; hard && !slices.ContainsFunc(hits, func(h hit) bool { return h.code == f.Topic }) {
			span := f.Span
			hits = append(hits, hit{code: f.Topic, span: &span})
		}
	}
	return hits
}

// decide sets level, probability, severity and who flagged it. A rule raises
// the probability to at least 0.8, so that red ⇔ p ≥ 0.8.
func decide(v *schemas.Verdict, hits []hit, p float64) {
	byModel := p >= schemas.ReviewThreshold
	for _, h := range hits {
		if r := hardRules[h.code]; r.severity.Rank() > v.Severity.Rank() {
			v.Severity = r.severity
		}
	}
	if len(hits) > 0 {
		p = max(p, schemas.RedThreshold)
	}
	v.Probability = p
	switch {
	case p >= schemas.RedThreshold:
		v.Level, v.Red = schemas.LevelRed, true
		if len(hits) == 0 {
			v.Severity = schemas.SeverityMedium
		}
	case byModel:
		v.Level, v.Severity = schemas.LevelReview, schemas.SeverityLow
	default:
		return
	}
	by := schemas.FlaggedByModel
	if len(hits) > 0 {
		if by = schemas.FlaggedByRule; byModel {
			by = schemas.FlaggedByBoth
		}
	}
	v.FlaggedBy = &by
}

// Weights of reasons: a rule weighs by its severity, a word that names a
// category little, the model by its own marks. They are shares: they add up to
// one.
const (
	categoryWeight = 0.5
	modelWeight    = 1.0
)

// categoryWords says a category found in the text as a reason.
var categoryWords = map[schemas.Category]string{
	schemas.CatLate:              "says it came late",
	schemas.CatQuality:           "is unhappy with the work",
	schemas.CatDamaged:           "says something was damaged",
	schemas.CatWrongItem:         "got the wrong thing",
	schemas.CatMissedAppointment: "says nobody came",
	schemas.CatNoReply:           "says nobody answered",
	schemas.CatRude:              "says somebody was rude",
	schemas.CatBilling:           "says the bill is wrong",
	schemas.CatPrice:             "finds it too expensive",
	schemas.CatCancellation:      "wants to cancel",
}

func explain(v *schemas.Verdict, hits []hit, found []text.Finding, p text.Prediction) {
	for _, h := range hits {
		r := hardRules[h.code]
		message := h.message
		if message == "" {
			message = r.message
		}
		addReason(v, schemas.Reason{Code: h.code, Message: message, Span: h.span, Weight: float64(r.severity.Rank())})
		if r.category != schemas.CatOther {
			addCategory(v, r.category)
		}
	}
	for _, f := range found {
		c := schemas.Category(f.Topic)
		if words, ok := categoryWords[c]; ok {
			span := f.Span
			addReason(v, schemas.Reason{Code: f.Topic, Message: words, Span: &span, Weight: categoryWeight})
			addCategory(v, c)
		}
	}
	for _, c := range p.Categories {
		addCategory(v, c)
	}
	for _, mark := range p.Spans {
		span := mark.Span
		if overlaps(v.Reasons, span) {
			continue
		}
		v.Reasons = append(v.Reasons, schemas.Reason{Code: reasonModel, Message: "sounds unhappy", Span: &span, Weight: modelWeight * mark.Weight})
	}
	if len(v.Reasons) == 0 {
		v.Reasons = append(v.Reasons, schemas.Reason{Code: reasonModel, Message: "sounds unhappy", Weight: modelWeight})
	}
	if len(v.Categories) == 0 {
		v.Categories = append(v.Categories, schemas.CatOther)
	}
	share(v.Reasons)
}

func addReason(v *schemas.Verdict, r schemas.Reason) {
	if !slices.ContainsFunc(v.Reasons, func(o schemas.Reason) bool { return o.Code == r.Code }) {
		v.Reasons = append(v.Reasons, r)
	}
}

func addCategory(v *schemas.Verdict, c schemas.Category) {
	if !slices.Contains(v.Categories, c) {
		v.Categories = append(v.Categories, c)
	}
}

func overlaps(rs []schemas.Reason, s schemas.Span) bool {
	return slices.ContainsFunc(rs, func(r schemas.Reason) bool {
		return r.Span != nil && r.Span.Start < s.End && s.Start < r.Span.End
	})
}

// share makes the weights add up to one, heaviest first, rounded to thousandths.
func share(rs []schemas.Reason) {
	var sum float64
	for _, r := range rs {
		sum += r.Weight
	}
	for i := range rs {
		rs[i].Weight = float64(int64(float64(rs[i].Weight/sum*1000)+0.5)) / 1000
	}
	slices.SortStableFunc(rs, func(a, b schemas.Reason) int { return cmp.Compare(b.Weight, a.Weight) })
}

// mistakeCategories are what red text may be about that is ours to own up to.
var mistakeCategories = []schemas.Category{
	schemas.CatLate, schemas.CatQuality, schemas.CatDamaged, schemas.CatWrongItem, schemas.CatMissedAppointment,
	schemas.CatNoReply, schemas.CatRude, schemas.CatBilling,
}

// IsMistake tells whether a red event makes its case one of kind mistake
// (DESIGN "Playbook by kind"): caused by the seller, reported by staff, left
// unanswered, or red text about something we did wrong.
func IsMistake(ev schemas.Event, v schemas.Verdict) bool {
	switch {
	case ev.Type == schemas.MistakeReported || ev.Type == schemas.Unanswered:
		return true
	case ev.Type.IsOrder():
		o, err := ev.Order()
		return err == nil && o.CausedBy == schemas.BySeller
	}
	return slices.ContainsFunc(v.Categories, func(c schemas.Category) bool { return slices.Contains(mistakeCategories, c) })
}
