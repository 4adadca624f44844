package early

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestMeasure(t *testing.T) {
	const last = 200
	silences := []Silence{
		{Begins: 0, Visible: 60, Next: None, Flagged: []int{20}},                                  // lost, flagged 40 days before
		{Begins: 10, Visible: 70, Next: 90},                                                       // lost, not flagged; came back later
		{Begins: 100, Visible: 160, Next: None, Risk: []float64{0.2, 0.5, 0.9}},                   // lost; risk 0.5 from day 101
		{Begins: 0, Visible: 60, Next: 30, Flagged: []int{29}},                                    // flagged in vain
		{Begins: 30, Visible: 90, Next: 31, Flagged: []int{31}},                                   // flagged on the day of the next order: too late to count
		{Begins: 150, Visible: 210, Next: None, Flagged: []int{150}, Risk: []float64{1, 1, 1, 1}}, // not decided yet
	}
	for _, c := range []struct {
		name      string
		threshold float64
		want      Figures
	}{
		{"red alerts alone", 2, Figures{Lost: 3, Flagged: 1, Lead: 0, LeadFlagged: 40, FalseAlarms: 1}},
		{"a risk of a half is an alarm, too", 0.5, Figures{Lost: 3, Flagged: 2, Lead: 40, LeadFlagged: 40, FalseAlarms: 1}},
		{"a risk nobody reaches", 0.95, Figures{Lost: 3, Flagged: 1, Lead: 0, LeadFlagged: 40, FalseAlarms: 1}},
	} {
		got := Measure(silences, c.threshold, last)
		if got.Lost != c.want.Lost || got.Flagged != c.want.Flagged || got.Lead != c.want.Lead || got.LeadFlagged != c.want.LeadFlagged || got.FalseAlarms != c.want.FalseAlarms {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
		if months := float64(60+60+60+30+1+51) / daysAMonth; math.Abs(got.Months-months) > 1e-9 || math.Abs(float64(got.Rate)-100/months) > 1e-9 {
			t.Errorf("%s: %v months, rate %v", c.name, got.Months, got.Rate)
		}
	}
}

func TestEarliest(t *testing.T) {
	silences := []Silence{
		{Begins: 0, Visible: 60, Next: None, Risk: []float64{0.3, 0.4, 0.5, 0.6}},
		{Begins: 0, Visible: 60, Next: 2, Risk: []float64{0.3, 0.4}},
	}
	for lead, want := range map[int]float64{57: 0.6, 58: 0.5, 60: 0.3} {
		if f, ok := Earliest(silences, lead, 100); !ok || float64(f.Threshold) != want || f.Lead != lead {
			t.Errorf("%d days: %+v %v, want from %v", lead, f, ok, want)
		}
	}
	if f, ok := Earliest(silences, 61, 100); ok {
		t.Errorf("nobody is flagged before they bought: %+v", f)
	}
	if _, ok := Earliest(nil, 30, 100); ok {
		t.Error("nobody was lost")
	}
}

func TestNobody(t *testing.T) {
	if f := Measure(nil, 0.5, 10); f.Lost != 0 || f.Lead != 0 || !math.IsNaN(float64(f.Rate)) {
		t.Errorf("%+v", f)
	}
}

// TestCurve: a lower threshold never flags later, fewer, or less in vain.
func TestCurve(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const last = 120
		silences := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Silence {
			begins := rapid.IntRange(0, 100).Draw(t, "begins")
			s := Silence{Begins: begins, Visible: begins + rapid.IntRange(10, 80).Draw(t, "allowed"), Next: None}
			if rapid.Bool().Draw(t, "again") {
				s.Next = begins + rapid.IntRange(1, 90).Draw(t, "gap")
			}
			if rapid.Bool().Draw(t, "flagged") {
				s.Flagged = []int{begins + rapid.IntRange(0, 90).Draw(t, "flag")}
			}
			s.Risk = rapid.SliceOfN(rapid.Float64Range(0, 1), 0, 90).Draw(t, "risk")
			return s
		}), 1, 30).Draw(t, "silences")
		curve := Curve(silences, []float64{0.1, 0.9, 0.5}, last)
		for i := 1; i < len(curve); i++ {
			a, b := curve[i-1], curve[i]
			if b.Flagged < a.Flagged || b.Lead < a.Lead || b.FalseAlarms < a.FalseAlarms || a.Lost != b.Lost || a.Months != b.Months {
				t.Fatalf("%+v, then %+v", a, b)
			}
			if b.Flagged > b.Lost || b.Lead < 0 {
				t.Fatalf("%+v", b)
			}
		}
	})
}
