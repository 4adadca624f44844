package signals_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"redalert/schemas"
	"redalert/signals"
	"redalert/signals/text"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// says is a text model that always answers the same.
type says float64

func (says) Version() string { return "test-1" }
func (p says) Predict(string, text.Hints) text.Prediction {
	return text.Prediction{Probability: float64(p)}
}

func event(t testing.TB, typ schemas.EventType, data any) schemas.Event {
	t.Helper()
	raw, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	return schemas.Event{ID: "e1", Source: "shop", Type: typ, NativeID: "1", OccurredAt: noon, CollectedAt: noon, CustomerID: "c1", Data: raw}
}

func num(v float64) *float64 { return &v }

func yes(b bool) *bool { return &b }

func eur(n int64) *schemas.Money { return &schemas.Money{Amount: n, Currency: "EUR"} }

func habit(totals ...int64) []schemas.OrderFact {
	var out []schemas.OrderFact
	for i, total := range totals {
		out = append(out, schemas.OrderFact{EventID: "h" + string(rune('a'+i)), OrderRef: string(rune('a' + i)), Type: schemas.OrderPlaced,
			Total: total, OccurredAt: noon.AddDate(0, 0, -7*(len(totals)-i))})
	}
	return out
}

// tips are facts with a tip each.
func tips(facts []schemas.OrderFact, tip int64) []schemas.OrderFact {
	out := slices.Clone(facts)
	for i := range out {
		out[i].Tip = &tip
	}
	return out
}

// ruleCase is an event, and the hard rule that it must match ("" = none).
type ruleCase struct {
	name  string
	typ   schemas.EventType
	data  any
	facts []schemas.OrderFact
	code  string
	sev   schemas.Severity
}

