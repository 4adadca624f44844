package web

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"redalert/alerting"
	"redalert/schemas"
	"redalert/signals"
)

// told is what an event says, for people.
type told struct {
	Kind    string // "Review", "Order cancelled"
	Subject string
	Text    string // the scored text; spans of reasons point into it
	Score   string // "2 of 10", "" without one
	Asked   string // the question of a survey
	Facts   []string
}

var eventKinds = map[schemas.EventType]string{
	schemas.SurveyAnswered: "Survey answer", schemas.EmailReceived: "Mail", schemas.ReviewPosted: "Review",
	schemas.ReviewChanged: "Review, edited", schemas.OrderPlaced: "Order placed", schemas.OrderChanged: "Order changed",
	schemas.OrderCancelled: "Order cancelled", schemas.OrderRefunded: "Order refunded", schemas.OrderFulfilled: "Order done",
	schemas.MistakeReported: "Reported by our own staff", schemas.ReplySent: "Our reply",
	schemas.OrderOverdue: "Usual order did not come", schemas.Unanswered: "Nobody has answered",
}

// eventText reads an event. Data that does not fit its type reads as its kind
// alone: the page stays up.
func eventText(ev schemas.Event) told {
	t := told{Kind: eventKinds[ev.Type]}
	switch {
	case ev.Type.IsFeedback():
		f, err := ev.Feedback()
		if err != nil {
			return t
		}
		t.Subject, t.Text, t.Asked = f.MetaString(schemas.MetaSubject), f.ValueText, f.FieldLabel
		if a := f.MetaString(schemas.MetaAuthor); a != "" {
			t.Facts = append(t.Facts, "signed “"+a+"”")
		}
		if lang, other := signals.OtherLanguage(f); other {
			t.Facts = append(t.Facts, "in "+lang+": the scorer reads English only")
		}
		t.Score = scoreText(f)
	case ev.Type.IsOrder():
		if o, err := ev.Order(); err == nil {
			orderText(&t, ev.Type, o)
		}
	case ev.Type == schemas.MistakeReported:
		if m, err := ev.Mistake(); err == nil {
			t.Text = m.WhatHappened
			if m.ReportedBy != "" {
				t.Facts = append(t.Facts, "by "+m.ReportedBy)
			}
		}
	case ev.Type == schemas.ReplySent:
		if r, err := ev.Reply(); err == nil {
			t.Subject, t.Text = r.Subject, r.Text
		}
	default:
		if sig, err := ev.Signal(); err == nil {
			t.Subject, t.Text = sig.Subject, sig.Detail
		}
	}
	if ev.OrderRef != "" {
		t.Facts = append(t.Facts, "order "+ev.OrderRef)
	}
	return t
}

func scoreText(f schemas.Feedback) string {
	if f.ValueNumber == nil {
		return ""
	}
	v := strconv.FormatFloat(*f.ValueNumber, 'g', -1, 64)
	hi := f.ScaleMax
	if hi == nil && f.FieldType == schemas.FieldNPS {
		ten := 10.0
		hi = &ten
	}
	if hi == nil {
		return v
	}
	return v + " of " + strconv.FormatFloat(*hi, 'g', -1, 64)
}

func orderText(t *told, typ schemas.EventType, o schemas.Order) {
	t.Text = o.Reason
	switch {
	case o.Total != nil && o.PreviousTotal != nil:
		t.Facts = append(t.Facts, fmt.Sprintf("%s instead of %s", o.Total, o.PreviousTotal))
	case o.Total != nil:
		t.Facts = append(t.Facts, o.Total.String())
	}
	if typ != schemas.OrderPlaced && o.CausedBy == schemas.BySeller {
		t.Facts = append(t.Facts, "caused by us")
	}
	for i, l := range o.Lines {
		if i == 4 {
			t.Facts = append(t.Facts, plural(len(o.Lines)-i, "more line", "more lines"))
			break
		}
		name := l.Description
		if name == "" {
			name = l.SKU
		}
		if name != "" {
			t.Facts = append(t.Facts, fmt.Sprintf("%d × %s", l.Quantity, name))
		}
	}
}

// segment is a run of the customer's text; Why is set where it decided.
type segment struct{ Text, Why string }

