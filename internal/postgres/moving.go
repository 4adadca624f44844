package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"redalert/internal/move"
)

// Moving is this database as one side of a move; see move.State.
type Moving struct {
	d       *DB
	scanned func() // is told of every row that Rows is sent; nil = nobody
}

// Moving answers the database as a side of a move.
func (d *DB) Moving() *Moving { return &Moving{d: d} }

var _ move.State = (*Moving)(nil)

const markKey = "move"

// Mark implements move.State.
func (m *Moving) Mark(ctx context.Context) (mark move.Mark, err error) {
	docs, err := query(ctx, m.d, value[string], "SELECT value FROM meta WHERE key = $1", markKey)
	if err == nil && len(docs) > 0 {
		err = json.Unmarshal([]byte(docs[0]), &mark)
	}
	return mark, unavailable("read the mark of the move", err)
}

// SetMark implements move.State.
func (m *Moving) SetMark(ctx context.Context, mark move.Mark) error {
	return unavailable("mark the database", m.d.write(ctx, func(ctx context.Context, tx querier) error { return setMark(ctx, tx, mark) }))
}

// Receive implements move.State.
func (m *Moving) Receive(ctx context.Context, mark move.Mark, empty bool) error {
	return unavailable("mark the database", m.d.write(ctx, func(ctx context.Context, tx querier) error {
		if _, err := tx.exec(ctx, lockTables()); err != nil {
			return err
		}
		if empty {
			if err := checkEmpty(ctx, tx); err != nil {
				return err
			}
		}
		return setMark(ctx, tx, mark)
	}))
}

func checkEmpty(ctx context.Context, tx querier) error {
	for _, t := range movingTables() {
		n, err := one(ctx, tx, value[int64], "SELECT count(*) FROM "+t)
		if err != nil {
			return err
		}
		if n > 0 {
			return &move.NotEmptyError{Shelf: t, Rows: n}
		}
	}
	return nil
}

// movingTables is everything that must stand still: the shelves and what is
// reserved but not published.
func movingTables() []string {
	tables := []string{"receipts_pending"}
	for _, s := range move.Shelves() {
		tables = append(tables, s.Name)
	}
	return tables
}

// lockTables waits for every transaction that writes, and keeps new ones
// waiting; readers go on.
func lockTables() string {
	return "LOCK TABLE " + strings.Join(movingTables(), ", ") + " IN SHARE ROW EXCLUSIVE MODE"
}

// setMark writes the mark, and puts the fence up or takes it down: triggers that
// refuse writes of every process, those that run already included. The function
// behind them is the schema's.
func setMark(ctx context.Context, tx querier, mark move.Mark) error {
	doc, err := json.Marshal(mark)
	if err != nil {
		return err
	}
	if _, err := tx.exec(ctx, "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value", markKey, string(doc)); err != nil {
		return err
	}
	up, err := one(ctx, tx, value[bool], "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'move_fence' AND tgrelid = 'receipts'::regclass)")
	shut := mark.Condition == move.Receiving || mark.Condition == move.Moved
	if err != nil || shut == up {
		return err
	}
	for _, t := range movingTables() {
		text := "DROP TRIGGER move_fence ON " + t
		if shut {
			text = "CREATE TRIGGER move_fence BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON " + t +
				" FOR EACH STATEMENT EXECUTE FUNCTION refuse_moved()"
		}
		if _, err := tx.exec(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// Freeze implements move.State. The locks are a transaction's: they end with
// the process, and are what the mark is committed under.
func (m *Moving) Freeze(ctx context.Context, fn func(context.Context) (move.Mark, error)) error {
	begin := m.d.cfg.beginWrite() + "; set local idle_in_transaction_session_timeout = 0"
	var failed error
	err := m.d.inTx(ctx, begin, func(ctx context.Context, tx querier) error {
		if _, err := tx.exec(ctx, lockTables()); err != nil {
			return fmt.Errorf("somebody is writing: %w", err)
		}
		var mark move.Mark
		if mark, failed = fn(ctx); failed != nil {
			return failed
		}
		return setMark(ctx, tx, mark)
	})
	if failed != nil {
		return failed
	}
	return unavailable("freeze the database", err)
}

// Unpublished implements move.State.
func (m *Moving) Unpublished(ctx context.Context) (int64, error) {
	n, err := first(ctx, m.d, nil, value[int64], "SELECT count(*) FROM receipts_pending")
	return n, unavailable("count unpublished events", err)
}

// Count implements move.State.
func (m *Moving) Count(ctx context.Context, s move.Shelf) (int64, error) {
	n, err := first(ctx, m.d, nil, value[int64], "SELECT count(*) FROM "+s.Name)
	return n, unavailable("count "+s.Name, err)
}

// passFence lets one transaction write to a side that is shut.
const passFence = "SELECT set_config('redalert.move', 'on', true)"

// write runs fn past the fence.
func (m *Moving) write(ctx context.Context, what string, fn func(ctx context.Context, tx querier) error) error {
	return unavailable(what, m.d.write(ctx, func(ctx context.Context, tx querier) error {
		if _, err := tx.exec(ctx, passFence); err != nil {
			return err
		}
		return fn(ctx, tx)
	}))
}

// Clear implements move.State.
func (m *Moving) Clear(ctx context.Context, s move.Shelf) error {
	return m.write(ctx, "clear "+s.Name, func(ctx context.Context, tx querier) error {
		if s.Name == "cases" {
			if _, err := tx.exec(ctx, "DELETE FROM case_events"); err != nil {
				return err
			}
		}
		_, err := tx.exec(ctx, "DELETE FROM "+s.Name)
		return err
	})
}