func ruleCases() []ruleCase {
	score := func(ft schemas.FieldType, v, lo, hi float64, higher *bool) schemas.Feedback {
		return schemas.Feedback{FieldType: ft, ValueNumber: num(v), ScaleMin: num(lo), ScaleMax: num(hi), HigherIsBetter: higher}
	}
	bare := func(ft schemas.FieldType, v float64) schemas.Feedback {
		return schemas.Feedback{FieldType: ft, ValueNumber: num(v)}
	}
	written := func(s string) schemas.Feedback { return schemas.Feedback{ValueText: s} }
	order := func(total int64, by schemas.CausedBy) schemas.Order {
		return schemas.Order{OrderRef: "o1", Total: eur(total), CausedBy: by}
	}
	usual := habit(12000, 12000, 12000, 12000, 12000)
	const high, medium, critical, none = schemas.SeverityHigh, schemas.SeverityMedium, schemas.SeverityCritical, schemas.SeverityNone
	return []ruleCase{
		{"cancelled by the customer", schemas.OrderCancelled, order(100, schemas.ByCustomer), nil, signals.CodeCancelled, high},
		{"cancelled by nobody known", schemas.OrderCancelled, order(100, ""), nil, signals.CodeCancelled, high},
		{"cancelled by the seller", schemas.OrderCancelled, order(100, schemas.BySeller), nil, signals.CodeCancelledBySeller, high},
		{"changed by the seller to more", schemas.OrderChanged, schemas.Order{OrderRef: "o1", Total: eur(200), PreviousTotal: eur(100), CausedBy: schemas.BySeller}, nil, signals.CodeChangedBySeller, high},
		{"changed by the seller, no total", schemas.OrderChanged, schemas.Order{OrderRef: "o1", CausedBy: schemas.BySeller}, nil, signals.CodeChangedBySeller, high},
		{"refunded", schemas.OrderRefunded, order(100, ""), nil, signals.CodeRefunded, medium},
		{"changed to less", schemas.OrderChanged, schemas.Order{OrderRef: "o1", Total: eur(50), PreviousTotal: eur(100)}, nil, signals.CodeReduced, medium},
		{"changed to less than last known", schemas.OrderChanged, schemas.Order{OrderRef: "a", Total: eur(50)}, habit(100), signals.CodeReduced, medium},
		{"changed to more", schemas.OrderChanged, schemas.Order{OrderRef: "o1", Total: eur(150), PreviousTotal: eur(100)}, nil, "", none},
		{"changed, total as before", schemas.OrderChanged, schemas.Order{OrderRef: "o1", Total: eur(100), PreviousTotal: eur(100), CausedBy: schemas.ByCustomer}, nil, "", none},
		{"far below the habit", schemas.OrderPlaced, order(4800, ""), usual, signals.CodeBelowHabit, medium},
		{"a tip far below the habit", schemas.OrderPlaced, schemas.Order{OrderRef: "o1", Total: eur(12000), Tip: eur(120)}, tips(usual, 1800), signals.CodeTipBelowHabit, medium},
		{"no tip, as the last time", schemas.OrderPlaced, schemas.Order{OrderRef: "o1", Total: eur(12000), Tip: eur(0)}, slices.Concat(tips(habit(12000, 12000, 12000, 12000, 12000, 12000)[:5], 1800), tips(habit(12000, 12000, 12000, 12000, 12000, 12000)[5:], 0)), signals.CodeTipBelowHabit, medium},
		{"no tip once", schemas.OrderPlaced, schemas.Order{OrderRef: "o1", Total: eur(12000), Tip: eur(0)}, tips(usual, 1800), "", none},
		{"the tip as usual", schemas.OrderPlaced, schemas.Order{OrderRef: "o1", Total: eur(12000), Tip: eur(1700)}, tips(usual, 1800), "", none},
		{"no tip is stated", schemas.OrderPlaced, order(12000, ""), tips(usual, 1800), "", none},
		{"as usual", schemas.OrderPlaced, order(11000, ""), usual, "", none},
		{"first order", schemas.OrderPlaced, order(1, ""), nil, "", none},
		{"fulfilled", schemas.OrderFulfilled, order(1, ""), usual, "", none},
		{"staff reported a mistake", schemas.MistakeReported, schemas.Mistake{ReportedBy: "tom", WhatHappened: "wrong tile"}, nil, signals.CodeMistake, medium},
		{"overdue", schemas.OrderOverdue, schemas.Signal{Due: "2026-03-01"}, nil, signals.CodeOverdue, medium},
		{"unanswered", schemas.Unanswered, schemas.Signal{Due: "2026-03-01"}, nil, signals.CodeUnanswered, medium},
		{"NPS 0", schemas.SurveyAnswered, bare(schemas.FieldNPS, 0), nil, signals.CodeNPSLow, high},
		{"NPS 3", schemas.SurveyAnswered, bare(schemas.FieldNPS, 3), nil, signals.CodeNPSLow, high},
		{"NPS 4", schemas.SurveyAnswered, bare(schemas.FieldNPS, 4), nil, signals.CodeNPSDetractor, medium},
		{"NPS 6", schemas.SurveyAnswered, bare(schemas.FieldNPS, 6), nil, signals.CodeNPSDetractor, medium},
		{"NPS 7", schemas.SurveyAnswered, bare(schemas.FieldNPS, 7), nil, "", none},
		{"NPS 11 is not NPS", schemas.SurveyAnswered, bare(schemas.FieldNPS, 11), nil, "", none},
		{"NPS −1 is not NPS", schemas.SurveyAnswered, bare(schemas.FieldNPS, -1), nil, "", none},
		{"CSAT 1", schemas.SurveyAnswered, bare(schemas.FieldCSAT, 1), nil, signals.CodeCSAT1, high},
		{"CSAT 2", schemas.SurveyAnswered, bare(schemas.FieldCSAT, 2), nil, signals.CodeCSAT2, medium},
		{"CSAT 3", schemas.SurveyAnswered, bare(schemas.FieldCSAT, 3), nil, "", none},
		{"CSAT 5, lower is better", schemas.SurveyAnswered, score(schemas.FieldCSAT, 5, 1, 5, yes(false)), nil, signals.CodeCSAT1, high},
		{"CSAT 1 of 7", schemas.SurveyAnswered, score(schemas.FieldCSAT, 1, 1, 7, nil), nil, signals.CodeRatingLowest, high},
		{"one star", schemas.ReviewPosted, score(schemas.FieldRating, 1, 1, 5, nil), nil, signals.CodeRatingLowest, high},
		{"two stars", schemas.ReviewChanged, score(schemas.FieldRating, 2, 1, 5, nil), nil, signals.CodeRatingLow, medium},
		{"three stars", schemas.ReviewPosted, score(schemas.FieldRating, 3, 1, 5, nil), nil, "", none},
		{"1 of 0–10", schemas.ReviewPosted, score(schemas.FieldRating, 1, 0, 10, nil), nil, signals.CodeRatingLowest, high},
		{"school mark 5 of 1–5, lower is better", schemas.ReviewPosted, score(schemas.FieldRating, 5, 1, 5, yes(false)), nil, signals.CodeRatingLowest, high},
		{"9 of 0–10, lower is better", schemas.ReviewPosted, score(schemas.FieldRating, 9, 0, 10, yes(false)), nil, signals.CodeRatingLowest, high},
		{"rating without a scale", schemas.ReviewPosted, bare(schemas.FieldRating, 1), nil, "", none},
		{"rating off its scale", schemas.ReviewPosted, score(schemas.FieldRating, 0, 1, 5, nil), nil, "", none},
		{"CES that says its direction", schemas.SurveyAnswered, score(schemas.FieldCES, 7, 1, 7, yes(false)), nil, signals.CodeRatingLowest, high},
		{"CES that does not", schemas.SurveyAnswered, score(schemas.FieldCES, 1, 1, 7, nil), nil, "", none},
		{"asks for a refund", schemas.EmailReceived, written("I want my money back."), nil, signals.CodeRefundRequest, medium},
		{"leaves", schemas.EmailReceived, written("We will never come back."), nil, signals.CodeChurnThreat, high},
		{"warns others", schemas.ReviewPosted, written("Avoid this place."), nil, signals.CodePublicWarning, high},
		{"lawyer", schemas.EmailReceived, written("You will hear from my lawyer."), nil, signals.CodeLegalSafety, critical},
		{"injury beside a high score", schemas.SurveyAnswered, schemas.Feedback{FieldType: schemas.FieldNPS, ValueNumber: num(9), ValueText: "I slipped on your wet floor and hurt my back"}, nil, signals.CodeLegalSafety, critical},
		{"no refund needed", schemas.EmailReceived, written("No refund needed, thanks."), nil, "", none},
	}
}

