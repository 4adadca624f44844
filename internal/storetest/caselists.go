package storetest

import (
	"fmt"
	"testing"
	"time"

	"redalert/alerting"
	"redalert/schemas"
)

// CaseLists is the conformance suite of alerting.CaseLists.
func CaseLists(t *testing.T, open func(t *testing.T) Alerting) {
	for name, f := range map[string]func(*testing.T, Alerting){
		"queue order and totals":      queueOrder,
		"queue filters":               queueFilters,
		"queue search":                queueSearch,
		"queue snoozes":               queueSnoozed,
		"queue pages":                 queuePages,
		"lists page without gaps":     listPages,
		"lists since and until":       listBounds,
		"lists keep to locations":     listLocations,
		"a foreign cursor is refused": listCursor,
		"due timers and snoozes":      dueBy,
	} {
		t.Run(name, func(t *testing.T) { f(t, open(t)) })
	}
}

// put opens a case after edit has changed it.
func put(t *testing.T, s Alerting, id string, edit func(*schemas.Case)) schemas.Case {
	t.Helper()
	c := aCase(id, "cust-"+id, 0)
	if edit != nil {
		edit(&c)
	}
	return apply(t, s, opening(c))[0]
}

func queue(t *testing.T, s Alerting, q alerting.QueueQuery) alerting.Queue {
	t.Helper()
	if q.Now.IsZero() {
		q.Now = day
	}
	got, err := s.Lists.Queue(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func hours(n int) *time.Time {
	at := day.Add(time.Duration(n) * time.Hour)
	return &at
}

func queueOrder(t *testing.T, s Alerting) {
	put(t, s, "low-late", func(c *schemas.Case) { c.Priority, c.FirstResponseDue = schemas.PriorityLow, hours(-1) })
	put(t, s, "high-late", func(c *schemas.Case) { c.Priority, c.FirstResponseDue = schemas.PriorityHigh, hours(0) })
	put(t, s, "urgent", func(c *schemas.Case) {
		c.Priority, c.FirstResponseDue, c.Assignee = schemas.PriorityUrgent, hours(9), "ana@example.com"
	})
	put(t, s, "medium-soon", func(c *schemas.Case) { c.FirstResponseDue = hours(2) })
	put(t, s, "medium-dear", func(c *schemas.Case) {
		c.FirstResponseDue, c.ValueAtRisk.Amount = hours(3), 9000
	})
	put(t, s, "medium-cheap", func(c *schemas.Case) { c.FirstResponseDue = hours(3) })
	put(t, s, "medium-paused", func(c *schemas.Case) {
		c.State, c.FirstResponseDue, c.PausedAt = schemas.StateWaitingCustomer, hours(-5), hours(-6)
	})
	put(t, s, "closed", func(c *schemas.Case) { c.State, c.FirstResponseDue = schemas.StateRecovered, hours(-5) })
	got := queue(t, s, alerting.QueueQuery{})
	same(t, "order", caseIDs(got.Cases), []string{"high-late", "low-late", "urgent", "medium-soon", "medium-dear", "medium-cheap", "medium-paused"})
	if got.Total != 7 || got.Overdue != 2 || got.Unassigned != 6 || got.AtRisk != (schemas.Money{Amount: 15000, Currency: "EUR"}) {
		t.Fatalf("totals %d, %d overdue, %d unassigned, %v", got.Total, got.Overdue, got.Unassigned, got.AtRisk)
	}
}

func queueFilters(t *testing.T, s Alerting) {
	put(t, s, "a", func(c *schemas.Case) { c.Assignee = "ana@example.com" })
	put(t, s, "b", func(c *schemas.Case) { c.Location, c.SourceType = "East", schemas.SourceOrder })
	put(t, s, "c", func(c *schemas.Case) { c.Location = "" })
	put(t, s, "d", func(c *schemas.Case) { c.State = schemas.StateLost })
	m := put(t, s, "m", nil)
	m.MergedInto = "a"
	apply(t, s, alerting.Change{Before: 1, Case: m})
	for name, tc := range map[string]struct {
		q    alerting.QueueQuery
		want []string
	}{
		"all open":             {alerting.QueueQuery{}, []string{"a", "b", "c"}},
		"mine":                 {alerting.QueueQuery{Assignee: "ana@example.com"}, []string{"a"}},
		"unassigned":           {alerting.QueueQuery{Assignee: "-"}, []string{"b", "c"}},
		"location":             {alerting.QueueQuery{Location: "East"}, []string{"b"}},
		"source":               {alerting.QueueQuery{SourceType: schemas.SourceOrder}, []string{"b"}},
		"state":                {alerting.QueueQuery{States: []schemas.CaseState{schemas.StateLost}}, []string{"d"}},
		"visible":              {alerting.QueueQuery{Visible: []string{"North", "West"}}, []string{"a"}},
		"visible and location": {alerting.QueueQuery{Visible: []string{"North"}, Location: "East"}, nil},
	} {
		got := queue(t, s, tc.q)
		same(t, name, caseIDs(got.Cases), tc.want)
		if got.Total != len(tc.want) {
			t.Fatalf("%s: total %d", name, got.Total)
		}
	}
}

func queueSearch(t *testing.T, s Alerting) {
	was, _ := aliased(t, s) // Maria Keller, K-77, +49 171 555 0123
	c := aCase("maria", was, 0)
	c.Excerpt = "Third time I'm writing, 100% fed up. Ärger"
	ch := opening(c)
	ch.OrderRef = "INV-2041"
	apply(t, s, ch)
	put(t, s, "tom", func(c *schemas.Case) { c.Excerpt = "fed the cat" })
	for search, want := range map[string][]string{
		"keller":          {"maria"},
		"Maria  KELLER":   {"maria"},
		"maria@example":   {"maria"},
		"k-77":            {"maria"},
		"555 0123":        {"maria"},
		"0171 555":        {"maria"},
		"inv-2041":        {"maria"},
		"#1":              {"maria"},
		"2":               {"tom"},
		"100%":            {"maria"},
		"ÄRGER":           {"maria"},
		"fed":             {"maria", "tom"},
		"fed cat":         {"tom"},
		"nobody":          nil,
		"%":               {"maria"},
		"' OR 1=1 --":     nil,
		"f_d":             nil,
		"writing keller!": nil,
	} {
		got := queue(t, s, alerting.QueueQuery{Search: search})
		same(t, fmt.Sprintf("search %q", search), caseIDs(got.Cases), want)
	}
	if got := queue(t, s, alerting.QueueQuery{Search: "keller", Visible: []string{"East"}}); got.Total != 0 {
		t.Fatal("search shows what the viewer may not see")
	}
}

func queueSnoozed(t *testing.T, s Alerting) {
	put(t, s, "awake", nil)
	put(t, s, "asleep", func(c *schemas.Case) { c.SnoozedUntil = hours(2) })
	same(t, "awake", caseIDs(queue(t, s, alerting.QueueQuery{}).Cases), []string{"awake"})
	same(t, "asleep", caseIDs(queue(t, s, alerting.QueueQuery{Snoozed: true}).Cases), []string{"asleep"})
	if got := queue(t, s, alerting.QueueQuery{Now: *hours(2)}); got.Total != 2 {
		t.Fatalf("%d awake when the snooze has ended", got.Total)
	}
}

func queuePages(t *testing.T, s Alerting) {
	for i := range 5 {
		put(t, s, fmt.Sprintf("c%d", i), nil)
	}
	got := queue(t, s, alerting.QueueQuery{Limit: 2, Offset: 2})
	same(t, "second page", caseIDs(got.Cases), []string{"c2", "c3"})
	if got.Total != 5 {
		t.Fatalf("total %d", got.Total)
	}
}

// pages walks a listing two by two.
func pages[T any](t *testing.T, q schemas.ListQuery, list func(schemas.ListQuery) (schemas.Page[T], error)) []T {
	t.Helper()
	var all []T
	q.Limit = 2
	for range 100 {
		p, err := list(q)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Items) > 2 {
			t.Fatalf("page of %d", len(p.Items))
		}
		all = append(all, p.Items...)
		if q.Cursor = p.Next; q.Cursor == "" {
			return all
		}
	}
	t.Fatal("a listing without end")
	return nil
}

func listPages(t *testing.T, s Alerting) {
	for i, id := range []string{"c2", "c1", "c3", "c0"} {
		c := aCase(id, "cust-"+id, i/2) // c2 and c1 at one instant
		apply(t, s, opening(c))
	}
	ctx := t.Context()
	cs := pages(t, schemas.ListQuery{}, func(q schemas.ListQuery) (schemas.Page[schemas.Case], error) { return s.Lists.List(ctx, q) })
	same(t, "cases", caseIDs(cs), []string{"c1", "c2", "c0", "c3"})
	var got []string
	for _, a := range pages(t, schemas.ListQuery{}, func(q schemas.ListQuery) (schemas.Page[schemas.Alert], error) { return s.Lists.Alerts(ctx, q) }) {
		got = append(got, a.EventID)
	}
	same(t, "alerts", got, []string{"event-c1", "event-c2", "event-c0", "event-c3"})
	c, _ := s.Cases.Case(ctx, "c1")
	apply(t, s, alerting.Change{Before: 1, Case: c, Audit: []schemas.CaseEvent{note("a", "b", day), note("a", "c", day), note("a", "d", day.Add(time.Hour))}})
	got = nil
	for _, e := range pages(t, schemas.ListQuery{}, func(q schemas.ListQuery) (schemas.Page[schemas.CaseEvent], error) {
		return s.Lists.CaseEvents(ctx, q)
	}) {
		got = append(got, fmt.Sprint(e.CaseID, "/", e.Seq))
	}
	same(t, "case events", got, []string{"c1/1", "c1/2", "c1/3", "c2/1", "c0/1", "c1/4", "c3/1"})
}

func listBounds(t *testing.T, s Alerting) {
	for i := range 4 {
		apply(t, s, opening(aCase(fmt.Sprintf("c%d", i), fmt.Sprintf("cust-%d", i), i)))
	}
	q := schemas.ListQuery{Since: *hours(1), Until: *hours(3)}
	cs, err := s.Lists.List(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "cases", caseIDs(cs.Items), []string{"c1", "c2"})
	alerts, err := s.Lists.Alerts(t.Context(), q)
	if err != nil || len(alerts.Items) != 2 {
		t.Fatalf("alerts %v %v", alerts.Items, err)
	}
	events, err := s.Lists.CaseEvents(t.Context(), q)
	if err != nil || len(events.Items) != 2 {
		t.Fatalf("case events %v %v", events.Items, err)
	}
}

func listLocations(t *testing.T, s Alerting) {
	put(t, s, "north", nil)
	put(t, s, "east", func(c *schemas.Case) { c.Location = "East" })
	put(t, s, "none", func(c *schemas.Case) { c.Location = "" })
	if err := s.Cases.RecordAlert(t.Context(), schemas.Alert{EventID: "old", RaisedAt: day}); err != nil {
		t.Fatal(err)
	}
	q := schemas.ListQuery{Locations: []string{"East"}}
	cs, err := s.Lists.List(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "cases", caseIDs(cs.Items), []string{"east"})
	alerts, err := s.Lists.Alerts(t.Context(), q)
	if err != nil || len(alerts.Items) != 1 || alerts.Items[0].EventID != "event-east" {
		t.Fatalf("alerts %v %v", alerts.Items, err)
	}
	events, err := s.Lists.CaseEvents(t.Context(), q)
	if err != nil || len(events.Items) != 1 || events.Items[0].CaseID != "east" {
		t.Fatalf("case events %v %v", events.Items, err)
	}
	ns, err := s.Outbox.Notifications(t.Context(), "", q)
	if err != nil || len(ns.Items) != 1 || ns.Items[0].Key.CaseID != "east" {
		t.Fatalf("notifications %v %v", ns.Items, err)
	}
}

func listCursor(t *testing.T, s Alerting) {
	q := schemas.ListQuery{Cursor: "not a cursor"}
	_, e1 := s.Lists.List(t.Context(), q)
	_, e2 := s.Lists.Alerts(t.Context(), q)
	_, e3 := s.Lists.CaseEvents(t.Context(), q)
	_, e4 := s.Lists.CaseEvents(t.Context(), schemas.ListQuery{Cursor: schemas.EncodeCursor(1, "no-seq")})
	_, e5 := s.Outbox.Notifications(t.Context(), "", q)
	for i, err := range []error{e1, e2, e3, e4, e5} {
		if err == nil {
			t.Errorf("listing %d took a foreign cursor", i+1)
		}
	}
}

func dueBy(t *testing.T, s Alerting) {
	put(t, s, "due", func(c *schemas.Case) { c.FirstResponseDue = hours(1) })
	put(t, s, "later", func(c *schemas.Case) { c.FirstResponseDue = hours(2) })
	put(t, s, "counted", func(c *schemas.Case) {
		c.FirstResponseDue, c.Missed = hours(1), []schemas.Timer{schemas.TimerFirstResponse}
	})
	put(t, s, "second", func(c *schemas.Case) {
		c.FirstResponseDue, c.Missed, c.ResolutionDue = hours(-3), []schemas.Timer{schemas.TimerFirstResponse}, hours(0)
	})
	put(t, s, "paused", func(c *schemas.Case) { c.FirstResponseDue, c.PausedAt = hours(-1), hours(-2) })
	put(t, s, "closed", func(c *schemas.Case) {
		c.State, c.FirstResponseDue, c.SnoozedUntil = schemas.StateLost, hours(-1), hours(-1)
	})
	put(t, s, "woken", func(c *schemas.Case) { c.FirstResponseDue, c.SnoozedUntil = hours(9), hours(1) })
	got, err := s.Lists.DueBy(t.Context(), *hours(1))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "due", caseIDs(got), []string{"due", "second", "woken"})
}
