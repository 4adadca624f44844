package storetest

import (
	"context"
	"sync/atomic"
	"testing"

	"redalert/ingest"
	"redalert/schemas"
)

func aReceipt(id, hash string, n int) ingest.Receipt {
	return ingest.Receipt{ContentHash: hash, Event: anEvent(id, "customer", n)}
}

func reserve(t *testing.T, s Pipeline, rs ...ingest.Receipt) []ingest.Reservation {
	t.Helper()
	out, err := s.Receipts.Reserve(t.Context(), rs)
	must(t, "Reserve", err)
	if len(out) != len(rs) {
		t.Fatalf("Reserve answered %d of %d receipts", len(out), len(rs))
	}
	return out
}

func pending(t *testing.T, s Pipeline, limit int, want []schemas.Event) {
	t.Helper()
	got, err := s.Receipts.Pending(t.Context(), limit)
	must(t, "Pending", err)
	same(t, "pending events", append([]schemas.Event{}, got...), want)
}

// Receipts: of equal event ids exactly one is new, for ever, and what was
// reserved and not published is known after a crash.
func Receipts(t *testing.T, open func(t *testing.T) Pipeline) {
	suite{
		{"new, duplicate, conflict", false, receiptOutcomes},
		{"equal ids in one call", false, receiptsInOneCall},
		{"equal ids at once", false, receiptsAtOnce},
		{"pending", false, receiptsPending},
		{"the stored event is what gets published", false, receiptsPublishStored},
		{"many in one call", false, func(t *testing.T, s Pipeline) {
			var rs []ingest.Receipt
			for i, id := range ids("r", 0, 999) {
				rs = append(rs, aReceipt(id, "h", i))
			}
			for i, r := range reserve(t, s, rs...) {
				if r.Outcome != ingest.ReceiptNew {
					t.Fatalf("receipt %d is not new: %+v", i, r)
				}
			}
			for i, r := range reserve(t, s, rs...) {
				if r.Outcome != ingest.ReceiptDuplicate || r.Published || r.Stored.ID != rs[i].Event.ID {
					t.Fatalf("receipt %d again: %+v", i, r)
				}
			}
		}},
		{"crash", true, receiptsCrash},
	}.run(t, open)
}

func receiptOutcomes(t *testing.T, s Pipeline) {
	first := aReceipt("a", "h1", 0)
	same(t, "first", reserve(t, s, first), []ingest.Reservation{{Outcome: ingest.ReceiptNew}})

	again := aReceipt("a", "h1", 9) // collected later
	same(t, "again, pending", reserve(t, s, again), []ingest.Reservation{{Outcome: ingest.ReceiptDuplicate, Stored: first.Event}})
	same(t, "other content", reserve(t, s, aReceipt("a", "h2", 0)), []ingest.Reservation{{Outcome: ingest.ReceiptConflict}})

	must(t, "MarkPublished", s.Receipts.MarkPublished(t.Context(), []string{"a", "unknown"}))
	same(t, "again, published", reserve(t, s, again), []ingest.Reservation{{Outcome: ingest.ReceiptDuplicate, Published: true}})
	same(t, "other content, published", reserve(t, s, aReceipt("a", "h2", 0)), []ingest.Reservation{{Outcome: ingest.ReceiptConflict}})
	must(t, "MarkPublished", s.Receipts.MarkPublished(t.Context(), []string{"a"}))
}

func receiptsInOneCall(t *testing.T, s Pipeline) {
	got := reserve(t, s, aReceipt("b", "h", 0), aReceipt("a", "h", 1), aReceipt("b", "h", 2), aReceipt("b", "x", 3))
	same(t, "reservations", got, []ingest.Reservation{
		{Outcome: ingest.ReceiptNew}, {Outcome: ingest.ReceiptNew},
		{Outcome: ingest.ReceiptDuplicate, Stored: anEvent("b", "customer", 0)}, {Outcome: ingest.ReceiptConflict},
	})
	if out, err := s.Receipts.Reserve(t.Context(), nil); err != nil || len(out) != 0 {
		t.Fatalf("nothing to reserve: %v, %v", out, err)
	}
}

func receiptsAtOnce(t *testing.T, s Pipeline) {
	var fresh, duplicate atomic.Int64
	atOnce(100, func(i int) {
		out, err := s.Receipts.Reserve(context.WithoutCancel(t.Context()), []ingest.Receipt{aReceipt("same", "h", i)})
		switch {
		case err != nil:
			t.Errorf("Reserve: %v", err)
		case out[0].Outcome == ingest.ReceiptNew:
			fresh.Add(1)
		case out[0].Outcome == ingest.ReceiptDuplicate:
			duplicate.Add(1)
		}
	})
	if fresh.Load() != 1 || duplicate.Load() != 99 {
		t.Fatalf("%d new and %d duplicates, want 1 and 99", fresh.Load(), duplicate.Load())
	}
}

func receiptsPending(t *testing.T, s Pipeline) {
	pending(t, s, 10, []schemas.Event{})
	reserve(t, s, aReceipt("c", "h", 0), aReceipt("a", "h", 1))
	reserve(t, s, aReceipt("b", "h", 2))
	pending(t, s, 2, []schemas.Event{anEvent("c", "customer", 0), anEvent("a", "customer", 1)})
	must(t, "MarkPublished", s.Receipts.MarkPublished(t.Context(), []string{"a"}))
	pending(t, s, 0, []schemas.Event{anEvent("c", "customer", 0), anEvent("b", "customer", 2)})
	must(t, "MarkPublished", s.Receipts.MarkPublished(t.Context(), []string{"b", "c"}))
	pending(t, s, 10, []schemas.Event{})
}

func receiptsPublishStored(t *testing.T, s Pipeline) {
	reserve(t, s, aReceipt("a", "h", 0))
	must(t, "Publish", s.Publisher.Publish(t.Context(), []schemas.Event{anEvent("a", "customer", 0), anEvent("unreserved", "", 5)}))
	must(t, "MarkPublished", s.Receipts.MarkPublished(t.Context(), []string{"a"}))
	events, _ := fetch(t, s, "g", 10)
	same(t, "events", events, []schemas.Event{anEvent("a", "customer", 0), anEvent("unreserved", "", 5)})
}

func receiptsCrash(t *testing.T, s Pipeline) {
	reserve(t, s, aReceipt("a", "h", 0), aReceipt("b", "h", 1), aReceipt("c", "h", 2))
	must(t, "Publish", s.Publisher.Publish(t.Context(), []schemas.Event{anEvent("a", "customer", 0), anEvent("b", "customer", 1)}))
	must(t, "MarkPublished", s.Receipts.MarkPublished(t.Context(), []string{"a"}))
	s = s.Reopen(t) // b was published but not marked, c neither
	pending(t, s, 10, []schemas.Event{anEvent("b", "customer", 1), anEvent("c", "customer", 2)})
	same(t, "after the crash", reserve(t, s, aReceipt("a", "h", 7), aReceipt("c", "h", 8), aReceipt("c", "x", 8)), []ingest.Reservation{
		{Outcome: ingest.ReceiptDuplicate, Published: true},
		{Outcome: ingest.ReceiptDuplicate, Stored: anEvent("c", "customer", 2)},
		{Outcome: ingest.ReceiptConflict},
	})
	must(t, "Publish", s.Publisher.Publish(t.Context(), []schemas.Event{anEvent("b", "customer", 1), anEvent("c", "customer", 2)}))
	must(t, "MarkPublished", s.Receipts.MarkPublished(t.Context(), []string{"b", "c"}))
	pending(t, s.Reopen(t), 10, []schemas.Event{})
}
