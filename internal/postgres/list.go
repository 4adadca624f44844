package postgres

import (
	"math"
	"time"

	"redalert/schemas"
)

// window is a listing's bounds as arguments: from inclusive, to exclusive, and
// the last row of the page before.
type window struct {
	from, to  int64
	afterAt   int64
	afterID   string
	locations []string // empty = all
	limit     int
}

// inLocations is the condition that a column is one of a window's locations,
// given as argument n. Records without a location are for unrestricted viewers.
func inLocations(column, n string) string {
	return "(cardinality(" + n + "::text[]) = 0 OR " + column + " = ANY(" + n + "))"
}

func windowOf(q schemas.ListQuery) (window, error) {
	w := window{from: math.MinInt64, to: math.MaxInt64, afterAt: math.MinInt64, locations: texts(q.Locations), limit: q.PageLimit()}
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

// paged cuts one row more than the limit off and names the cursor.
func paged[T any](items []T, limit int, key func(T) (time.Time, string)) schemas.Page[T] {
	if len(items) <= limit {
		return schemas.Page[T]{Items: items}
	}
	items = items[:limit]
	at, id := key(items[limit-1])
	return schemas.Page[T]{Items: items, Next: schemas.EncodeCursor(ms(at), id)}
}
