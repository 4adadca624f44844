package alerting

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"redalert/schemas"
)

func TestRedEventsJoinTheOneOpenCase(t *testing.T) {
	r, c := opened(t, schemas.SeverityMedium, false)
	if c.Priority != schemas.PriorityMedium || c.Number != 1 || c.Location != "North" || c.Excerpt != "Nobody came, e1" {
		t.Fatalf("opened %+v", c)
	}
	n := r.red("e2", "cust-1", "high")
	n.Mistake = true
	n.Verdict.Reasons = []schemas.Reason{{Code: "refund", Message: "asks for money back", Weight: 0.9, Span: &schemas.Span{Start: 0, End: 3}}}
	n.Verdict.Categories = []schemas.Category{schemas.CatRefundRequest}
	n.ValueAtRisk.Amount = 200000
	r.publish(n, n, r.red("e3", "cust-1", "low"))
	if err := r.drain(); err != nil {
		t.Fatal(err)
	}
	c = r.cases[c.ID]
	if len(r.cases) != 1 || !slices.Equal(c.EventIDs, []string{"e1", "e2", "e3"}) {
		t.Fatalf("%d cases, events %v", len(r.cases), c.EventIDs)
	}
	if c.Severity != "high" || c.Priority != schemas.PriorityHigh || c.Kind != schemas.KindMistake || len(c.Reasons) != 2 || len(c.Categories) != 2 {
		t.Errorf("joined: %+v", c)
	}
	if c.Reasons[1].Span != nil {
		t.Error("a span of one event's text stands in the case")
	}
	if want := monday.Add(4 * time.Hour); !c.FirstResponseDue.Equal(want) {
		t.Errorf("first response due %v, want %v after the rise to high", c.FirstResponseDue, want)
	}
}

func TestWhatIsTooOldOpensNoCase(t *testing.T) {
	r := newRig()
	old := r.red("old", "cust-1", "critical")
	old.Event.OccurredAt = monday.Add(-15 * 24 * time.Hour)
	r.publish(old)
	if err := r.drain(); err != nil {
		t.Fatal(err)
	}
	if a, ok := r.alerts["old"]; !ok || a.CaseID != nil || len(r.cases) != 0 || len(r.notes) != 0 {
		t.Fatalf("alert %+v, %d cases, %d mails", a, len(r.cases), len(r.notes))
	}
	wanted := old
	wanted.Event.ID = "wanted"
	wanted.Event.Data = []byte(`{"open_cases":true,"value_text":"late"}`)
	r.publish(wanted)
	if err := r.drain(); err != nil || len(r.cases) != 1 {
		t.Fatalf("asked to open cases: %d, %v", len(r.cases), err)
	}
}

func TestReopenWithin14Days(t *testing.T) {
	for _, c := range []struct {
		after  time.Duration
		reopen bool
	}{{time.Hour, true}, {14 * 24 * time.Hour, true}, {14*24*time.Hour + time.Second, false}} {
		r, cs := opened(t, schemas.SeverityMedium, false)
		cs = must(t)(r.desk.Claim(bg, ana, cs.ID, cs.Version))
		must(t)(r.desk.Transition(bg, ana, cs.ID, cs.Version, schemas.StateDismissed, "a misunderstanding"))
		r.now = monday.Add(c.after)
		r.publish(r.red("e2", "cust-1", "medium"))
		if err := r.drain(); err != nil {
			t.Fatal(err)
		}
		got := r.cases[cs.ID]
		if c.reopen != (got.State == schemas.StateNew) || c.reopen != (len(r.cases) == 1) {
			t.Fatalf("after %v: state %s, %d cases", c.after, got.State, len(r.cases))
		}
		if c.reopen && (got.Episode != 2 || got.Assignee != ana.Email || len(got.EventIDs) != 2 || got.FirstResponseDue == nil) {
			t.Errorf("reopened: %+v", got)
		}
	}
}

func TestCriticalMailOnceAnEpisode(t *testing.T) {
	r, c := opened(t, schemas.SeverityMedium, false)
	if got := r.mailed(schemas.NotifyCritical); len(got) != 0 {
		t.Fatalf("mailed %v", got)
	}
	r.publish(r.red("e2", "cust-1", "critical"), r.red("e3", "cust-1", "critical"))
	if err := r.drain(); err != nil {
		t.Fatal(err)
	}
	want := []string{"mo@firm.example", "olive@firm.example"} // not the manager of East, not staff
	if got := r.mailed(schemas.NotifyCritical); !slices.Equal(got, want) {
		t.Fatalf("mailed %v, want %v", got, want)
	}
	for k, n := range r.notes {
		if k.Cause != "" || n.EventID != "e2" || !strings.Contains(string(n.Body), "Maria Keller") || !strings.Contains(string(n.Body), "https://alerts.firm.example/cases/"+c.ID) {
			t.Errorf("%+v\n%s", n.Key, n.Body)
		}
	}
	c = r.cases[c.ID]
	must(t)(r.desk.Transition(bg, mo, c.ID, c.Version, schemas.StateDismissed, "all a joke"))
	r.publish(r.red("e4", "cust-1", "critical"))
	if err := r.drain(); err != nil {
		t.Fatal(err)
	}
	if got := r.mailed(schemas.NotifyCritical); len(got) != 4 {
		t.Errorf("the second episode mailed %v", got)
	}
}

