package storetest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"redalert/schemas"
	"redalert/signals"
)

func eur(n int64) schemas.Money { return schemas.Money{Amount: n, Currency: "EUR"} }

func listOrders(t *testing.T, s Pipeline, q schemas.ListQuery) []schemas.OrderRecord {
	t.Helper()
	return pages(t, q, func(q schemas.ListQuery) (schemas.Page[schemas.OrderRecord], error) {
		return s.History.Orders(t.Context(), q)
	})
}

func totals(t *testing.T, s Pipeline, id string) signals.CustomerTotals {
	t.Helper()
	m, err := s.Records.Totals(t.Context(), []string{id})
	must(t, "Totals", err)
	return m[id]
}

// Orders: whatever order its events come in, an order is what they say
// together; sums, facts and percentiles follow from it.
func Orders(t *testing.T, open func(t *testing.T) Pipeline) {
	suite{
		{"life of an order", false, ordersLife},
		{"out of order, and again", false, ordersShuffled},
		{"cancellations of unknown orders", false, ordersUnknown},
		{"totals and facts", false, ordersTotals},
		{"the scorer's sum is the same", false, ordersAgree},
		{"tips", false, ordersTips},
		{"lists", false, ordersLists},
		{"90th percentile", false, ordersP90},
		{"crash", true, func(t *testing.T, s Pipeline) {
			store(t, s, order{id: "a", ref: "1", kind: schemas.OrderPlaced, customer: "c", at: mark(0), total: 500}.scored())
			s = s.Reopen(t)
			store(t, s, order{id: "b", ref: "1", kind: schemas.OrderCancelled, customer: "c", at: mark(1), total: -1}.scored())
			same(t, "totals", totals(t, s, "c"), signals.CustomerTotals{})
		}},
	}.run(t, open)
}

// ordersTips: a tip is in the facts as each event states it.
func ordersTips(t *testing.T, s Pipeline) {
	tip := func(n int64) *schemas.Money { m := eur(n); return &m }
	store(t, s,
		order{id: "a", ref: "1", kind: schemas.OrderPlaced, customer: "c", at: mark(0), total: 500, tip: tip(75)}.scored(),
		order{id: "b", ref: "2", kind: schemas.OrderPlaced, customer: "c", at: mark(1), total: 500, tip: tip(0)}.scored(),
		order{id: "c", ref: "3", kind: schemas.OrderPlaced, customer: "c", at: mark(2), total: 500}.scored(),
		order{id: "d", ref: "1", kind: schemas.OrderFulfilled, customer: "c", at: mark(3), total: -1, tip: tip(90)}.scored())
	facts, err := s.Context.OrderFacts(t.Context(), []string{"c"})
	must(t, "OrderFacts", err)
	var got []string
	for _, f := range facts["c"] {
		switch {
		case f.Tip == nil:
			got = append(got, f.EventID+" not stated")
		default:
			got = append(got, fmt.Sprint(f.EventID, " ", *f.Tip))
		}
	}
	same(t, "tips", got, []string{"a 75", "b 0", "c not stated", "d 90"})
	same(t, "revenue is without them", totals(t, s, "c").Revenue, int64(1500))
}

