package signals_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"redalert/internal/memstore"
	"redalert/schemas"
	"redalert/signals"
	"redalert/signals/churn"
	"redalert/signals/churn/risk"
)

// grown is a business of some size and two years, in which who comes less than
// usual is on the way out: unlike the prior's, so that there is something to learn.
func grown(t testing.TB, customers int) *trade {
	b := newTrade(true)
	rng := rand.New(rand.NewPCG(9, 9))
	for c := range customers {
		every := 10 + rng.Float64()*30
		leaves := 200 + rng.IntN(900)
		for day := rng.Float64() * 200; day < 720 && int(day) < leaves; day += every * (0.7 + 0.6*rng.Float64()) {
			b.order(t, fmt.Sprintf("c%04d", c), morning(int(day)))
		}
	}
	return b
}

func (b *trade) refit(t testing.TB, at time.Time) signals.RiskFit {
	t.Helper()
	c := b.config()
	c.Fits = b.Store
	c.Schedule = memstore.New().Schedule()
	if _, err := signals.NewClock(c).Due(context.Background(), at); err != nil {
		t.Fatal(err)
	}
	fit, ok, err := signals.LoadRiskFit(context.Background(), b.Store)
	if err != nil || !ok {
		t.Fatalf("no fit: %v", err)
	}
	return fit
}

func TestClockRefitsChurnRisk(t *testing.T) {
	b := grown(t, 500)
	now := morning(720)
	risks := func(l signals.Fits) map[string]float64 {
		r := &signals.Risks{Context: b.facts, Fits: l, Zone: berlin, Now: func() time.Time { return now }}
		got, err := r.Of(t.Context(), []string{"c0001", "c0002", "c0003", "c0004", "c0005"})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	basis := func(l signals.Fits) string {
		s, err := (&signals.Risks{Context: b.facts, Fits: l, Zone: berlin}).Basis(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	general := risks(nil)
	if got := risks(b.Store); fmt.Sprint(got) != fmt.Sprint(general) {
		t.Errorf("before the first night: %v, want the prior's %v", got, general)
	}
	if s := basis(b.Store); !strings.Contains(s, "in general") {
		t.Errorf("rests on %q", s)
	}
	fit := b.refit(t, now)
	t.Logf("%d customers, %d examples, judged %+v", fit.Customers, fit.Examples, fit.Check)
	if !fit.Used || !fit.Check.Passed() || fit.Check.Learned > fit.Check.Prior || fit.Day != "2027-12-21" || fit.Model == nil || fit.Examples <= fit.Customers {
		t.Fatalf("fit %+v", fit)
	}
	learned := risks(b.Store)
	if len(learned) != len(general) || fmt.Sprint(learned) == fmt.Sprint(general) {
		t.Errorf("the fit is not used: %v", learned)
	}
	today, err := churn.ParseDay("2027-12-22")
	if err != nil {
		t.Fatal(err)
	}
	for id, p := range learned {
		if q, _ := fit.Model.Risk(risk.FromFacts(b.facts[id], berlin), today); q != p {
			t.Errorf("%s: %v, by the fit %v", id, p, q)
		}
	}
	if got, want := basis(b.Store), fmt.Sprintf("learned from %d customers, 22 December", fit.Customers); got != want {
		t.Errorf("rests on %q, want %q", got, want)
	}
	if again := b.refit(t, now); again.Check != fit.Check || again.Examples != fit.Examples {
		t.Errorf("another night's fit of the same: %+v and %+v", again.Check, fit.Check)
	}
}

// TestSmallBusinessKeepsThePrior: what cannot be checked is not used, and a fit
// that was used is given up when it no longer passes.
func TestSmallBusinessKeepsThePrior(t *testing.T) {
	b := grown(t, 12)
	if fit := b.refit(t, morning(720)); fit.Used || fit.Model != nil {
		t.Errorf("twelve customers: %+v", fit)
	}
	if fit := newTrade(true).refit(t, morning(720)); fit.Used || fit.Customers != 0 {
		t.Errorf("nobody: %+v", fit)
	}
	if s := (signals.RiskFit{Used: true, Customers: 1234567, At: morning(0)}).Basis(schemas.Business{}); s != "learned from 1,234,567 customers, 1 January" {
		t.Errorf("says %q", s)
	}
}

// TestUnreadableFitIsNone: of another version there is no fit; what is no JSON is
// an error.
func TestUnreadableFitIsNone(t *testing.T) {
	s := memstore.New()
	for doc, want := range map[string]bool{`{"used":true,"model":{"version":99}}`: true, `{"used":`: false} {
		if err := s.SaveFit(t.Context(), signals.RiskFitName, []byte(doc), noon); err != nil {
			t.Fatal(err)
		}
		if fit, ok, err := signals.LoadRiskFit(t.Context(), s); ok || fit.Used || (err == nil) != want {
			t.Errorf("%s: %+v, %v, %v", doc, fit, ok, err)
		}
	}
}

// TestRefitReadsASample: of a large business a part is read, each customer once,
// the same in whatever pages they come.
func TestRefitReadsASample(t *testing.T) {
	var all []string
	for i := range 3000 {
		all = append(all, fmt.Sprint("c", i))
	}
	want := signals.Sampled(all, 200)
	if len(want) != 200 || len(slices.Compact(slices.Sorted(slices.Values(want)))) != 200 {
		t.Fatalf("%d sampled", len(want))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	again := slices.Concat(all, all[:500])
	rng.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
	if got := signals.Sampled(again, 200); !slices.Equal(got, want) {
		t.Error("another order gives another sample")
	}
	if got := signals.Sampled(all[:50], 200); len(got) != 50 {
		t.Errorf("%d of 50", len(got))
	}
}