func message(id, customer string, at time.Time) schemas.Notice {
	return schemas.Notice{Kind: schemas.NoticeMessage, Event: schemas.Event{ID: id, Type: schemas.EmailReceived, CustomerID: customer,
		ThreadID: "<root@home.example>", OccurredAt: at, CollectedAt: at,
		Data: []byte(`{"value_text":"And when exactly?","metadata":{"message_id":"<` + id + `@home.example>","subject":"Re: Boiler"}}`)}}
}

func answered(id, customer string, at time.Time) schemas.Notice {
	return schemas.Notice{Kind: schemas.NoticeReply, Event: schemas.Event{ID: id, Type: schemas.ReplySent, CustomerID: customer,
		OccurredAt: at, CollectedAt: at, Data: []byte(`{"message_id":"<` + id + `@firm.example>","sent_by":"ana@firm.example","text":"Today"}`)}}
}

func TestTheConversationMovesTheTimers(t *testing.T) {
	r, c := opened(t, schemas.SeverityMedium, false)
	c = must(t)(r.desk.Assign(bg, mo, c.ID, c.Version, ana.Email, ""))
	r.publish(answered("s1", "cust-1", r.now), answered("s1", "cust-1", r.now))
	if err := r.drain(); err != nil {
		t.Fatal(err)
	}
	c = r.cases[c.ID]
	if c.FirstRespondedAt == nil || c.FirstResponseDue != nil || c.NextResponseDue != nil {
		t.Fatalf("after our answer: %+v", c)
	}
	c = must(t)(r.desk.Transition(bg, ana, c.ID, c.Version, schemas.StateInRecovery, ""))
	c = must(t)(r.desk.Transition(bg, ana, c.ID, c.Version, schemas.StateWaitingCustomer, ""))
	due := *c.ResolutionDue
	r.now = monday.Add(3 * time.Hour)
	r.publish(message("m1", "cust-1", r.now), message("m1", "cust-1", r.now))
	if err := r.drain(); err != nil {
		t.Fatal(err)
	}
	c = r.cases[c.ID]
	if c.State != schemas.StateInRecovery || c.PausedAt != nil || c.NextResponseDue == nil {
		t.Fatalf("after they wrote: %+v", c)
	}
	if cal := CalendarFor(r.settings, r.desk.cfg.Business, ""); cal.Between(due, *c.ResolutionDue) != 3*time.Hour {
		t.Errorf("the pause moved the deadline from %v to %v", due, c.ResolutionDue)
	}
	if got := r.mailed(schemas.NotifyAnswer); !slices.Equal(got, []string{ana.Email}) {
		t.Errorf("told %v", got)
	}
	replies, messages := 0, 0
	for _, k := range r.kinds(c.ID) {
		switch k {
		case schemas.AuditReply:
			replies++
		case schemas.AuditCustomerMessage:
			messages++
		}
	}
	if replies != 1 || messages != 1 {
		t.Errorf("%d replies and %d messages in the audit, want one each", replies, messages)
	}
}

func TestAMessageAfterAMergeIsNotFiledTwice(t *testing.T) {
	r := newRig()
	r.publish(r.red("e1", "cust-1", "medium"), r.red("e2", "mail-only", "medium"), message("m1", "mail-only", r.now))
	r.log[1].Event.ThreadID, r.log[2].Event.ThreadID = "<other@x>", "<other@x>"
	if err := r.drain(); err != nil || len(r.cases) != 2 {
		t.Fatalf("%d cases, %v", len(r.cases), err)
	}
	r.aliases["mail-only"] = "cust-1"
	r.publish(r.log[2]) // replayed after the alias came
	if err := r.drain(); err != nil {
		t.Fatal(err)
	}
	open, rows := 0, 0
	for id, c := range r.cases {
		if c.State.Open() {
			open++
		}
		for _, a := range r.audit[id] {
			if a.EventID == "m1" {
				rows++
			}
		}
	}
	if open != 1 || rows != 1 {
		t.Errorf("%d open cases, the message stands %d times", open, rows)
	}
}

func TestUnknownThreadBecomesTheCustomers(t *testing.T) {
	r := newRig()
	r.publish(r.red("e1", "", "medium"), r.red("e2", "cust-1", "medium"))
	if err := r.drain(); err != nil {
		t.Fatal(err)
	}
	if c := r.only(); len(r.cases) != 1 || c.CustomerID != "cust-1" || len(c.EventIDs) != 2 {
		t.Fatalf("%d cases, %+v", len(r.cases), c)
	}
}

