package sqlite

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"redalert/schemas"
)

// jsonList passes a list as one argument, for json_each. nil and empty are "[]".
func jsonList[T ~string](list []T) string {
	if len(list) == 0 {
		return "[]"
	}
	b, err := json.Marshal(list)
	if err != nil { // cannot happen: strings
		return "[]"
	}
	return string(b)
}

func decodeCase(doc []byte) (schemas.Case, error) {
	var c schemas.Case
	if err := json.Unmarshal(doc, &c); err != nil {
		return c, fmt.Errorf("decode stored case: %w", err)
	}
	return c, nil
}

func scanCases(rows *sql.Rows) ([]schemas.Case, error) { return scanDocs[schemas.Case](rows) }

// scanDocs reads rows of one JSON column and closes them.
func scanDocs[T any](rows *sql.Rows) ([]T, error) {
	defer rows.Close()
	var out []T
	for rows.Next() {
		var doc sql.RawBytes
		if err := rows.Scan(&doc); err != nil {
			return nil, err
		}
		var v T
		if err := json.Unmarshal(doc, &v); err != nil {
			return nil, fmt.Errorf("decode stored %T: %w", v, err)
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// window is a listing's bounds as arguments: from inclusive, to exclusive, and
// the last row of the page before.
type window struct {
	from, to  int64
	afterAt   int64
	afterID   string
	locations string // JSON list; "[]" = all
	limit     int
}

const (
	minMilli = -1 << 62
	maxMilli = 1<<63 - 1
)

func windowOf(q schemas.ListQuery) (window, error) {
	w := window{from: minMilli, to: maxMilli, afterAt: minMilli, locations: jsonList(q.Locations), limit: q.PageLimit()}
	if !q.Since.IsZero() {
		w.from = ceilMilli(q.Since)
	}
	if !q.Until.IsZero() {
		w.to = ceilMilli(q.Until)
	}
	at, id, ok, err := schemas.DecodeCursor(q.Cursor)
	if err != nil {
		return w, err
	}
	if ok {
		w.afterAt, w.afterID = at, id
		w.from = max(w.from, at) // so that the index is entered where the page begins
	}
	return w, nil
}

// ceilMilli rounds a bound up: stored times are whole milliseconds.
func ceilMilli(t time.Time) int64 {
	n := t.UnixMilli()
	if t.Sub(time.UnixMilli(n)) > 0 {
		n++
	}
	return n
}

// paged cuts one row more than the limit off and names the cursor.
func paged[T any](items []T, limit int, key func(T) (time.Time, string)) schemas.Page[T] {
	if len(items) <= limit {
		return schemas.Page[T]{Items: items}
	}
	items = items[:limit]
	return schemas.Page[T]{Items: items, Next: nextCursor(key(items[limit-1]))}
}

func nextCursor(at time.Time, id string) string { return schemas.EncodeCursor(ms(at), id) }