func TestHardRules(t *testing.T) {
	covered := map[string]bool{}
	for _, c := range ruleCases() {
		ev := event(t, c.typ, c.data)
		for _, p := range []says{0, 0.6, 1} {
			v := signals.Score(ev, signals.NewContext(c.facts, ev, "EUR"), p)
			found := false
			for _, r := range v.Reasons {
				found = found || r.Code == c.code
			}
			if c.code == "" {
				if p == 0 && (v.Red || v.Level != schemas.LevelNone || v.FlaggedBy != nil || v.Severity != schemas.SeverityNone) {
					t.Errorf("%s: quiet, got %+v", c.name, v)
				}
				continue
			}
			covered[c.code] = true
			if !found || !v.Red || v.Severity.Rank() < c.sev.Rank() || v.Probability < schemas.RedThreshold || v.FlaggedBy == nil {
				t.Errorf("%s, model %.1f: want %s (%s), got %+v", c.name, p, c.code, c.sev, v)
			}
			if p == 0 && v.Severity != c.sev {
				t.Errorf("%s: severity %s, want %s", c.name, v.Severity, c.sev)
			}
		}
	}
	for _, r := range signals.Rules {
		if !covered[r.Code] {
			t.Errorf("no case shows the rule %s", r.Code)
		}
	}
}

func TestLevels(t *testing.T) {
	mail := event(t, schemas.EmailReceived, schemas.Feedback{ValueText: "the weather"})
	rule := event(t, schemas.EmailReceived, schemas.Feedback{ValueText: "I want a refund"})
	model, both, byRule := schemas.FlaggedByModel, schemas.FlaggedByBoth, schemas.FlaggedByRule
	for _, c := range []struct {
		ev    schemas.Event
		p     says
		level schemas.Level
		sev   schemas.Severity
		by    *schemas.FlaggedBy
		prob  float64
	}{
		{mail, 0.4999, schemas.LevelNone, schemas.SeverityNone, nil, 0.4999},
		{mail, 0.5, schemas.LevelReview, schemas.SeverityLow, &model, 0.5},
		{mail, 0.7999, schemas.LevelReview, schemas.SeverityLow, &model, 0.7999},
		{mail, 0.8, schemas.LevelRed, schemas.SeverityMedium, &model, 0.8},
		{rule, 0.1, schemas.LevelRed, schemas.SeverityMedium, &byRule, 0.8},
		{rule, 0.6, schemas.LevelRed, schemas.SeverityMedium, &both, 0.8},
		{rule, 0.95, schemas.LevelRed, schemas.SeverityMedium, &both, 0.95},
	} {
		v := signals.Score(c.ev, signals.CustomerContext{}, c.p)
		by := v.FlaggedBy == c.by || v.FlaggedBy != nil && c.by != nil && *v.FlaggedBy == *c.by
		if v.Level != c.level || v.Severity != c.sev || !by || v.Probability != c.prob || v.Red != (c.level == schemas.LevelRed) || v.ModelVersion != "test-1" {
			t.Errorf("p %v: %+v", c.p, v)
		}
		if (v.Level != schemas.LevelNone) != (len(v.Reasons) > 0 && len(v.Categories) > 0) {
			t.Errorf("p %v: reasons %v, categories %v", c.p, v.Reasons, v.Categories)
		}
	}
}

