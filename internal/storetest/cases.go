package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"redalert/alerting"
	"redalert/ingest"
	"redalert/schemas"
	"redalert/signals"
)

// Alerting is an empty store behind the ports of the alerting stage. Reopen
// answers the same store as another process finds it after this one was
// killed; nil when the adapter keeps nothing across processes.
type Alerting struct {
	Cases      alerting.Cases
	Lists      alerting.CaseLists
	Outbox     alerting.Outbox
	Schedule   alerting.Schedule
	Settings   alerting.SettingsStore
	Fits       signals.Fits
	Lessons    alerting.Lessons
	Identities ingest.Identities // of the same store: aliases and names come from here
	Reopen     func(t *testing.T) Alerting
}

var day = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// aCase is a new case of a key, opened n hours into the day.
func aCase(id, key string, n int) schemas.Case {
	at := day.Add(time.Duration(n) * time.Hour)
	due := at.Add(4 * time.Hour)
	return schemas.Case{
		ID: id, Key: key, CustomerID: key, State: schemas.StateNew, Kind: schemas.KindRisk, Priority: schemas.PriorityMedium,
		Severity: schemas.SeverityMedium, Location: "North", SourceType: schemas.SourceEmail, Excerpt: "The Kettle broke",
		ValueAtRisk: schemas.Money{Amount: 1000, Currency: "EUR"}, OpenedAt: at, UpdatedAt: at, FirstResponseDue: &due,
		SLAStatus: schemas.SLAActive, Episode: 1, EventIDs: []string{"event-" + id},
	}
}

// opening is the change that opens c with its first event.
func opening(c schemas.Case) alerting.Change {
	ev := c.EventIDs[0]
	return alerting.Change{
		Case:          c,
		Audit:         []schemas.CaseEvent{{At: c.OpenedAt, Actor: schemas.SystemActor, Kind: schemas.AuditOpened, EventID: ev}},
		Notifications: []schemas.Notification{aNotification(c.ID, "critical", "boss@example.com")},
		Filed:         &schemas.Alert{EventID: ev, CaseID: &c.ID, RaisedAt: c.OpenedAt, OpenedCase: true},
	}
}

func note(actor, text string, at time.Time) schemas.CaseEvent {
	return schemas.CaseEvent{At: at, Actor: actor, Kind: schemas.AuditNote, Reason: text}
}

func apply(t *testing.T, s Alerting, changes ...alerting.Change) []schemas.Case {
	t.Helper()
	cs, err := s.Cases.Apply(t.Context(), changes...)
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	if len(cs) != len(changes) {
		t.Fatalf("Apply answered %d cases for %d changes", len(cs), len(changes))
	}
	return cs
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("%s (-want +got):\n%s", what, d)
	}
}

func caseIDs(cs []schemas.Case) []string {
	ids := []string{}
	for _, c := range cs {
		ids = append(ids, c.ID)
	}
	return ids
}

// Cases is the conformance suite of alerting.Cases.
func Cases(t *testing.T, open func(t *testing.T) Alerting) {
	for name, f := range map[string]func(*testing.T, Alerting){
		"opens numbers and finds":          casesOpen,
		"unknown case":                     casesUnknown,
		"old version is refused by name":   casesVersion,
		"one of many claims wins":          casesRace,
		"one open case per key":            casesOneOpen,
		"an event is filed once":           casesFiledOnce,
		"an audited event stands once":     casesAuditedOnce,
		"changes are all or nothing":       casesAtomic,
		"merge moves alerts":               casesMerge,
		"split moves alerts":               casesSplit,
		"audit is gapless":                 casesAudit,
		"keys map through aliases":         casesAliases,
		"an alias is the same open case":   casesAliasOpen,
		"alert without a case":             casesRecordAlert,
		"a change survives a kill":         casesReopen,
		"concurrent opens number in order": casesNumbers,
	} {
		t.Run(name, func(t *testing.T) { f(t, open(t)) })
	}
}

