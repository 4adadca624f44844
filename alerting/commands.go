package alerting

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"redalert/schemas"
)

// maxText bounds what a person may type into one command, in bytes.
const maxText = 64 << 10

// The functions below are the commands: each checks its rules and changes the
// edit, or answers why not. Permission comes before version and order, so the
// Desk asks them in two parts: need… and the command itself.

func closed(c schemas.Case) error {
	if c.MergedInto != "" {
		return &Invalid{"state", "This case was merged into another one. Work that one."}
	}
	if !c.State.Open() {
		return &Invalid{"state", "This case is closed. Reopen it first."}
	}
	return nil
}

func text(field, s string, required bool, ask string) (string, error) {
	s = strings.TrimSpace(s)
	if required && s == "" {
		return "", &Invalid{field, ask}
	}
	if len(s) > maxText {
		return "", &Invalid{field, fmt.Sprintf("This is longer than %d KB. Shorten it.", maxText>>10)}
	}
	return s, nil
}

func claim(e *edit) error {
	if err := closed(e.c); err != nil {
		return err
	}
	if e.c.Assignee != "" && e.c.Assignee != e.actor.Email {
		return &Conflict{By: e.c.Assignee, Version: e.c.Version}
	}
	if e.c.Assignee == "" {
		e.c.Assignee = e.actor.Email
		e.log(schemas.AuditAssigned, "", e.actor.Email, "claimed")
	}
	if e.c.State == schemas.StateNew {
		e.setState(schemas.StateAcknowledged, "")
	}
	return nil
}

// assign: staff lists the enabled users.
func assign(e *edit, assignee, reason string, staff []Person) error {
	if err := closed(e.c); err != nil {
		return err
	}
	reason, err := text("reason", reason, false, "")
	if err != nil {
		return err
	}
	assignee = strings.ToLower(strings.TrimSpace(assignee))
	if assignee != "" {
		i := slices.IndexFunc(staff, func(p Person) bool { return strings.EqualFold(p.Email, assignee) })
		if i < 0 {
			return &Invalid{"assignee", "Nobody with this address works here. Pick somebody from the list."}
		}
		if !staff[i].actor().Sees(e.c.Location) {
			return &Invalid{"assignee", "This person does not work at the case's location. Pick somebody who does."}
		}
		assignee = staff[i].Email
	}
	if assignee == e.c.Assignee {
		return nil
	}
	seq := e.nextSeq()
	e.log(schemas.AuditAssigned, e.c.Assignee, assignee, reason)
	e.c.Assignee = assignee
	if assignee != "" && assignee != e.actor.Email {
		e.mails = append(e.mails, mailRequest{kind: schemas.NotifyAssigned, cause: strconv.FormatInt(seq, 10),
			to: audience{person: assignee}, note: reason})
	}
	return nil
}

func transition(e *edit, to schemas.CaseState, reason string) error {
	if e.c.MergedInto != "" {
		return &Invalid{"state", "This case was merged into another one. Work that one."}
	}
	if to == schemas.StateRecovered && e.c.State.Open() {
		if m := Missing(e.c); len(m) > 0 {
			return &PlaybookIncomplete{Missing: m}
		}
	}
	if !CanTransition(e.c.State, to) {
		return &NotATransition{From: e.c.State, To: to}
	}
	reason, err := text("reason", reason, to == schemas.StateLost || to == schemas.StateDismissed,
		"Say why; it stays in the case's history.")
	if err != nil {
		return err
	}
	if !e.c.State.Open() {
		reopen(e, reason)
		return nil
	}
	e.setState(to, reason)
	return nil
}

// reopen starts the next episode of a closed case.
func reopen(e *edit, reason string) *schemas.CaseEvent {
	from := e.c.State
	e.c.Episode++
	e.c.ReopenedCount++
	e.begin()
	return e.log(schemas.AuditReopened, string(from), string(schemas.StateNew), reason)
}

func openStep(e *edit, step schemas.Step) (int, error) {
	if err := closed(e.c); err != nil {
		return 0, err
	}
	i := stepIndex(e.c.Playbook, step)
	if i < 0 {
		return 0, &Invalid{"step", fmt.Sprintf("%q is no step of this case's playbook.", step)}
	}
	if e.c.Playbook[i].State != schemas.StepOpen {
		return 0, &Invalid{"step", "This step is settled already."}
	}
	return i, nil
}

func completeStep(e *edit, step schemas.Step, evidence string) error {
	i, err := openStep(e, step)
	if err != nil {
		return err
	}
	if strings.TrimSpace(evidence) == "" {
		evidence = e.evidenceFor(step)
	}
	ask := "Say what was done, so that a colleague can see it."
	switch step {
	case schemas.StepOwnUp:
		ask = "Own up in person: log a call that reached the customer, or say where and when you spoke."
	case schemas.StepWrittenProof:
		ask = "Reply to the customer by mail, or write down what they got in writing: what happened, what is fixed now, what prevents it."
	}
	evidence, err = text("evidence", evidence, true, ask)
	if err != nil {
		return err
	}
	if step == schemas.StepWrittenProof && phoneAlone(evidence) {
		return &Invalid{"evidence", "A phone call is no written proof. Reply by mail, or say what the customer got in writing."}
	}
	e.c.Playbook[i] = schemas.PlaybookStep{Step: step, State: schemas.StepDone, Actor: e.actor.Email, At: &e.now, Evidence: evidence}
	e.log(schemas.AuditStepDone, string(schemas.StepOpen), string(step), evidence)
	return nil
}

