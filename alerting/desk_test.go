package alerting

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"redalert/schemas"
)

var bg = context.Background()

// opened is a rig with one case, of a risk unless mistake.
func opened(t *testing.T, sev schemas.Severity, mistake bool) (*rig, schemas.Case) {
	t.Helper()
	r := newRig()
	n := r.red("e1", "cust-1", sev)
	n.Mistake = mistake
	r.publish(n)
	if err := r.drain(); err != nil {
		t.Fatal(err)
	}
	if len(r.cases) != 1 {
		t.Fatalf("%d cases, want 1", len(r.cases))
	}
	return r, r.only()
}

func must(t *testing.T) func(schemas.Case, error) schemas.Case {
	return func(c schemas.Case, err error) schemas.Case {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

func TestTransitionTable(t *testing.T) {
	all := []schemas.CaseState{"new", "acknowledged", "in_recovery", "waiting_customer", "recovered", "lost", "dismissed"}
	allowed := map[schemas.CaseState]string{
		"new": "acknowledged in_recovery lost dismissed", "acknowledged": "in_recovery new lost dismissed",
		"in_recovery": "waiting_customer recovered lost dismissed", "waiting_customer": "in_recovery recovered lost dismissed",
		"recovered": "new", "lost": "new", "dismissed": "new"}
	for _, from := range all {
		for _, to := range all {
			want := slices.Contains(strings.Fields(allowed[from]), string(to))
			if got := CanTransition(from, to); got != want {
				t.Errorf("%s → %s: %v, want %v", from, to, got, want)
			}
			r, c := opened(t, schemas.SeverityMedium, false)
			c.State = from
			for i := range c.Playbook {
				c.Playbook[i].State = schemas.StepDone
			}
			if !from.Open() {
				c.ClosedAt = &r.now
			}
			r.cases[c.ID] = c
			_, err := r.desk.Transition(bg, olive, c.ID, c.Version, to, "because")
			var refused *NotATransition
			if want && err != nil || !want && !errors.As(err, &refused) {
				t.Errorf("%s → %s by the desk: %v", from, to, err)
			}
		}
	}
}

func TestFault_12_OnlyAManagerMayAndTheAttemptIsKept(t *testing.T) {
	for name, c := range map[string]struct {
		sev schemas.Severity
		mis bool
		do  func(*Desk, schemas.Actor, schemas.Case) error
	}{
		"lose": {"medium", false, func(d *Desk, a schemas.Actor, c schemas.Case) error {
			_, err := d.Transition(bg, a, c.ID, c.Version, schemas.StateLost, "they left")
			return err
		}},
		"dismiss critical": {"critical", false, func(d *Desk, a schemas.Actor, c schemas.Case) error {
			_, err := d.Transition(bg, a, c.ID, c.Version, schemas.StateDismissed, "spam")
			return err
		}},
		"override": {"medium", true, func(d *Desk, a schemas.Actor, c schemas.Case) error {
			_, err := d.OverrideStep(bg, a, c.ID, c.Version, schemas.StepMakeGood, "nothing broke")
			return err
		}},
		"mistake to risk": {"medium", true, func(d *Desk, a schemas.Actor, c schemas.Case) error {
			_, err := d.SetKind(bg, a, c.ID, c.Version, schemas.KindRisk, "not ours")
			return err
		}},
	} {
		r, cs := opened(t, c.sev, c.mis)
		var denied *NotAllowed
		if err := c.do(r.desk, ana, cs); !errors.As(err, &denied) || denied.Need != schemas.RoleManager {
			t.Fatalf("%s by staff: %v, want NotAllowed", name, err)
		}
		a := r.audit[cs.ID]
		if last := a[len(a)-1]; last.Kind != schemas.AuditDenied || last.Actor != ana.Email {
			t.Errorf("%s: the attempt is not in the audit: %+v", name, last)
		}
		if err := c.do(r.desk, mo, cs); err != nil { // with the version from before the attempt
			t.Errorf("%s by a manager: %v", name, err)
		}
	}
}

func TestRecoveredNeedsTheWholePlaybook(t *testing.T) {
	r, c := opened(t, schemas.SeverityMedium, true)
	ok := must(t)
	c = ok(r.desk.Claim(bg, ana, c.ID, c.Version))
	if c.State != schemas.StateAcknowledged || c.Assignee != ana.Email {
		t.Fatalf("claimed: %s by %q", c.State, c.Assignee)
	}
	c = ok(r.desk.Transition(bg, ana, c.ID, c.Version, schemas.StateInRecovery, ""))
	var missing *PlaybookIncomplete
	_, err := r.desk.Transition(bg, ana, c.ID, c.Version, schemas.StateRecovered, "")
	if !errors.As(err, &missing) || !slices.Equal(missing.Missing, Steps(schemas.KindMistake)) {
		t.Fatalf("recovered with nothing done: %v", err)
	}
	c = ok(r.desk.CompleteStep(bg, ana, c.ID, c.Version, schemas.StepFix, "boiler works"))
	c = ok(r.desk.OverrideStep(bg, mo, c.ID, c.Version, schemas.StepMakeGood, "she refused a voucher"))
	_, err = r.desk.Transition(bg, olive, c.ID, c.Version, schemas.StateRecovered, "")
	want := []schemas.Step{"own_up", "apologise", "contain", "written_proof", "root_cause", "tell_change"}
	if !errors.As(err, &missing) || !slices.Equal(missing.Missing, want) {
		t.Fatalf("an owner gets round the playbook: %v", err)
	}
	for _, s := range want {
		c = ok(r.desk.CompleteStep(bg, ana, c.ID, c.Version, s, "done on site with Maria"))
	}
	c = ok(r.desk.Transition(bg, ana, c.ID, c.Version, schemas.StateRecovered, ""))
	if c.State != schemas.StateRecovered || c.ClosedAt == nil || c.SLAStatus != schemas.SLAHit {
		t.Fatalf("closed: %+v", c)
	}
	c = ok(r.desk.Transition(bg, ana, c.ID, c.Version, schemas.StateNew, "she called again"))
	if c.Episode != 2 || c.ReopenedCount != 1 || len(Missing(c)) != 8 || c.Assignee != ana.Email || c.ClosedAt != nil {
		t.Fatalf("reopened: %+v", c)
	}
}

func TestG8_APhoneCallIsNoWrittenProof(t *testing.T) {
	for evidence, good := range map[string]bool{
		"": false, "   ": false, "called": false, "Called her, left a voicemail.": false, "phoned twice": false,
		"Reached him by phone this morning": false, "letter sent": true, "e-mail of 3 March": true,
		"Wrote what happened, that the valve is replaced, and the new check list": true, "called and sent a letter": true,
	} {
		r, c := opened(t, schemas.SeverityMedium, false)
		_, err := r.desk.CompleteStep(bg, ana, c.ID, c.Version, schemas.StepWrittenProof, evidence)
		var invalid *Invalid
		if good && err != nil || !good && (!errors.As(err, &invalid) || invalid.Field != "evidence") {
			t.Errorf("evidence %q: %v", evidence, err)
		}
	}
	r, c := opened(t, schemas.SeverityMedium, true)
	ok := must(t)
	c = ok(r.desk.LogCall(bg, ana, c.ID, c.Version, Call{Outcome: CallReached, Note: "she was kind"}))
	if _, err := r.desk.CompleteStep(bg, ana, c.ID, c.Version, schemas.StepWrittenProof, ""); err == nil {
		t.Error("a logged call was taken as written proof")
	}
	c = ok(r.desk.CompleteStep(bg, ana, c.ID, c.Version, schemas.StepOwnUp, ""))
	if e := c.Playbook[0].Evidence; !strings.Contains(e, "she was kind") {
		t.Errorf("own_up evidence %q, want the call", e)
	}
	c = ok(r.desk.Reply(bg, ana, c.ID, c.Version, ReplyDraft{Text: "We forgot you. It is fixed."}))
	c = ok(r.desk.CompleteStep(bg, ana, c.ID, c.Version, schemas.StepWrittenProof, ""))
	if _, err := r.desk.CompleteStep(bg, ana, c.ID, c.Version, schemas.StepWrittenProof, "again"); err == nil {
		t.Error("a step was done twice")
	}
}

func TestOfTwoClaimsOneWins(t *testing.T) {
	r, c := opened(t, schemas.SeverityMedium, false)
	must(t)(r.desk.Claim(bg, ana, c.ID, c.Version))
	for _, version := range []int64{c.Version, r.cases[c.ID].Version} {
		var conflict *Conflict
		if _, err := r.desk.Claim(bg, ben, c.ID, version); !errors.As(err, &conflict) || conflict.By != ana.Email {
			t.Errorf("second claim at version %d: %v, want a conflict with %s", version, err, ana.Email)
		}
	}
	if again, err := r.desk.Claim(bg, ana, c.ID, r.cases[c.ID].Version); err != nil || again.Version != r.cases[c.ID].Version {
		t.Errorf("claiming one's own: %v", err)
	}
	if _, err := r.desk.AddNote(bg, ben, c.ID, 0, "hm"); err == nil {
		t.Error("a command without a version was taken")
	}
	if _, err := r.desk.AddNote(bg, ben, c.ID, c.Version, "hm"); !isConflict(err) {
		t.Errorf("an old version: %v", err)
	}
	east := schemas.Actor{Email: "east@firm.example", Role: schemas.RoleManager, Locations: []string{"East"}}
	if _, err := r.desk.Claim(bg, east, c.ID, c.Version); !errors.Is(err, ErrNotFound) {
		t.Errorf("a case of another location: %v", err)
	}
}

func TestAssign(t *testing.T) {
	r, c := opened(t, schemas.SeverityMedium, false)
	for _, who := range []string{"nobody@firm.example", "east@firm.example"} {
		var invalid *Invalid
		if _, err := r.desk.Assign(bg, mo, c.ID, c.Version, who, ""); !errors.As(err, &invalid) || invalid.Field != "assignee" {
			t.Errorf("assign to %s: %v", who, err)
		}
	}
	c = must(t)(r.desk.Assign(bg, mo, c.ID, c.Version, "Ana@firm.example", "you know her"))
	if c.Assignee != ana.Email || c.State != schemas.StateNew {
		t.Fatalf("assigned: %q %s", c.Assignee, c.State)
	}
	if got := r.mailed(schemas.NotifyAssigned); !slices.Equal(got, []string{ana.Email}) {
		t.Errorf("told %v", got)
	}
	for k := range r.notes {
		if k.Kind == schemas.NotifyAssigned && k.Cause != "2" {
			t.Errorf("cause %q, want the audit number 2", k.Cause)
		}
	}
	must(t)(r.desk.Assign(bg, ben, c.ID, c.Version, ben.Email, ""))
	if got := r.mailed(schemas.NotifyAssigned); len(got) != 1 {
		t.Errorf("told of one's own doing: %v", got)
	}
}

func TestReasonsAndFieldsAreAskedFor(t *testing.T) {
	past := monday.Add(-time.Hour)
	for field, do := range map[string]func(*Desk, schemas.Case) error{
		"reason": func(d *Desk, c schemas.Case) error {
			_, err := d.Transition(bg, olive, c.ID, c.Version, schemas.StateLost, " ")
			return err
		},
		"override_reason": func(d *Desk, c schemas.Case) error {
			_, err := d.OverrideStep(bg, mo, c.ID, c.Version, schemas.StepContact, "")
			return err
		},
		"step": func(d *Desk, c schemas.Case) error {
			_, err := d.CompleteStep(bg, ana, c.ID, c.Version, schemas.StepOwnUp, "x")
			return err
		},
		"evidence": func(d *Desk, c schemas.Case) error {
			_, err := d.CompleteStep(bg, ana, c.ID, c.Version, schemas.StepContact, "")
			return err
		},
		"outcome": func(d *Desk, c schemas.Case) error {
			_, err := d.LogCall(bg, ana, c.ID, c.Version, Call{Outcome: "hung up"})
			return err
		},
		"next_attempt_at": func(d *Desk, c schemas.Case) error {
			_, err := d.LogCall(bg, ana, c.ID, c.Version, Call{Outcome: CallNoAnswer, NextAttemptAt: &past})
			return err
		},
		"until": func(d *Desk, c schemas.Case) error {
			_, err := d.Snooze(bg, ana, c.ID, c.Version, past, "")
			return err
		},
		"text": func(d *Desk, c schemas.Case) error {
			_, err := d.AddNote(bg, ana, c.ID, c.Version, "\n")
			return err
		},
		"kind": func(d *Desk, c schemas.Case) error {
			_, err := d.SetKind(bg, ana, c.ID, c.Version, "other", "")
			return err
		},
		"into": func(d *Desk, c schemas.Case) error {
			_, err := d.Merge(bg, ana, c.ID, c.Version, c.ID)
			return err
		},
		"event_ids": func(d *Desk, c schemas.Case) error {
			_, err := d.Split(bg, ana, c.ID, c.Version, c.EventIDs)
			return err
		},
	} {
		r, c := opened(t, schemas.SeverityMedium, false)
		var invalid *Invalid
		if err := do(r.desk, c); !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("%v, want a message at field %s", err, field)
		}
		if got := r.cases[c.ID].Version; got != c.Version {
			t.Errorf("%s: a refused command changed the case", field)
		}
	}
}

func TestReplyGoesIntoTheThread(t *testing.T) {
	r, c := opened(t, schemas.SeverityMedium, false)
	c = must(t)(r.desk.Reply(bg, ana, c.ID, c.Version, ReplyDraft{Text: "Sorry. We come today at 15:00."}))
	if c.FirstRespondedAt == nil || c.FirstResponseDue != nil {
		t.Error("a reply is a response")
	}
	var note schemas.Notification
	for k, n := range r.notes {
		if k.Kind == schemas.NotifyReply {
			note = n
		}
	}
	body := string(note.Body)
	for _, want := range []string{"To: maria@home.example", "Subject: Re: Boiler", "In-Reply-To: <e1@home.example>",
		"References: <root@home.example> <e1@home.example>", "X-Redalert-Case: " + c.ID, "We come today", "Message-ID: " + note.MessageID} {
		if !strings.Contains(body, want) {
			t.Errorf("the mail lacks %q:\n%s", want, body)
		}
	}
	if !note.ToCustomer || !strings.HasSuffix(note.MessageID, "@firm.example>") {
		t.Errorf("notification %+v", note)
	}
	// The Sent mailbox shows the same mail: it does not count twice.
	sent := schemas.Notice{Kind: schemas.NoticeReply, Event: schemas.Event{ID: "s1", Type: schemas.ReplySent, CustomerID: "cust-1",
		OccurredAt: r.now, CollectedAt: r.now, Data: []byte(`{"message_id":"` + note.MessageID + `","sent_by":"care@firm.example"}`)}}
	before := len(r.audit[c.ID])
	r.publish(sent)
	if err := r.drain(); err != nil || len(r.audit[c.ID]) != before {
		t.Errorf("our own reply counted twice: %v, %v", err, r.kinds(c.ID))
	}
}

func TestReplyNeedsSomebodyToWriteTo(t *testing.T) {
	for _, who := range []string{"cust-2", "cust-unknown", ""} {
		r := newRig()
		r.publish(r.red("e1", who, "medium"))
		if err := r.drain(); err != nil {
			t.Fatal(err)
		}
		c := r.only()
		var invalid *Invalid
		if _, err := r.desk.Reply(bg, ana, c.ID, c.Version, ReplyDraft{Text: "hello"}); !errors.As(err, &invalid) || invalid.Field != "customer" {
			t.Errorf("customer %q: %v", who, err)
		}
	}
}

func TestKindChangeKeepsWhatIsDone(t *testing.T) {
	r, c := opened(t, schemas.SeverityMedium, false)
	ok := must(t)
	c = ok(r.desk.CompleteStep(bg, ana, c.ID, c.Version, schemas.StepWrittenProof, "letter of Monday"))
	c = ok(r.desk.CompleteStep(bg, ana, c.ID, c.Version, schemas.StepListen, "an hour in her kitchen"))
	c = ok(r.desk.SetKind(bg, ana, c.ID, c.Version, schemas.KindMistake, "it was us"))
	want := []schemas.Step{"own_up", "apologise", "contain", "fix", "make_good", "root_cause", "tell_change"}
	if got := Missing(c); !slices.Equal(got, want) {
		t.Errorf("missing %v, want %v", got, want)
	}
	if i := stepIndex(c.Playbook, schemas.StepListen); i < 0 || c.Playbook[i].State != schemas.StepDone {
		t.Error("the done step of the old kind is gone")
	}
	if stepIndex(c.Playbook, schemas.StepContact) >= 0 {
		t.Error("an open step of the old kind is left")
	}
}

func TestMergeAndSplit(t *testing.T) {
	r, c := opened(t, schemas.SeverityMedium, false)
	r.publish(r.red("e2", "cust-1", "high"), r.red("e3", "cust-2", "low"))
	if err := r.drain(); err != nil {
		t.Fatal(err)
	}
	c = r.cases[c.ID]
	split, err := r.desk.Split(bg, ana, c.ID, c.Version, []string{"e2"})
	if err != nil {
		t.Fatal(err)
	}
	c = r.cases[c.ID]
	if !slices.Equal(c.EventIDs, []string{"e1"}) || !slices.Equal(split.EventIDs, []string{"e2"}) || split.CustomerID != "" || split.Key != "thread:e2" {
		t.Fatalf("split: %v and %v (%q)", c.EventIDs, split.EventIDs, split.Key)
	}
	into, err := r.desk.Merge(bg, ana, split.ID, split.Version, c.ID)
	if err != nil || !slices.Equal(into.EventIDs, []string{"e1", "e2"}) {
		t.Fatalf("merged: %v, %v", into.EventIDs, err)
	}
	gone := r.cases[split.ID]
	if gone.MergedInto != c.ID || gone.State.Open() || len(gone.EventIDs) != 0 {
		t.Fatalf("merged away: %+v", gone)
	}
	if _, err := r.desk.Transition(bg, olive, gone.ID, gone.Version, schemas.StateNew, ""); err == nil {
		t.Error("a merged case was reopened")
	}
}
