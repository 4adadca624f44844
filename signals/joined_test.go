package signals_test

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"redalert/schemas"
	"redalert/signals"
	"redalert/signals/text"
)

// said is a red event with its verdict.
func said(typ schemas.EventType, by schemas.FlaggedBy, sev schemas.Severity, p float64, code, message string) schemas.Scored {
	data, _ := json.Marshal(map[string]any{"value_text": "words"})
	if typ.IsOrder() {
		data, _ = json.Marshal(map[string]any{"order_ref": "1"})
	}
	return schemas.Scored{Event: schemas.Event{ID: code, Type: typ, Data: data}, Verdict: schemas.Verdict{Level: schemas.LevelRed, Red: true, FlaggedBy: &by,
		Severity: sev, Probability: p, Reasons: []schemas.Reason{{Code: code, Message: message, Weight: 1}}}}
}

func TestJoin(t *testing.T) {
	cancelled := said(schemas.OrderCancelled, schemas.FlaggedByRule, schemas.SeverityHigh, 0.8, signals.CodeCancelled, "order cancelled by the customer")
	score := said(schemas.SurveyAnswered, schemas.FlaggedByRule, schemas.SeverityMedium, 0.8, signals.CodeNPSDetractor, "gave 5 of 10")
	both := said(schemas.EmailReceived, schemas.FlaggedByBoth, schemas.SeverityCritical, 0.97, signals.CodeLegalSafety, "mentions a lawyer, an injury or a danger")
	words := said(schemas.EmailReceived, schemas.FlaggedByModel, schemas.SeverityMedium, 0.934, "late", "says it came late")
	old := said(schemas.EmailReceived, schemas.FlaggedByRule, schemas.SeverityHigh, 0.8, "rule_of_old", "a rule of old")
	eur := func(n int64) schemas.Money { return schemas.Money{Amount: n, Currency: "EUR"} }
	risk := 0.634
	for _, tt := range []struct {
		name  string
		e     signals.Evidence
		steps [6]int // orders, rules, text, value, churn_risk, earlier
		texts []string
	}{
		{"an order of a valued customer", signals.Evidence{Scored: []schemas.Scored{cancelled}, Severity: schemas.SeverityHigh, Priority: schemas.PriorityUrgent,
			ValueAtRisk: eur(124000), P90: 90000, Customers: 312, ChurnRisk: &risk, Earlier: 2}, [6]int{3, 0, 0, 1, 0, 0},
			[]string{"order cancelled by the customer", "no hard rule matched", "no words to read", "€1,240 in the year before, among the highest tenth of customers", "63 % probability of no order in the next 90 days", "2 red alerts before"}},
		{"the same without value", signals.Evidence{Scored: []schemas.Scored{cancelled}, Severity: schemas.SeverityHigh, Priority: schemas.PriorityHigh, ValueAtRisk: eur(0)},
			[6]int{3, 0, 0, 0, 0, 0}, []string{"", "", "", "no orders known in the year before", "not known: no orders", "none"}},
		{"a score, and words that add nothing", signals.Evidence{Scored: []schemas.Scored{score, words}, Severity: schemas.SeverityMedium, Priority: schemas.PriorityMedium, ValueAtRisk: eur(5000), P90: 90000, Customers: 7, Earlier: 1},
			[6]int{0, 2, 0, 0, 0, 0}, []string{"nothing odd in orders", "gave 5 of 10", "the words alone are a red alert, with 93 % probability", "€50 in the year before; value counts from 20 customers with orders on, there are 7", "", "1 red alert before"}},
		{"a score alone", signals.Evidence{Scored: []schemas.Scored{score}, Severity: schemas.SeverityMedium, Priority: schemas.PriorityMedium, ValueAtRisk: eur(5000), P90: 90000, Customers: 70},
			[6]int{0, 2, 0, 0, 0, 0}, []string{"", "", "the words alone would not have been enough", "€50 in the year before; the highest tenth of 70 customers begins at €900"}},
		{"words alone", signals.Evidence{Scored: []schemas.Scored{words}, Severity: schemas.SeverityMedium, Priority: schemas.PriorityHigh, ValueAtRisk: eur(100000), P90: 90000, Customers: 70},
			[6]int{0, 0, 2, 1, 0, 0}, nil},
		{"the loudest rule; value has nothing to add", signals.Evidence{Scored: []schemas.Scored{score, both, cancelled}, Severity: schemas.SeverityCritical, Priority: schemas.PriorityUrgent, ValueAtRisk: eur(100000), P90: 90000, Customers: 70},
			[6]int{0, 4, 0, 0, 0, 0}, []string{"", "mentions a lawyer, an injury or a danger", "the words agree, and add nothing to the rule", "€1,000 in the year before, among the highest tenth of customers; it is as urgent as can be without that"}},
		{"value grew since", signals.Evidence{Scored: []schemas.Scored{score}, Severity: schemas.SeverityMedium, Priority: schemas.PriorityMedium, ValueAtRisk: eur(100000), P90: 90000, Customers: 70},
			[6]int{0, 2, 0, 0, 0, 0}, []string{"", "", "", "€1,000 in the year before, among the highest tenth of 70 customers now, but not when the alert came"}},
		{"nobody knows where value stands", signals.Evidence{Scored: []schemas.Scored{score}, Severity: schemas.SeverityMedium, Priority: schemas.PriorityMedium, ValueAtRisk: eur(100000)},
			[6]int{0, 2, 0, 0, 0, 0}, []string{"", "", "", "€1,000 in the year before"}},
		{"a rule this version does not know", signals.Evidence{Scored: []schemas.Scored{old}, Severity: schemas.SeverityHigh, Priority: schemas.PriorityHigh}, [6]int{0, 3, 0, 0, 0, 0}, []string{"", "a rule of old"}},
		{"no events at hand", signals.Evidence{Severity: schemas.SeverityHigh, Priority: schemas.PriorityUrgent, ValueAtRisk: eur(1)}, [6]int{0, 3, 0, 1, 0, 0},
			[]string{"", "as severe as when it was filed; its events are not at hand"}},
	} {
		j := signals.Join(tt.e)
		if len(j.Parts) != 6 || j.Priority != tt.e.Priority {
			t.Fatalf("%s: %+v", tt.name, j)
		}
		for i, p := range j.Parts {
			if p.Steps != tt.steps[i] || i < len(tt.texts) && tt.texts[i] != "" && p.Text != tt.texts[i] {
				t.Errorf("%s, %s: %d steps, %q", tt.name, p.Kind, p.Steps, p.Text)
			}
		}
	}
}