// evidenceFor finds evidence in the episode itself: a call that reached the
// customer owns up and makes contact, a reply by mail is written proof.
func (e *edit) evidenceFor(step schemas.Step) string {
	for _, ev := range slices.Backward(e.episode()) {
		switch {
		case ev.Kind == schemas.AuditCall && ev.To == CallReached && (step == schemas.StepOwnUp || step == schemas.StepContact):
			return strings.TrimSpace("Reached by phone. " + ev.Reason)
		case ev.Kind == schemas.AuditReply && (step == schemas.StepWrittenProof || step == schemas.StepContact):
			return "Written to by mail: " + detailString(ev, "subject")
		}
	}
	return ""
}

func overrideStep(e *edit, step schemas.Step, reason string) error {
	i, err := openStep(e, step)
	if err != nil {
		return err
	}
	if reason, err = text("override_reason", reason, true, "Say why this step may be left out; it stays in the case's history."); err != nil {
		return err
	}
	e.c.Playbook[i] = schemas.PlaybookStep{Step: step, State: schemas.StepOverridden, Actor: e.actor.Email, At: &e.now, OverrideReason: reason}
	e.log(schemas.AuditStepOverridden, string(schemas.StepOpen), string(step), reason)
	return nil
}

// callAgain is when to try again unless the caller says otherwise.
const callAgain = 4 * time.Hour

func logCall(e *edit, call Call) error {
	if err := closed(e.c); err != nil {
		return err
	}
	note, err := text("note", call.Note, false, "")
	if err != nil {
		return err
	}
	switch call.Outcome {
	case CallReached, CallVoicemail, CallNoAnswer:
	default:
		return &Invalid{"outcome", "Say how the call ended: reached, voicemail or no_answer."}
	}
	if call.NextAttemptAt != nil && !call.NextAttemptAt.After(e.now) {
		return &Invalid{"next_attempt_at", "The next attempt must lie in the future."}
	}
	ev := e.log(schemas.AuditCall, "", call.Outcome, note)
	e.c.NextAttemptAt = call.NextAttemptAt
	if call.NextAttemptAt == nil && call.Outcome != CallReached {
		t := e.cal.Add(e.now, callAgain)
		e.c.NextAttemptAt = &t
	}
	if e.c.NextAttemptAt != nil {
		t := e.c.NextAttemptAt.UTC().Truncate(time.Millisecond)
		e.c.NextAttemptAt = &t
		withDetail(ev, map[string]any{"next_attempt_at": schemas.FormatTime(t)})
	}
	if call.Outcome != CallNoAnswer {
		e.noteMissed(respond(&e.c, e.now))
	}
	return nil
}

func addNote(e *edit, note string) error {
	note, err := text("text", note, true, "Write something first.")
	if err != nil {
		return err
	}
	e.log(schemas.AuditNote, "", "", note)
	return nil
}

func setKind(e *edit, kind schemas.CaseKind, reason string) error {
	if err := closed(e.c); err != nil {
		return err
	}
	if _, ok := playbooks[kind]; !ok {
		return &Invalid{"kind", "A case is a mistake or a risk."}
	}
	if kind == e.c.Kind {
		return nil
	}
	reason, err := text("reason", reason, false, "")
	if err != nil {
		return err
	}
	e.setKind(kind, reason)
	return nil
}

func snooze(e *edit, until time.Time, reason string) error {
	if err := closed(e.c); err != nil {
		return err
	}
	reason, err := text("reason", reason, false, "")
	if err != nil {
		return err
	}
	if !until.After(e.now) {
		return &Invalid{"until", "Pick a time in the future."}
	}
	until = until.UTC().Truncate(time.Millisecond)
	from := ""
	if e.c.SnoozedUntil != nil {
		from = schemas.FormatTime(*e.c.SnoozedUntil)
	}
	e.c.SnoozedUntil = &until
	e.log(schemas.AuditSnoozed, from, schemas.FormatTime(until), reason)
	return nil
}

// wake ends a snooze.
func wake(e *edit, reason string) {
	if e.c.SnoozedUntil == nil {
		return
	}
	from := schemas.FormatTime(*e.c.SnoozedUntil)
	e.c.SnoozedUntil = nil
	e.log(schemas.AuditSnoozed, from, "", reason)
}

// reply: customer is whom it goes to.
func reply(e *edit, draft ReplyDraft, customer schemas.Customer) error {
	if err := closed(e.c); err != nil {
		return err
	}
	body, err := text("text", draft.Text, true, "Write the reply first.")
	if err != nil {
		return err
	}
	switch {
	case customer.OptedOut:
		return &Invalid{"customer", "This customer asked not to be written to. Call them, or see them in person."}
	case customer.Email == "":
		return &Invalid{"customer", "There is no e-mail address of this customer. Call them, or import their address."}
	}
	thread := lastThread(e.history())
	draft = ReplyDraft{Subject: replySubject(draft.Subject, thread.subject), Text: body}
	id := derive("reply", e.c.ID, strconv.FormatInt(e.before.Version, 10))
	ev := e.log(schemas.AuditReply, "", customer.Email, body)
	withDetail(ev, map[string]any{"reply_id": id, "subject": draft.Subject})
	e.noteMissed(respond(&e.c, e.now))
	e.mails = append(e.mails, mailRequest{kind: schemas.NotifyReply, cause: id, to: audience{customer: true}, draft: &draft})
	return nil
}