// loud is a model that must not be asked.
type loud struct{ t *testing.T }

func (loud) Version() string { return "loud" }
func (l loud) Predict(string, text.Hints) text.Prediction {
	l.t.Error("the scorer ran")
	return text.Prediction{Probability: 1}
}

// TestFault_31_MailThatNoPersonWroteIsNotScored: bounces, auto-replies,
// newsletters, our own mail and our replies are kept with level none.
func TestFault_31_MailThatNoPersonWroteIsNotScored(t *testing.T) {
	evs := []schemas.Event{event(t, schemas.ReplySent, schemas.Reply{Text: "sorry, I want my money back"})}
	for _, kind := range []string{schemas.MailAutoReply, schemas.MailBounce, schemas.MailNewsletter, schemas.MailOwn} {
		evs = append(evs, event(t, schemas.EmailReceived, schemas.Feedback{ValueText: "I will sue you. Refund me!", Metadata: map[string]any{schemas.MetaMailKind: kind}}))
	}
	for _, ev := range evs {
		v := signals.Score(ev, signals.CustomerContext{}, loud{t})
		if v.Level != schemas.LevelNone || v.ModelVersion != schemas.Unscored || v.Red || v.Probability != 0 || v.FlaggedBy != nil {
			t.Errorf("%s: %+v", ev.Type, v)
		}
	}
}

func TestReasonsSpeakPlainly(t *testing.T) {
	usual := habit(12000, 12000, 12000, 12000, 12000)
	for _, c := range []struct {
		typ   schemas.EventType
		data  any
		facts []schemas.OrderFact
		want  string
	}{
		{schemas.SurveyAnswered, schemas.Feedback{FieldType: schemas.FieldNPS, ValueNumber: num(2)}, nil, "gave 2 of 10"},
		{schemas.ReviewPosted, schemas.Feedback{FieldType: schemas.FieldRating, ValueNumber: num(1.5), ScaleMin: num(1), ScaleMax: num(5)}, nil, "gave 1.5 of 5"},
		{schemas.OrderPlaced, schemas.Order{OrderRef: "n", Total: eur(4800)}, usual, "ordered €48.00, 40 % of the usual €120.00 (last 5 orders)"},
		{schemas.OrderChanged, schemas.Order{OrderRef: "n", Total: eur(4000), PreviousTotal: eur(12000)}, nil, "order reduced from €120.00 to €40.00"},
		{schemas.OrderCancelled, schemas.Order{OrderRef: "n", CausedBy: schemas.ByCustomer}, nil, "order cancelled by the customer"},
		{schemas.Unanswered, schemas.Signal{Detail: "nobody answered for 3 days"}, nil, "nobody answered for 3 days"},
		{schemas.EmailReceived, schemas.Feedback{ValueText: "Nobody called me back. Refund me."}, nil, "says nobody answers or calls back"},
	} {
		ev := event(t, c.typ, c.data)
		v := signals.Score(ev, signals.NewContext(c.facts, ev, "EUR"), nil)
		var got []string
		for _, r := range v.Reasons {
			got = append(got, r.Message)
		}
		if !strings.Contains(strings.Join(got, "\n"), c.want) {
			t.Errorf("%s: reasons %q, want %q", c.typ, got, c.want)
		}
	}
}

