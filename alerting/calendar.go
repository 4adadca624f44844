package alerting

import (
	"fmt"
	"slices"
	"time"

	"redalert/schemas"
)

// Calendar counts business time: the blocks of each weekday, less holidays, on
// the wall clock of one time zone. A minute is open when its local reading lies
// within a block, so an hour that a clock change leaves out is not counted and
// one that it repeats counts twice. Without any block it is open round the
// clock. The zero Calendar is open round the clock in UTC. Calendars are
// immutable and safe for concurrent use.
type Calendar struct {
	loc      *time.Location
	days     [7][]span // minutes since midnight, sorted, apart from each other
	holidays map[string]bool
	always   bool
}

type span struct{ from, to int }

// horizon bounds the search for opening time: a calendar that opens on no day
// of five years is treated as always open from there on.
const horizon = 5 * 366 * 24 * time.Hour

// NewCalendar builds a calendar; loc nil is UTC. It refuses blocks that are
// not "HH:MM" with From before To, naming the block.
func NewCalendar(h schemas.Hours, holidays []string, loc *time.Location) (Calendar, error) {
	if loc == nil {
		loc = time.UTC
	}
	c := Calendar{loc: loc, holidays: map[string]bool{}, always: h.Empty()}
	for d, blocks := range h {
		for _, b := range blocks {
			from, err1 := clockMinutes(b.From)
			to, err2 := clockMinutes(b.To)
			if err1 != nil || err2 != nil || from >= to {
				return Calendar{}, fmt.Errorf("opening hours of %s: %q to %q is no stretch of time such as 08:00 to 18:00", time.Weekday(d), b.From, b.To)
			}
			c.days[d] = append(c.days[d], span{from, to})
		}
		c.days[d] = mergeSpans(c.days[d])
	}
	for _, d := range holidays {
		if _, err := time.Parse(time.DateOnly, d); err != nil {
			return Calendar{}, fmt.Errorf("holiday %q is no date such as 2026-12-25", d)
		}
		c.holidays[d] = true
	}
	return c, nil
}

// CalendarFor is the calendar of a location: its own hours and time zone where
// it has them, else the business's. Settings that cannot be read (they are
// checked when saved) count as open round the clock.
func CalendarFor(s schemas.Settings, b schemas.Business, location string) Calendar {
	hours, loc := s.Hours, b.Timezone
	for _, l := range s.Locations {
		if l.Name != location {
			continue
		}
		if !l.Hours.Empty() {
			hours = l.Hours
		}
		if l.Timezone != "" {
			if z, err := time.LoadLocation(l.Timezone); err == nil {
				loc = z
			}
		}
	}
	c, err := NewCalendar(hours, s.Holidays, loc)
	if err != nil {
		return Calendar{loc: loc, always: true}
	}
	return c
}

func mergeSpans(s []span) []span {
	slices.SortFunc(s, func(a, b span) int { return a.from - b.from })
	var out []span
	for _, x := range s {
		if n := len(out); n > 0 && x.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, x.to)
			continue
		}
		out = append(out, x)
	}
	return out
}

// clockMinutes reads "HH:MM", 00:00 to 24:00, as minutes since midnight.
func clockMinutes(s string) (int, error) {
	if s == "24:00" {
		return 24 * 60, nil
	}
	t, err := time.Parse("15:04", s)
	if err != nil || len(s) != 5 {
		return 0, fmt.Errorf("%q is no time of day such as 07:30", s)
	}
	return t.Hour()*60 + t.Minute(), nil
}

// zone is the location to read wall clocks in; never nil.
func (c Calendar) zone() *time.Location {
	if c.loc == nil {
		return time.UTC
	}
	return c.loc
}

// next answers the first open stretch [from, to) that ends after t, its start
// not before t. ok is false when none begins before limit. Within stretches of
// one UTC offset the wall clock is UTC shifted, so blocks map to instants
// exactly; at clock changes stretches are cut.
func (c Calendar) next(t, limit time.Time) (from, to time.Time, ok bool) {
	for t.Before(limit) {
		local := t.In(c.zone())
		_, off := local.Zone()
		_, end := local.ZoneBounds()
		shift := time.Duration(off) * time.Second
		wall := t.UTC().Add(shift)
		for day := wall.Truncate(24 * time.Hour); ; day = day.Add(24 * time.Hour) {
			start := day.Add(-shift)
			if !end.IsZero() && !start.Before(end) {
				break
			}
			if !start.Before(limit) {
				return t, t, false
			}
			for _, b := range c.blocks(day) {
				from = latest(t, start.Add(time.Duration(b.from)*time.Minute))
				to = start.Add(time.Duration(b.to) * time.Minute)
				if !end.IsZero() && to.After(end) {
					to = end
				}
				if from.Before(to) {
					return from, to, true
				}
			}
		}
		t = end
	}
	return t, t, false
}

// blocks are those of a wall-clock day, given as its midnight in fake UTC.
func (c Calendar) blocks(day time.Time) []span {
	if c.holidays[day.Format(time.DateOnly)] {
		return nil
	}
	return c.days[day.Weekday()]
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Add answers the instant at which d of business time has passed since t; for
// d ≤ 0 it answers t.
func (c Calendar) Add(t time.Time, d time.Duration) time.Time {
	if d <= 0 {
		return t
	}
	if c.always || (c.holidays == nil && c.loc == nil) {
		return t.Add(d)
	}
	at := t
	for {
		from, to, ok := c.next(at, at.Add(horizon))
		if !ok {
			return at.Add(d)
		}
		if open := to.Sub(from); open >= d {
			return from.Add(d).UTC()
		} else {
			d -= open
		}
		at = to
	}
}

// Between is the business time from a to b; 0 when b is not after a.
func (c Calendar) Between(a, b time.Time) time.Duration {
	if !b.After(a) {
		return 0
	}
	if c.always || (c.holidays == nil && c.loc == nil) {
		return b.Sub(a)
	}
	var sum time.Duration
	for at := a; at.Before(b); {
		from, to, ok := c.next(at, b)
		if !ok || !from.Before(b) {
			break
		}
		if to.After(b) {
			to = b
		}
		sum += to.Sub(from)
		at = to
	}
	return sum
}
