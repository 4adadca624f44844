package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"redalert/schemas"
	"redalert/signals"
)

func aVerdict(eventID string, categories ...schemas.Category) schemas.Verdict {
	v := schemas.Verdict{EventID: eventID, ModelVersion: "m1", Level: schemas.LevelNone, Severity: schemas.SeverityNone, Probability: 0.125, ScoredAt: mark(100)}
	if len(categories) > 0 {
		by := schemas.FlaggedByBoth
		v.Level, v.Red, v.Severity, v.Probability, v.FlaggedBy, v.Categories = schemas.LevelRed, true, schemas.SeverityHigh, 0.875, &by, categories
		v.Reasons = []schemas.Reason{{Code: "late", Message: "Says that it came late", Span: &schemas.Span{Start: 1, End: 4}, Weight: 0.5}}
	}
	return v
}

func scoredMail(id, customer string, n int, categories ...schemas.Category) schemas.Scored {
	return schemas.Scored{Event: anEvent(id, customer, n), Verdict: aVerdict(id, categories...)}
}

func store(t *testing.T, s Pipeline, scored ...schemas.Scored) []schemas.Verdict {
	t.Helper()
	vs, err := s.History.Store(t.Context(), scored)
	must(t, "Store", err)
	if len(vs) != len(scored) {
		t.Fatalf("%d verdicts for %d events", len(vs), len(scored))
	}
	return vs
}

func listEvents(t *testing.T, s Pipeline, q schemas.ListQuery) []schemas.Event {
	t.Helper()
	return pages(t, q, func(q schemas.ListQuery) (schemas.Page[schemas.Event], error) {
		return s.History.Events(t.Context(), q)
	})
}

func listVerdicts(t *testing.T, s Pipeline, q schemas.ListQuery) []schemas.Verdict {
	t.Helper()
	return pages(t, q, func(q schemas.ListQuery) (schemas.Page[schemas.Verdict], error) {
		return s.History.Verdicts(t.Context(), q)
	})
}

func verdictIDs(vs []schemas.Verdict) (ids []string) {
	for _, v := range vs {
		ids = append(ids, v.EventID)
	}
	return ids
}

// History: every event once with its first verdict, listed in a stable order,
// for those who may see it.
func History(t *testing.T, open func(t *testing.T) Pipeline) {
	suite{
		{"the first verdict stands", false, historyFirstStands},
		{"the same event at once", false, historyAtOnce},
		{"an event that can never be kept", false, historyRejects},
		{"through the whole pipe", false, historyThroughPipe},
		{"lists", false, historyLists},
		{"scored again", false, historyRescored},
		{"locations", false, historyLocations},
		{"pages while rows are added", false, historyGrows},
		{"single records", false, historyRecords},
		{"a customer's events", false, historyCustomer},
		{"a large batch", false, func(t *testing.T, s Pipeline) {
			var scored []schemas.Scored
			for i, id := range ids("e", 0, 999) {
				scored = append(scored, scoredMail(id, "customer", i))
			}
			store(t, s, scored...)
			store(t, s, scored...)
			p, err := s.History.Events(t.Context(), schemas.ListQuery{Limit: 1 << 20})
			must(t, "Events", err)
			same(t, "events", eventIDs(p.Items), ids("e", 0, 999))
		}},
		{"crash", true, func(t *testing.T, s Pipeline) {
			store(t, s, scoredMail("a", "c", 0, schemas.CatLate))
			s = s.Reopen(t)
			same(t, "replay", store(t, s, scoredMail("a", "c", 0)), []schemas.Verdict{aVerdict("a", schemas.CatLate)})
			same(t, "events", listEvents(t, s, schemas.ListQuery{}), []schemas.Event{anEvent("a", "c", 0)})
		}},
	}.run(t, open)
}

func historyFirstStands(t *testing.T, s Pipeline) {
	red, quiet := aVerdict("a", schemas.CatLate, schemas.CatRude), aVerdict("a")
	same(t, "first", store(t, s, schemas.Scored{Event: anEvent("a", "c", 0), Verdict: red}), []schemas.Verdict{red})
	same(t, "replay", store(t, s, schemas.Scored{Event: anEvent("a", "c", 0), Verdict: quiet}, scoredMail("b", "c", 1)), []schemas.Verdict{red, aVerdict("b")})
	same(t, "twice in one batch", store(t, s, scoredMail("d", "c", 1), scoredMail("d", "c", 1, schemas.CatLate)), []schemas.Verdict{aVerdict("d"), aVerdict("d")})
	same(t, "verdicts", listVerdicts(t, s, schemas.ListQuery{}), []schemas.Verdict{red, aVerdict("b"), aVerdict("d")})
	same(t, "events", eventIDs(listEvents(t, s, schemas.ListQuery{})), []string{"a", "b", "d"})
	store(t, s)
}

