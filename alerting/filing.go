package alerting

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"redalert/schemas"
)

// reopenWithin is how long after closing a new red event reopens a case.
const reopenWithin = 14 * 24 * time.Hour

// maxExcerpt is the length of a case's excerpt in characters.
const maxExcerpt = 280

// story is what filing wants to know of an event's data.
type story struct {
	text      string // what the customer wrote, or what happened
	messageID string
	subject   string
	fromThem  bool // the customer speaks: feedback
}

// storyOf reads an event. Data that cannot be read gives an empty story: the
// case is opened all the same.
func storyOf(ev schemas.Event) story {
	switch {
	case ev.Type.IsFeedback():
		f, err := ev.Feedback()
		if err != nil {
			return story{fromThem: true}
		}
		return story{text: f.ValueText, messageID: f.MetaString(schemas.MetaMessageID),
			subject: f.MetaString(schemas.MetaSubject), fromThem: true}
	case ev.Type.IsOrder():
		o, _ := ev.Order()
		return story{text: o.Reason}
	case ev.Type == schemas.MistakeReported:
		m, _ := ev.Mistake()
		return story{text: m.WhatHappened}
	case ev.Type == schemas.ReplySent:
		r, _ := ev.Reply()
		return story{text: r.Text, messageID: r.MessageID, subject: r.Subject}
	}
	s, _ := ev.Signal()
	return story{text: s.Detail, messageID: s.MessageID, subject: s.Subject}
}

// excerpt cuts text to maxExcerpt characters on one line.
func excerpt(s string) string {
	r := []rune(strings.Join(strings.Fields(s), " "))
	if len(r) <= maxExcerpt {
		return string(r)
	}
	return strings.TrimSpace(string(r[:maxExcerpt-1])) + "…"
}

// tooOld reports whether the event was older than the limit when collected and
// its import did not ask for cases.
func tooOld(ev schemas.Event, limit time.Duration) bool {
	if ev.CollectedAt.Sub(ev.OccurredAt) <= limit {
		return false
	}
	var d struct {
		OpenCases bool `json:"open_cases"`
		Metadata  struct {
			OpenCases bool `json:"open_cases"`
		} `json:"metadata"`
	}
	_ = json.Unmarshal(ev.Data, &d)
	return !d.OpenCases && !d.Metadata.OpenCases
}

// openCase builds the first edit of a new case. Its id follows from the event,
// so a replay after a crash opens the same one.
func openCase(n schemas.Notice, customerID string, now time.Time, s schemas.Settings, b schemas.Business) *edit {
	ev := n.Event
	kind := schemas.KindRisk
	if n.Mistake {
		kind = schemas.KindMistake
	}
	key := ev.CaseKey()
	if customerID != "" {
		key = customerID
	}
	c := schemas.Case{ID: derive("case", ev.ID), Kind: kind, Priority: priorityOf(n), Severity: n.Verdict.Severity,
		Key: key, CustomerID: customerID, Location: ev.Location, SourceType: schemas.SourceTypeOf(ev.Type),
		OpenedAt: now, Episode: 1, ValueAtRisk: n.ValueAtRisk, GotThereFirst: ev.Type == schemas.MistakeReported}
	e := newEdit(c, nil, schemas.System(), now, s, b)
	e.begin()
	e.take(n, e.log(schemas.AuditOpened, "", string(schemas.StateNew), ""), true)
	return e
}

// joinCase files a red event into an open case.
func joinCase(e *edit, n schemas.Notice, customerID string) {
	e.adopt(customerID)
	e.raise(n.Verdict.Severity, priorityOf(n))
	if n.Mistake && e.c.Kind == schemas.KindRisk {
		e.setKind(schemas.KindMistake, "what happened was our mistake")
	}
	wake(e, "the customer came back")
	if e.c.State == schemas.StateWaitingCustomer {
		e.setState(schemas.StateInRecovery, "the customer came back")
	}
	customerWrote(&e.c, e.settings.Response, e.cal, e.now)
	e.take(n, e.log(schemas.AuditEventAdded, "", "", ""), false)
}

// reopenCase files a red event into a case that was closed lately.
func reopenCase(e *edit, n schemas.Notice, customerID string) {
	e.adopt(customerID)
	if n.Mistake {
		e.c.Kind = schemas.KindMistake
	}
	e.raise(n.Verdict.Severity, priorityOf(n))
	e.c.Excerpt = ""
	e.take(n, reopen(e, "the customer came back"), false)
}

