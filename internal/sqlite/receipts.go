package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"redalert/ingest"
	"redalert/schemas"
)

var (
	_ ingest.Receipts = (*DB)(nil)
	_ ingest.Intake   = (*DB)(nil)
)

type receipt struct {
	hash      string
	published bool
	payload   int64
	event     *schemas.Event // set when it was reserved by this very call
}

// Reserve stores pending receipts; see ingest.Receipts. The event's JSON is
// written here, once: publishing and history point at it.
func (d *DB) Reserve(ctx context.Context, receipts []ingest.Receipt) ([]ingest.Reservation, error) {
	if len(receipts) == 0 {
		return nil, nil
	}
	values, err := payloadsOf(receipts)
	if err != nil {
		return nil, err
	}
	var out []ingest.Reservation
	err = d.Write(ctx, func(tx *Tx) error {
		have, err := findReceipts(tx, receipts)
		if err != nil {
			return err
		}
		var fresh []int
		if out, fresh, err = reserve(tx, receipts, have); err != nil {
			return err
		}
		_, err = insertReceipts(tx, receipts, values, fresh, false)
		return err
	})
	if err != nil {
		return nil, unavailable("reserve events", err)
	}
	return out, nil
}

// TakeIn keeps raw bytes, reserves, publishes and marks in one transaction; see
// ingest.Intake.
func (d *DB) TakeIn(ctx context.Context, raws [][]byte, receipts []ingest.Receipt) ([]ingest.Reservation, error) {
	values, err := payloadsOf(receipts)
	if err != nil {
		return nil, err
	}
	_, fresh, err := d.newBlobs(ctx, raws)
	if err != nil {
		return nil, unavailable("look for blobs", err)
	}
	if len(fresh)+len(receipts) == 0 {
		return nil, nil
	}
	var out []ingest.Reservation
	var published int
	err = d.Write(ctx, func(tx *Tx) (err error) {
		if err := storeBlobs(tx, fresh); err != nil || len(receipts) == 0 {
			return err
		}
		out, published, err = takeIn(tx, receipts, values)
		return err
	})
	if err != nil {
		return nil, unavailable("take events in", err)
	}
	if published > 0 {
		d.wake.Wake()
	}
	return out, nil
}

func takeIn(tx *Tx, receipts []ingest.Receipt, values [][]byte) ([]ingest.Reservation, int, error) {
	have, err := findReceipts(tx, receipts)
	if err != nil {
		return nil, 0, err
	}
	out, fresh, err := reserve(tx, receipts, have)
	if err != nil {
		return nil, 0, err
	}
	first, err := insertReceipts(tx, receipts, values, fresh, true)
	if err != nil {
		return nil, 0, err
	}
	rows := make([][]any, 0, len(fresh))
	for i, k := range fresh {
		rows = append(rows, logRow(&receipts[k].Event, first+int64(i)))
	}
	var left []string // pending since an earlier attempt
	for i := range out {
		r := &out[i]
		old := have[receipts[i].Event.ID]
		if r.Outcome == ingest.ReceiptDuplicate && !r.Published && old.event == nil {
			rows = append(rows, logRow(&r.Stored, old.payload))
			left = append(left, r.Stored.ID)
			old.event = &r.Stored // once, also when it comes twice
			have[receipts[i].Event.ID] = old
		}
		r.Published = r.Outcome != ingest.ReceiptConflict
	}
	if err := insertRows(tx, insertFeedback, "", rows); err != nil {
		return nil, 0, err
	}
	if len(left) > 0 {
		err = markPublished(tx, idList(left))
	}
	return out, len(rows), err
}

func payloadsOf(receipts []ingest.Receipt) ([][]byte, error) {
	values := make([][]byte, len(receipts))
	for i, r := range receipts {
		b, err := r.Event.MarshalJSON()
		if err != nil {
			return nil, fmt.Errorf("reserve event %s: %w", r.Event.ID, err)
		}
		values[i] = b
	}
	return values, nil
}

