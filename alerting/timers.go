package alerting

import (
	"slices"
	"time"

	"redalert/schemas"
)

// minutesOf reads a deadline of a priority. A missing entry means no deadline.
func minutesOf(m map[schemas.Priority]schemas.Minutes, p schemas.Priority) (time.Duration, bool) {
	v, ok := m[p]
	return time.Duration(v) * time.Minute, ok && v > 0
}

func dueIn(cal Calendar, now time.Time, m map[schemas.Priority]schemas.Minutes, p schemas.Priority) *time.Time {
	d, ok := minutesOf(m, p)
	if !ok {
		return nil
	}
	t := cal.Add(now, d)
	return &t
}

// startTimers begins an episode: first response and resolution run, nothing is
// missed yet.
func startTimers(c *schemas.Case, r schemas.Response, cal Calendar, now time.Time) {
	c.FirstResponseDue = dueIn(cal, now, r.FirstResponse, c.Priority)
	c.ResolutionDue = dueIn(cal, now, r.Resolution, c.Priority)
	c.NextResponseDue, c.FirstRespondedAt, c.PausedAt, c.NextAttemptAt, c.SnoozedUntil = nil, nil, nil, nil, nil
	c.Missed = []schemas.Timer{}
	c.SLAStatus = schemas.SLAActive
}

// tightenTimers brings deadlines that still run forward after a rise in
// priority; it never moves one back.
func tightenTimers(c *schemas.Case, r schemas.Response, cal Calendar, now time.Time) {
	if c.FirstRespondedAt == nil {
		c.FirstResponseDue = earlier(c.FirstResponseDue, dueIn(cal, now, r.FirstResponse, c.Priority))
	}
	c.ResolutionDue = earlier(c.ResolutionDue, dueIn(cal, now, r.Resolution, c.Priority))
}

func earlier(a, b *time.Time) *time.Time {
	if a == nil || (b != nil && b.Before(*a)) {
		return b
	}
	return a
}

// respond stops the response timers: we have answered. A deadline that had
// passed counts as missed even when the clock has not noticed yet.
func respond(c *schemas.Case, now time.Time) (missed []schemas.Timer) {
	missed = missTimers(c, now)
	if c.FirstRespondedAt == nil {
		c.FirstRespondedAt = &now
	}
	c.FirstResponseDue, c.NextResponseDue = nil, nil
	return missed
}

// customerWrote starts the next-response timer, unless the first response is
// still owed or one is running already.
func customerWrote(c *schemas.Case, r schemas.Response, cal Calendar, now time.Time) {
	if c.FirstRespondedAt == nil || c.NextResponseDue != nil {
		return
	}
	c.NextResponseDue = dueIn(cal, now, r.NextResponse, c.Priority)
	c.Missed = slices.DeleteFunc(c.Missed, func(t schemas.Timer) bool { return t == schemas.TimerNextResponse })
}

// pause stops the timers while we wait for the customer.
func pause(c *schemas.Case, now time.Time) {
	if c.PausedAt == nil {
		c.PausedAt = &now
	}
}

// resume moves each deadline that was still ahead when the pause began by the
// business time the pause took.
func resume(c *schemas.Case, cal Calendar, now time.Time) {
	if c.PausedAt == nil {
		return
	}
	since := *c.PausedAt
	c.PausedAt = nil
	for _, due := range []**time.Time{&c.FirstResponseDue, &c.NextResponseDue, &c.ResolutionDue} {
		if *due == nil || !(*due).After(since) {
			continue
		}
		t := cal.Add(now, cal.Between(since, **due))
		*due = &t
	}
}

// missTimers marks deadlines at or before now as missed and answers the newly
// missed ones. While paused nothing is missed but what was overdue before.
func missTimers(c *schemas.Case, now time.Time) []schemas.Timer {
	if c.PausedAt != nil {
		now = *c.PausedAt
	}
	var fresh []schemas.Timer
	for _, t := range []struct {
		name schemas.Timer
		due  *time.Time
	}{{schemas.TimerFirstResponse, c.FirstResponseDue}, {schemas.TimerNextResponse, c.NextResponseDue}, {schemas.TimerResolution, c.ResolutionDue}} {
		if t.due == nil || t.due.After(now) || slices.Contains(c.Missed, t.name) {
			continue
		}
		c.Missed = append(c.Missed, t.name)
		fresh = append(fresh, t.name)
	}
	if len(fresh) > 0 {
		c.SLAStatus = schemas.SLAActiveWithMisses
	}
	return fresh
}

// closeTimers ends the episode's timers and sums them up.
func closeTimers(c *schemas.Case) {
	if c.SLAStatus == schemas.SLAActive {
		c.SLAStatus = schemas.SLAHit
	} else {
		c.SLAStatus = schemas.SLAMissed
	}
	c.PausedAt, c.NextAttemptAt, c.SnoozedUntil = nil, nil, nil
}
