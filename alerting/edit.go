package alerting

import (
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"redalert/schemas"
)

// edit is one command under way on one case: pure, without I/O or clock. The
// functions of this package's domain turn it from the case before into the
// case after, with audit entries and mail requests; change() is what is stored.
type edit struct {
	before   schemas.Case
	c        schemas.Case // a copy; the case after
	past     []schemas.CaseEvent
	actor    schemas.Actor
	now      time.Time
	settings schemas.Settings
	cal      Calendar

	audit []schemas.CaseEvent
	mails []mailRequest
	filed *schemas.Alert
	order string // of the filed event
}

// mailRequest says whom to tell what; the Desk renders it.
type mailRequest struct {
	kind    schemas.NotificationKind
	cause   string
	to      audience
	eventID string
	note    string // kind-specific words: the reason of an assignment, what the customer wrote
	due     *time.Time
	draft   *ReplyDraft
}

// audience is who gets a mail.
type audience struct {
	managers bool   // every manager and owner who sees the location
	person   string // and this user, if enabled
	customer bool
}

func newEdit(c schemas.Case, past []schemas.CaseEvent, actor schemas.Actor, now time.Time, s schemas.Settings, b schemas.Business) *edit {
	return &edit{before: c, c: cloneCase(c), past: past, actor: actor, now: now, settings: s,
		cal: CalendarFor(s, b, c.Location)}
}

// cloneCase copies everything a command may change in place. Lists are never
// nil afterwards, so that JSON shows [].
func cloneCase(c schemas.Case) schemas.Case {
	c.Reasons = append([]schemas.Reason{}, c.Reasons...)
	c.Categories = append([]schemas.Category{}, c.Categories...)
	c.EventIDs = append([]string{}, c.EventIDs...)
	c.Missed = append([]schemas.Timer{}, c.Missed...)
	c.Playbook = append([]schemas.PlaybookStep{}, c.Playbook...)
	return c
}

// log adds an audit entry.
func (e *edit) log(kind schemas.CaseEventKind, from, to, reason string) *schemas.CaseEvent {
	e.audit = append(e.audit, schemas.CaseEvent{CaseID: e.c.ID, At: e.now, Actor: e.actor.Email, Kind: kind,
		From: from, To: to, Reason: reason})
	return &e.audit[len(e.audit)-1]
}

// nextSeq is the number the next audit entry will get.
func (e *edit) nextSeq() int64 {
	var last int64
	if n := len(e.past); n > 0 {
		last = e.past[n-1].Seq
	}
	return last + int64(len(e.audit)) + 1
}

// change is what is stored: the case one version on.
func (e *edit) change() Change {
	e.c.Version = e.before.Version + 1
	e.c.UpdatedAt = e.now
	return Change{Before: e.before.Version, Case: e.c, Audit: e.audit, Filed: e.filed, OrderRef: e.order}
}

// denied is what is stored of an attempt that is not allowed: an audit entry,
// and the case as it was. It costs a version like every change; seen() keeps
// that from turning others' commands away.
func (e *edit) denied(n *NotAllowed) Change {
	d := schemas.CaseEvent{CaseID: e.before.ID, At: e.now, Actor: e.actor.Email, Kind: schemas.AuditDenied,
		Reason: n.Error(), Detail: map[string]any{"action": n.Action, "role": string(e.actor.Role), "need": string(n.Need)}}
	c := e.before
	c.Version++
	return Change{Before: e.before.Version, Case: c, Audit: []schemas.CaseEvent{d}}
}

// seen reports whether somebody who saw this version has seen the case as it
// is: nothing but denied attempts came after it.
func (e *edit) seen(version int64) bool {
	behind := e.before.Version - version
	for i := len(e.past) - 1; behind > 0 && i >= 0 && e.past[i].Kind == schemas.AuditDenied; i-- {
		behind--
	}
	return behind == 0
}

// history is the audit with what this command has added so far.
func (e *edit) history() []schemas.CaseEvent {
	return append(slices.Clone(e.past), e.audit...)
}

