package unusual

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/quick"
	"time"

	"github.com/google/go-cmp/cmp"

	"redalert/schemas"
)

// ledger collects counts.
type ledger struct{ counts []Count }

func (l *ledger) day(d int, source, place, category string, red, quiet int64) {
	day := day0.AddDate(0, 0, d).Format(time.DateOnly)
	l.counts = append(l.counts, Count{Day: day, Source: source, Location: place, Red: red, N: red + quiet})
	if category != "" && red > 0 {
		l.counts = append(l.counts, Count{Day: day, Source: source, Location: place, Category: category, Red: red})
	}
}

// steady is a business with two missed appointments a week at North and one at
// East, 35 other events a week at each, from week to week the same.
func steady(weeks int) *ledger {
	l := &ledger{}
	for d := range 7 * weeks {
		red := int64(0)
		if d%7 == 1 || d%7 == 4 {
			red = 1
		}
		l.day(d, "care", "North", "missed_appointment", red, 5)
		l.day(d, "care", "East", "missed_appointment", red*int64(d%7/4), 5)
	}
	return l
}

// since leaves out what was before a week.
func since(l *ledger, week int) *ledger {
	first := day0.AddDate(0, 0, 7*week).Format(time.DateOnly)
	l.counts = slices.DeleteFunc(l.counts, func(c Count) bool { return c.Day < first })
	return l
}

func find(t *testing.T, l *ledger, day int, locations ...string) []string {
	t.Helper()
	got, err := Find(l.counts, day0.AddDate(0, 0, day).Format(time.DateOnly), locations)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, u := range got {
		out = append(out, u.Title())
	}
	return out
}