func ordersLife(t *testing.T, s Pipeline) {
	check := func(want schemas.OrderRecord, o order) {
		t.Helper()
		o.ref, o.customer, o.location = "1", "c", "North"
		store(t, s, o.scored())
		want.OrderRef, want.CustomerID, want.Location, want.PlacedAt, want.ChangedAt = "1", "c", "North", mark(0), o.at
		same(t, o.id, listOrders(t, s, schemas.ListQuery{}), []schemas.OrderRecord{want})
	}
	was := func(n int64) *schemas.Money { m := eur(n); return &m }
	check(schemas.OrderRecord{State: schemas.OrderStatePlaced, Total: eur(500)}, order{id: "a", kind: schemas.OrderPlaced, at: mark(0), total: 500})
	check(schemas.OrderRecord{State: schemas.OrderStateChanged, Total: eur(400), PreviousTotal: was(500)}, order{id: "b", kind: schemas.OrderChanged, at: mark(1), total: 400})
	check(schemas.OrderRecord{State: schemas.OrderStateChanged, Total: eur(300), PreviousTotal: was(450)}, order{id: "c", kind: schemas.OrderChanged, at: mark(2), total: 300, previous: 450})
	check(schemas.OrderRecord{State: schemas.OrderStateFulfilled, Total: eur(300), PreviousTotal: was(450)}, order{id: "d", kind: schemas.OrderFulfilled, at: mark(3), total: -1})
	same(t, "revenue", totals(t, s, "c").Revenue, int64(300))
	check(schemas.OrderRecord{State: schemas.OrderStateRefunded, Total: eur(300), PreviousTotal: was(450)}, order{id: "e", kind: schemas.OrderRefunded, at: mark(4), total: 100})
	same(t, "totals after a refund", totals(t, s, "c"), signals.CustomerTotals{Orders: 1, Revenue: 200, FirstOrderAt: mark(0), LastOrderAt: mark(0)})
	check(schemas.OrderRecord{State: schemas.OrderStateCancelled, Total: eur(300), PreviousTotal: was(450)}, order{id: "f", kind: schemas.OrderCancelled, at: mark(5), total: 300})
	same(t, "totals after the cancellation", totals(t, s, "c"), signals.CustomerTotals{})
}

func ordersShuffled(t *testing.T, s Pipeline) {
	events := []schemas.Scored{
		order{id: "a", ref: "1", kind: schemas.OrderPlaced, customer: "c", at: mark(0), total: 500}.scored(),
		order{id: "b", ref: "1", kind: schemas.OrderChanged, customer: "c", at: mark(1), total: 400}.scored(),
		order{id: "c", ref: "1", kind: schemas.OrderChanged, customer: "c", at: mark(2), total: 450}.scored(),
		order{id: "d", ref: "1", kind: schemas.OrderFulfilled, customer: "", at: mark(2), total: -1, location: "South"}.scored(),
		order{id: "e", ref: "2", kind: schemas.OrderCancelled, customer: "c", at: mark(2), total: 100}.scored(),
		order{id: "f", ref: "2", kind: schemas.OrderPlaced, customer: "c", at: mark(2), total: 100}.scored(),
	}
	rng := rand.New(rand.NewPCG(1, 2))
	rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	for range 2 {
		for _, e := range events {
			store(t, s, e)
		}
	}
	previous := eur(400)
	same(t, "orders", listOrders(t, s, schemas.ListQuery{}), []schemas.OrderRecord{
		{OrderRef: "1", CustomerID: "c", State: schemas.OrderStateFulfilled, PlacedAt: mark(0), ChangedAt: mark(2), Total: eur(450), PreviousTotal: &previous, Location: "South"},
		{OrderRef: "2", CustomerID: "c", State: schemas.OrderStateCancelled, PlacedAt: mark(2), ChangedAt: mark(2), Total: eur(100)},
	})
	same(t, "totals", totals(t, s, "c"), signals.CustomerTotals{Orders: 1, Revenue: 450, FirstOrderAt: mark(0), LastOrderAt: mark(0)})
}

