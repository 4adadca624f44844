package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"redalert/alerting"
	"redalert/schemas"
)

// caseView is the page that answers: what happened, and what do I do next?
type caseView struct {
	Shell
	Case        schemas.Case
	URL         string // of the page, without the id's special characters
	Who         string
	Lead        string // one sentence: what is wrong
	Assignee    string
	Mine        bool
	Open        bool
	Due         *moment
	Opened      *moment
	Closed      *moment
	Snoozed     *moment
	NextAttempt *moment
	Value       string
	Messages    []letter
	Timeline    []entry
	Mails       []mailState
	Customer    *customerCard // nil while nobody knows who it is
	Earlier     []caseRow
	Why         priorityView
	Steps       []stepView
	StepsDone   int
	Teaches     bool   // decisions are learned from
	Next        string // the next action: claim, start, step, recover, reopen, or ""
	Moves       []move
	People      []*person
	SnoozeTo    []choice
	CanReply    bool
	NoReply     string // why not
	Subject     string
	Form        formState
}

// stepView is one step of the playbook.
type stepView struct {
	schemas.PlaybookStep
	Help string
	Who  string
	When *moment
	Next bool
	Open bool
}

// move is a change of state that the table allows from here.
type move struct {
	To          schemas.CaseState
	Label       string
	NeedsReason bool
	Icon        string
}

// choice is one option of a select.
type choice struct{ Value, Label string }

// mailState tells of a mail to the customer that is not simply sent.
type mailState struct {
	Text string
	Bad  bool
	At   *moment
}

// formState keeps what was typed into a form that was refused.
type formState struct {
	Name    string // which form
	Field   string
	Error   string
	Values  url.Values
	General bool // the error belongs to the page, not to a field
}

// Is reports whether the form of this name was refused.
func (f formState) Is(name string) bool { return f.Name == name }

// Val answers what was typed into a field of a refused form.
func (f formState) Val(form, field string) string {
	if f.Name != form {
		return ""
	}
	return f.Values.Get(field)
}

// Err answers the message that stands beside a field; a form with one field
// takes every message.
func (f formState) Err(form string, fields ...string) string {
	if f.Name != form || f.General || len(fields) > 0 && !slices.Contains(fields, f.Field) {
		return ""
	}
	return f.Error
}

// seeCase finds a case the actor may see; alerting.ErrNotFound hides others.
func (s *Server) seeCase(ctx context.Context, a schemas.Actor, id string) (schemas.Case, error) {
	c, err := s.Cases.Case(ctx, id)
	if err != nil {
		return c, err
	}
	if !a.Sees(c.Location) {
		return schemas.Case{}, alerting.ErrNotFound
	}
	return c, nil
}

