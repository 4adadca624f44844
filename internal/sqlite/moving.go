package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	engine "modernc.org/sqlite"

	"redalert/internal/move"
	"redalert/schemas"
)

// Moving is this file as one side of a move; see move.State and move.History.
type Moving struct {
	*DB
	scanned func() // is told of every row that Rows reads; nil = nobody
}

// Moving answers the file as a side of a move.
func (d *DB) Moving() *Moving { return &Moving{DB: d} }

var (
	_ move.State   = (*Moving)(nil)
	_ move.History = (*Moving)(nil)
)

// The fence: while the file is not live, triggers on every table refuse writes,
// also those of processes that opened it before. Only a process that is storing
// what comes with a move gets past them; a program that does not know the
// function fails on it, which refuses too.
const fenceFunction = "redalert_receives"

var passing atomic.Int32 // how many writes of a move this process has under way

func init() {
	engine.MustRegisterScalarFunction(fenceFunction, 0, func(*engine.FunctionContext, []driver.Value) (driver.Value, error) {
		return passing.Load() > 0, nil
	})
}

// pass runs a write that the fence lets through.
func (m *Moving) pass(ctx context.Context, fn func(tx *Tx) error) error {
	passing.Add(1)
	defer passing.Add(-1)
	return m.Write(ctx, fn)
}

// Store implements move.History.
func (m *Moving) Store(ctx context.Context, scored []schemas.Scored) ([]schemas.Verdict, error) {
	passing.Add(1)
	defer passing.Add(-1)
	return m.DB.Store(ctx, scored)
}

const markKey = "move"

// Mark implements move.State.
func (m *Moving) Mark(ctx context.Context) (mark move.Mark, err error) {
	var doc string
	err = m.read.QueryRowContext(ctx, "SELECT value FROM meta WHERE key = ?", markKey).Scan(&doc)
	if errors.Is(err, sql.ErrNoRows) {
		return mark, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(doc), &mark)
	}
	return mark, unavailable("read the mark of the move", err)
}

// SetMark implements move.State.
func (m *Moving) SetMark(ctx context.Context, mark move.Mark) error {
	return unavailable("mark the file", m.Write(ctx, func(tx *Tx) error { return setMark(tx, mark) }))
}

// Receive implements move.State.
func (m *Moving) Receive(ctx context.Context, mark move.Mark, empty bool) error {
	return unavailable("mark the file", m.Write(ctx, func(tx *Tx) error {
		if empty {
			if err := checkEmpty(tx); err != nil {
				return err
			}
		}
		return setMark(tx, mark)
	}))
}

func checkEmpty(tx *Tx) error {
	tables := []string{"events", "feedback_log", "alerts_log"}
	for _, s := range move.Shelves() {
		tables = append(tables, s.Name)
	}
	for _, t := range tables {
		var n int64
		if err := tx.QueryRow("SELECT count(*) FROM " + t).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			return &move.NotEmptyError{Shelf: t, Rows: n}
		}
	}
	return nil
}

// setMark writes the mark, and puts the fence up or takes it down.
func setMark(tx *Tx, mark move.Mark) error {
	doc, err := json.Marshal(mark)
	if err != nil {
		return err
	}
	if _, err := tx.Exec("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", markKey, string(doc)); err != nil {
		return err
	}
	var fence []string
	rows, err := tx.Query("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'move\\_fence\\_%' ESCAPE '\\' ORDER BY name")
	if err := each(rows, err, func(r *sql.Rows) error {
		var name string
		err := r.Scan(&name)
		fence = append(fence, name)
		return err
	}); err != nil {
		return err
	}
	shut := mark.Condition == move.Receiving || mark.Condition == move.Moved
	switch {
	case shut && len(fence) == 0:
		return putFence(tx)
	case !shut:
		for _, name := range fence {
			if _, err := tx.conn.ExecContext(context.Background(), "DROP TRIGGER "+name); err != nil {
				return err
			}
		}
	}
	return nil
}

// putFence puts triggers on every table but meta.
func putFence(tx *Tx) error {
	var tables []string
	rows, err := tx.Query("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'meta' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name")
	if err := each(rows, err, func(r *sql.Rows) error {
		var name string
		err := r.Scan(&name)
		tables = append(tables, name)
		return err
	}); err != nil {
		return err
	}
	for _, t := range tables {
		for _, what := range []string{"INSERT", "UPDATE", "DELETE"} {
			text := fmt.Sprintf(`CREATE TRIGGER move_fence_%s_%s BEFORE %s ON %s WHEN NOT %s()
				BEGIN SELECT RAISE(ABORT, 'this file is not in use any more: it was moved (redalert move)'); END`,
				t, strings.ToLower(what), what, t, fenceFunction)
			if _, err := tx.conn.ExecContext(context.Background(), text); err != nil {
				return err
			}
		}
	}
	return nil
}

// Freeze implements move.State. fn runs within the one writing transaction, so
// it may read this file and must not write to it; other processes that want to
// write wait, and give up after a while.
func (m *Moving) Freeze(ctx context.Context, fn func(context.Context) (move.Mark, error)) error {
	var failed error
	err := m.Write(ctx, func(tx *Tx) error {
		mark, err := fn(ctx)
		if failed = err; err != nil {
			return err
		}
		return setMark(tx, mark)
	})
	if failed != nil {
		return failed
	}
	return unavailable("freeze the file", err)
}

// Unpublished implements move.State.
func (m *Moving) Unpublished(ctx context.Context) (n int64, err error) {
	err = m.read.QueryRowContext(ctx, "SELECT count(*) FROM receipts WHERE published = 0").Scan(&n)
	return n, unavailable("count unpublished events", err)
}

