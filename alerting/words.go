package alerting

import (
	"fmt"
	"strings"
	"time"

	"redalert/schemas"
)

// The functions here say times, counts and places as people say them.

// span words: "35 min", "2 h", "3 days".
func spanWords(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "1 min"
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

// clockWords: "15:00", "tomorrow 09:00", "Thu 09:00", "9 Mar 09:00".
func clockWords(t, now time.Time, loc *time.Location) string {
	t, now = t.In(loc), now.In(loc)
	switch days := dayNumber(t) - dayNumber(now); {
	case days == 0:
		return t.Format("15:04")
	case days == 1:
		return t.Format("tomorrow 15:04")
	case days == -1:
		return t.Format("yesterday 15:04")
	case days > 1 && days < 7:
		return t.Format("Mon 15:04")
	}
	return t.Format("2 Jan 15:04")
}

// dayNumber counts calendar days.
func dayNumber(t time.Time) int {
	y, m, d := t.Date()
	return int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// dueWords: "2 h late", "due 15:00", "waiting for the customer".
func dueWords(c schemas.Case, now time.Time, loc *time.Location) string {
	if c.State.Open() && c.PausedAt != nil {
		return "waiting for the customer"
	}
	due := c.Due()
	switch {
	case due == nil:
		return ""
	case !due.After(now):
		return spanWords(now.Sub(*due)) + " late"
	}
	return "due " + clockWords(*due, now, loc)
}

// ageWords: "open since 08:20", "open for 3 days".
func ageWords(opened, now time.Time, loc *time.Location) string {
	if now.Sub(opened) < 24*time.Hour {
		return "since " + clockWords(opened, now, loc)
	}
	return "for " + spanWords(now.Sub(opened))
}

// whyWords is the weightiest reason or two, in plain words.
func whyWords(c schemas.Case) string {
	var first, second *schemas.Reason
	for i := range c.Reasons {
		r := &c.Reasons[i]
		switch {
		case first == nil || r.Weight > first.Weight:
			first, second = r, first
		case second == nil || r.Weight > second.Weight:
			second = r
		}
	}
	switch {
	case first == nil:
		return "needs a look"
	case second == nil:
		return trimDot(first.Message)
	}
	return trimDot(first.Message) + " · " + trimDot(second.Message)
}

func trimDot(s string) string { return strings.TrimRight(oneLine(s), ".") }

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// nameOf is how mail names the customer of a case.
func nameOf(c schemas.Customer) string {
	if n := oneLine(c.DisplayName()); n != "" {
		return n
	}
	return "Unknown customer"
}

// placeWords names the locations a person looks after: one or two by name,
// more by number, none by the business's name.
func placeWords(locations []string, business string) string {
	switch len(locations) {
	case 0:
		return oneLine(business)
	case 1:
		return oneLine(locations[0])
	case 2:
		return oneLine(locations[0]) + " and " + oneLine(locations[1])
	}
	return fmt.Sprintf("%d locations", len(locations))
}

// initial is upper case for the first letter of a sentence.
func initial(s string) string {
	r := []rune(s)
	if len(r) == 0 {
		return s
	}
	return strings.ToUpper(string(r[:1])) + string(r[1:])
}

// zoneOf is the time zone a person reads clocks in.
func zoneOf(p Person, b schemas.Business) *time.Location {
	if p.Timezone != "" {
		if l, err := time.LoadLocation(p.Timezone); err == nil {
			return l
		}
	}
	if b.Timezone != nil {
		return b.Timezone
	}
	return time.UTC
}