// shout is a text model that says the same of everything.
type shout struct{ p float64 }

func (shout) Version() string { return "shout" }
func (s shout) Predict(string, text.Hints) text.Prediction {
	return text.Prediction{Probability: s.p}
}

// TestJoinProperties: of random cases, scored and filed as the pipeline does, the
// steps add up to the priority, and whatever the model says, value, outlook and
// history take nothing away from what a hard rule gave.
func TestJoinProperties(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 4))
	pick := func(from ...string) string { return from[rng.IntN(len(from))] }
	for range 3000 {
		e := signals.Evidence{ValueAtRisk: schemas.Money{Amount: rng.Int64N(2000), Currency: "EUR"}, P90: rng.Int64N(2000), Customers: rng.IntN(50), Earlier: rng.IntN(3)}
		ruleRank := 0
		for i := range 1 + rng.IntN(4) {
			ev := randomEvent(rng, pick, i)
			model := shout{rng.Float64()}
			v := signals.Score(ev, signals.CustomerContext{}, model)
			if !v.Red {
				continue
			}
			e.Scored = append(e.Scored, schemas.Scored{Event: ev, Verdict: v})
			if r := signals.Score(ev, signals.CustomerContext{}, nil); r.Red {
				ruleRank = max(ruleRank, r.Severity.Rank())
			}
			if v.Severity.Rank() > e.Severity.Rank() {
				e.Severity = v.Severity
			}
			if p := signals.Priority(v.Severity, e.ValueAtRisk.Amount, e.P90, e.Customers); p.Rank() > e.Priority.Rank() {
				e.Priority = p
			}
		}
		if len(e.Scored) == 0 {
			continue
		}
		j := signals.Join(e)
		sum := 0
		for _, p := range j.Parts {
			if sum += p.Steps; p.Steps < 0 || p.Text == "" {
				t.Fatalf("%+v of %+v", p, e)
			}
			if (p.Kind == signals.PartRisk || p.Kind == signals.PartEarlier) && p.Steps != 0 {
				t.Fatalf("%s moved the priority", p.Kind)
			}
		}
		if sum != j.Priority.Rank() || j.Priority != e.Priority {
			t.Fatalf("%d steps make %s: %+v of %+v", sum, j.Priority, j.Parts, e)
		}
		if j.Parts[0].Steps+j.Parts[1].Steps < ruleRank {
			t.Fatalf("rules gave %d, shown are %+v", ruleRank, j.Parts)
		}
		if strings.Contains(j.Parts[3].Text, "among the highest tenth of customers") && e.ValueAtRisk.Amount < e.P90 {
			t.Fatalf("%q of %+v", j.Parts[3].Text, e)
		}
	}
}

func randomEvent(rng *rand.Rand, pick func(...string) string, i int) schemas.Event {
	ev := schemas.Event{ID: pick("a", "b", "c") + string(rune('0'+i)), OccurredAt: time.Unix(1_750_000_000, 0).UTC()}
	var data map[string]any
	switch rng.IntN(3) {
	case 0:
		ev.Type = schemas.EventType(pick(string(schemas.OrderCancelled), string(schemas.OrderRefunded)))
		data = map[string]any{"order_ref": "1", "caused_by": pick("customer", "seller", "unknown")}
	case 1:
		ev.Type = schemas.SurveyAnswered
		data = map[string]any{"source_type": "survey", "field_type": "nps", "value_number": rng.IntN(11), "scale_min": 0, "scale_max": 10, "value_text": pick("", "fine", "my lawyer will write to you")}
	default:
		ev.Type = schemas.EmailReceived
		data = map[string]any{"source_type": "email", "field_type": "text", "value_text": pick("hello", "I want my money back", "I will never come back", "you will hear from my lawyer")}
	}
	ev.Data, _ = json.Marshal(data)
	return ev
}

// standing is a history of which only the percentile is asked.
type standing struct {
	signals.Context
	asked int
	err   error
}

func (s *standing) RevenueP90(context.Context, time.Time) (int64, int, error) {
	s.asked++
	return 900, 70, s.err
}

func TestStanding(t *testing.T) {
	now := time.Unix(1_750_000_000, 0)
	h := &standing{}
	s := &signals.Standing{Context: h, Now: func() time.Time { return now }}
	for range 3 {
		if v, n, err := s.P90(t.Context()); v != 900 || n != 70 || err != nil {
			t.Fatal(v, n, err)
		}
	}
	now = now.Add(11 * time.Minute)
	h.err = errors.New("no connection")
	if _, _, err := s.P90(t.Context()); err == nil || h.asked != 2 {
		t.Error(h.asked, err)
	}
	var none *signals.Standing
	if v, n, err := none.P90(t.Context()); v != 0 || n != 0 || err != nil {
		t.Error(v, n, err)
	}
}