func ordersUnknown(t *testing.T, s Pipeline) {
	store(t, s,
		order{id: "a", ref: "1", kind: schemas.OrderPlaced, customer: "c", at: mark(0), total: 500}.scored(),
		order{id: "b", ref: "C1", kind: schemas.OrderCancelled, customer: "c", at: mark(1), total: 120, negative: true}.scored(),
		order{id: "c", ref: "C2", kind: schemas.OrderCancelled, customer: "d", at: mark(2), total: 70, negative: true}.scored(),
		order{id: "d", ref: "3", kind: schemas.OrderPlaced, customer: "", at: mark(3), total: 900}.scored())
	same(t, "totals", totals(t, s, "c"), signals.CustomerTotals{Orders: 1, Revenue: 380, FirstOrderAt: mark(0), LastOrderAt: mark(0)})
	same(t, "only a cancellation", totals(t, s, "d"), signals.CustomerTotals{Revenue: -70})
	m, err := s.Records.Totals(t.Context(), []string{"", "nobody"})
	if err != nil || len(m) != 0 {
		t.Fatalf("nobody's totals: %v, %v", m, err)
	}
	got, err := s.Records.CustomerOrders(t.Context(), "c")
	must(t, "CustomerOrders", err)
	same(t, "orders", got, []schemas.OrderRecord{
		{OrderRef: "C1", CustomerID: "c", State: schemas.OrderStateCancelled, PlacedAt: mark(1), ChangedAt: mark(1), Total: eur(120)},
		{OrderRef: "1", CustomerID: "c", State: schemas.OrderStatePlaced, PlacedAt: mark(0), ChangedAt: mark(0), Total: eur(500)},
	})
	if got, err := s.Records.CustomerOrders(t.Context(), ""); err != nil || len(got) != 0 {
		t.Fatalf("nobody's orders: %v, %v", got, err)
	}
}

func ordersTotals(t *testing.T, s Pipeline) {
	early := resolve(t, s, 0, schemas.CustomerRef{Email: "a@example.com"})[0]
	store(t, s,
		order{id: "b", ref: "2", kind: schemas.OrderPlaced, customer: early, at: mark(5), total: 50, location: "North"}.scored(),
		order{id: "a", ref: "1", kind: schemas.OrderPlaced, customer: early, at: mark(1), total: 500}.scored(),
		order{id: "x", ref: "9", kind: schemas.OrderPlaced, customer: "other", at: mark(1), total: 1}.scored())
	late := resolve(t, s, 6, schemas.CustomerRef{Email: "a@example.com", Ref: "C1"})[0]
	store(t, s, order{id: "c", ref: "3", kind: schemas.OrderCancelled, customer: late, at: mark(3), total: 20, negative: true}.scored())
	want := signals.CustomerTotals{Orders: 2, Revenue: 530, FirstOrderAt: mark(1), LastOrderAt: mark(5)}
	m, err := s.Records.Totals(t.Context(), []string{early, late, early, "other"})
	must(t, "Totals", err)
	same(t, "totals", m, map[string]signals.CustomerTotals{early: want, late: want, "other": {Orders: 1, Revenue: 1, FirstOrderAt: mark(1), LastOrderAt: mark(1)}})

	facts := []schemas.OrderFact{
		{EventID: "a", Type: schemas.OrderPlaced, OrderRef: "1", OccurredAt: mark(1), Total: 500, CausedBy: schemas.ByCustomer},
		{EventID: "c", Type: schemas.OrderCancelled, OrderRef: "3", OccurredAt: mark(3), Total: 20, CausedBy: schemas.ByCustomer},
		{EventID: "b", Type: schemas.OrderPlaced, OrderRef: "2", OccurredAt: mark(5), Total: 50, CausedBy: schemas.ByCustomer, Location: "North"},
	}
	got, err := s.Context.OrderFacts(t.Context(), []string{late, early, "nobody", ""})
	must(t, "OrderFacts", err)
	same(t, "facts", got, map[string][]schemas.OrderFact{early: facts, late: facts})
	for _, o := range listOrders(t, s, schemas.ListQuery{}) {
		if o.OrderRef != "9" && o.CustomerID != late {
			t.Errorf("order %s is of %s, want the canonical %s", o.OrderRef, o.CustomerID, late)
		}
	}
}

