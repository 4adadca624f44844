package alerting

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"redalert/schemas"
)

// openAt is the definition the calendar is held to: a minute is open when its
// wall clock lies in a block of a day that is no holiday.
func openAt(h schemas.Hours, holidays map[string]bool, loc *time.Location, t time.Time) bool {
	l := t.In(loc)
	if h.Empty() {
		return true
	}
	if holidays[l.Format(time.DateOnly)] {
		return false
	}
	hm := l.Format("15:04")
	for _, b := range h[l.Weekday()] {
		if b.From <= hm && hm < b.To {
			return true
		}
	}
	return false
}

func genHours(t *rapid.T) schemas.Hours {
	var h schemas.Hours
	marks := []string{"00:00", "01:30", "02:00", "02:30", "03:15", "08:00", "12:00", "13:00", "18:00", "23:00", "24:00"}
	for d := range h {
		for range rapid.IntRange(0, 3).Draw(t, "blocks") {
			i := rapid.IntRange(0, len(marks)-2).Draw(t, "from")
			j := rapid.IntRange(i+1, len(marks)-1).Draw(t, "to")
			h[d] = append(h[d], schemas.Block{From: marks[i], To: marks[j]})
		}
	}
	return h
}

func TestCalendarAgreesWithAMinuteWalker(t *testing.T) {
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Sao_Paulo"}
	starts := []time.Time{ // clock changes of 2026 in both hemispheres, and a plain week
		time.Date(2026, 3, 27, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 23, 0, 0, 0, 0, time.UTC),
		time.Date(2026, 3, 6, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 31, 0, 0, 0, 0, time.UTC),
		time.Date(2026, 4, 3, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 2, 0, 0, 0, 0, time.UTC), monday}
	rapid.Check(t, func(t *rapid.T) {
		loc, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		h := genHours(t)
		a := rapid.SampledFrom(starts).Draw(t, "start").Add(time.Duration(rapid.IntRange(0, 1439).Draw(t, "minute")) * time.Minute)
		holidays := []string{a.In(loc).AddDate(0, 0, rapid.IntRange(0, 3).Draw(t, "holiday")).Format(time.DateOnly)}
		cal, err := NewCalendar(h, holidays, loc)
		if err != nil {
			t.Fatal(err)
		}
		n := rapid.IntRange(0, 4*1440).Draw(t, "span")
		var want int
		for i := range n {
			if openAt(h, map[string]bool{holidays[0]: true}, loc, a.Add(time.Duration(i)*time.Minute)) {
				want++
			}
		}
		b := a.Add(time.Duration(n) * time.Minute)
		if got := cal.Between(a, b); got != time.Duration(want)*time.Minute {
			t.Fatalf("Between(%v, %v) = %v, the walker counts %d min", a.In(loc), b.In(loc), got, want)
		}
		if want == 0 {
			return
		}
		d := time.Duration(rapid.IntRange(1, want).Draw(t, "add")) * time.Minute
		end := cal.Add(a, d)
		if got := cal.Between(a, end); got != d {
			t.Fatalf("Add(%v, %v) = %v, which is %v of business time away", a.In(loc), d, end.In(loc), got)
		}
		if got := cal.Between(a, end.Add(-time.Minute)); got >= d {
			t.Fatalf("Add(%v, %v) = %v is not the earliest such instant", a.In(loc), d, end.In(loc))
		}
	})
}