func casesOpen(t *testing.T, s Alerting) {
	c := aCase("c1", "cust-1", 0)
	step := day.Add(time.Hour)
	c.Playbook = []schemas.PlaybookStep{{Step: schemas.StepContact, State: schemas.StepDone, Actor: "ana@example.com", At: &step, Evidence: "called"}}
	c.Reasons = []schemas.Reason{{Code: "nps_low", Message: "scored 2 of 10", Span: &schemas.Span{Start: 1, End: 3}, Weight: 0.5}}
	got := apply(t, s, opening(c))[0]
	want := c
	want.Number, want.Version = 1, 1
	same(t, "answered", got, want)
	stored, err := s.Cases.Case(t.Context(), "c1")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "stored", stored, want)
	if two := apply(t, s, opening(aCase("c2", "cust-2", 1)))[0]; two.Number != 2 {
		t.Fatalf("second case has number %d", two.Number)
	}
	byKey, err := s.Cases.ByKeys(t.Context(), []string{"cust-2", "cust-1", "nobody"})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "newest first", caseIDs(byKey), []string{"c2", "c1"})
	none, err := s.Cases.ByKeys(t.Context(), nil)
	if err != nil || len(none) != 0 {
		t.Fatalf("no keys: %v %v", none, err)
	}
}

func casesUnknown(t *testing.T, s Alerting) {
	if _, err := s.Cases.Case(t.Context(), "nope"); !errors.Is(err, alerting.ErrNotFound) {
		t.Fatalf("Case: %v", err)
	}
	if _, err := s.Cases.Apply(t.Context(), alerting.Change{Before: 3, Case: aCase("nope", "k", 0)}); !errors.Is(err, alerting.ErrNotFound) {
		t.Fatalf("Apply: %v", err)
	}
	if audit, err := s.Cases.Audit(t.Context(), "nope"); err != nil || len(audit) != 0 {
		t.Fatalf("Audit: %v %v", audit, err)
	}
}

func casesVersion(t *testing.T, s Alerting) {
	c := apply(t, s, opening(aCase("c1", "cust-1", 0)))[0]
	c.Assignee = "ana@example.com"
	c = apply(t, s, alerting.Change{Before: 1, Case: c, Audit: []schemas.CaseEvent{note("ana@example.com", "mine", day)}})[0]
	if c.Version != 2 {
		t.Fatalf("version %d after the second change", c.Version)
	}
	late := c
	late.Assignee = "ben@example.com"
	_, err := s.Cases.Apply(t.Context(), alerting.Change{Before: 1, Case: late, Audit: []schemas.CaseEvent{note("ben@example.com", "no, mine", day)}})
	var conflict *alerting.Conflict
	if !errors.As(err, &conflict) || conflict.By != "ana@example.com" || conflict.Version != 2 {
		t.Fatalf("want a conflict by Ana at 2, got %v", err)
	}
	stored, _ := s.Cases.Case(t.Context(), "c1")
	audit, _ := s.Cases.Audit(t.Context(), "c1")
	if stored.Assignee != "ana@example.com" || len(audit) != 2 {
		t.Fatalf("the loser left a trace: %+v, %d entries", stored.Assignee, len(audit))
	}
	if _, err := s.Cases.Apply(t.Context(), opening(aCase("c1", "other", 0))); !errors.As(err, &conflict) && !errors.Is(err, alerting.ErrAlreadyFiled) {
		t.Fatalf("opening an id anew: %v", err)
	}
}