// reserve answers each receipt, and which are new and to be inserted.
func reserve(tx *Tx, receipts []ingest.Receipt, have map[string]receipt) ([]ingest.Reservation, []int, error) {
	var err error
	out := make([]ingest.Reservation, len(receipts))
	var fresh []int
	for i, r := range receipts {
		old, ok := have[r.Event.ID]
		switch {
		case !ok:
			have[r.Event.ID] = receipt{hash: r.ContentHash, event: &receipts[i].Event}
			fresh = append(fresh, i)
		case old.hash != r.ContentHash:
			out[i].Outcome = ingest.ReceiptConflict
		default:
			out[i] = ingest.Reservation{Outcome: ingest.ReceiptDuplicate, Published: old.published}
			if !old.published {
				if out[i].Stored, err = storedEvent(tx, old); err != nil {
					return nil, nil, fmt.Errorf("event %s: %w", r.Event.ID, err)
				}
			}
		}
	}
	return out, fresh, nil
}

func findReceipts(tx *Tx, receipts []ingest.Receipt) (map[string]receipt, error) {
	ids := make([]string, len(receipts))
	for i, r := range receipts {
		ids[i] = r.Event.ID
	}
	have := make(map[string]receipt, len(receipts))
	rows, err := tx.Query(`SELECT event_id, hash, published, payload FROM receipts
		WHERE event_id IN (SELECT value FROM json_each(?))`, idList(ids))
	return have, each(rows, err, func(r *sql.Rows) error {
		var id string
		var x receipt
		err := r.Scan(&id, &x.hash, &x.published, &x.payload)
		have[id] = x
		return err
	})
}

func storedEvent(tx *Tx, r receipt) (e schemas.Event, err error) {
	if r.event != nil {
		return *r.event, nil
	}
	var b []byte
	if err := tx.QueryRow("SELECT value FROM payloads WHERE id = ?", r.payload).Scan(&b); err != nil {
		return e, err
	}
	return e, e.UnmarshalJSON(b)
}

// insertReceipts stores the fresh ones and answers the first's payload; the
// others' follow it.
func insertReceipts(tx *Tx, receipts []ingest.Receipt, values [][]byte, fresh []int, published bool) (first int64, err error) {
	payloads := make([][]byte, len(fresh))
	for i, k := range fresh {
		payloads[i] = values[k]
	}
	if first, err = insertPayloads(tx, payloads); err != nil {
		return 0, err
	}
	rows := make([][]any, len(fresh))
	for i, k := range fresh {
		rows[i] = []any{receipts[k].Event.ID, receipts[k].ContentHash, published, first + int64(i)}
	}
	return first, insertRows(tx, "INSERT INTO receipts (event_id, hash, published, payload)", "", rows)
}

// MarkPublished marks receipts; unknown ids are left alone.
func (d *DB) MarkPublished(ctx context.Context, eventIDs []string) error {
	if len(eventIDs) == 0 {
		return nil
	}
	ids := idList(eventIDs)
	return unavailable("mark events published", d.Write(ctx, func(tx *Tx) error { return markPublished(tx, ids) }))
}

func markPublished(tx *Tx, ids string) error {
	_, err := tx.Exec(`UPDATE receipts SET published = 1
		WHERE published = 0 AND event_id IN (SELECT value FROM json_each(?))`, ids)
	return err
}

// Pending lists events that were reserved and never marked, oldest first;
// limit ≤ 0 means 1,000.
func (d *DB) Pending(ctx context.Context, limit int) ([]schemas.Event, error) {
	if limit <= 0 {
		limit = 1000
	}
	var events []schemas.Event
	rows, err := d.read.QueryContext(ctx, `SELECT p.value FROM receipts r JOIN payloads p ON p.id = r.payload
		WHERE r.published = 0 ORDER BY r.payload LIMIT ?`, limit)
	err = each(rows, err, func(r *sql.Rows) error {
		e, err := scanEvent(r)
		events = append(events, e)
		return err
	})
	return events, unavailable("list pending events", err)
}

// scanEvent reads a row of one column, an event's JSON.
func scanEvent(r *sql.Rows) (e schemas.Event, err error) {
	var b sql.RawBytes
	if err := r.Scan(&b); err != nil {
		return e, err
	}
	return e, e.UnmarshalJSON(b)
}
