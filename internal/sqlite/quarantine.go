package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"redalert/ingest"
	"redalert/schemas"
	"redalert/signals"
)

// Quarantine is where items that could not be taken in, or scored, are kept.
func (d *DB) Quarantine() ingest.Quarantine { return quarantine{d} }

var _ signals.Quarantine = quarantine{}

type quarantine struct{ d *DB }

const quarantineColumns = "id, source, code, reason, locator, at, raw_sha256, state, replay"

// Put stores items as they are; see ingest.Quarantine. An item that is open
// again takes its new time and reason.
func (q quarantine) Put(ctx context.Context, items []schemas.Quarantined) error {
	if len(items) == 0 {
		return nil
	}
	return unavailable("quarantine", q.d.Write(ctx, func(tx *Tx) error {
		for _, it := range items {
			state := it.State
			if state == "" {
				state = schemas.QuarantineOpen
			}
			if _, err := tx.Exec(`INSERT INTO quarantine (`+quarantineColumns+`, state_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
				ON CONFLICT (id) DO UPDATE SET state = excluded.state, at = excluded.at, state_at = excluded.at, reason = excluded.reason
				WHERE quarantine.state <> 'open'`,
				it.ID, it.Source, it.Code, it.Reason, it.Locator, ms(it.At), it.RawSHA256, string(state), it.Replay, ms(it.At)); err != nil {
				return fmt.Errorf("item %s: %w", it.ID, err)
			}
		}
		return nil
	}))
}

func scanQuarantined(r interface{ Scan(...any) error }) (it schemas.Quarantined, at int64, err error) {
	err = r.Scan(&it.ID, &it.Source, &it.Code, &it.Reason, &it.Locator, &at, &it.RawSHA256, &it.State, &it.Replay)
	it.At = fromMS(at)
	return it, at, err
}

func (q quarantine) Get(ctx context.Context, id string) (schemas.Quarantined, error) {
	it, _, err := scanQuarantined(q.d.read.QueryRowContext(ctx, "SELECT "+quarantineColumns+" FROM quarantine WHERE id = ?", id))
	if errors.Is(err, sql.ErrNoRows) {
		err = ingest.ErrNotFound
	}
	return it, unavailable("quarantined item "+id, err)
}

// List answers a page; a viewer restricted to locations sees none, because
// what could not be read belongs to no location.
func (q quarantine) List(ctx context.Context, state schemas.QuarantineState, lq schemas.ListQuery) (schemas.Page[schemas.Quarantined], error) {
	var w where
	if state != "" {
		w.add("state = ?", string(state))
	}
	w.visible("''", lq.Locations)
	if err := w.page(lq, "at", "id"); err != nil {
		return schemas.Page[schemas.Quarantined]{}, fmt.Errorf("list quarantine: %w", err)
	}
	limit := lq.PageLimit()
	rows, err := q.d.read.QueryContext(ctx, "SELECT "+quarantineColumns+" FROM quarantine"+w.String()+" ORDER BY at, id LIMIT ?", append(w.args, limit+1)...)
	p, err := readPage(rows, err, limit, func(r *sql.Rows) (k keyed[schemas.Quarantined], err error) {
		k.item, k.at, err = scanQuarantined(r)
		k.id = k.item.ID
		return k, err
	})
	return p, unavailable("list quarantine", err)
}

// SetState changes an item's state; ErrNotFound.
func (q quarantine) SetState(ctx context.Context, id string, state schemas.QuarantineState, at time.Time) error {
	return unavailable("quarantined item "+id, q.d.Write(ctx, func(tx *Tx) error {
		res, err := tx.Exec("UPDATE quarantine SET state = ?, state_at = ? WHERE id = ?", string(state), ms(at), id)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, ingest.ErrNotFound)
		}
		return nil
	}))
}