// episode is the part of the audit since the case was last opened or reopened.
func (e *edit) episode() []schemas.CaseEvent {
	h := e.history()
	for i := len(h) - 1; i >= 0; i-- {
		if h[i].Kind == schemas.AuditReopened || h[i].Kind == schemas.AuditOpened {
			return h[i:]
		}
	}
	return h
}

// setState moves the case and logs it; it checks nothing but pauses, resumes
// and ends timers as the states say.
func (e *edit) setState(to schemas.CaseState, reason string) {
	from := e.c.State
	if from == schemas.StateWaitingCustomer {
		resume(&e.c, e.cal, e.now)
	}
	e.noteMissed(missTimers(&e.c, e.now))
	e.c.State = to
	switch {
	case to == schemas.StateWaitingCustomer:
		pause(&e.c, e.now)
	case !to.Open():
		closeTimers(&e.c)
		e.c.ClosedAt, e.c.CloseReason = &e.now, reason
	}
	e.log(schemas.AuditTransition, string(from), string(to), reason)
}

// noteMissed logs timers as missed and asks for the overdue mails.
func (e *edit) noteMissed(timers []schemas.Timer) {
	for _, t := range timers {
		e.log(schemas.AuditTimerMissed, "", string(t), "").Actor = schemas.SystemActor
		e.mails = append(e.mails, mailRequest{kind: schemas.NotifyOverdue, cause: string(t),
			to: audience{managers: true, person: e.c.Assignee}, due: dueOf(e.c, t)})
	}
}

func dueOf(c schemas.Case, t schemas.Timer) *time.Time {
	switch t {
	case schemas.TimerFirstResponse:
		return c.FirstResponseDue
	case schemas.TimerNextResponse:
		return c.NextResponseDue
	}
	return c.ResolutionDue
}

// begin starts an episode with the case as it now is: new playbook, new timers.
func (e *edit) begin() {
	e.c.State = schemas.StateNew
	e.c.Playbook = newPlaybook(e.c.Kind)
	e.c.ClosedAt, e.c.CloseReason = nil, ""
	startTimers(&e.c, e.settings.Response, e.cal, e.now)
}

// raise lets severity and priority rise, never fall, and tightens the timers.
func (e *edit) raise(s schemas.Severity, p schemas.Priority) {
	if s.Rank() > e.c.Severity.Rank() {
		e.c.Severity = s
	}
	if p.Rank() > e.c.Priority.Rank() {
		e.c.Priority = p
		tightenTimers(&e.c, e.settings.Response, e.cal, e.now)
	}
}

// setKind changes the kind and its playbook, and logs it.
func (e *edit) setKind(k schemas.CaseKind, reason string) {
	from := e.c.Kind
	e.c.Kind = k
	e.c.Playbook = switchPlaybook(e.c.Playbook, k)
	e.log(schemas.AuditKindChanged, string(from), string(k), reason)
}

// addReasons keeps one reason per code, the weightiest, and every category once.
func addReasons(c *schemas.Case, reasons []schemas.Reason, cats []schemas.Category) {
	for _, r := range reasons {
		r.Span = nil // spans point into one event's text, not into the case's
		i := slices.IndexFunc(c.Reasons, func(x schemas.Reason) bool { return x.Code == r.Code })
		switch {
		case i < 0:
			c.Reasons = append(c.Reasons, r)
		case r.Weight > c.Reasons[i].Weight:
			c.Reasons[i] = r
		}
	}
	for _, k := range cats {
		if !slices.Contains(c.Categories, k) {
			c.Categories = append(c.Categories, k)
		}
	}
}

// namespace of every id this package derives.
var namespace = uuid.MustParse("6f1d6f0a-5f3e-4c53-9a55-1f0c8f9f6b7e")

// derive answers the UUIDv5 of the parts, joined so that no two lists of parts
// give the same text.
func derive(parts ...string) string {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
		b = append(b, 0)
	}
	return uuid.NewSHA1(namespace, b).String()
}

func withDetail(ev *schemas.CaseEvent, d map[string]any) {
	if ev.Detail == nil {
		ev.Detail = map[string]any{}
	}
	maps.Copy(ev.Detail, d)
}

// detailString reads a detail that was stored as text.
func detailString(ev schemas.CaseEvent, key string) string {
	s, _ := ev.Detail[key].(string)
	return s
}
