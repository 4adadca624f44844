package sqlite

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"sync"
	"time"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"redalert/ingest"
	"redalert/schemas"
)

// ms is how times are stored: milliseconds since 1970, UTC. The zero time
// survives.
func ms(t time.Time) int64 { return t.UnixMilli() }

func fromMS(v int64) time.Time { return time.UnixMilli(v).UTC() }

func nullMS(t *time.Time) any {
	if t == nil || t.IsZero() {
		return nil
	}
	return ms(*t)
}

func fromNullMS(v sql.NullInt64) *time.Time {
	if !v.Valid {
		return nil
	}
	t := fromMS(v.Int64)
	return &t
}

// temporary lists the primary result codes that may pass by themselves: the
// file is busy, the disk is full or failing.
var temporary = []int{lib.SQLITE_BUSY, lib.SQLITE_LOCKED, lib.SQLITE_FULL, lib.SQLITE_IOERR, lib.SQLITE_CANTOPEN,
	lib.SQLITE_READONLY, lib.SQLITE_NOMEM, lib.SQLITE_PROTOCOL, lib.SQLITE_INTERRUPT}

// unavailable says what failed, and wraps ingest.ErrUnavailable when the cause
// may pass by itself, so that a door answers "come again" instead of "broken".
func unavailable(what string, err error) error {
	if err == nil {
		return nil
	}
	var se *driver.Error
	if errors.Is(err, ErrClosed) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, sql.ErrTxDone) ||
		errors.As(err, &se) && slices.Contains(temporary, se.Code()&0xff) {
		return fmt.Errorf("%s: %w: %w", what, ingest.ErrUnavailable, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// idList makes one argument for "IN (SELECT value FROM json_each(?))".
func idList(values []string) string {
	if values == nil {
		return "[]"
	}
	b, err := json.Marshal(values)
	if err != nil { // strings always encode
		return "[]"
	}
	return string(b)
}

// maxRows is how many rows one statement inserts at most.
const maxRows = 64

// insertRows inserts many rows with few statements: of each power of two that
// their number is made of, one. head begins with INSERT and ends before VALUES,
// tail follows the last row. A row that fails leaves those before it (OR FAIL:
// SQLite need not copy every page it changes); the caller's transaction is
// undone anyway.
func insertRows(tx *Tx, head, tail string, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	var args []any
	for len(rows) > 0 {
		n := min(maxRows, 1<<(bits.Len(uint(len(rows)))-1))
		args = args[:0]
		for _, r := range rows[:n] {
			args = append(args, r...)
		}
		if _, err := tx.Exec(insertText(head, tail, n, len(rows[0])), args...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

type insertShape struct {
	head, tail    string
	rows, columns int
}

var insertTexts sync.Map // insertShape → string

func insertText(head, tail string, rows, columns int) string {
	shape := insertShape{head, tail, rows, columns}
	if text, ok := insertTexts.Load(shape); ok {
		return text.(string)
	}
	row := "(?" + strings.Repeat(",?", columns-1) + ")"
	text := "INSERT OR FAIL" + strings.TrimPrefix(head, "INSERT") + " VALUES " + row + strings.Repeat(","+row, rows-1) + " " + tail
	insertTexts.Store(shape, text)
	return text
}

// where collects the conditions of a listing.
type where struct {
	conds []string
	args  []any
}

func (w *where) add(cond string, args ...any) {
	w.conds = append(w.conds, cond)
	w.args = append(w.args, args...)
}

// String is the WHERE clause, "" without conditions.
func (w *where) String() string {
	if len(w.conds) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conds, " AND ")
}

// page adds the bounds of q to w: time column at, tie-breaking column id.
func (w *where) page(q schemas.ListQuery, at, id string) error {
	if !q.Since.IsZero() {
		w.add(at+" >= ?", ms(q.Since))
	}
	if !q.Until.IsZero() {
		w.add(at+" < ?", ms(q.Until))
	}
	a, i, ok, err := schemas.DecodeCursor(q.Cursor)
	if err != nil {
		return err
	}
	if ok {
		w.add("("+at+", "+id+") > (?, ?)", a, i)
	}
	return nil
}

// visible restricts column location to the locations a viewer may see; none
// means all. Records without a location are for unrestricted viewers.
func (w *where) visible(column string, locations []string) {
	if len(locations) > 0 {
		w.add(column+" IN (SELECT value FROM json_each(?))", idList(locations))
	}
}

// keyed is a row of a listing with its sort key.
type keyed[T any] struct {
	item T
	at   int64
	id   string
}

// readPage runs a listing that asks for one row more than the page holds and
// turns it into a page.
func readPage[T any](rows *sql.Rows, err error, limit int, scan func(*sql.Rows) (keyed[T], error)) (schemas.Page[T], error) {
	p := schemas.Page[T]{Items: []T{}}
	if err != nil {
		return p, err
	}
	defer rows.Close()
	var last keyed[T]
	for rows.Next() {
		k, err := scan(rows)
		if err != nil {
			return p, err
		}
		if len(p.Items) == limit {
			p.Next = schemas.EncodeCursor(last.at, last.id)
			break
		}
		p.Items, last = append(p.Items, k.item), k
	}
	return p, rows.Err()
}

// each runs fn for every row of a query and closes it.
func each(rows *sql.Rows, err error, fn func(*sql.Rows) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// decodeList reads a JSON array of a column.
func decodeList[T any](s string, into *[]T) error { return json.Unmarshal([]byte(s), into) }
