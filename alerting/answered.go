package alerting

import (
	"context"
	"fmt"
	"time"

	"redalert/schemas"
)

// AnswerDue answers a function that says by when what reaches us at a time must
// have a first answer, by the priority and in the opening hours of the location:
// the deadlines of cases (Settings.Response.FirstResponse). ok is false where a
// priority has none. Settings are read once, when it is called.
func (d *Desk) AnswerDue(ctx context.Context) (func(from time.Time, location string, p schemas.Priority) (time.Time, bool), error) {
	s, err := d.cfg.Settings.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("load settings: %w", err)
	}
	calendars := map[string]Calendar{}
	return func(from time.Time, location string, p schemas.Priority) (time.Time, bool) {
		limit, ok := minutesOf(s.Response.FirstResponse, p)
		if !ok {
			return time.Time{}, false
		}
		cal, known := calendars[location]
		if !known {
			cal = CalendarFor(s, d.cfg.Business, location)
			calendars[location] = cal
		}
		return cal.Add(from, limit), true
	}, nil
}

// CaredFor reports that somebody deals with a customer's message: a case of
// theirs (or of the thread) is open and was answered in this episode, was closed
// since the message was written, or was answered since by mail or by a call that
// reached them or their voicemail. A case alone, that nobody has answered, is not
// care. It changes nothing.
func (d *Desk) CaredFor(ctx context.Context, message schemas.Event) (bool, error) {
	keys := []string{message.CaseKey()}
	if message.CustomerID != "" {
		ids, err := d.cfg.Identities.Keys(ctx, message.CustomerID)
		if err != nil {
			return false, fmt.Errorf("customer of the message: %w", err)
		}
		keys = append(keys, ids...)
		if message.ThreadID != "" {
			keys = append(keys, "thread:"+message.ThreadID)
		}
	}
	cases, err := d.cfg.Cases.ByKeys(ctx, keys)
	if err != nil {
		return false, fmt.Errorf("cases of the customer: %w", err)
	}
	for _, c := range cases {
		switch {
		case c.State.Open() && c.FirstRespondedAt != nil:
			return true, nil
		case !c.State.Open() && c.ClosedAt != nil && !c.ClosedAt.Before(message.OccurredAt):
			return true, nil
		}
		past, err := d.cfg.Cases.Audit(ctx, c.ID)
		if err != nil {
			return false, fmt.Errorf("audit of case %s: %w", c.ID, err)
		}
		for _, ev := range past {
			if at, ok := answeredAt(ev); ok && !at.Before(message.OccurredAt) {
				return true, nil
			}
		}
	}
	return false, nil
}

// answeredAt reports whether an audit entry tells of an answer to the customer, and
// when it was given: a mail from the Sent mailbox may be filed long after.
func answeredAt(ev schemas.CaseEvent) (time.Time, bool) {
	if ev.Kind != schemas.AuditReply && (ev.Kind != schemas.AuditCall || ev.To == CallNoAnswer) {
		return time.Time{}, false
	}
	if at, err := schemas.ParseTime(detailString(ev, "occurred_at")); err == nil && !at.IsZero() {
		return at, true
	}
	return ev.At, true
}
