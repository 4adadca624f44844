package schemas

import (
	"encoding/json"
	"math"
	"testing"
	"time"
)

// sameJSON holds what was appended against what encoding/json writes.
func sameJSON(t *testing.T, v any, got []byte, err error) {
	t.Helper()
	want, wantErr := json.Marshal(v)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%v, want %v: %+v", err, wantErr, v)
	}
	if err == nil && string(got) != "x"+string(want) {
		t.Fatalf("wrote\n%s, want\n%s", got, want)
	}
}

func TestVerdictsAndNoticesAreWrittenAsEncodingJSONDoes(t *testing.T) {
	at, by := time.Date(2026, 3, 1, 9, 0, 0, 123e6, time.UTC), FlaggedByBoth
	plain := Verdict{EventID: "e", ModelVersion: "m", Level: LevelRed, Red: true, Probability: 0.8, Severity: SeverityHigh, FlaggedBy: &by,
		Reasons:    []Reason{{Code: "late", Message: "came late", Span: &Span{Start: 3, End: 9}, Weight: 0.667}, {Code: "x", Message: "y", Weight: 1}},
		Categories: []Category{CatLate, CatOther}, ScoredAt: at}
	all := []Verdict{{}, plain}
	for _, text := range []string{`quo"te`, "<b>&", "Grüße", "\u2028", "\x00\n", "\xff"} {
		v := plain
		v.EventID, v.Reasons = text, []Reason{{Code: text, Message: text}}
		all = append(all, v)
	}
	for _, x := range []float64{0, math.Copysign(0, -1), 1e-7, 1e-6, 1e21, 0.1 + 0.2, -3, math.NaN(), math.Inf(1)} {
		v := plain
		v.Probability, v.Reasons, v.Categories = x, []Reason{}, []Category{}
		all = append(all, v)
	}
	for _, when := range []time.Time{at.In(time.FixedZone("", 3600)), time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC), at.Add(456789)} {
		v := plain
		v.ScoredAt = when
		all = append(all, v)
	}
	for i, v := range all {
		got, err := v.AppendJSON([]byte("x"))
		sameJSON(t, v, got, err)
		n := Notice{Kind: NoticeRed, Event: wholeEvent(), Verdict: v, ValueAtRisk: Money{Amount: int64(i), Currency: "EUR"}, Mistake: i%2 == 0}
		if i%3 == 0 {
			n.Priority, n.Event.Location = PriorityHigh, "<Süd>"
		}
		got, err = n.AppendJSON([]byte("x"))
		sameJSON(t, n, got, err)
	}
}