func TestCalendarRows(t *testing.T) {
	day := []schemas.Block{{From: "08:00", To: "12:00"}, {From: "13:00", To: "18:00"}}
	week := schemas.Hours{nil, day, day, day, day, day, nil}
	cal, err := NewCalendar(week, []string{"2026-03-03"}, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		at   time.Time
		d    time.Duration
		want time.Time
	}{
		"within a block":             {monday, time.Hour, monday.Add(time.Hour)},
		"over lunch":                 {monday.Add(2 * time.Hour), 2 * time.Hour, monday.Add(5 * time.Hour)},
		"over night and a holiday":   {monday.Add(8 * time.Hour), 2 * time.Hour, monday.AddDate(0, 0, 2)},
		"over a weekend":             {monday.AddDate(0, 0, 4).Add(8 * time.Hour), 2 * time.Hour, monday.AddDate(0, 0, 7)},
		"from the middle of a night": {monday.Add(-6 * time.Hour), 30 * time.Minute, monday.Add(-30 * time.Minute)},
		"nothing to add":             {monday.Add(-6 * time.Hour), 0, monday.Add(-6 * time.Hour)},
		"exactly to closing":         {monday.Add(8 * time.Hour), time.Hour, monday.Add(9 * time.Hour)},
	} {
		if got := cal.Add(c.at, c.d); !got.Equal(c.want) {
			t.Errorf("%s: Add(%v, %v) = %v, want %v", name, c.at, c.d, got, c.want)
		}
	}
}

func TestCalendarCountsARepeatedHourTwice(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	cal, err := NewCalendar(schemas.Hours{time.Sunday: {{From: "00:00", To: "02:30"}}}, nil, berlin)
	if err != nil {
		t.Fatal(err)
	}
	autumn, spring := time.Date(2026, 10, 24, 22, 0, 0, 0, time.UTC), time.Date(2026, 3, 28, 23, 0, 0, 0, time.UTC)
	for start, want := range map[time.Time]time.Duration{autumn: 3 * time.Hour, spring: 2 * time.Hour} {
		if got := cal.Between(start, start.Add(24*time.Hour)); got != want {
			t.Errorf("%v: open for %v, want %v", start.In(berlin), got, want)
		}
	}
	if got, want := cal.Between(autumn, autumn.Add(3*time.Hour+time.Minute)), 2*time.Hour+31*time.Minute; got != want {
		t.Errorf("up to a minute into the repeated hour: %v, want %v", got, want)
	}
}

func TestCalendarWithoutOpeningEnds(t *testing.T) {
	var h schemas.Hours
	h[time.Monday] = []schemas.Block{{From: "08:00", To: "09:00"}}
	var holidays []string
	for d := monday; d.Before(monday.AddDate(6, 0, 0)); d = d.AddDate(0, 0, 7) {
		holidays = append(holidays, d.Format(time.DateOnly))
	}
	cal, err := NewCalendar(h, holidays, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	if got := cal.Add(monday, time.Hour); !got.After(monday) {
		t.Fatalf("Add = %v, want some later instant", got)
	}
	if got := (Calendar{}).Add(monday, time.Hour); !got.Equal(monday.Add(time.Hour)) {
		t.Fatalf("the zero calendar is open round the clock, Add = %v", got)
	}
}

func TestCalendarRefusesWhatIsNoTime(t *testing.T) {
	for _, b := range []schemas.Block{{From: "8:00", To: "18:00"}, {From: "18:00", To: "08:00"}, {From: "08:00", To: "25:00"}, {From: "08:00", To: "08:00"}} {
		if _, err := NewCalendar(schemas.Hours{1: {b}}, nil, nil); err == nil {
			t.Errorf("block %v was taken", b)
		}
	}
	if _, err := NewCalendar(schemas.Hours{}, []string{"25.12.2026"}, nil); err == nil {
		t.Error("a holiday that is no date was taken")
	}
}

func TestCalendarForALocation(t *testing.T) {
	s := schemas.DefaultSettings()
	s.Locations = []schemas.Location{{Name: "East", Timezone: "Asia/Tokyo", Hours: schemas.Hours{1: {{From: "20:00", To: "22:00"}}}}}
	east := CalendarFor(s, schemas.Business{Timezone: time.UTC}, "East")
	if got, want := east.Add(monday, time.Hour), time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("East: %v, want %v", got, want)
	}
	if got, want := CalendarFor(s, schemas.Business{}, "North").Add(monday, time.Hour), monday.Add(time.Hour); !got.Equal(want) {
		t.Errorf("North: %v, want %v", got, want)
	}
}
