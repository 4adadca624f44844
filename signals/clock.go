package signals

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"redalert/schemas"
)

// ClockConfig is what a Clock needs. Answered and AnswerDue belong to what
// alerting knows; without them no message is called unanswered. Without Fits
// nothing is fitted. OpenCasesFor, Log and Behind have defaults; the ports and
// the business do not.
type ClockConfig struct {
	Rounds    Rounds
	Context   Context
	Records   Records
	Aliases   Aliases
	Publisher EventPublisher
	Schedule  Schedule
	Fits      Fits
	Business  schemas.Business
	// AnswerDue answers by when a message that came in at some time must have
	// been answered, in opening hours; ok is false where there is no limit.
	AnswerDue func(ctx context.Context) (func(from time.Time, location string, p schemas.Priority) (due time.Time, ok bool), error)
	// CaredFor reports that somebody deals with a customer's message: their case
	// was answered or closed since, or is open and was answered before.
	CaredFor func(ctx context.Context, message schemas.Event) (bool, error)
	// Behind reports that history is not up to date: what was ordered or answered
	// may still be in the log. Then nothing is looked at. nil = never.
	Behind       func(ctx context.Context) (bool, error)
	OpenCasesFor time.Duration // alerting.open_cases_for, 0 = 14 days: no signal is raised that is older
	Log          *slog.Logger
}

// Clock raises what nobody sends: an order that did not come, a message without
// an answer. It also refits churn_risk every night. What is due when is decided
// in the business's time zone and remembered in Schedule; the id of a signal
// follows from the customer, its type and the day it was due, so however often
// the clock is asked, after a crash or by several processes at once, a signal is
// in history and in a case once. It holds a page of customers or messages in
// memory, never all of them.
type Clock struct{ c ClockConfig }

// NewClock makes a clock; it starts nothing.
func NewClock(c ClockConfig) *Clock {
	if c.OpenCasesFor <= 0 {
		c.OpenCasesFor = defaultOpenCasesFor
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Business.Timezone == nil {
		c.Business.Timezone = time.UTC
	}
	return &Clock{c: c}
}

// clockJob is one kind of work of the clock. Its key names the run that is due:
// a run of an equal key is never done twice.
type clockJob struct {
	name string
	key  func(local time.Time) string
	run  func(context.Context, time.Time) (int, error)
}

// jobLease is how long another process leaves a run alone that did not end.
const jobLease = 15 * time.Minute

// daily is the key of a job that is due at an hour of every local day.
func daily(hour int) func(time.Time) string {
	return func(local time.Time) string {
		day := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, time.UTC)
		if local.Hour() < hour {
			day = day.AddDate(0, 0, -1)
		}
		return day.Format(time.DateOnly)
	}
}

// hourly is the key of a job that is due every hour, in UTC, where none is
// skipped or comes twice.
func hourly(local time.Time) string { return local.UTC().Format("2006-01-02T15") }

// Hours of the business's day: before the digest, which tells of what was found.
const (
	refitHour   = 3
	overdueHour = 6
)

func (c *Clock) jobs() []clockJob {
	return []clockJob{
		{"refit", daily(refitHour), c.refit},
		{"overdue", daily(overdueHour), c.overdue},
		{"unanswered", hourly, c.unanswered},
	}
}

// Due runs every job that is due at now and was not run yet, and answers how many
// signals it published. A job that fails does not keep the others from running;
// it is tried again after its lease. While history is behind nothing is run.
func (c *Clock) Due(ctx context.Context, now time.Time) (raised int, err error) {
	now = now.UTC().Truncate(time.Millisecond)
	if c.c.Behind != nil {
		if behind, err := c.c.Behind(ctx); err != nil || behind {
			return 0, err
		}
	}
	var errs []error
	for _, j := range c.jobs() {
		n, err := c.once(ctx, j, now)
		raised += n
		if ctx.Err() != nil {
			return raised, ctx.Err()
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", j.name, err))
		}
	}
	return raised, errors.Join(errs...)
}

func (c *Clock) once(ctx context.Context, j clockJob, now time.Time) (int, error) {
	key := j.key(now.In(c.c.Business.Timezone))
	job := "signals:" + j.name
	ok, err := c.c.Schedule.Begin(ctx, job, key, now, jobLease)
	if err != nil || !ok {
		return 0, err
	}
	n, err := j.run(ctx, now)
	if err != nil {
		return n, err
	}
	if n > 0 {
		c.c.Log.Info("the clock raised signals", "job", j.name, "signals", n)
	}
	return n, c.c.Schedule.Done(ctx, job, key, now)
}

