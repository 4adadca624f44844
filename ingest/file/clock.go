package file

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// DefaultTimes are the layouts tried when a mapping names none: ISO 8601
// alone, because 3/4/2026 is in March here and in April there.
var DefaultTimes = []string{
	time.RFC3339Nano, time.DateTime, "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", time.DateOnly,
}

// Clock reads the times of a file. A time without a zone is local to the
// clock's location; one that does not exist there (skipped when summer time
// began) is an error, of one that exists twice the first is meant. Times before
// 1970 and more than two days ahead are errors. Not for concurrent use.
type Clock struct {
	loc     *time.Location
	layouts []string
	latest  time.Time
	text    []byte // of the last time read: rows of one order repeat it
	t       time.Time
	err     error
}

// NewClock reads the layouts given (Go's), or DefaultTimes, in order.
func NewClock(loc *time.Location, layouts []string, now time.Time) *Clock {
	if loc == nil {
		loc = time.UTC
	}
	if len(layouts) == 0 {
		layouts = DefaultTimes
	}
	return &Clock{loc: loc, layouts: layouts, latest: now.Add(48 * time.Hour)}
}

// Parse reads one time; the error says what is wrong with it, for people.
func (c *Clock) Parse(b []byte) (time.Time, error) {
	if c.text != nil && bytes.Equal(b, c.text) {
		return c.t, c.err
	}
	c.text = append(c.text[:0], b...)
	c.t, c.err = c.parse(strings.TrimSpace(string(b)))
	return c.t, c.err
}

func (c *Clock) parse(s string) (time.Time, error) {
	for _, layout := range c.layouts {
		wall, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		t := wall
		if !hasZone(layout) {
			if t, err = local(wall, c.loc); err != nil {
				return time.Time{}, err
			}
		}
		if t.Year() < 1970 || t.After(c.latest) {
			return time.Time{}, fmt.Errorf("time %q is before 1970 or in the future", s)
		}
		return t, nil
	}
	return time.Time{}, fmt.Errorf("time %q is not written like %q", s, c.layouts[0])
}

func hasZone(layout string) bool {
	return strings.Contains(layout, "Z07") || strings.Contains(layout, "-07") || strings.Contains(layout, "MST")
}

// local is the first instant at which the clocks of loc show wall (given as
// UTC); an error if they never do.
func local(wall time.Time, loc *time.Location) (time.Time, error) {
	y, mo, d := wall.Date()
	t := time.Date(y, mo, d, wall.Hour(), wall.Minute(), wall.Second(), wall.Nanosecond(), loc)
	_, off := t.Zone()
	if !t.Add(time.Duration(off) * time.Second).Equal(wall) {
		return time.Time{}, fmt.Errorf("time %s does not exist in %s: clocks were put forward", wall.Format(time.DateTime), loc)
	}
	if start, _ := t.ZoneBounds(); !start.IsZero() {
		_, before := start.Add(-time.Second).Zone()
		if early := wall.Add(-time.Duration(before) * time.Second); early.Before(start) && early.Before(t) {
			return early.In(loc), nil
		}
	}
	return t, nil
}