func casesRace(t *testing.T, s Alerting) {
	c := apply(t, s, opening(aCase("c1", "cust-1", 0)))[0]
	var wg sync.WaitGroup
	wins := make(chan string, 10)
	for i := range 10 {
		wg.Go(func() {
			mine := c
			mine.Assignee = fmt.Sprintf("p%d@example.com", i)
			_, err := s.Cases.Apply(context.Background(), alerting.Change{Before: 1, Case: mine, Audit: []schemas.CaseEvent{note(mine.Assignee, "claim", day)}})
			var conflict *alerting.Conflict
			switch {
			case err == nil:
				wins <- mine.Assignee
			case !errors.As(err, &conflict):
				t.Errorf("claim %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	close(wins)
	if len(wins) != 1 {
		t.Fatalf("%d claims won", len(wins))
	}
	stored, _ := s.Cases.Case(t.Context(), "c1")
	if w := <-wins; stored.Assignee != w {
		t.Fatalf("stored %s, won %s", stored.Assignee, w)
	}
}

func casesOneOpen(t *testing.T, s Alerting) {
	first := apply(t, s, opening(aCase("c1", "cust-1", 0)))[0]
	_, err := s.Cases.Apply(t.Context(), opening(aCase("c2", "cust-1", 1)))
	var conflict *alerting.Conflict
	if !errors.As(err, &conflict) || conflict.Version != 1 {
		t.Fatalf("second open case of a key: %v", err)
	}
	if _, err := s.Cases.Case(t.Context(), "c2"); !errors.Is(err, alerting.ErrNotFound) {
		t.Fatalf("c2: %v", err)
	}
	closed := day.Add(2 * time.Hour)
	first.State, first.ClosedAt = schemas.StateRecovered, &closed
	first = apply(t, s, alerting.Change{Before: 1, Case: first})[0]
	second := aCase("c2", "cust-1", 3)
	apply(t, s, opening(second))
	first.State, first.ClosedAt = schemas.StateNew, nil
	if _, err := s.Cases.Apply(t.Context(), alerting.Change{Before: 2, Case: first}); !errors.As(err, &conflict) {
		t.Fatalf("reopening beside an open one: %v", err)
	}
}

func casesFiledOnce(t *testing.T, s Alerting) {
	c := apply(t, s, opening(aCase("c1", "cust-1", 0)))[0]
	other := aCase("c2", "cust-2", 1)
	other.EventIDs = []string{"event-c1"}
	if _, err := s.Cases.Apply(t.Context(), opening(other)); !errors.Is(err, alerting.ErrAlreadyFiled) {
		t.Fatalf("same event in another case: %v", err)
	}
	if _, err := s.Cases.Apply(t.Context(), opening(aCase("c1", "cust-1", 0))); !errors.Is(err, alerting.ErrAlreadyFiled) {
		t.Fatalf("replay of the opening: %v", err)
	}
	c.EventIDs = append(c.EventIDs, "e2")
	join := alerting.Change{Before: 1, Case: c, Filed: &schemas.Alert{EventID: "e2", CaseID: &c.ID, RaisedAt: day},
		Audit: []schemas.CaseEvent{{At: day, Actor: "system", Kind: schemas.AuditEventAdded, EventID: "e2"}}}
	apply(t, s, join)
	if _, err := s.Cases.Apply(t.Context(), join); !errors.Is(err, alerting.ErrAlreadyFiled) {
		t.Fatalf("replay of the join: %v", err)
	}
	if got, _ := s.Cases.Case(t.Context(), "c1"); got.Version != 2 {
		t.Fatalf("version %d", got.Version)
	}
}

func casesAuditedOnce(t *testing.T, s Alerting) {
	c := apply(t, s, opening(aCase("c1", "cust-1", 0)))[0]
	msg := schemas.CaseEvent{At: day, Actor: "system", Kind: schemas.AuditCustomerMessage, EventID: "m1"}
	c = apply(t, s, alerting.Change{Before: 1, Case: c, Audit: []schemas.CaseEvent{msg}})[0]
	if _, err := s.Cases.Apply(t.Context(), alerting.Change{Before: 2, Case: c, Audit: []schemas.CaseEvent{msg}}); !errors.Is(err, alerting.ErrAlreadyFiled) {
		t.Fatalf("same message twice: %v", err)
	}
	if got, _ := s.Cases.Case(t.Context(), "c1"); got.Version != 2 {
		t.Fatalf("version %d", got.Version)
	}
}

func casesAtomic(t *testing.T, s Alerting) {
	c := apply(t, s, opening(aCase("c1", "cust-1", 0)))[0]
	c.Excerpt = "changed"
	stale := aCase("c1", "cust-1", 0)
	_, err := s.Cases.Apply(t.Context(), opening(aCase("c9", "cust-9", 0)),
		alerting.Change{Before: 1, Case: c, Audit: []schemas.CaseEvent{note("a", "b", day)}, Notifications: []schemas.Notification{aNotification("c1", "assigned", "x@example.com")}},
		alerting.Change{Before: 1, Case: stale})
	var conflict *alerting.Conflict
	if !errors.As(err, &conflict) {
		t.Fatalf("got %v", err)
	}
	if _, err := s.Cases.Case(t.Context(), "c9"); !errors.Is(err, alerting.ErrNotFound) {
		t.Fatalf("c9 stands: %v", err)
	}
	got, _ := s.Cases.Case(t.Context(), "c1")
	audit, _ := s.Cases.Audit(t.Context(), "c1")
	ns, _ := s.Outbox.Notifications(t.Context(), "", schemas.ListQuery{})
	alerts, _ := s.Lists.Alerts(t.Context(), schemas.ListQuery{})
	if got.Version != 1 || got.Excerpt == "changed" || len(audit) != 1 || len(ns.Items) != 1 || len(alerts.Items) != 1 {
		t.Fatalf("half of it was stored: %+v, %d audit, %d notifications, %d alerts", got, len(audit), len(ns.Items), len(alerts.Items))
	}
}

func casesMerge(t *testing.T, s Alerting) {
	from := apply(t, s, opening(aCase("c1", "cust-1", 0)))[0]
	into := apply(t, s, opening(aCase("c2", "cust-2", 1)))[0]
	from.MergedInto, from.State = "c2", schemas.StateDismissed
	into.EventIDs = append(into.EventIDs, from.EventIDs...)
	apply(t, s, alerting.Change{Before: 1, Case: from}, alerting.Change{Before: 1, Case: into})
	found, err := s.Cases.ByKeys(t.Context(), []string{"cust-1", "cust-2"})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "merged ones are left out", caseIDs(found), []string{"c2"})
	checkAlertCases(t, s, map[string]string{"event-c1": "c2", "event-c2": "c2"})
	apply(t, s, opening(aCase("c3", "cust-1", 2))) // the key is free again
}

func casesSplit(t *testing.T, s Alerting) {
	c := aCase("c1", "cust-1", 0)
	c = apply(t, s, opening(c))[0]
	c.EventIDs = append(c.EventIDs, "e2")
	c = apply(t, s, alerting.Change{Before: 1, Case: c, Filed: &schemas.Alert{EventID: "e2", CaseID: &c.ID, RaisedAt: day}})[0]
	c.EventIDs = c.EventIDs[:1]
	other := aCase("c2", "split:c2", 1)
	other.EventIDs = []string{"e2"}
	apply(t, s, alerting.Change{Before: 2, Case: c}, alerting.Change{Case: other})
	checkAlertCases(t, s, map[string]string{"event-c1": "c1", "e2": "c2"})
}

func checkAlertCases(t *testing.T, s Alerting, want map[string]string) {
	t.Helper()
	p, err := s.Lists.Alerts(t.Context(), schemas.ListQuery{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, a := range p.Items {
		got[a.EventID] = "none"
		if a.CaseID != nil {
			got[a.EventID] = *a.CaseID
		}
	}
	same(t, "case of each alert", got, want)
}

func casesAudit(t *testing.T, s Alerting) {
	c := apply(t, s, opening(aCase("c1", "cust-1", 0)))[0]
	for i := range 5 {
		e := note("ana@example.com", fmt.Sprint(i), day.Add(time.Duration(i)*time.Minute))
		e.Detail = map[string]any{"n": float64(i)}
		c = apply(t, s, alerting.Change{Before: c.Version, Case: c, Audit: []schemas.CaseEvent{e, note("system", "after", e.At)}})[0]
	}
	audit, err := s.Cases.Audit(t.Context(), "c1")
	if err != nil || len(audit) != 11 {
		t.Fatalf("%d entries, %v", len(audit), err)
	}
	for i, e := range audit {
		if e.Seq != int64(i+1) || e.CaseID != "c1" {
			t.Fatalf("entry %d has seq %d of %s", i, e.Seq, e.CaseID)
		}
	}
	same(t, "entry 4", audit[3], schemas.CaseEvent{CaseID: "c1", Seq: 4, At: day.Add(time.Minute), Actor: "ana@example.com",
		Kind: schemas.AuditNote, Reason: "1", Detail: map[string]any{"n": float64(1)}})
}

func casesReopen(t *testing.T, s Alerting) {
	if s.Reopen == nil {
		t.Skip("this adapter keeps nothing across processes")
	}
	c := apply(t, s, opening(aCase("c1", "cust-1", 0)))[0]
	again := s.Reopen(t)
	got, err := again.Cases.Case(t.Context(), "c1")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "after the kill", got, c)
	audit, _ := again.Cases.Audit(t.Context(), "c1")
	n, _ := again.Outbox.Waiting(t.Context())
	if len(audit) != 1 || n != 1 {
		t.Fatalf("%d audit entries, %d waiting notifications", len(audit), n)
	}
	if _, err := again.Cases.Apply(t.Context(), opening(aCase("c1", "cust-1", 0))); !errors.Is(err, alerting.ErrAlreadyFiled) {
		t.Fatalf("replay after the kill: %v", err)
	}
}

func casesNumbers(t *testing.T, s Alerting) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var numbers []int64
	for i := range 20 {
		wg.Go(func() {
			cs, err := s.Cases.Apply(context.Background(), opening(aCase(fmt.Sprintf("c%d", i), fmt.Sprintf("cust-%d", i), 0)))
			if err != nil {
				t.Errorf("open %d: %v", i, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			numbers = append(numbers, cs[0].Number)
		})
	}
	wg.Wait()
	slices.Sort(numbers)
	for i, n := range numbers {
		if n != int64(i+1) {
			t.Fatalf("numbers %v", numbers)
		}
	}
}