// CountEvents implements move.History.
func (m *Moving) CountEvents(ctx context.Context) (n int64, err error) {
	err = m.read.QueryRowContext(ctx, "SELECT count(*) FROM events").Scan(&n)
	return n, unavailable("count events", err)
}

// ClearHistory implements move.History. The logs go as well: they have been
// worked off, and point at what goes.
func (m *Moving) ClearHistory(ctx context.Context) error {
	return unavailable("clear history", m.pass(ctx, func(tx *Tx) error {
		for _, t := range []string{"verdicts", "events", "order_events", "orders", "feedback_log", "alerts_log"} {
			if _, err := tx.Exec("DELETE FROM " + t); err != nil {
				return err
			}
		}
		_, err := tx.Exec("DELETE FROM payloads WHERE id NOT IN (SELECT payload FROM receipts WHERE published = 0)")
		return err
	}))
}

// ForgetAliases implements move.History: there is no copy.
func (m *Moving) ForgetAliases(context.Context) error { return nil }

// Count implements move.State.
func (m *Moving) Count(ctx context.Context, s move.Shelf) (n int64, err error) {
	err = m.read.QueryRowContext(ctx, "SELECT count(*) FROM "+s.Name).Scan(&n)
	return n, unavailable("count "+s.Name, err)
}

// A page ends after so many rows, or with the row that makes it so many bytes.
const (
	movePage  = 2000
	moveBytes = 8 << 20
)

// Rows implements move.State.
func (m *Moving) Rows(ctx context.Context, s move.Shelf, after move.Row) ([]move.Row, error) {
	keys := strings.Join(s.Names()[:s.Keys], ", ")
	from := " FROM " + s.Name
	var args []any
	if after != nil {
		marks := make([]string, s.Keys)
		for i := range marks {
			marks[i] = fmt.Sprintf("?%d", i+1)
		}
		from += " WHERE (" + keys + ") > (" + strings.Join(marks, ", ") + ")"
		args = append(args, after[:s.Keys]...)
	}
	from += " ORDER BY " + keys
	// The sizes are added up first, which takes no reading of what is large.
	query := fmt.Sprintf("SELECT %s%s LIMIT (SELECT count(*) FROM (SELECT sum(bytes) OVER (ORDER BY %s ROWS UNBOUNDED PRECEDING) - bytes AS before "+
		"FROM (SELECT %s, %s AS bytes%s LIMIT %d)) WHERE before < %d)", strings.Join(s.Names(), ", "), from, keys, keys, sizeOf(s), from, movePage, moveBytes)
	var out []move.Row
	rows, err := m.read.QueryContext(ctx, query, args...)
	err = each(rows, err, func(r *sql.Rows) error {
		if m.scanned != nil {
			m.scanned()
		}
		row, err := scanMoving(r, s)
		out = append(out, row)
		return err
	})
	return out, unavailable("read "+s.Name, err)
}

// sizeOf is the size of a row's texts and bytes, in SQL.
func sizeOf(s move.Shelf) string {
	sum := "0"
	for _, c := range s.Columns {
		if c.Kind != move.Int && c.Kind != move.Flag && c.Kind != move.Float {
			sum += " + coalesce(octet_length(" + c.Name + "), 0)"
		}
	}
	return sum
}

// scanMoving reads a row.
func scanMoving(r *sql.Rows, s move.Shelf) (move.Row, error) {
	row := make(move.Row, len(s.Columns))
	into := make([]any, len(row))
	for i := range row {
		into[i] = &row[i]
	}
	if err := r.Scan(into...); err != nil {
		return nil, err
	}
	for i, c := range s.Columns {
		switch v := row[i].(type) {
		case string:
			if c.Kind == move.Texts {
				var list []string
				if err := json.Unmarshal([]byte(v), &list); err != nil {
					return nil, fmt.Errorf("%s.%s: %w", s.Name, c.Name, err)
				}
				row[i] = jsonList(list)
			}
		case []byte:
			if v == nil { // empty, not NULL
				row[i] = []byte{}
			}
		}
	}
	return row, nil
}

// Put implements move.State. Accepted events that come with a move are in no log
// here: history holds them.
func (m *Moving) Put(ctx context.Context, s move.Shelf, rows []move.Row) error {
	columns := s.Names()
	var set []string
	for _, c := range columns[s.Keys:] {
		set = append(set, c+" = excluded."+c)
	}
	tail := "ON CONFLICT (" + strings.Join(columns[:s.Keys], ", ") + ") DO UPDATE SET " + strings.Join(set, ", ")
	var more []any
	if s.Name == "receipts" {
		columns, more = append(columns, "published", "payload"), []any{1, 0}
	}
	head := "INSERT INTO " + s.Name + " (" + strings.Join(columns, ", ") + ")"
	values := make([][]any, len(rows))
	for i, r := range rows {
		values[i] = append(append([]any{}, r...), more...)
	}
	return unavailable("store "+s.Name, m.pass(ctx, func(tx *Tx) error { return insertRows(tx, head, tail, values) }))
}

// Clear implements move.State.
func (m *Moving) Clear(ctx context.Context, s move.Shelf) error {
	return unavailable("clear "+s.Name, m.pass(ctx, func(tx *Tx) error {
		if s.Name == "cases" {
			if _, err := tx.Exec("DELETE FROM case_events"); err != nil {
				return err
			}
		}
		_, err := tx.Exec("DELETE FROM " + s.Name)
		return err
	}))
}