func TestFind(t *testing.T) {
	const now = 7 * 20 // Monday of week 20
	burst := func(l *ledger, day int, red, quiet int64) *ledger {
		l.day(now+day, "care", "North", "missed_appointment", red, quiet)
		return l
	}
	nine := []string{"Missed appointments at North: 9 this week, usually 2"}
	for _, tt := range []struct {
		name   string
		ledger *ledger
		day    int
		seen   []string
		want   []string
	}{
		{"nothing changes", steady(21), now + 6, nil, nil},
		{"nothing came at all", steady(20), now + 6, nil, nil},
		{"the example of the issue", burst(burst(steady(20), 1, 4, 5), 5, 5, 5), now + 6, nil, nine},
		{"a viewer of that location", burst(steady(20), 5, 9, 5), now + 6, []string{"North"}, nine},
		{"a viewer of another", burst(steady(20), 5, 9, 5), now + 6, []string{"East"}, nil},
		{"a viewer of none that exists", burst(steady(20), 5, 9, 5), now + 6, []string{"West"}, nil},
		{"too few earlier weeks", since(burst(steady(20), 5, 9, 5), 15), now + 6, nil, nil},
		{"fewer than four alerts", burst(steady(20), 0, 3, 0), now, nil, nil},
		{"just enough of them", since(burst(steady(20), 5, 9, 5), 14), now + 6, nil, nine},
		{"so far this week", burst(steady(20), 1, 7, 5), now + 2, nil, []string{"Missed appointments at North: 7 this week, usually 1"}},
		{"eleven times the messages and five times the alerts", burst(steady(20), 5, 10, 385), now + 6, nil, nil},
		{"a little more volume, many more alerts", burst(steady(20), 5, 12, 50), now + 6, nil, []string{"Missed appointments at North: 12 this week, usually 2"}},
		{"across Monday it is the last seven days", burst(burst(steady(20), -2, 5, 5), 0, 4, 5), now, nil,
			[]string{"Missed appointments at North: 11 in the last 7 days, usually 2"}},
		{"last week's are past", burst(steady(21), 5, 9, 5), now + 14, nil, nil},
	} {
		if got := find(t, tt.ledger, tt.day, tt.seen...); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestSeason: what the same weeks brought a year before is ordinary.
func TestSeason(t *testing.T) {
	rush := func(lastYear bool) *ledger {
		l := steady(90)
		for w := 20; w < 80; w++ {
			for _, d := range []int{0, 2, 3} {
				l.day(7*w+d, "care", "North", "missed_appointment", 2, 0) // eight a week
			}
		}
		for _, w := range []int{83 - 52 - 1, 83 - 52, 83 - 52 + 1} {
			if lastYear {
				l.day(7*w+1, "care", "North", "missed_appointment", 24, 0)
			}
		}
		for w := 80; w < 84; w++ {
			for _, d := range []int{0, 2, 3} {
				l.day(7*w+d, "care", "North", "missed_appointment", 2, 0)
			}
		}
		l.day(7*83+1, "care", "North", "missed_appointment", 16, 0)
		return l
	}
	if got := find(t, rush(false), 7*83+6); !slices.Equal(got, []string{"Missed appointments at North: 24 this week, usually 8"}) {
		t.Errorf("in a year without a rush: %q", got)
	}
	if got := find(t, rush(true), 7*83+6); len(got) != 0 {
		t.Errorf("with the same rush a year before: %q", got)
	}
}

// TestNarrowestGroup: a rise at one place of one kind is told once; one of every
// kind at a place is told of the place; one of a source of the source.
func TestNarrowestGroup(t *testing.T) {
	kinds := []string{"late", "quality", "billing", "rude"}
	for _, tt := range []struct {
		name string
		add  func(l *ledger)
		want []string
	}{
		{"a place", func(l *ledger) {
			for _, k := range kinds {
				l.day(7*20+3, "care", "North", k, 4, 0)
			}
		}, []string{"Red alerts at North: 20 this week, usually 4"}},
		{"a source", func(l *ledger) {
			for i, k := range kinds {
				l.day(7*20+3, "town", []string{"North", "East"}[i%2], k, 4, 0)
			}
		}, []string{"Red alerts from town: 16 this week, usually none"}},
	} {
		l := &ledger{}
		for w := range 21 {
			for i, k := range kinds {
				for _, place := range []string{"North", "East"} {
					l.day(7*w+i, "care", place, k, 1, 10)
				}
				l.day(7*w+i, "town", "North", "", 0, 3)
			}
		}
		tt.add(l)
		if got := find(t, l, 7*20+6); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestFindNeedsDays(t *testing.T) {
	if _, err := Find(nil, "today", nil); err == nil {
		t.Error("a day that is none was taken")
	}
	if _, err := Find([]Count{{Day: "2026-02-30"}}, "2026-03-01", nil); err == nil {
		t.Error("a count of a day that is none was taken")
	}
	if _, err := Since("2026"); err == nil {
		t.Error("Since took a day that is none")
	}
	if got, err := Since("2026-03-04"); err != nil || got != "2024-11-18" {
		t.Errorf("Since: %s %v", got, err)
	}
}

// TestFindProperties: the order of counts does not matter, what a viewer may not
// see changes nothing, more alerts never make a group less unusual.
func TestFindProperties(t *testing.T) {
	check := func(seed uint64) bool {
		b := newBusiness(seed, 30, 1.5)
		counts := b.days(day0, 7*20, func(d int, g group) (float64, float64) {
			if d > 7*19 && g.location == "North" && g.category == "late" {
				return 6, 1
			}
			return 1, 1
		})
		today := day0.AddDate(0, 0, 7*20-1).Format(time.DateOnly)
		want, err := Find(counts, today, []string{"North", "East"})
		if err != nil {
			return false
		}
		rng := rand.New(rand.NewPCG(seed, 3))
		mixed := slices.DeleteFunc(slices.Clone(counts), func(c Count) bool { return c.Location == "South" })
		rng.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		got, err := Find(mixed, today, []string{"North", "East"})
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("seed %d: %s", seed, cmp.Diff(want, got))
			return false
		}
		for _, u := range want {
			if u.Count < MinCount || float64(u.Count) < MinRatio*u.Expected-0.02 || u.Location == "South" || u.Probability > Q || u.Expected < u.Usual-0.01 {
				t.Errorf("seed %d: %+v", seed, u)
			}
		}
		return true
	}
	if err := quick.Check(func(n uint16) bool { return check(uint64(n)) }, &quick.Config{MaxCount: 12, Rand: nil}); err != nil {
		t.Error(err)
	}
}

func TestTail(t *testing.T) {
	for _, tt := range []struct {
		y              int64
		mean, variance float64
		want           float64
	}{
		{0, 2, 2, 1}, {1, 2, 2, 1}, // not above the mean: ordinary
		{9, 2, 2, 2.374473e-4}, // Poisson
		{3, 0.1, 0.1, 1.546531e-4},
		{3, 0, 0, 0},
		{1200, 1000, 1000, 4.684204e-10}, // no underflow
	} {
		if got := tail(tt.y, tt.mean, tt.variance); math.Abs(got-tt.want) > 1e-5*tt.want {
			t.Errorf("P(Y ≥ %d), mean %v, variance %v: %v, want %v", tt.y, tt.mean, tt.variance, got, tt.want)
		}
	}
	// Against the plain sum of a negative binomial.
	for _, r := range []float64{0.3, 1, 7.5} {
		for _, mean := range []float64{0.2, 3, 20} {
			p := mean / (mean + r)
			pmf, below := math.Pow(1-p, r), 0.0
			for y := range int64(80) {
				if got := tail(y, mean, mean+mean*mean/r); float64(y) > mean && math.Abs(got-(1-below)) > 1e-9 {
					t.Fatalf("r %v mean %v y %d: %v, want %v", r, mean, y, got, 1-below)
				}
				below += pmf
				pmf *= (float64(y) + r) / float64(y+1) * p
			}
		}
	}
}

func TestTailFalls(t *testing.T) {
	for _, phi := range []float64{1, 1.3, 4} {
		for mean := 0.1; mean < 300; mean *= 1.7 {
			last := 1.0
			for y := range int64(3*mean) + 20 {
				p := tail(y, mean, phi*mean)
				if p > last+1e-12 || p < 0 || math.IsNaN(p) {
					t.Fatalf("mean %v φ %v: P(Y ≥ %d) = %v after %v", mean, phi, y, p, last)
				}
				last = p
			}
		}
	}
}

func TestFit(t *testing.T) {
	same := []float64{2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2}
	if u := fit(same); u.mean != 2 || u.phi != 1 || u.weeks != 12 {
		t.Errorf("%+v", u)
	}
	disaster := slices.Clone(same)
	disaster[4] = 40
	if u := fit(disaster); u.mean > 2.5 {
		t.Errorf("one disaster made %.2f usual", u.mean)
	}
	if u := fit(nil); u.phi != 1 || u.weeks != 0 {
		t.Errorf("%+v", u)
	}
	if u := fit(make([]float64, 8)); u.mean != 0 || u.phi != 1 || u.weeks != 8 {
		t.Errorf("%+v", u)
	}
	m1, v1 := usual{mean: 2, phi: 1, weeks: 6}.predict(1, 1)
	m2, v2 := usual{mean: 2, phi: 1, weeks: 12}.predict(1, 1)
	if v1/m1 <= v2/m2 || m1 <= 2 || v1 <= m1 {
		t.Errorf("fewer weeks should say less: %v/%v, %v/%v", v1, m1, v2, m2)
	}
}

func TestDiscoveries(t *testing.T) {
	for _, tt := range []struct {
		ps   []float64
		want float64
	}{
		{nil, -1}, {[]float64{0.9, 0.5}, -1}, {[]float64{0.01, 0.9}, 0.01},
		{[]float64{0.01, 0.02, 0.03, 0.5}, 0.03}, // Benjamini and Hochberg step up: 0.03 ≤ 3/4 · 0.05
		{[]float64{0.04, 0.045}, 0.045},          // none alone, both together
	} {
		if got := discoveries(tt.ps, 0.05); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.ps, got, tt.want)
		}
	}
}

func TestWords(t *testing.T) {
	u := schemas.Unusual{Location: "North", Category: schemas.CatMissedAppointment, Count: 9, Usual: 2.1, Expected: 2.3, Quiet: 41, UsualQuiet: 38, Weeks: 12, ThisWeek: true,
		From: "2026-03-02", Through: "2026-03-05"}
	if got := u.Title(); got != "Missed appointments at North: 9 this week, usually 2" {
		t.Error(got)
	}
	if got := u.Path(); got != "/trends/unusual?category=missed_appointment&from=2026-03-02&location=North&through=2026-03-05" {
		t.Error(got)
	}
	u.MoreVolume, u.LastYear, u.Category, u.Source, u.Location = true, true, "odd_thing", "care", ""
	if got := u.Group() + "; " + u.Why(); got != "Red alerts about odd thing from care; Compared with the same days of 12 earlier weeks and the same weeks last year; there were more other messages, too (41, usually 38), but that explains only about 2." {
		t.Error(got)
	}
	for _, c := range schemas.Categories() {
		if g := (schemas.Unusual{Category: c}).Group(); g == "" || len(g) > 40 || c != schemas.CatOther && g[:3] == "Red" {
			t.Errorf("%s is called %q", c, g)
		}
	}
}
