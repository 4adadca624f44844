package memstore

import (
	"cmp"
	"slices"
	"time"

	"redalert/schemas"
)

// row is where an item stands in a listing: its time, its id, and the location
// that decides who may see it.
type row struct {
	at       time.Time
	id       string
	location string
}

// list sorts items by (time, id) and answers the page that q asks for. items
// is sorted in place.
func list[T any](items []T, q schemas.ListQuery, key func(T) row) (schemas.Page[T], error) {
	page := schemas.Page[T]{Items: []T{}}
	afterAt, afterID, after, err := schemas.DecodeCursor(q.Cursor)
	if err != nil {
		return page, err
	}
	compare := func(a, b T) int {
		x, y := key(a), key(b)
		return cmp.Or(cmp.Compare(x.at.UnixMilli(), y.at.UnixMilli()), cmp.Compare(x.id, y.id))
	}
	slices.SortFunc(items, compare)
	var last row
	for _, it := range items {
		r := key(it)
		at := r.at.UnixMilli()
		switch {
		case !q.Since.IsZero() && at < q.Since.UnixMilli(),
			!q.Until.IsZero() && at >= q.Until.UnixMilli(),
			after && (at < afterAt || at == afterAt && r.id <= afterID),
			!sees(q.Locations, r.location):
			continue
		}
		if len(page.Items) == q.PageLimit() {
			page.Next = schemas.EncodeCursor(last.at.UnixMilli(), last.id)
			break
		}
		page.Items, last = append(page.Items, it), r
	}
	return page, nil
}

func sees(locations []string, location string) bool {
	return len(locations) == 0 || slices.Contains(locations, location)
}