func TestIsMistake(t *testing.T) {
	for _, c := range []struct {
		name string
		typ  schemas.EventType
		data any
		want bool
	}{
		{"reported", schemas.MistakeReported, schemas.Mistake{WhatHappened: "x"}, true},
		{"unanswered", schemas.Unanswered, schemas.Signal{}, true},
		{"overdue", schemas.OrderOverdue, schemas.Signal{}, false},
		{"cancelled by us", schemas.OrderCancelled, schemas.Order{CausedBy: schemas.BySeller}, true},
		{"cancelled by them", schemas.OrderCancelled, schemas.Order{CausedBy: schemas.ByCustomer}, false},
		{"low score alone", schemas.SurveyAnswered, schemas.Feedback{FieldType: schemas.FieldNPS, ValueNumber: num(1)}, false},
		{"low score, and why", schemas.SurveyAnswered, schemas.Feedback{FieldType: schemas.FieldNPS, ValueNumber: num(1), ValueText: "The engineer was rude to my mother"}, true},
		{"leaves", schemas.EmailReceived, schemas.Feedback{ValueText: "I'm switching to another provider"}, false},
		{"quiet", schemas.EmailReceived, schemas.Feedback{ValueText: "the train was late, so was I"}, false},
	} {
		ev := event(t, c.typ, c.data)
		v := signals.Score(ev, signals.CustomerContext{}, nil)
		if got := signals.IsMistake(ev, v); got != c.want {
			t.Errorf("%s: %v (%v)", c.name, got, v.Categories)
		}
	}
}

func TestNetRevenueAndPriority(t *testing.T) {
	day := func(n int) time.Time { return noon.AddDate(0, 0, n) }
	fact := func(id string, typ schemas.EventType, ref string, at, total int) schemas.OrderFact {
		return schemas.OrderFact{EventID: id, Type: typ, OrderRef: ref, OccurredAt: day(at), Total: int64(total)}
	}
	facts := []schemas.OrderFact{
		fact("1", schemas.OrderPlaced, "old", -400, 9999),
		fact("2", schemas.OrderPlaced, "a", -300, 1000),
		fact("3", schemas.OrderPlaced, "b", -200, 500),
		fact("4", schemas.OrderPlaced, "c", -100, 700),
		fact("5", schemas.OrderChanged, "a", -90, 800),
		fact("6", schemas.OrderCancelled, "b", -80, 500),
		fact("7", schemas.OrderRefunded, "c", -70, 200),
		fact("8", schemas.OrderFulfilled, "c", -60, 0),
		fact("9", schemas.OrderCancelled, "unknown", -50, 50),
		fact("10", schemas.OrderPlaced, "later", 1, 5000),
	}
	if got := signals.ValueAtRisk(facts, noon, "EUR"); got != (schemas.Money{Amount: 800 + 500 - 50, Currency: "EUR"}) {
		t.Errorf("value at risk %v", got)
	}
	if got := signals.NetRevenue([]schemas.OrderFact{fact("x", schemas.OrderCancelled, "z", -5, 10)}, day(-10), noon); got != 0 {
		t.Errorf("revenue below zero: %d", got)
	}
	for _, c := range []struct {
		value, p90 int64
		customers  int
		want       schemas.Priority
	}{{100, 100, 20, schemas.PriorityUrgent}, {99, 100, 20, schemas.PriorityHigh}, {100, 100, 19, schemas.PriorityHigh}, {0, 0, 50, schemas.PriorityHigh}} {
		if got := signals.Priority(schemas.SeverityHigh, c.value, c.p90, c.customers); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// TestContextHoldsEarlierEventsOnly: what occurred at the same time or later,
// and the event itself, is unknown to the scorer.
func TestContextHoldsEarlierEventsOnly(t *testing.T) {
	ev := event(t, schemas.OrderPlaced, schemas.Order{})
	at := func(id string, d time.Duration) schemas.OrderFact {
		return schemas.OrderFact{EventID: id, OccurredAt: noon.Add(d)}
	}
	got := signals.NewContext([]schemas.OrderFact{at("late", 1), at("b", -1), at("same", 0), at("a", -2), at("e1", -3), at("b", -1)}, ev, "EUR").Facts
	if len(got) != 2 || got[0].EventID != "a" || got[1].EventID != "b" {
		t.Fatalf("context %+v", got)
	}
}