func historyAtOnce(t *testing.T, s Pipeline) {
	answers := make([]schemas.Verdict, 40)
	atOnce(len(answers), func(i int) {
		v := aVerdict("a")
		v.Probability = float64(i) / 64
		vs, err := s.History.Store(context.WithoutCancel(t.Context()), []schemas.Scored{{Event: anEvent("a", "c", 0), Verdict: v}})
		if err != nil {
			t.Errorf("Store: %v", err)
			return
		}
		answers[i] = vs[0]
	})
	standing := listVerdicts(t, s, schemas.ListQuery{})
	if len(standing) != 1 {
		t.Fatalf("%d verdicts of one event", len(standing))
	}
	for _, v := range answers {
		same(t, "answer", v, standing[0])
	}
}

// historyRejects: an event whose data does not fit is named, with nothing else,
// and blocks no other.
func historyRejects(t *testing.T, s Pipeline) {
	wrong := order{id: "wrong", ref: "1", kind: schemas.OrderPlaced, customer: "c", at: mark(0), total: 5}.scored()
	wrong.Event.Data = json.RawMessage(`{"order_ref":"1","total":"much"}`)
	broken := scoredMail("broken", "c", 1)
	broken.Event.Data = json.RawMessage(`{"value_text":`)
	good := []schemas.Scored{scoredMail("a", "c", 0), scoredMail("b", "c", 1)}
	_, err := s.History.Store(t.Context(), []schemas.Scored{good[0], wrong, broken, good[1], wrong})
	var rejected *signals.RejectedError
	if !errors.As(err, &rejected) {
		t.Fatalf("Store: %v, want a *signals.RejectedError", err)
	}
	var names []string
	for _, r := range rejected.Events {
		if r.Reason == "" {
			t.Errorf("%s is rejected without a reason", r.EventID)
		}
		names = append(names, r.EventID)
	}
	slices.Sort(names)
	same(t, "rejected", slices.Compact(names), []string{"broken", "wrong"})
	store(t, s, good...)
	same(t, "events", eventIDs(listEvents(t, s, schemas.ListQuery{})), []string{"a", "b"})
	same(t, "orders", len(listOrders(t, s, schemas.ListQuery{})), 0)
}

func historyThroughPipe(t *testing.T, s Pipeline) {
	reserve(t, s, aReceipt("a", "h", 0))
	must(t, "Publish", s.Publisher.Publish(t.Context(), []schemas.Event{anEvent("a", "customer", 0), anEvent("clock", "customer", 1)}))
	must(t, "MarkPublished", s.Receipts.MarkPublished(t.Context(), []string{"a"}))
	events, commit := fetch(t, s, "score", 10)
	var scored []schemas.Scored
	for _, e := range events {
		scored = append(scored, schemas.Scored{Event: e, Verdict: aVerdict(e.ID)})
	}
	store(t, s, scored...)
	commit()
	same(t, "events", listEvents(t, s, schemas.ListQuery{}), []schemas.Event{anEvent("a", "customer", 0), anEvent("clock", "customer", 1)})
}

func historyLists(t *testing.T, s Pipeline) {
	at := map[string]int{"d": 1, "b": 1, "c": 2, "a": 3, "e": 0}
	for id, n := range at {
		x := scoredMail(id, "c", n)
		x.Event.OccurredAt = mark(-n) // does not order the list
		x.Verdict.ScoredAt = mark(10 - n)
		store(t, s, x)
	}
	same(t, "events", eventIDs(listEvents(t, s, schemas.ListQuery{})), []string{"e", "b", "d", "c", "a"})
	since, until := mark(1).Add(time.Second), mark(3).Add(time.Second) // collected a second after
	same(t, "since inclusive, until exclusive", eventIDs(listEvents(t, s, schemas.ListQuery{Since: since, Until: until})), []string{"b", "d", "c"})
	same(t, "verdicts", verdictIDs(listVerdicts(t, s, schemas.ListQuery{})), []string{"a", "c", "b", "d", "e"})
	same(t, "verdicts of a time", verdictIDs(listVerdicts(t, s, schemas.ListQuery{Since: mark(8), Until: mark(10)})), []string{"c", "b", "d"})
	badCursor(t, func(q schemas.ListQuery) error { _, err := s.History.Events(t.Context(), q); return err })
	badCursor(t, func(q schemas.ListQuery) error { _, err := s.History.Verdicts(t.Context(), q); return err })
	badCursor(t, func(q schemas.ListQuery) error { _, err := s.History.Orders(t.Context(), q); return err })
}