// ordersAgree: the net revenue that pages show and the one that the scorer
// computes from facts are one figure, on random events.
func ordersAgree(t *testing.T, s Pipeline) {
	rng := rand.New(rand.NewPCG(3, 4))
	kinds := []schemas.EventType{schemas.OrderPlaced, schemas.OrderPlaced, schemas.OrderChanged, schemas.OrderCancelled, schemas.OrderRefunded, schemas.OrderFulfilled}
	var scored []schemas.Scored
	for i := range 300 {
		scored = append(scored, order{id: fmt.Sprintf("e%03d", i), ref: fmt.Sprint(rng.IntN(80)), kind: kinds[rng.IntN(len(kinds))], at: mark(i), total: int64(rng.IntN(1000)) + 1}.scored())
	}
	customerOf := map[string]string{}
	for i := range scored {
		ref := scored[i].Event.OrderRef
		if customerOf[ref] == "" {
			customerOf[ref] = fmt.Sprint("c", rng.IntN(12))
		}
		scored[i].Event.CustomerID = customerOf[ref]
	}
	store(t, s, scored...)
	for i := range 12 {
		id := fmt.Sprint("c", i)
		facts, err := s.Context.OrderFacts(t.Context(), []string{id})
		must(t, "OrderFacts", err)
		want := signals.NetRevenue(facts[id], time.Time{}, mark(1000))
		if got := max(0, totals(t, s, id).Revenue); got != want {
			t.Errorf("customer %s: %d by totals, %d by facts", id, got, want)
		}
	}
}

func ordersLists(t *testing.T, s Pipeline) {
	for i, ref := range []string{"d", "b", "c", "a", "e"} {
		location := []string{"North", "South", ""}[i%3]
		store(t, s, order{id: "event " + ref, ref: ref, kind: schemas.OrderPlaced, at: mark([]int{1, 1, 2, 3, 0}[i]), total: 1, location: location}.scored())
	}
	refs := func(q schemas.ListQuery) (refs []string) {
		t.Helper()
		for _, o := range listOrders(t, s, q) {
			refs = append(refs, o.OrderRef)
		}
		return refs
	}
	same(t, "all", refs(schemas.ListQuery{}), []string{"e", "b", "d", "c", "a"})
	same(t, "placed since, until", refs(schemas.ListQuery{Since: mark(1), Until: mark(3)}), []string{"b", "d", "c"})
	same(t, "of a location", refs(schemas.ListQuery{Locations: []string{"South"}}), []string{"e", "b"})
}

func ordersP90(t *testing.T, s Pipeline) {
	at := mark(0).AddDate(2, 0, 0)
	check := func(p90 int64, customers int) {
		t.Helper()
		gotP90, gotN, err := s.Context.RevenueP90(t.Context(), at)
		must(t, "RevenueP90", err)
		if gotP90 != p90 || gotN != customers {
			t.Fatalf("p90 %d of %d customers, want %d of %d", gotP90, gotN, p90, customers)
		}
	}
	check(0, 0)
	place := func(id, customer string, at time.Time, total int64) {
		t.Helper()
		store(t, s, order{id: id, ref: id, kind: schemas.OrderPlaced, customer: customer, at: at, total: total}.scored())
	}
	place("too old", "c0", at.Add(-366*24*time.Hour), 99999)
	place("not yet", "c0", at, 99999)
	place("nobody's", "", at.Add(-time.Hour), 99999)
	place("nothing", "c0", at.Add(-time.Hour), 0)
	check(0, 0)
	for i := 1; i <= 11; i++ {
		place(fmt.Sprint("o", i), fmt.Sprint("c", i), at.Add(-365*24*time.Hour), int64(i)*10)
		if i == 10 {
			check(90, 10) // rank 9 of 10
		}
	}
	check(100, 11) // rank ceil(9.9) = 10
	store(t, s, order{id: "gone", ref: "o11", kind: schemas.OrderCancelled, customer: "c11", at: at.Add(-time.Minute), total: 1}.scored())
	check(90, 10)
}
