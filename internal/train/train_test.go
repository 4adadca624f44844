package train

import (
	"math"
	"slices"
	"testing"

	"redalert/signals/text"
)

func TestDraw(t *testing.T) {
	l, err := ReadLists("# names\nday = Monday|Friday\nhi = |Hello,\n")
	if err != nil {
		t.Fatal(err)
	}
	got, err := l.Draw("{hi} (see|meet) you (on {day}|) .", 200, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 12 || !slices.Contains(got, "Hello, meet you on Friday.") || !slices.Contains(got, "see you.") {
		t.Errorf("%d: %q", len(got), got)
	}
	again, _ := l.Draw("{hi} (see|meet) you (on {day}|) .", 200, 1)
	if !slices.Equal(got, again) {
		t.Error("the same seed draws otherwise")
	}
	for _, bad := range []string{"{nothing}", "(a|b", "{day"} {
		if _, err := l.Draw(bad, 1, 1); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
	if _, err := ReadLists("day Monday"); err == nil {
		t.Error("a list without = is accepted")
	}
}

func examples() []Example {
	var out []Example
	for range 30 {
		for _, m := range []string{"nobody came to the visit", "the visit was late", "broken again"} {
			out = append(out, Example{Features: text.FeaturesOf(m), Red: true, Weight: 1})
		}
		for _, m := range []string{"thank you for the visit", "please move the visit", "all fine"} {
			out = append(out, Example{Features: text.FeaturesOf(m), Weight: 1})
		}
	}
	return out
}

func TestFitSeparatesAndRepeats(t *testing.T) {
	s := Settings{Epochs: 3, Rate: 0.1, Seed: 3}
	m, again := Fit(examples(), s), Fit(examples(), s)
	if m.Bias != again.Bias || !slices.Equal(m.Weights, again.Weights) {
		t.Error("the same data and seed give other weights")
	}
	if red, quiet := m.Score(text.FeaturesOf("nobody came")), m.Score(text.FeaturesOf("thank you")); red <= quiet {
		t.Errorf("red %v, quiet %v", red, quiet)
	}
	w, _ := m.Quantise()
	if largest := slices.Max(w); largest < 100 {
		t.Errorf("the largest weight is %d of 127", largest)
	}
}

func TestAUROC(t *testing.T) {
	for _, tc := range []struct {
		scored []Scored
		want   float64
	}{
		{[]Scored{{Score: 1}, {Score: 2, Red: true}}, 1},
		{[]Scored{{Score: 2}, {Score: 1, Red: true}}, 0},
		{[]Scored{{Score: 1}, {Score: 1, Red: true}}, 0.5},
		{[]Scored{{Score: 1}, {Score: 3}, {Score: 2, Red: true}, {Score: 4, Red: true}}, 0.75},
		{[]Scored{{Score: 1}}, math.NaN()},
	} {
		if got := AUROC(tc.scored); got != tc.want && !(math.IsNaN(got) && math.IsNaN(tc.want)) {
			t.Errorf("%v: %v, want %v", tc.scored, got, tc.want)
		}
	}
}

func TestCalibrationRises(t *testing.T) {
	var s []Scored
	for i := range 500 {
		s = append(s, Scored{Score: float64(i), Red: i*7%500 < i, Weight: 1})
	}
	scores, probs := Calibrate(s)
	if len(scores) > 24 || !slices.IsSorted(scores) || !slices.IsSorted(probs) || probs[0] > 0.3 || probs[len(probs)-1] < 0.7 {
		t.Errorf("%v %v", scores, probs)
	}
}