func historyLocations(t *testing.T, s Pipeline) {
	for i, location := range []string{"North", "South", ""} {
		x := scoredMail(ids("e", 0, 3)[i], "c", i)
		x.Event.Location = location
		store(t, s, x)
	}
	for _, tt := range []struct {
		locations, want []string
	}{
		{nil, ids("e", 0, 3)}, {[]string{}, ids("e", 0, 3)}, {[]string{"North"}, ids("e", 0, 1)}, {[]string{"South", "North"}, ids("e", 0, 2)}, {[]string{"Nowhere"}, []string{}},
	} {
		same(t, "events", eventIDs(listEvents(t, s, schemas.ListQuery{Locations: tt.locations})), tt.want)
		same(t, "verdicts", verdictIDs(listVerdicts(t, s, schemas.ListQuery{Locations: tt.locations})), tt.want)
	}
}

func historyGrows(t *testing.T, s Pipeline) {
	store(t, s, scoredMail("b", "c", 1), scoredMail("d", "c", 1), scoredMail("f", "c", 2))
	p, err := s.History.Events(t.Context(), schemas.ListQuery{Limit: 2})
	must(t, "Events", err)
	same(t, "first page", eventIDs(p.Items), []string{"b", "d"})
	store(t, s, scoredMail("a", "c", 0), scoredMail("c", "c", 1), scoredMail("e", "c", 1), scoredMail("g", "c", 3))
	p, err = s.History.Events(t.Context(), schemas.ListQuery{Limit: 3, Cursor: p.Next})
	must(t, "Events", err)
	same(t, "the rest", eventIDs(p.Items), []string{"e", "f", "g"})
	if p.Next != "" {
		t.Fatalf("the last page goes on at %q", p.Next)
	}
}

func historyRecords(t *testing.T, s Pipeline) {
	a, b := scoredMail("a", "c", 0, schemas.CatLate), scoredMail("b", "c", 1)
	store(t, s, a, b)
	got, err := s.Records.Scored(t.Context(), []string{"b", "unknown", "a"})
	must(t, "Scored", err)
	same(t, "in the order asked", got, []schemas.Scored{b, a})
	got, err = s.Records.Scored(t.Context(), nil)
	if err != nil || len(got) != 0 {
		t.Fatalf("none asked: %v, %v", got, err)
	}
}

func historyCustomer(t *testing.T, s Pipeline) {
	early := resolve(t, s, 0, schemas.CustomerRef{Email: "a@example.com"})[0]
	store(t, s, scoredMail("a", early, 0), scoredMail("b", "", 1), scoredMail("c", "other", 2))
	late := resolve(t, s, 3, schemas.CustomerRef{Email: "a@example.com", Ref: "C1"})[0]
	store(t, s, scoredMail("d", late, 3), scoredMail("e", late, 2))
	for _, id := range []string{early, late} {
		got, err := s.Records.CustomerEvents(t.Context(), id, 0)
		must(t, "CustomerEvents", err)
		same(t, "newest first", got, []schemas.Scored{scoredMail("d", late, 3), scoredMail("e", late, 2), scoredMail("a", early, 0)})
		got, err = s.Records.CustomerEvents(t.Context(), id, 1)
		must(t, "CustomerEvents", err)
		same(t, "limited", got, []schemas.Scored{scoredMail("d", late, 3)})
	}
	got, err := s.Records.CustomerEvents(t.Context(), "", 10)
	if err != nil || len(got) != 0 {
		t.Fatalf("nobody's events: %v, %v", got, err)
	}
}

// order builds an order event; total and previous below 0 are left out.
type order struct {
	id, ref         string
	kind            schemas.EventType
	customer        string
	at              time.Time
	total, previous int64
	negative        bool // sends the total as a negative amount
	tip             *schemas.Money
	location        string
	source          string
}

func (o order) scored() schemas.Scored {
	data := schemas.Order{OrderRef: o.ref, CausedBy: schemas.ByCustomer, Location: o.location, Tip: o.tip}
	if o.total >= 0 {
		data.Total = &schemas.Money{Amount: o.total, Currency: "EUR"}
	}
	if o.negative {
		data.Total.Amount = -o.total
	}
	if o.previous > 0 {
		data.PreviousTotal = &schemas.Money{Amount: o.previous, Currency: "EUR"}
	}
	raw, err := json.Marshal(data)
	if err != nil {
		panic(err)
	}
	if o.source == "" {
		o.source = "shop"
	}
	return schemas.Scored{
		Event: schemas.Event{ID: o.id, Source: o.source, Type: o.kind, NativeID: o.ref, OccurredAt: o.at, CollectedAt: o.at, LocalDate: o.at.Format(time.DateOnly),
			CustomerID: o.customer, OrderRef: o.ref, Location: o.location, Data: raw},
		Verdict: aVerdict(o.id),
	}
}
