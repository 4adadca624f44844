package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func writeLines(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.jsonl")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEvaluate(t *testing.T) {
	path := writeLines(t, `{"text":"I want my money back.","label":1,"channel":"email"}`, ``,
		`{"text":"What are your opening hours?","label":0}`, `{"text":"","label":1,"rating":0,"question":"How was it?"}`)
	var ps []float64
	e, err := Evaluate(t.Context(), path, func(p float64) error { ps = append(ps, p); return nil })
	if err != nil || e.N != 3 || e.Positives != 2 || len(ps) != 3 {
		t.Fatalf("%+v, %d probabilities, %v", e, len(ps), err)
	}
	if ps[0] < 0.8 || ps[1] >= 0.5 || ps[2] < 0.8 { // rules count: a refund asked for, the lowest rating
		t.Errorf("probabilities %v", ps)
	}
	if e.AUROC != 1 || e.Review.F1 != 1 {
		t.Errorf("%+v", e.Report)
	}
}

func TestEvaluateNamesTheLine(t *testing.T) {
	for line, want := range map[string]string{
		`{"text":"a"}`:           `"label" must be 0 or 1`,
		`{"text":"a","label":2}`: `"label" must be 0 or 1`,
		`{"label":1}`:            `"text" is missing`,
		`{"text":"a","label":0,"channel":"telegram"}`: `channel "telegram"`,
		`{"text":"a","label":0,"rating":5}`:           "from 0 (worst) to 1 (best)",
		`not json`:                                    "no JSON object",
	} {
		path := writeLines(t, `{"text":"fine","label":0}`, line)
		if _, err := Evaluate(t.Context(), path, nil); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "m.jsonl:2") {
			t.Errorf("%s: %v, want line 2 and %q", line, err, want)
		}
	}
	if _, err := Evaluate(t.Context(), writeLines(t, ""), nil); err == nil {
		t.Error("an empty file was measured")
	}
}