func priorityOf(n schemas.Notice) schemas.Priority {
	if n.Priority.Rank() > 0 {
		return n.Priority
	}
	return schemas.PriorityOf(n.Verdict.Severity, false)
}

// adopt makes a case of an unknown customer the customer's.
func (e *edit) adopt(customerID string) {
	if e.c.CustomerID == "" && customerID != "" {
		e.c.CustomerID = customerID
	}
}

// take adds the event itself: list, reasons, value, thread, critical mail. ev is
// the audit entry that tells of it.
func (e *edit) take(n schemas.Notice, ev *schemas.CaseEvent, opened bool) {
	firstCritical := n.Verdict.Severity == schemas.SeverityCritical && !e.hadCritical()
	st := storyOf(n.Event)
	e.recordEvent(ev, n.Event, st)
	withDetail(ev, map[string]any{"severity": string(n.Verdict.Severity)})
	e.c.EventIDs = append(e.c.EventIDs, n.Event.ID)
	addReasons(&e.c, n.Verdict.Reasons, n.Verdict.Categories)
	e.c.ValueAtRisk = n.ValueAtRisk
	if (n.Event.Type == schemas.EmailReceived || n.Event.Type == schemas.Unanswered) && n.Event.ThreadID != "" {
		e.c.ThreadID = n.Event.ThreadID
	}
	if e.c.Excerpt == "" {
		e.c.Excerpt = excerpt(st.text)
	}
	e.c.GotThereFirst = gotThereFirst(e.history())
	caseID := e.c.ID
	e.filed = &schemas.Alert{EventID: n.Event.ID, CaseID: &caseID, RaisedAt: e.now, OpenedCase: opened}
	e.order = n.Event.OrderRef
	if firstCritical {
		e.mails = append(e.mails, mailRequest{kind: schemas.NotifyCritical, to: audience{managers: true},
			eventID: n.Event.ID, note: excerpt(st.text)})
	}
	if !opened && st.fromThem && e.c.Assignee != "" {
		e.tellAssignee(n.Event.ID, st)
	}
}

func (e *edit) tellAssignee(eventID string, st story) {
	e.mails = append(e.mails, mailRequest{kind: schemas.NotifyAnswer, cause: eventID, eventID: eventID,
		to: audience{person: e.c.Assignee}, note: excerpt(st.text)})
}

func (e *edit) hadCritical() bool {
	return slices.ContainsFunc(e.episode(), func(ev schemas.CaseEvent) bool {
		return ev.EventID != "" && detailString(ev, "severity") == string(schemas.SeverityCritical)
	})
}

// recordEvent puts into the audit what later commands need of the event, so
// that cases never read history.
func (e *edit) recordEvent(ev *schemas.CaseEvent, event schemas.Event, st story) {
	ev.EventID = event.ID
	d := map[string]any{"event_type": string(event.Type), "occurred_at": schemas.FormatTime(event.OccurredAt)}
	for k, v := range map[string]string{"message_id": st.messageID, "subject": st.subject, "thread_id": event.ThreadID} {
		if v != "" {
			d[k] = v
		}
	}
	withDetail(ev, d)
}

// gotThereFirst (G6): staff reported a mistake before the customer said
// anything, by the times of the events, in whichever order they arrived. Of
// equal times (many senders know whole seconds only) the one filed first wins.
func gotThereFirst(history []schemas.CaseEvent) bool {
	var first time.Time
	ours := false
	for _, ev := range history {
		t := schemas.EventType(detailString(ev, "event_type"))
		at, err := schemas.ParseTime(detailString(ev, "occurred_at"))
		if err != nil || at.IsZero() || detailString(ev, "severity") == "" {
			continue
		}
		if (t == schemas.MistakeReported || t.IsFeedback()) && (first.IsZero() || at.Before(first)) {
			first, ours = at, t == schemas.MistakeReported
		}
	}
	return ours
}

// begun is when the story of the present episode began: with its first event,
// or with the case where that event's clock was ahead.
func (e *edit) begun() time.Time {
	ep := e.episode()
	if len(ep) == 0 {
		return e.c.OpenedAt
	}
	at, err := schemas.ParseTime(detailString(ep[0], "occurred_at"))
	if err != nil || at.IsZero() || at.After(ep[0].At) {
		return ep[0].At
	}
	return at
}

