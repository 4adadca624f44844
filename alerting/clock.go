package alerting

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"redalert/schemas"
)

// ClockConfig is what a Clock needs.
type ClockConfig struct {
	Desk     *Desk
	Lists    CaseLists
	Schedule Schedule
	Outbox   Outbox
	Digests  *Digests
	Log      *slog.Logger
}

// Clock runs what is due by the clock: missed timers, ended snoozes, calls to
// repeat, cases that an alias has made one, and digests. Everything it does is
// kept from happening twice by the stores (versions, keys, Schedule), so it may
// be called as often as one likes, after any downtime, and by two processes.
type Clock struct{ cfg ClockConfig }

// NewClock builds a Clock.
func NewClock(cfg ClockConfig) *Clock {
	cfg.Log = orSilent(cfg.Log)
	return &Clock{cfg: cfg}
}

// Due runs every job that is due at now. One that fails does not keep the
// others from running; the errors come back joined and the next call tries
// again. Mail is queued, not sent.
func (c *Clock) Due(ctx context.Context, now time.Time) error {
	now = instant(now)
	var errs []error
	for _, job := range []struct {
		name string
		run  func(context.Context, time.Time) error
	}{
		{"merge cases of one customer", c.sweep},
		{"timers and snoozes", c.timers},
		{"calls to repeat", c.calls},
		{"digests", c.digests},
	} {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := job.run(ctx, now); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", job.name, err))
		}
	}
	return errors.Join(errs...)
}

func (c *Clock) digests(ctx context.Context, now time.Time) error {
	if c.cfg.Digests == nil {
		return nil
	}
	return c.cfg.Digests.Run(ctx, now)
}

// timers marks missed timers, with the overdue mails, and ends snoozes.
func (c *Clock) timers(ctx context.Context, now time.Time) error {
	due, err := c.cfg.Lists.DueBy(ctx, now)
	if err != nil {
		return err
	}
	var errs []error
	for _, cs := range due {
		if err := c.tick(ctx, cs, now); err != nil {
			errs = append(errs, fmt.Errorf("case %s: %w", cs.ID, err))
		}
	}
	return errors.Join(errs...)
}

func (c *Clock) tick(ctx context.Context, cs schemas.Case, now time.Time) error {
	d := c.cfg.Desk
	for range conflictTries {
		e, err := d.edit(ctx, schemas.System(), cs)
		if err != nil {
			return err
		}
		e.now = now
		if tick(e); len(e.audit) == 0 {
			return nil
		}
		if _, err = d.store(ctx, e); !isConflict(err) {
			return err
		}
		if cs, err = d.cfg.Cases.Case(ctx, cs.ID); err != nil {
			return err
		}
	}
	return nil // changed all the time: the next minute sees it again
}

// tick lets the clock act on one case.
func tick(e *edit) {
	if !e.c.State.Open() {
		return
	}
	e.noteMissed(missTimers(&e.c, e.now))
	if e.c.SnoozedUntil != nil && !e.c.SnoozedUntil.After(e.now) {
		wake(e, "the snooze is over")
	}
}

// sweep merges open cases that belong to one customer since an alias joined
// two ids.
func (c *Clock) sweep(ctx context.Context, now time.Time) error {
	open, err := openCases(ctx, c.cfg.Lists, now)
	if err != nil {
		return err
	}
	byCustomer := map[string][]schemas.Case{}
	for _, cs := range open {
		if cs.CustomerID == "" {
			continue
		}
		id, err := c.cfg.Desk.cfg.Identities.Canonical(ctx, cs.CustomerID)
		if err != nil {
			return fmt.Errorf("customer of case %s: %w", cs.ID, err)
		}
		byCustomer[id] = append(byCustomer[id], cs)
	}
	var errs []error
	for _, group := range byCustomer {
		if len(group) < 2 {
			continue
		}
		if _, err := c.cfg.Desk.unite(ctx, group); err != nil && !isConflict(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// calls reminds of calls to repeat: once for each attempt that was planned.
func (c *Clock) calls(ctx context.Context, now time.Time) error {
	open, err := openCases(ctx, c.cfg.Lists, now)
	if err != nil {
		return err
	}
	var errs []error
	for _, cs := range open {
		if cs.NextAttemptAt == nil || cs.NextAttemptAt.After(now) || cs.PausedAt != nil {
			continue
		}
		if err := c.remind(ctx, cs, now); err != nil {
			errs = append(errs, fmt.Errorf("case %s: %w", cs.ID, err))
		}
	}
	return errors.Join(errs...)
}

func (c *Clock) remind(ctx context.Context, cs schemas.Case, now time.Time) error {
	d, at := c.cfg.Desk, schemas.FormatTime(*cs.NextAttemptAt)
	key := cs.ID + " " + at
	ok, err := c.cfg.Schedule.Begin(ctx, "call", key, now, 10*time.Minute)
	if err != nil || !ok {
		return err
	}
	e, err := d.edit(ctx, schemas.System(), cs)
	if err != nil {
		return err
	}
	e.now = now
	e.mails = []mailRequest{{kind: NotifyCallDue, cause: at, to: audience{managers: cs.Assignee == "", person: cs.Assignee}}}
	ns, err := d.render(ctx, e)
	if err != nil {
		return err
	}
	if err := c.cfg.Outbox.Enqueue(ctx, ns); err != nil {
		return err
	}
	return c.cfg.Schedule.Done(ctx, "call", key, now)
}

// openCases lists every open case, snoozed ones included.
func openCases(ctx context.Context, lists CaseLists, now time.Time) ([]schemas.Case, error) {
	const page = 500
	var out []schemas.Case
	for _, snoozed := range []bool{false, true} {
		for offset := 0; ; offset += page {
			q, err := lists.Queue(ctx, QueueQuery{Now: now, Snoozed: snoozed, Limit: page, Offset: offset})
			if err != nil {
				return nil, fmt.Errorf("list open cases: %w", err)
			}
			out = append(out, q.Cases...)
			if len(q.Cases) < page {
				break
			}
		}
	}
	return out, nil
}
