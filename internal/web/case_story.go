package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"redalert/schemas"
)

// letter is one event of the case: mostly what the customer wrote.
type letter struct {
	ID       string
	Told     told
	Icon     string
	Source   string
	At       *moment
	Segments []segment
	Reasons  []string
	HasMail  bool
	HTMLURL  string
	Files    []mailAttachment
	CanSplit bool
	Mark     markView
}

// caseStory fills in what was written, what happened and what was sent, and
// answers the events with their verdicts.
func (s *Server) caseStory(r *http.Request, v *caseView, l *lookup, clock reader) ([]schemas.Scored, error) {
	ctx, c := r.Context(), v.Case
	audit, err := s.Cases.Audit(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	ids := slices.Clone(c.EventIDs)
	for _, a := range audit {
		if a.EventID != "" && a.Kind == schemas.AuditCustomerMessage && !slices.Contains(ids, a.EventID) {
			ids = append(ids, a.EventID)
		}
	}
	scored, err := s.Records.Scored(ctx, ids)
	if err != nil {
		return nil, err
	}
	if scored, err = s.withLost(ctx, scored); err != nil {
		return nil, err
	}
	slices.SortStableFunc(scored, func(a, b schemas.Scored) int { return b.Event.OccurredAt.Compare(a.Event.OccurredAt) })
	marks, err := s.marksOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	events := map[string]schemas.Event{}
	for _, sc := range scored {
		events[sc.Event.ID] = sc.Event
		m := s.letter(sc, clock, v.URL)
		if by := sc.Verdict.FlaggedBy; by != nil && *by == schemas.FlaggedByModel && slices.Contains(c.EventIDs, sc.Event.ID) { // a rule does not learn
			m.Mark = s.markView(sc.Event.ID, v.URL, marks, l)
		}
		m.CanSplit = v.Open && len(c.EventIDs) > 1 && slices.Contains(c.EventIDs, sc.Event.ID)
		if m.HasMail = m.HasMail && slices.Contains(ids, sc.Event.ID); m.HasMail {
			m.Files = s.attachments(ctx, sc.Event, v.URL)
		}
		if v.Subject == "" && sc.Event.Type == schemas.EmailReceived {
			v.Subject = m.Told.Subject
		}
		v.Messages = append(v.Messages, m)
	}
	v.Timeline = timeline(audit, events, l, clock)
	return scored, s.caseMails(ctx, v, clock)
}

// withLost adds the messages that signals of no answer are about: they need not
// be red, and then stand in no case.
func (s *Server) withLost(ctx context.Context, scored []schemas.Scored) ([]schemas.Scored, error) {
	have := map[string]bool{}
	for _, sc := range scored {
		have[sc.Event.ID] = true
	}
	var lost []string
	for _, sc := range scored {
		if sc.Event.Type != schemas.Unanswered {
			continue
		}
		if sig, err := sc.Event.Signal(); err == nil && sig.About != "" && !have[sig.About] {
			have[sig.About], lost = true, append(lost, sig.About)
		}
	}
	if len(lost) == 0 {
		return scored, nil
	}
	found, err := s.Records.Scored(ctx, lost)
	return append(scored, found...), err
}

// letter shows one event with the deciding words marked.
func (s *Server) letter(sc schemas.Scored, clock reader, caseURL string) letter {
	ev := sc.Event
	src := schemas.SourceTypeOf(ev.Type)
	m := letter{ID: ev.ID, Told: eventText(ev), Icon: sourceIcons[src], Source: ev.Source, At: clock.ago(&ev.OccurredAt),
		Reasons: reasonTexts(sc.Verdict.Reasons, 8), HasMail: ev.Type == schemas.EmailReceived && ev.RawSHA256 != ""}
	m.Reasons = slices.DeleteFunc(m.Reasons, func(said string) bool { return said == m.Told.Text }) // a signal's text is its reason
	m.Segments = mark(m.Told.Text, sc.Verdict.Reasons)
	m.HTMLURL = caseURL + "/events/" + url.PathEscape(ev.ID)
	return m
}

// caseMails tells of mails to the customer that wait, failed or may have been
// lost on the way.
func (s *Server) caseMails(ctx context.Context, v *caseView, clock reader) error {
	page, err := s.Outbox.Notifications(ctx, v.Case.ID, schemas.ListQuery{Limit: 500})
	if err != nil {
		return err
	}
	for _, n := range page.Items {
		if !n.ToCustomer && n.State != schemas.NotificationFailed {
			continue
		}
		st := mailState{At: clock.ago(&n.At)}
		switch n.State {
		case schemas.NotificationQueued, schemas.NotificationSending:
			st.Text = "The reply to the customer is on its way."
			if n.Attempts > 0 && n.Error != "" {
				st.Text = "The reply could not be sent yet and is tried again: " + n.Error
			}
		case schemas.NotificationFailed:
			st.Text, st.Bad = "The mail to "+n.Key.Recipient+" was not sent: "+n.Error, true
		case schemas.NotificationUncertain:
			st.Text, st.Bad = "The reply may or may not have reached the customer: the line broke while it was sent. It is not sent again by itself. Call, or write once more.", true
		default:
			continue
		}
		v.Mails = append(v.Mails, st)
	}
	return nil
}