func TestG6_GotThereFirst(t *testing.T) {
	for _, c := range []struct {
		reported, complained time.Duration
		reportFirst          bool // in order of arrival
		want                 bool
	}{{0, time.Hour, true, true}, {0, time.Hour, false, true}, {2 * time.Hour, time.Hour, true, false}, {2 * time.Hour, time.Hour, false, false}} {
		r := newRig()
		report := r.red("r", "cust-1", "medium")
		report.Event.Type, report.Mistake = schemas.MistakeReported, true
		report.Event.Data, report.Event.OccurredAt = []byte(`{"what_happened":"wrong paint"}`), monday.Add(c.reported)
		complaint := r.red("c", "cust-1", "medium")
		complaint.Event.OccurredAt = monday.Add(c.complained)
		if c.reportFirst {
			r.publish(report, complaint)
		} else {
			r.publish(complaint, report)
		}
		if err := r.drain(); err != nil {
			t.Fatal(err)
		}
		if got := r.only().GotThereFirst; got != c.want {
			t.Errorf("%+v: got there first %v", c, got)
		}
	}
}

// brokenAudit fails for one case, as a bug in a store would.
type brokenAudit struct {
	*fakeStore
	bad string
}

func (b brokenAudit) Apply(ctx context.Context, cs ...Change) ([]schemas.Case, error) {
	for _, c := range cs {
		if slices.Contains(c.Case.EventIDs, b.bad) {
			return nil, errors.New("constraint failed")
		}
	}
	return b.fakeStore.Apply(ctx, cs...)
}

func TestOneBadNoticeBlocksNoOther(t *testing.T) {
	r := newRig()
	r.desk.cfg.Cases = brokenAudit{r.fakeStore, "bad"}
	r.publish(r.red("bad", "cust-2", "medium"), r.red("e1", "cust-1", "medium"), schemas.Notice{Kind: "odd"})
	var err error
	for i := 0; i < stuckTries; i++ {
		if _, err = r.worker.Step(bg); i == 0 && r.only().EventIDs[0] != "e1" {
			t.Fatal("the good notice waits for the bad one")
		}
	}
	if err != nil || r.pos != len(r.log) {
		t.Fatalf("the log stands still at %d: %v", r.pos, err)
	}
	if a, ok := r.alerts["bad"]; !ok || a.CaseID != nil {
		t.Errorf("the bad notice left no trace: %+v", a)
	}
}

// TestAnOutageLeavesNoRedEventWithoutACase: however often the store is out of
// reach, the notice is tried again, and neither recorded without a case nor
// taken for done.
func TestAnOutageLeavesNoRedEventWithoutACase(t *testing.T) {
	r := newRig()
	outages := 20
	down := fmt.Errorf("apply: %w: %w", schemas.ErrUnavailable, errors.New("canceling statement due to lock timeout"))
	r.desk.cfg.Cases = outage{r.fakeStore, func() error {
		if outages--; outages >= 0 {
			return down
		}
		return nil
	}}
	r.publish(r.red("e1", "cust-1", "medium"), r.red("e2", "cust-2", "medium"))
	steps := 0
	for ; r.pos < len(r.log) && steps < 100; steps++ {
		if n, err := r.worker.Step(bg); err != nil && (n != 0 || !errors.Is(err, schemas.ErrUnavailable)) {
			t.Fatalf("step %d: %d, %v", steps, n, err)
		}
	}
	if steps < stuckTries+2 || len(r.worker.tries) > 0 {
		t.Errorf("done after %d steps, tries %v", steps, r.worker.tries)
	}
	for _, id := range []string{"e1", "e2"} {
		if a, ok := r.alerts[id]; !ok || a.CaseID == nil || r.cases[*a.CaseID].EventIDs[0] != id {
			t.Errorf("%s has no case: %+v", id, a)
		}
	}
}

// outage fails to change cases as long as down says so; all else works, as
// with a table that is locked for writers.
type outage struct {
	*fakeStore
	down func() error
}

func (o outage) Apply(ctx context.Context, cs ...Change) ([]schemas.Case, error) {
	if err := o.down(); err != nil {
		return nil, err
	}
	return o.fakeStore.Apply(ctx, cs...)
}

func TestAPanicIsAnErrorOfItsNotice(t *testing.T) {
	r := newRig()
	r.desk.cfg.Settings = nil // panics when used
	r.publish(r.red("e1", "cust-1", "medium"))
	if _, err := r.worker.Step(bg); err == nil || !strings.Contains(err.Error(), "panic") {
		t.Fatalf("Step: %v", err)
	}
}

func TestWorkerRunGoesOnAfterErrors(t *testing.T) {
	r := newRig()
	ctx, cancel := context.WithCancel(bg)
	defer cancel()
	fails := 3
	r.crash = func(string) (bool, bool) { fails--; return fails >= 0, false }
	var pauses []time.Duration
	r.worker = NewWorker(WorkerConfig{Desk: r.desk, Reader: r, Wait: func(_ context.Context, d time.Duration) error {
		pauses = append(pauses, d)
		if r.pos == len(r.log) {
			cancel()
		}
		return nil
	}})
	r.publish(r.red("e1", "cust-1", "medium"))
	if err := r.worker.Run(ctx); err != nil || len(r.cases) != 1 {
		t.Fatalf("Run: %v, %d cases", err, len(r.cases))
	}
	if len(pauses) < 3 || pauses[1] != 2*pauses[0] {
		t.Errorf("pauses %v", pauses)
	}
}
