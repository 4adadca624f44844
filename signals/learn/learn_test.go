package learn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"redalert/schemas"
)

func TestMath(t *testing.T) {
	for x := -30.0; x <= 30; x += 0.37 {
		if got, want := exp(x), math.Exp(x); math.Abs(got-want) > 1e-12*want {
			t.Fatalf("exp(%v) = %v, want %v", x, got, want)
		}
		if y := math.Exp(x); math.Abs(log(y)-x) > 1e-11 {
			t.Fatalf("log(%v) = %v, want %v", y, log(y), x)
		}
	}
	if z := logit(0); z != -most {
		t.Errorf("logit(0) = %v", z)
	}
	if z := logit(1); z != most {
		t.Errorf("logit(1) = %v", z)
	}
	if z := logit(math.NaN()); z != -most {
		t.Errorf("logit(NaN) = %v", z)
	}
}

func TestVersion(t *testing.T) {
	if Version("text-3", 0) != "text-3" || Version("text-3", 2) != "text-3+own-2" {
		t.Error(Version("text-3", 0), Version("text-3", 2))
	}
}

func TestCorrect(t *testing.T) {
	own := func(bias, slope float64) *schemas.Layer {
		return &schemas.Layer{Number: 1, Bias: bias, Slope: slope, Sources: map[string]float64{"reviews": -1}, Topics: map[string]float64{"late": 1}}
	}
	for _, tt := range []struct {
		name   string
		l      *schemas.Layer
		p      float64
		source string
		topics []string
		want   float64
	}{
		{"no layer", nil, 0.7, "", nil, 0.7},
		{"not fitted", &schemas.Layer{}, 0.7, "", nil, 0.7},
		{"as shipped", own(0, 1), 0.7, "shop", nil, 0.7},
		{"quiet stays quiet", own(5, 1), 0.4999, "", nil, 0.4999},
		{"review may become red", own(2, 1), 0.6, "", nil, 0.9172},
		{"review may become quiet", own(-3, 1), 0.6, "", nil, 0.4999},
		{"red goes down to review at most", own(-8, 1), 0.99, "", nil, 0.5},
		{"a source", own(0, 1), 0.7, "reviews", nil, 0.4999},
		{"a topic, once", own(0, 1), 0.6, "", []string{"late", "price", "late"}, 0.803},
		{"sure", own(0, 1), 1, "", nil, 0.9997},
		{"no number", own(math.NaN(), 1), 0.9, "", nil, 0.5},
	} {
		if got := Correct(tt.l, tt.p, tt.source, tt.topics); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestCorrectRises: whatever the layer, what the model finds worse stays at
// least as bad, within 0 and 1, and red by the model is never hidden.
func TestCorrectRises(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		l := &schemas.Layer{Bias: rnd.NormFloat64() * 4, Slope: 0.01 + rnd.ExpFloat64()*2, Sources: map[string]float64{"a": rnd.NormFloat64() * 4},
			Topics: map[string]float64{"x": rnd.NormFloat64() * 4}}
		was := -1.0
		for p := 0.0; p <= 1; p += 0.01 {
			q := Correct(l, p, "a", []string{"x"})
			if q < was || q < 0 || q > 1 {
				t.Fatalf("%+v: %v after %v at %v", l, q, was, p)
			}
			if was = q; p >= schemas.RedThreshold && q < schemas.ReviewThreshold {
				t.Fatalf("%+v hides %v", l, p)
			}
		}
	}
}

// business makes decisions of one whose words the shipped model misreads:
// shift is what its true logit is off by, for a source and a topic.
func business(seed uint64, n int, shift, source, topic float64) []Example {
	rnd := rand.New(rand.NewPCG(seed, 9))
	var xs []Example
	for len(xs) < n {
		z := rnd.NormFloat64() * 2
		p := round(sigmoid(z))
		if p < schemas.ReviewThreshold {
			continue
		}
		x := Example{EventID: fmt.Sprintf("event-%d-%d", seed, len(xs)), P: p, Source: "shop"}
		z += shift
		if rnd.IntN(2) == 0 {
			x.Source = "reviews"
			z += source
		}
		if rnd.IntN(3) == 0 {
			x.Topics = []string{"price"}
			z += topic
		}
		x.Red = rnd.Float64() < sigmoid(z)
		xs = append(xs, x)
	}
	return xs
}

func TestFitNeedsDecisions(t *testing.T) {
	xs := business(1, 29, 0, -2, 0)
	if l := Fit(xs); l.Report.Accepted || l.Report.Why == "" || l.Report.Decisions != 29 {
		t.Errorf("29 decisions: %+v", l.Report)
	}
	for i := range xs {
		xs[i].Red = true
	}
	if l := Fit(append(xs, business(2, 30, 0, 0, 0)[:1]...)); l.Report.Accepted || l.Report.Why == "" {
		t.Errorf("hardly a no: %+v", l.Report)
	}
	if l := Fit(nil); l.Report.Accepted || l.Slope != 1 {
		t.Errorf("nothing: %+v", l)
	}
	quiet := make([]Example, 100)
	for i := range quiet {
		quiet[i] = Example{EventID: fmt.Sprint(i), P: 0.49, Red: i%2 == 0}
	}
	if l := Fit(quiet); l.Report.Decisions != 0 {
		t.Errorf("what the layer never touches counts: %+v", l.Report)
	}
}

// TestFitLearns: a source that is misread is found, and on fresh messages of the
// same business the layer is surer than the shipped model.
func TestFitLearns(t *testing.T) {
	for _, n := range []int{60, 200, 1000} {
		used, better := 0, 0
		for seed := range uint64(20) {
			l := Fit(business(seed, n, 0, -2, 1))
			if !l.Report.Accepted {
				continue
			}
			used++
			fresh := business(1000+seed, 2000, 0, -2, 1)
			shipped, taught := make([]float64, len(fresh)), make([]float64, len(fresh))
			for i, x := range fresh {
				shipped[i], taught[i] = x.P, Correct(&l, x.P, x.Source, x.Topics)
			}
			if logLoss(fresh, taught) < logLoss(fresh, shipped) {
				better++
			}
			if l.Sources["reviews"] >= l.Sources["shop"] {
				t.Errorf("n %d seed %d: weights %v", n, seed, l.Sources)
			}
		}
		t.Logf("%d decisions: used for %d of 20 businesses, truly better for %d of them", n, used, better)
		if used < 12 || better < used-1 {
			t.Errorf("%d decisions: used %d, better %d", n, used, better)
		}
	}
}

// TestFitDoesLittleHarm: where the shipped model is right as it is, a layer is
// seldom used, and what is used changes little.
func TestFitDoesLittleHarm(t *testing.T) {
	used, worst := 0, 0.0
	for seed := range uint64(40) {
		l := Fit(business(seed, 100, 0, 0, 0))
		if !l.Report.Accepted {
			continue
		}
		used++
		fresh := business(1000+seed, 2000, 0, 0, 0)
		shipped, taught := make([]float64, len(fresh)), make([]float64, len(fresh))
		for i, x := range fresh {
			shipped[i], taught[i] = x.P, Correct(&l, x.P, x.Source, x.Topics)
		}
		worst = max(worst, logLoss(fresh, taught)-logLoss(fresh, shipped))
	}
	t.Logf("used for %d of 40, log loss up by %.4f at worst", used, worst)
	if used > 16 || worst > 0.04 {
		t.Errorf("used %d, worst %.4f", used, worst)
	}
}

// TestFitIsDeterministic: the order of decisions, and saying one twice, change
// nothing.
func TestFitIsDeterministic(t *testing.T) {
	xs := business(3, 120, 0.5, -1, 1)
	want := Fit(xs)
	mixed := slices.Clone(xs)
	rand.New(rand.NewPCG(5, 5)).Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
	if got := Fit(mixed); !reflect.DeepEqual(got, want) {
		t.Errorf("another order, another layer:\n%+v\n%+v", got, want)
	}
	if got := Fit(append(mixed, mixed[:9]...)); !reflect.DeepEqual(got, want) {
		t.Error("said twice, learned twice")
	}
	other := slices.Clone(xs)
	other[0].Red = !other[0].Red
	if Fit(other).Report.Digest == want.Report.Digest {
		t.Error("another decision, the same digest")
	}
	if want.Slope <= 0 {
		t.Errorf("slope %v", want.Slope)
	}
}

func TestPrecisionAt(t *testing.T) {
	xs := []Example{{Red: true}, {Red: false}, {Red: true}, {Red: false}}
	for _, tt := range []struct {
		p    []float64
		hits int
		want float64
	}{
		{[]float64{0.9, 0.8, 0.7, 0.6}, 1, 1},
		{[]float64{0.9, 0.8, 0.7, 0.6}, 2, 2.0 / 3},
		{[]float64{0.9, 0.9, 0.7, 0.6}, 1, 0.5},
		{[]float64{0.5, 0.9, 0.5, 0.5}, 2, 0.5},
	} {
		if got := precisionAt(xs, tt.p, tt.hits); got != tt.want {
			t.Errorf("%v at %d: %v, want %v", tt.p, tt.hits, got, tt.want)
		}
	}
}

func TestNoAlert(t *testing.T) {
	for reason, want := range map[string]bool{
		"False alarm": true, "This isn't a complaint.": true, "not a complaint, just a question": true, "Not a red alert — she is happy": true,
		"was a compliment": true, "It was a compliment!": true, "complimented": false, "misread by the machine": true,
		"duplicate, not a complaint": false, "test": false, "a joke": false, "": false, "spam": false, "solved by phone": false,
		"He is happy now": false, "customer is happy again": false, "already handled, no problem at all": false, "unhappy": false,
	} {
		if got := NoAlert(reason); got != want {
			t.Errorf("%q: %v", reason, got)
		}
	}
}

func FuzzNoAlert(f *testing.F) {
	for _, s := range []string{"not a complaint", "Duplicate of 12", "’’", "\xff no alert"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if NoAlert(s) && NoAlert(s+" (duplicate)") {
			t.Errorf("%q teaches although it is a duplicate", s)
		}
		if p := plain(s); plain(p) != p {
			t.Errorf("%q is not plain", p)
		}
	})
}