// mark cuts text at the spans of the reasons. Overlapping spans are joined;
// spans that lie outside the text are left out. The segments in a row are the
// whole text.
func mark(text string, reasons []schemas.Reason) []segment {
	type hit struct {
		from, to int
		why      string
	}
	var hits []hit
	for _, r := range reasons {
		if r.Span != nil && r.Span.Start >= 0 && r.Span.Start < r.Span.End && r.Span.End <= len(text) {
			hits = append(hits, hit{r.Span.Start, r.Span.End, r.Message})
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int { return a.from - b.from })
	var out []segment
	pos := 0
	for i := 0; i < len(hits); {
		h := hits[i]
		for i++; i < len(hits) && hits[i].from < h.to; i++ {
			h.to = max(h.to, hits[i].to)
			if !strings.Contains(h.why, hits[i].why) {
				h.why += "; " + hits[i].why
			}
		}
		if h.from > pos {
			out = append(out, segment{Text: text[pos:h.from]})
		}
		out = append(out, segment{Text: text[h.from:h.to], Why: h.why})
		pos = h.to
	}
	if pos < len(text) {
		out = append(out, segment{Text: text[pos:]})
	}
	return out
}

// entry is one line of a case's timeline.
type entry struct {
	Icon, Who, Text string
	Said            string // what was written, noted or given as a reason
	At              *moment
	Denied          bool
	Link, LinkText  string
}

// timeline tells the audit in plain words, newest first.
func timeline(audit []schemas.CaseEvent, events map[string]schemas.Event, l *lookup, c reader) []entry {
	var out []entry
	for _, a := range slices.Backward(audit) {
		e := tell(a, events, l, c)
		e.At = c.ago(&a.At)
		out = append(out, e)
	}
	return out
}

func detail(a schemas.CaseEvent, key string) string {
	s, _ := a.Detail[key].(string)
	return s
}

// tell says one audit entry as a sentence.
func tell(a schemas.CaseEvent, events map[string]schemas.Event, l *lookup, c reader) entry {
	e := entry{Who: l.name(a.Actor), Said: a.Reason}
	kind := eventKinds[schemas.EventType(detail(a, "event_type"))]
	if ev, ok := events[a.EventID]; ok {
		kind = eventKinds[ev.Type]
	}
	switch a.Kind {
	case schemas.AuditOpened:
		e.Icon, e.Text = "siren", "opened the case"
		if kind != "" {
			e.Said = kind
		}
		if from := detail(a, "case_id"); from != "" {
			e.Text, e.Said = "split this case off", ""
			e.Link, e.LinkText = "/cases/"+from, "the case it came from"
		}
	case schemas.AuditEventAdded:
		e.Icon, e.Text, e.Said = "circle-alert", "added another alert to the case", kind
	case schemas.AuditReopened:
		e.Icon, e.Text = "rotate-ccw", "opened the case again"
	case schemas.AuditTransition:
		e.Icon, e.Text = "arrow-right", "moved it from “"+words(a.From)+"” to “"+words(a.To)+"”"
		if a.To == string(schemas.StateRecovered) {
			e.Icon, e.Text = "circle-check", "won the customer back"
		}
	case schemas.AuditAssigned:
		e.Icon, e.Text = "user-check", assigned(a, l)
		if a.Reason == "claimed" {
			e.Said = ""
		}
	case schemas.AuditNote:
		e.Icon, e.Text = "pencil", "noted"
	case schemas.AuditCall:
		e.Icon, e.Text = "phone", "called: "+words(a.To)
		if at, err := schemas.ParseTime(detail(a, "next_attempt_at")); err == nil && !at.IsZero() {
			e.Text += ", next try " + c.day(at)
		}
	default:
		tellMore(&e, a, l, c)
	}
	return e
}

func assigned(a schemas.CaseEvent, l *lookup) string {
	switch {
	case a.To == "":
		return "put the case back, nobody has it now"
	case a.To == a.Actor:
		return "took the case"
	}
	return "gave the case to " + l.name(a.To)
}

func tellMore(e *entry, a schemas.CaseEvent, l *lookup, c reader) {
	switch a.Kind {
	case schemas.AuditReply:
		e.Icon, e.Text = "send", "wrote to the customer"
		if s := detail(a, "subject"); s != "" {
			e.Text += ": " + s
		}
	case schemas.AuditCustomerMessage:
		e.Icon, e.Who, e.Text = "mail", "The customer", "wrote again"
	case schemas.AuditStepDone:
		e.Icon, e.Text = "check", "did “"+words(a.To)+"”"
	case schemas.AuditStepOverridden:
		e.Icon, e.Text = "circle-minus", "left “"+words(a.To)+"” out"
	case schemas.AuditKindChanged:
		e.Icon, e.Text = "arrow-right", "changed the kind to “"+words(a.To)+"”"
	case schemas.AuditMerged:
		e.Icon, e.Text = "git-merge", "merged another case into this one"
		if into := detail(a, "into"); into != "" {
			e.Text, e.Link, e.LinkText = "merged this case into another one", "/cases/"+into, "open it"
		}
	case schemas.AuditSplit:
		e.Icon, e.Text, e.Link, e.LinkText = "split", "split a part off", "/cases/"+a.To, "the new case"
	case schemas.AuditSnoozed:
		e.Icon, e.Text = "alarm-clock", "woke the case up"
		if at, err := schemas.ParseTime(a.To); err == nil && !at.IsZero() {
			e.Text = "snoozed it until " + c.day(at)
		}
	case schemas.AuditTimerMissed:
		e.Icon, e.Text = "clock", "noticed that the "+words(a.To)+" is late"
	case schemas.AuditDenied:
		e.Icon, e.Text, e.Denied = "shield-alert", "tried to "+detail(a, "action")+", which needs a "+detail(a, "need"), true
		e.Said = ""
	default:
		e.Icon, e.Text = "circle-dot", words(string(a.Kind))
	}
}

// deskError reads an error of the desk for a form: the field it stands beside
// and the words. ok is false for errors no form can help with.
func deskError(err error, l *lookup) (field, message string, ok bool) {
	switch e := err.(type) {
	case *alerting.Invalid:
		return e.Field, sentence(e.Message), true
	case *alerting.Conflict:
		return "", l.name(e.By) + " changed this case while you had it open. Look at what is new; what you typed is still here.", true
	case *alerting.PlaybookIncomplete:
		names := make([]string, len(e.Missing))
		for i, st := range e.Missing {
			names[i] = words(st)
		}
		return "", "Not yet: these steps are open: " + strings.Join(names, ", ") + ".", true
	case *alerting.NotAllowed:
		return "", sentence(e.Error()) + " The attempt stands in the timeline.", true
	case *alerting.NotATransition:
		return "", "A case that is “" + words(e.From) + "” cannot become “" + words(e.To) + "”.", true
	case *inputError:
		return e.Field, sentence(e.Message), true
	}
	return "", "", false
}
