package web

import (
	"fmt"
	"math"
	"strings"
	"time"

	"redalert/schemas"
)

// moment is an instant as people say it, with its exact form beside it.
type moment struct {
	ISO   string // for <time datetime>
	Exact string // for the tooltip and screen readers
	Text  string // "2 h ago", "due 15:00"
	Late  bool   // a deadline that has passed
	Soon  bool   // a deadline within the hour
}

// reader is the clock of whoever reads a page.
type reader struct {
	now  time.Time
	zone *time.Location
}

func (s *Server) clock(zone *time.Location) reader { return reader{now: s.Now(), zone: zone} }

func (c reader) moment(t time.Time, text string) *moment {
	return &moment{ISO: schemas.FormatTime(t), Exact: t.In(c.zone).Format("Monday 2 January 2006, 15:04"), Text: text}
}

// ago says how long ago something was; nil for no time.
func (c reader) ago(t *time.Time) *moment {
	if t == nil || t.IsZero() {
		return nil
	}
	d := c.now.Sub(*t)
	switch {
	case d < -time.Minute:
		return c.moment(*t, c.day(*t))
	case d < time.Minute:
		return c.moment(*t, "just now")
	case d < 7*24*time.Hour:
		return c.moment(*t, span(d)+" ago")
	}
	return c.moment(*t, c.date(*t))
}

// due says when something is due or how late it is.
func (c reader) due(t *time.Time) *moment {
	if t == nil {
		return nil
	}
	d := t.Sub(c.now)
	if d < 0 {
		m := c.moment(*t, span(-d)+" late")
		m.Late = true
		return m
	}
	m := c.moment(*t, "due "+c.day(*t))
	m.Soon = d <= time.Hour
	return m
}

// day says when in the near future or past: "15:00", "tomorrow 9:00", "Fri 9:00".
func (c reader) day(t time.Time) string {
	t, now := t.In(c.zone), c.now.In(c.zone)
	clock := t.Format("15:04")
	switch n := daysBetween(now, t); {
	case n == 0:
		return clock
	case n == 1:
		return "tomorrow " + clock
	case n > 1 && n < 7:
		return t.Format("Mon ") + clock
	}
	return c.date(t) + " " + clock
}

// date leaves the year out while it is the reader's.
func (c reader) date(t time.Time) string {
	t = t.In(c.zone)
	if t.Year() == c.now.In(c.zone).Year() {
		return t.Format("2 Jan")
	}
	return t.Format("2 Jan 2006")
}

func daysBetween(a, b time.Time) int {
	ay, am, ad := a.Date()
	by, bm, bd := b.Date()
	return int(time.Date(by, bm, bd, 0, 0, 0, 0, time.UTC).Sub(time.Date(ay, am, ad, 0, 0, 0, 0, time.UTC)).Hours() / 24)
}

// span says a length of time in its largest unit: "40 min", "2 h", "3 days".
func span(d time.Duration) string {
	switch {
	case d < time.Hour:
		return fmt.Sprintf("%d min", max(1, int(d.Minutes())))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return plural(int(d.Hours()/24), "day", "days")
}

// plural writes a count with the right noun: "1 day", "3 days".
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return countText(int64(n)) + " " + many
}

// countText groups thousands: 12,450.
func countText(n int64) string {
	s := fmt.Sprint(n)
	neg := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	if neg {
		return "−" + s
	}
	return s
}

// risk says a churn risk in words.
func risk(p *float64) string {
	switch {
	case p == nil || math.IsNaN(*p):
		return ""
	case *p >= 0.7:
		return "likely to leave"
	case *p >= 0.4:
		return "may leave"
	}
	return "steady"
}