// signalSpace is the namespace of the ids of signals. It is part of the contract
// with every store: changing it makes every signal new.
var signalSpace = uuid.MustParse("6f0d3f0c-3f0e-5f5e-9a3b-0a6a4f1f7c03")

// SignalID derives the id of a signal: UUIDv5 over whom it is about (a customer,
// or a thread while the customer is unknown), its type and the day it was due,
// each preceded by its length.
func SignalID(about string, t schemas.EventType, due string) string {
	b := make([]byte, 0, 128)
	for _, p := range []string{about, string(t), due} {
		b = binary.AppendUvarint(b, uint64(len(p)))
		b = append(b, p...)
	}
	return uuid.NewSHA1(signalSpace, b).String()
}

// ClockSource is the source of the events that the clock raises.
const ClockSource = "clock"

// signal is one that may have to be raised.
type signal struct {
	kind               schemas.EventType
	customer, thread   string
	location, orderRef string
	at                 time.Time // when it was due
	detail             string
	about              string // event id of the message without an answer
	messageID, subject string // of that message
}

func (s signal) whom() string {
	if s.customer != "" {
		return s.customer
	}
	return "thread:" + s.thread
}

// event makes the event of a signal, taken in at now.
func (c *Clock) event(s signal, now time.Time) (schemas.Event, error) {
	at := s.at.UTC().Truncate(time.Millisecond)
	due := c.c.Business.LocalDate(at)
	data, err := json.Marshal(schemas.Signal{Due: due, Detail: s.detail, About: s.about, MessageID: s.messageID, Subject: s.subject, OrderRef: s.orderRef, Location: s.location,
		OccurredAt: &at, CustomerID: s.customer, LocalDate: due})
	return schemas.Event{
		ID: SignalID(s.whom(), s.kind, due), Source: ClockSource, Type: s.kind, NativeID: s.whom() + " " + due,
		OccurredAt: at, CollectedAt: now, LocalDate: due, CustomerID: s.customer, ThreadID: s.thread,
		Location: s.location, OrderRef: s.orderRef, Data: data,
	}, err
}

// current reports whether what was due at a time is worth a signal now: not
// ahead, and not so old that it would open no case.
func (c *Clock) current(due, now time.Time) bool {
	return !due.After(now) && now.Sub(due) <= c.c.OpenCasesFor
}

// raise publishes those signals that history does not hold yet under any id of
// their customer, and answers how many.
func (c *Clock) raise(ctx context.Context, found []signal, now time.Time) (int, error) {
	if len(found) == 0 {
		return 0, nil
	}
	events := make([]schemas.Event, len(found))
	ids := make([][]string, len(found)) // under which each may have been raised
	var asked []string
	for i, s := range found {
		var err error
		if events[i], err = c.event(s, now); err != nil {
			return 0, err
		}
		ids[i] = []string{events[i].ID}
		if s.customer != "" {
			keys, err := c.c.Aliases.Keys(ctx, s.customer)
			if err != nil {
				return 0, fmt.Errorf("ids of a customer: %w", err)
			}
			for _, k := range keys {
				ids[i] = append(ids[i], SignalID(k, s.kind, events[i].LocalDate))
			}
		}
		asked = append(asked, ids[i]...)
	}
	known, err := c.known(ctx, asked)
	if err != nil {
		return 0, err
	}
	var fresh []schemas.Event
	for i, e := range events {
		if !anyOf(ids[i], known) {
			known[e.ID] = true // two of one customer and day are one
			fresh = append(fresh, e)
		}
	}
	if len(fresh) == 0 {
		return 0, nil
	}
	if err := c.c.Publisher.Publish(ctx, fresh); err != nil {
		return 0, fmt.Errorf("publish signals: %w", err)
	}
	return len(fresh), nil
}

func (c *Clock) known(ctx context.Context, ids []string) (map[string]bool, error) {
	found, err := c.c.Records.Scored(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("look for signals raised before: %w", err)
	}
	known := make(map[string]bool, len(found))
	for _, s := range found {
		known[s.Event.ID] = true
	}
	return known, nil
}

func anyOf(ids []string, in map[string]bool) bool {
	for _, id := range ids {
		if in[id] {
			return true
		}
	}
	return false
}
