package alerting

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"redalert/schemas"
)

// Unusuals answers which groups of red alerts are unusual at an instant, for
// somebody who sees some locations (nil = all), the largest excess first.
type Unusuals interface {
	Unusual(ctx context.Context, locations []string, at time.Time) ([]schemas.Unusual, error)
}

const (
	maxUnusual = 5 // lines in a digest
	// A notice is told again after a week, or when it grew by half, and by at
	// least three alerts.
	unusualQuietDays = 7
	unusualGrowth    = 3
)

// unusualLine is one notice in a digest.
type unusualLine struct{ Title, Why, Link string }

// unusual answers what of the notices is new to a person on their local day. A
// history that cannot be reached keeps no digest back: it then goes without.
func (d *Digests) unusual(ctx context.Context, p Person, now time.Time) ([]schemas.Unusual, error) {
	if d.cfg.Unusual == nil {
		return nil, nil
	}
	var seen []string
	if len(p.Locations) > 0 {
		seen = p.Locations
	}
	all, err := d.cfg.Unusual.Unusual(ctx, seen, now)
	if err != nil {
		d.cfg.Log.Warn("a digest goes without what is unusual: history does not answer", "err", err)
		return nil, nil
	}
	day := now.In(zoneOf(p, d.cfg.Desk.cfg.Business))
	var out []schemas.Unusual
	for _, u := range all {
		last, err := d.cfg.Schedule.LastDone(ctx, unusualJob(p, u))
		if err != nil {
			return nil, fmt.Errorf("what %s was told of unusual alerts: %w", p.Email, err)
		}
		if !toldOf(last, u.Count, day) {
			out = append(out, u)
		}
	}
	return out, nil
}

// toldOf reports whether a notice of that many alerts says nothing new to who
// was last told with the key last ("" = never). What was told today is the same
// day's digest.
func toldOf(last string, n int64, day time.Time) bool {
	date, count, _ := strings.Cut(last, " ")
	at, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return false
	}
	then, err := strconv.ParseInt(count, 10, 64)
	if err != nil {
		return false
	}
	ago := dayNumber(day) - dayNumber(at)
	return ago > 0 && ago < unusualQuietDays && n < max(then+unusualGrowth, then+(then+1)/2)
}

// unusualJob names a person's notices of a group in the schedule, whose keys are
// the local day and the count they were told with.
func unusualJob(p Person, u schemas.Unusual) string {
	sum := sha256.Sum256([]byte(strings.ToLower(p.Email) + "\x00" + u.Key()))
	return "unusual:" + hex.EncodeToString(sum[:16])
}

// remember notes what a person was told, so that no digest repeats it.
func (d *Digests) remember(ctx context.Context, p Person, told []schemas.Unusual, day string, now time.Time) error {
	for _, u := range told {
		if err := d.cfg.Schedule.Done(ctx, unusualJob(p, u), fmt.Sprintf("%s %09d", day, u.Count), now); err != nil {
			return fmt.Errorf("note what %s was told: %w", p.Email, err)
		}
	}
	return nil
}

// setUnusual puts the notices on the page; where nobody needs them today the
// first one is the subject.
func (p *digestPage) setUnusual(told []schemas.Unusual, site string) {
	p.MoreUnusual = max(0, len(told)-maxUnusual)
	for _, u := range told[:min(len(told), maxUnusual)] {
		p.Unusual = append(p.Unusual, unusualLine{Title: u.Title(), Why: u.Why(), Link: site + u.Path()})
	}
	p.Trends = site + "/trends"
	if p.Quiet && len(told) > 0 {
		p.Subject = told[0].Title()
	}
}

// unusualText is the section in plain form; "" where nothing is unusual.
func (p digestPage) unusualText() string {
	if len(p.Unusual) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\nMORE THAN USUAL\n---------------\n")
	for _, u := range p.Unusual {
		fmt.Fprintf(&b, "\n%s\n  %s\n  %s\n", u.Title, u.Why, u.Link)
	}
	if p.MoreUnusual > 0 {
		fmt.Fprintf(&b, "\nand %d more: %s\n", p.MoreUnusual, p.Trends)
	}
	return b.String()
}
