package sqlite

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redalert/ingest"
	"redalert/schemas"
)

func logged(t *testing.T, d *DB) []string {
	t.Helper()
	ids := []string{}
	rows, err := d.Read().QueryContext(t.Context(), "SELECT event_id FROM feedback_log ORDER BY position")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

func receiptOf(id, hash string) ingest.Receipt {
	return ingest.Receipt{ContentHash: hash, Event: testEvent(id, 0)}
}

// TestTakeIn: what Reserve, Publish and MarkPublished do, at once.
func TestTakeIn(t *testing.T) {
	d := open(t)
	left := receiptOf("left", "h") // an earlier attempt died after Reserve
	if _, err := d.Reserve(t.Context(), []ingest.Receipt{left}); err != nil {
		t.Fatal(err)
	}
	again := left
	again.Event.CollectedAt = again.Event.CollectedAt.Add(time.Hour) // the first word stands
	out, err := d.TakeIn(t.Context(), [][]byte{[]byte("raw"), nil, []byte("raw")}, []ingest.Receipt{
		receiptOf("a", "h"), again, receiptOf("a", "h"), receiptOf("b", "h"), receiptOf("a", "other"), again})
	if err != nil {
		t.Fatal(err)
	}
	type got struct {
		Outcome   ingest.ReceiptOutcome
		Published bool
	}
	var have []got
	for _, r := range out {
		have = append(have, got{r.Outcome, r.Published})
	}
	want := []got{{ingest.ReceiptNew, true}, {ingest.ReceiptDuplicate, true}, {ingest.ReceiptDuplicate, true}, {ingest.ReceiptNew, true}, {ingest.ReceiptConflict, false}, {ingest.ReceiptDuplicate, true}}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a", "b", "left"}, logged(t, d)); diff != "" {
		t.Error("log:", diff)
	}
	if p, err := d.Pending(t.Context(), 10); err != nil || len(p) != 0 {
		t.Error("left pending:", p, err)
	}
	b, err := d.Consumer("score").Fetch(t.Context(), 10)
	if err != nil || len(b.Events) != 3 || !b.Events[2].CollectedAt.Equal(left.Event.CollectedAt) {
		t.Errorf("%+v %v", b.Events, err)
	}
	for _, raw := range []string{"raw", ""} {
		sums, err := d.Blobs().Put(t.Context(), [][]byte{[]byte(raw)})
		if err != nil {
			t.Fatal(err)
		}
		if kept, err := d.Blobs().Get(t.Context(), sums[0]); err != nil || string(kept) != raw {
			t.Errorf("raw %q: %q %v", raw, kept, err)
		}
	}
	if out, err := d.TakeIn(t.Context(), nil, []ingest.Receipt{receiptOf("b", "h")}); err != nil || out[0].Outcome != ingest.ReceiptDuplicate || !out[0].Published {
		t.Errorf("again: %+v %v", out, err)
	}
}

// TestTakeInAllOrNothing: bytes, receipts and log stand or fall together.
func TestTakeInAllOrNothing(t *testing.T) {
	d := open(t)
	if err := d.Write(t.Context(), func(tx *Tx) error {
		_, err := tx.Exec("CREATE TRIGGER full BEFORE INSERT ON feedback_log WHEN NEW.event_id = 'b' BEGIN SELECT raise(ABORT, 'disk is full'); END")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	both := []ingest.Receipt{receiptOf("a", "h"), receiptOf("b", "h")}
	if _, err := d.TakeIn(t.Context(), [][]byte{[]byte("raw")}, both); err == nil {
		t.Fatal("no error")
	}
	var n int
	if err := d.Read().QueryRowContext(t.Context(), "SELECT (SELECT count(*) FROM receipts) + (SELECT count(*) FROM payloads) + (SELECT count(*) FROM feedback_log) + (SELECT count(*) FROM blobs)").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows after a failure, %v", n, err)
	}
}

// TestTrickleIsFetchedTogether: after a small batch the next one gathers.
func TestTrickleIsFetchedTogether(t *testing.T) {
	d := open(t)
	c := d.Consumer("score")
	one := func(i int) {
		if _, err := d.TakeIn(t.Context(), nil, []ingest.Receipt{receiptOf(fmt.Sprint(i), "h")}); err != nil {
			t.Error(err)
		}
	}
	one(0)
	b, err := c.Fetch(t.Context(), 10)
	if err != nil || len(b.Events) != 1 {
		t.Fatal(b.Events, err)
	}
	if err := b.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		one(1 + i)
	}
	if b, err = c.Fetch(t.Context(), 10); err != nil || len(b.Events) != 5 {
		t.Fatal(len(b.Events), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Fetch(ctx, 10); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestResolveFollowsAMerge: an id that was known when the call began is
// answered as what it has become in the call.
func TestResolveFollowsAMerge(t *testing.T) {
	d := open(t)
	mail := schemas.Sighting{Customer: schemas.CustomerRef{Email: "a@b.example"}, At: noon}
	both := schemas.Sighting{Customer: schemas.CustomerRef{Ref: "C1", Email: "a@b.example"}, At: noon}
	first, err := d.Resolve(t.Context(), []schemas.Sighting{mail})
	if err != nil {
		t.Fatal(err)
	}
	ids, err := d.Resolve(t.Context(), []schemas.Sighting{mail, both, mail, {}})
	if err != nil || ids[0] != ids[1] || ids[1] != ids[2] || ids[1] == first[0] || ids[3] != "" {
		t.Errorf("%q, at first %q: %v", ids, first, err)
	}
}
