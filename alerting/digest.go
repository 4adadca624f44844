package alerting

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"redalert/schemas"
)

// DigestsConfig is what Digests needs.
type DigestsConfig struct {
	Desk     *Desk
	Lists    CaseLists
	Schedule Schedule
	Outbox   Outbox
	Unusual  Unusuals // nil = digests say nothing of what is unusual
	Log      *slog.Logger
}

// Digests writes the daily mail to managers and owners: who needs them today,
// at their locations, at the hour set under Settings on their own clock.
type Digests struct{ cfg DigestsConfig }

// NewDigests builds Digests.
func NewDigests(cfg DigestsConfig) *Digests {
	cfg.Log = orSilent(cfg.Log)
	return &Digests{cfg: cfg}
}

const (
	digestLease = 10 * time.Minute
	digestWeek  = 7 * 24 * time.Hour
	// digestPast is how far back closed cases are read for what was won back
	// and for the comparison with the day before.
	digestPast = 120 * 24 * time.Hour
)

func digestJob(email string) string { return "digest:" + strings.ToLower(email) }

// digestDay answers the recipient's local day if their digest is due at now:
// the wall clock has reached the hour, on a day they want. Wall clocks decide,
// so an hour that a clock change leaves out is reached by the next one, and one
// that comes twice is the same day's digest.
func digestDay(s schemas.Digest, now time.Time, loc *time.Location) (day string, due bool) {
	local := now.In(loc)
	day = local.Format(time.DateOnly)
	at, err := clockMinutes(s.At)
	if err != nil {
		at = 7*60 + 30
	}
	if !s.Enabled || (len(s.Weekdays) > 0 && !slices.Contains(s.Weekdays, local.Weekday())) {
		return day, false
	}
	return day, local.Hour()*60+local.Minute() >= at
}

// Run queues every digest that is due at now and has not been queued that day.
// After a downtime the day's digest comes late, once; days that are over are
// not made up for: the next digest covers them.
func (d *Digests) Run(ctx context.Context, now time.Time) error {
	now = instant(now)
	desk := d.cfg.Desk.cfg
	s, err := desk.Settings.Load(ctx)
	if err != nil {
		return fmt.Errorf("load settings: %w", err)
	}
	staff, err := desk.People.Staff(ctx)
	if err != nil {
		return fmt.Errorf("list staff: %w", err)
	}
	var snap *snapshot
	var errs []error
	for _, p := range staff {
		day, due := digestDay(s.Digest, now, zoneOf(p, desk.Business))
		if !due || !p.actor().AtLeast(schemas.RoleManager) {
			continue
		}
		ok, err := d.cfg.Schedule.Begin(ctx, digestJob(p.Email), day, now, digestLease)
		if err != nil || !ok {
			errs = append(errs, err)
			continue
		}
		if snap == nil {
			if snap, err = d.snapshot(ctx, now, staff); err != nil {
				return errors.Join(append(errs, err)...)
			}
		}
		errs = append(errs, d.queue(ctx, p, s, snap, day, now))
	}
	return errors.Join(errs...)
}

// queue composes one digest, puts it into the outbox and marks the day done.
func (d *Digests) queue(ctx context.Context, p Person, s schemas.Settings, snap *snapshot, day string, now time.Time) error {
	m, told, err := d.compose(ctx, p, s, snap, now)
	if err != nil {
		return fmt.Errorf("digest for %s: %w", p.Email, err)
	}
	desk := d.cfg.Desk
	k := schemas.NotificationKey{Kind: schemas.NotifyDigest, Cause: day, Recipient: p.Email, Channel: schemas.ChannelEmail}
	n := schemas.Notification{ID: NotificationID(k), Key: k, MessageID: MessageID(k, desk.domain),
		State: schemas.NotificationQueued, At: now, NotBefore: now}
	m.MessageID, m.Headers = n.MessageID, map[string]string{HeaderNotification: n.ID}
	if n.Body, err = desk.cfg.Composer.Compose(m); err != nil {
		d.cfg.Log.Warn("a digest cannot be composed and is left out; check the address under Settings", "err", err)
	} else if err := d.cfg.Outbox.Enqueue(ctx, []schemas.Notification{n}); err != nil {
		return fmt.Errorf("queue the digest for %s: %w", p.Email, err)
	} else if err := d.remember(ctx, p, told, day, now); err != nil {
		return err
	}
	return d.cfg.Schedule.Done(ctx, digestJob(p.Email), day, now)
}

// Preview composes the digest that person would get at an instant, without
// queueing it or changing anything.
func (d *Digests) Preview(ctx context.Context, person Person, at time.Time) (Mail, error) {
	desk := d.cfg.Desk.cfg
	s, err := desk.Settings.Load(ctx)
	if err != nil {
		return Mail{}, fmt.Errorf("load settings: %w", err)
	}
	staff, err := desk.People.Staff(ctx)
	if err != nil {
		return Mail{}, fmt.Errorf("list staff: %w", err)
	}
	snap, err := d.snapshot(ctx, instant(at), staff)
	if err != nil {
		return Mail{}, err
	}
	m, _, err := d.compose(ctx, person, s, snap, instant(at))
	return m, err
}

// snapshot is what all digests of one run are made from.
type snapshot struct {
	open, closed []schemas.Case
	owners       map[string]string // name by e-mail
	names        map[string]string // of customers; filled as needed
}

func (d *Digests) snapshot(ctx context.Context, now time.Time, staff []Person) (*snapshot, error) {
	s := &snapshot{owners: map[string]string{}, names: map[string]string{}}
	for _, p := range staff {
		if s.owners[p.Email] = p.Name; p.Name == "" {
			s.owners[p.Email] = p.Email
		}
	}
	var err error
	if s.open, err = openCases(ctx, d.cfg.Lists, now); err != nil {
		return nil, err
	}
	q := schemas.ListQuery{Since: now.Add(-digestPast), Limit: 500}
	for {
		page, err := d.cfg.Lists.List(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("list cases: %w", err)
		}
		for _, c := range page.Items {
			if !c.State.Open() && c.ClosedAt != nil && c.MergedInto == "" {
				s.closed = append(s.closed, c)
			}
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return s, nil
		}
	}
}

// name answers the customer's name, looked up once a snapshot.
func (d *Digests) name(ctx context.Context, s *snapshot, id string) (string, error) {
	if n, ok := s.names[id]; ok {
		return n, nil
	}
	c, err := d.cfg.Desk.customer(ctx, id)
	if err != nil {
		return "", err
	}
	s.names[id] = nameOf(c)
	return s.names[id], nil
}

// since is when the person's last digest came: new is what came after it. At
// most a week back; a day if there was none before today.
func (d *Digests) since(ctx context.Context, p Person, s schemas.Settings, now time.Time) (time.Time, error) {
	loc := zoneOf(p, d.cfg.Desk.cfg.Business)
	dayBefore := now.Add(-24 * time.Hour)
	last, err := d.cfg.Schedule.LastDone(ctx, digestJob(p.Email))
	if err != nil {
		return time.Time{}, fmt.Errorf("last digest of %s: %w", p.Email, err)
	}
	day, err := time.ParseInLocation(time.DateOnly, last, loc)
	if err != nil || last >= now.In(loc).Format(time.DateOnly) {
		return dayBefore, nil
	}
	at, err := clockMinutes(s.Digest.At)
	if err != nil {
		at = 7*60 + 30
	}
	t := time.Date(day.Year(), day.Month(), day.Day(), at/60, at%60, 0, 0, loc)
	return latest(t, now.Add(-digestWeek)).UTC(), nil
}
