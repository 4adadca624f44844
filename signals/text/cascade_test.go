package text

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"redalert/schemas"
)

func cascade(t testing.TB) *Cascade {
	t.Helper()
	c, err := LoadCascade()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// anew is a model that remembers nothing.
func anew(t *testing.T) *Cascade {
	t.Helper()
	c := cascade(t)
	other, err := NewCascade(c.first, c.encoder, c.joint)
	if err != nil {
		t.Fatal(err)
	}
	return other
}

func TestNewCascade_RefusesWhatDoesNotFit(t *testing.T) {
	c := cascade(t)
	good := c.joint
	for name, spoil := range map[string]func(*Joint){
		"another encoder":       func(j *Joint) { j.Encoder = "another" },
		"no calibration":        func(j *Joint) { j.Scores, j.Probs = nil, nil },
		"calibration of halves": func(j *Joint) { j.Probs = j.Probs[1:] },
		"a falling calibration": func(j *Joint) { j.Probs = slices.Repeat([]float64{0.9, 0.1}, len(j.Scores))[:len(j.Scores)] },
	} {
		j := good
		spoil(&j)
		if _, err := NewCascade(c.first, c.encoder, j); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestCascade_SaysTheSameAgain: remembered or read anew, alone or beside others.
func TestCascade_SaysTheSameAgain(t *testing.T) {
	c := cascade(t)
	messages := []string{"Nobody called back.", "fine", "", "Lovely people and a great stay.", "I want my money back, twice charged!",
		strings.Repeat("The room was cold and nobody cared. ", 40)}
	want := make([]Prediction, len(messages))
	for i, s := range messages {
		want[i] = anew(t).Predict(s, Hints{})
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i, s := range messages {
				if got := c.Predict(s, Hints{}); !reflect.DeepEqual(got, want[i]) {
					t.Errorf("%.40q: %v, then %v", s, want[i], got)
				}
			}
		})
	}
	wg.Wait()
}

// TestCascade_TheQuestionDecides: a bare "no" means something by its question.
func TestCascade_TheQuestionDecides(t *testing.T) {
	c := cascade(t)
	leave := c.Predict("No.", Hints{Question: "Would you book with us again?"})
	quiet := c.Predict("No.", Hints{Question: "Did you have any problems?"})
	if leave.Probability <= quiet.Probability {
		t.Errorf("not again: %.2f, no problems: %.2f", leave.Probability, quiet.Probability)
	}
}

// TestCascade_RemembersQuestionAndTextApart: whatever byte stands between them.
func TestCascade_RemembersQuestionAndTextApart(t *testing.T) {
	c := anew(t)
	c.Predict("b\x00Nobody came, I want my money back", Hints{Question: "a"})
	const s = "Nobody came, I want my money back"
	got, want := c.Predict(s, Hints{Question: "a\x00b"}), anew(t).Predict(s, Hints{Question: "a\x00b"})
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, read anew %v", got, want)
	}
	checkPrediction(t, s, got)
}

func checkPrediction(t *testing.T, s string, p Prediction) {
	t.Helper()
	if !(p.Probability >= 0 && p.Probability <= 1) {
		t.Errorf("probability %v", p.Probability)
	}
	if p.Probability < schemas.ReviewThreshold && len(p.Spans)+len(p.Categories) > 0 {
		t.Errorf("reasons at %.2f", p.Probability)
	}
	for _, m := range p.Spans {
		checkSpan(t, s, m.Span)
	}
	for _, c := range p.Categories {
		if !slices.Contains(schemas.Categories(), c) {
			t.Errorf("category %q", c)
		}
	}
}

func FuzzCascade(f *testing.F) {
	for _, s := range []string{"", "I want my money back", "\xff\xfe", "日本語 nobody came", strings.Repeat("a ", 3000), "né\u0301", "<b>never</b> again"} {
		f.Add("How did we do?", s)
		f.Add("", s)
	}
	f.Fuzz(func(t *testing.T, question, s string) {
		checkPrediction(t, s, cascade(t).Predict(s, Hints{Question: question}))
	})
}

// BenchmarkCascade reads messages it has not seen.
func BenchmarkCascade(b *testing.B) {
	c := cascade(b)
	for i := 0; b.Loop(); i++ {
		c.Predict(fmt.Sprintf("Visit %d: the engineer was to come at nine, we waited in all morning, and in the end a colleague rang to say that he had gone to another customer. We would like to know when somebody comes, and who pays for the day.", i), Hints{})
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