func (s *Server) casePage(w http.ResponseWriter, r *http.Request) error {
	c, err := s.seeCase(r.Context(), actorOf(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	if c.MergedInto != "" {
		return s.redirect(w, r, "/cases/"+url.PathEscape(c.MergedInto), flash{Text: "That case was merged into this one."})
	}
	return s.showCase(w, r, http.StatusOK, c, formState{})
}

// showCase renders the page; form holds what was refused, if anything was.
func (s *Server) showCase(w http.ResponseWriter, r *http.Request, status int, c schemas.Case, form formState) error {
	l, err := s.lookup(r)
	if err != nil {
		return err
	}
	v := caseView{Case: c, Teaches: s.Lessons != nil, URL: "/cases/" + url.PathEscape(c.ID), Form: form, Open: c.State.Open(),
		Assignee: l.name(c.Assignee), Mine: c.Assignee != "" && c.Assignee == actorOf(r).Email}
	clock := s.clock(s.zone(r))
	v.Due, v.Opened, v.Closed, v.NextAttempt = clock.due(c.Due()), clock.ago(&c.OpenedAt), clock.ago(c.ClosedAt), clock.due(c.NextAttemptAt)
	if c.SnoozedUntil != nil && c.SnoozedUntil.After(clock.now) {
		v.Snoozed = clock.moment(*c.SnoozedUntil, clock.day(*c.SnoozedUntil))
	}
	if c.ValueAtRisk.Amount > 0 {
		v.Value = s.money(c.ValueAtRisk).Short()
	}
	if v.Who, err = l.who(c); err != nil {
		return err
	}
	v.Lead = strings.Join(reasonTexts(c.Reasons, 3), " · ")
	v.People = l.assignable(c.Location)
	v.SnoozeTo = snoozeChoices(clock)
	v.steps(l, clock)
	v.Moves = moves(c, actorOf(r))
	v.Next = v.nextAction()
	scored, err := s.caseStory(r, &v, l, clock)
	if err != nil {
		return err
	}
	others, err := s.caseCustomer(r, &v, l, clock)
	if err != nil {
		return err
	}
	s.casePriority(r, &v, scored, others)
	v.Shell = s.shell(w, r, v.Who, "triage")
	s.render(w, r, status, "case", v)
	return nil
}

// steps shows the playbook; the first open step is the next one.
func (v *caseView) steps(l *lookup, clock reader) {
	found := false
	for _, p := range v.Case.Playbook {
		st := stepView{PlaybookStep: p, Help: stepHelp[p.Step], Who: l.name(p.Actor), When: clock.ago(p.At), Open: p.State == schemas.StepOpen}
		if st.Open && !found {
			st.Next, found = true, true
		}
		if !st.Open {
			v.StepsDone++
		}
		v.Steps = append(v.Steps, st)
	}
}

// nextAction names the one thing to do now; it gets the only filled button.
func (v *caseView) nextAction() string {
	switch c := v.Case; {
	case !v.Open:
		return ""
	case c.Assignee == "":
		return "claim"
	case c.State == schemas.StateNew || c.State == schemas.StateAcknowledged:
		return "start"
	case v.StepsDone < len(v.Steps):
		return "step"
	}
	return "recover"
}

var moveLabels = map[schemas.CaseState]move{
	schemas.StateAcknowledged:    {Label: "Mark as taken", Icon: "hand"},
	schemas.StateInRecovery:      {Label: "Start recovery", Icon: "arrow-right"},
	schemas.StateWaitingCustomer: {Label: "Wait for the customer", Icon: "clock"},
	schemas.StateRecovered:       {Label: "Won back", Icon: "circle-check"},
	schemas.StateLost:            {Label: "Lost", Icon: "circle-minus", NeedsReason: true},
	schemas.StateDismissed:       {Label: "Dismiss", Icon: "x", NeedsReason: true},
	schemas.StateNew:             {Label: "Back to new", Icon: "undo-2"},
}

// moves lists what the table allows; what only a manager may is left out for
// staff (the desk refuses it anyway).
func moves(c schemas.Case, a schemas.Actor) []move {
	var out []move
	for _, to := range alerting.Transitions(c.State) {
		m := moveLabels[to]
		m.To = to
		manager := to == schemas.StateLost || to == schemas.StateDismissed && c.Severity == schemas.SeverityCritical
		if manager && !a.AtLeast(schemas.RoleManager) || to == schemas.StateAcknowledged {
			continue
		}
		if !c.State.Open() {
			m.Label, m.Icon = "Open again", "rotate-ccw"
		}
		if c.State == schemas.StateWaitingCustomer && to == schemas.StateInRecovery {
			m.Label = "Go on with recovery"
		}
		out = append(out, m)
	}
	return out
}

// snoozeChoices offers times in the reader's zone.
func snoozeChoices(c reader) []choice {
	now := c.now.In(c.zone)
	at := func(days, hour int) time.Time {
		return time.Date(now.Year(), now.Month(), now.Day()+days, hour, 0, 0, 0, c.zone)
	}
	monday := (8 - int(now.Weekday())) % 7
	if monday == 0 {
		monday = 7
	}
	out := []choice{
		{schemas.FormatTime(now.Add(3 * time.Hour)), "in 3 hours"},
		{schemas.FormatTime(at(1, 9)), "tomorrow 9:00"},
		{schemas.FormatTime(at(3, 9)), "in 3 days"},
	}
	if monday != 1 && monday != 3 {
		out = append(out, choice{schemas.FormatTime(at(monday, 9)), "Monday 9:00"})
	}
	return append(out, choice{schemas.FormatTime(at(14, 9)), "in 2 weeks"})
}

// caseCustomer fills in the right-hand side, and answers the customer's other
// cases that the reader may see.
func (s *Server) caseCustomer(r *http.Request, v *caseView, l *lookup, clock reader) ([]schemas.Case, error) {
	cust, ok, err := l.customer(v.Case.CustomerID)
	if err != nil {
		return nil, err
	}
	v.NoReply = "Nobody knows yet who this is. Answer where they wrote."
	keys := []string{v.Case.Key}
	if ok {
		if v.Customer, err = s.customerCard(r.Context(), cust, clock); err != nil {
			return nil, err
		}
		if keys, err = s.Identities.Keys(r.Context(), cust.ID); err != nil {
			return nil, err
		}
		switch {
		case cust.OptedOut:
			v.NoReply = "This customer asked not to be written to. Call them, or see them in person."
		case cust.Email == "":
			v.NoReply = "There is no e-mail address of this customer. Call them, or see them in person."
		default:
			v.CanReply, v.NoReply = v.Open, "The case is closed. Open it again to reply."
		}
	}
	others, err := s.Cases.ByKeys(r.Context(), keys)
	if err != nil {
		return nil, err
	}
	others = slices.DeleteFunc(others, func(c schemas.Case) bool { return c.ID == v.Case.ID || !actorOf(r).Sees(c.Location) })
	v.Earlier, err = s.caseRows(r, others[:min(len(others), 8)])
	return others, err
}