func TestFromCase(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	closed := func(s schemas.CaseState, reason string) schemas.Case {
		return schemas.Case{State: s, ClosedAt: &at, CloseReason: reason, Assignee: "ana@example.com", EventIDs: []string{"a", "b"}}
	}
	merged := closed(schemas.StateDismissed, "false alarm")
	merged.MergedInto = "other"
	for _, tt := range []struct {
		name  string
		c     schemas.Case
		n     int
		red   bool
		cause schemas.MarkCause
	}{
		{"recovered", closed(schemas.StateRecovered, ""), 2, true, schemas.MarkRecovered},
		{"lost", closed(schemas.StateLost, "gone"), 2, true, schemas.MarkLost},
		{"dismissed", closed(schemas.StateDismissed, "false alarm"), 2, false, schemas.MarkDismissed},
		{"dismissed otherwise", closed(schemas.StateDismissed, "a test"), 0, false, ""},
		{"merged", merged, 0, false, ""},
		{"open", schemas.Case{State: schemas.StateNew, EventIDs: []string{"a"}}, 0, false, ""},
	} {
		got := FromCase(tt.c)
		if len(got) != tt.n {
			t.Errorf("%s: %v", tt.name, got)
			continue
		}
		for i, m := range got {
			if m.Red != tt.red || m.Cause != tt.cause || m.EventID != tt.c.EventIDs[i] || m.By != "ana@example.com" || !m.At.Equal(at) {
				t.Errorf("%s: %+v", tt.name, m)
			}
		}
	}
}

func TestJoin(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	derived := []schemas.Mark{{EventID: "a", Red: true, At: at.Add(time.Hour)}, {EventID: "a", Red: false, At: at}, {EventID: "b", Red: true, At: at}}
	said := []schemas.Mark{{EventID: "b", Red: false, Cause: schemas.MarkSaid, At: at.Add(-time.Hour)}}
	got := Join(said, derived)
	if len(got) != 2 || !got["a"].Red || got["b"].Red || got["b"].Cause != schemas.MarkSaid {
		t.Errorf("%+v", got)
	}
}