// addMessage notes that the customer wrote again without being red.
func addMessage(e *edit, n schemas.Notice, customerID string) {
	e.adopt(customerID)
	st := storyOf(n.Event)
	wake(e, "the customer wrote")
	if e.c.State == schemas.StateWaitingCustomer {
		e.setState(schemas.StateInRecovery, "the customer wrote")
	}
	customerWrote(&e.c, e.settings.Response, e.cal, e.now)
	if n.Event.Type == schemas.EmailReceived && n.Event.ThreadID != "" {
		e.c.ThreadID = n.Event.ThreadID
	}
	e.recordEvent(e.log(schemas.AuditCustomerMessage, "", "", excerpt(st.text)), n.Event, st)
	if e.c.Assignee != "" {
		e.tellAssignee(n.Event.ID, st)
	}
}

// addReply notes that we answered, from the Sent mailbox or another door. It
// answers false when the reply is one sent from the case's page.
func addReply(e *edit, n schemas.Notice) bool {
	st := storyOf(n.Event)
	for _, ev := range e.past {
		if ev.Kind == schemas.AuditReply && st.messageID != "" && detailString(ev, "message_id") == st.messageID {
			return false
		}
	}
	e.noteMissed(respond(&e.c, e.now))
	ev := e.log(schemas.AuditReply, "", "", excerpt(st.text))
	if r, err := n.Event.Reply(); err == nil && r.SentBy != "" {
		ev.Actor = r.SentBy
	}
	e.recordEvent(ev, n.Event, st)
	return true
}

// mergeInto moves everything of from into e: the older story keeps its key.
func mergeInto(into, from *edit, reason string) {
	f := &from.c
	into.adopt(f.CustomerID)
	into.c.EventIDs = append(into.c.EventIDs, f.EventIDs...)
	addReasons(&into.c, f.Reasons, f.Categories)
	into.raise(f.Severity, f.Priority)
	if f.Kind == schemas.KindMistake && into.c.Kind == schemas.KindRisk {
		into.setKind(schemas.KindMistake, "the merged case was about a mistake")
	}
	if f.ValueAtRisk.Amount > into.c.ValueAtRisk.Amount {
		into.c.ValueAtRisk = f.ValueAtRisk
	}
	if into.c.ThreadID == "" {
		into.c.ThreadID = f.ThreadID
	}
	if into.c.Assignee == "" {
		into.c.Assignee = f.Assignee
	}
	if into.c.Location == "" {
		into.c.Location = f.Location
	}
	into.c.GotThereFirst = gotThereFirst(append(into.history(), from.history()...))
	withDetail(into.log(schemas.AuditMerged, f.ID, into.c.ID, reason),
		map[string]any{"case_id": f.ID, "event_ids": f.EventIDs})

	from.noteMissed(missTimers(f, from.now))
	from.mails = nil // whoever minds this case is told by the other one
	was := f.State
	f.State, f.MergedInto, f.EventIDs = schemas.StateDismissed, into.c.ID, []string{}
	f.ClosedAt, f.CloseReason = &from.now, "merged"
	closeTimers(f)
	withDetail(from.log(schemas.AuditMerged, string(was), string(schemas.StateDismissed), reason),
		map[string]any{"into": into.c.ID})
}

// splitOff moves events out of e into a new case that belongs to nobody known
// yet: one open case per customer still holds.
func splitOff(e *edit, ids []string, business schemas.Business) (*edit, error) {
	if err := closed(e.c); err != nil {
		return nil, err
	}
	moved := map[string]bool{}
	for _, id := range ids {
		if !slices.Contains(e.c.EventIDs, id) {
			return nil, &Invalid{"event_ids", "One of these events is not part of this case."}
		}
		moved[id] = true
	}
	if len(moved) == 0 || len(moved) == len(e.c.EventIDs) {
		return nil, &Invalid{"event_ids", "Pick some of the case's events, not all of them."}
	}
	var keep, out []string
	for _, id := range e.c.EventIDs {
		if moved[id] {
			out = append(out, id)
		} else {
			keep = append(keep, id)
		}
	}
	c := cloneCase(e.c)
	c.ID, c.Number, c.Version = derive("split", e.c.ID, strconv.FormatInt(e.before.Version, 10)), 0, 0
	c.Key, c.CustomerID, c.EventIDs = "thread:"+out[0], "", out
	c.OpenedAt, c.Episode, c.ReopenedCount = e.now, 1, 0
	n := newEdit(c, nil, e.actor, e.now, e.settings, business)
	n.begin()
	withDetail(n.log(schemas.AuditOpened, "", string(schemas.StateNew), "split off"),
		map[string]any{"case_id": e.c.ID, "event_ids": out})
	e.c.EventIDs = keep
	withDetail(e.log(schemas.AuditSplit, "", n.c.ID, ""), map[string]any{"case_id": n.c.ID, "event_ids": out})
	return n, nil
}
