package sqlite

import (
	"fmt"
	"slices"
	"testing"

	"redalert/internal/move"
)

// TestAPageOfLargeBlobsIsReadOnce: a page ends with the row that fills it, and
// no row beyond it is read; all pages together are every blob once, in order.
func TestAPageOfLargeBlobsIsReadOnce(t *testing.T) {
	d := open(t)
	const n, size = 10, moveBytes/4 + 1
	var want []string
	for i := range n {
		raw := make([]byte, size)
		raw[0] = byte(i)
		sums, err := d.Blobs().Put(t.Context(), [][]byte{raw})
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, sums...)
	}
	slices.Sort(want)
	shelves := move.Shelves()
	blobs := shelves[slices.IndexFunc(shelves, func(s move.Shelf) bool { return s.Name == "blobs" })]
	m := d.Moving()
	read := 0
	m.scanned = func() { read++ }
	var got []string
	var after move.Row
	for {
		before := read
		page, err := m.Rows(t.Context(), blobs, after)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		if bytes := (read - before) * size; bytes > moveBytes+size || len(got)+len(page) < n && bytes < moveBytes {
			t.Errorf("a page of %d rows was read with %d rows, %d bytes; the bound is %d", len(page), read-before, bytes, moveBytes)
		}
		for _, r := range page {
			if len(r[1].([]byte)) != size {
				t.Errorf("a blob of %d bytes", len(r[1].([]byte)))
			}
			got = append(got, r[0].(string))
		}
		after = page[len(page)-1][:blobs.Keys]
	}
	if !slices.Equal(got, want) || read != n {
		t.Errorf("%d rows were read for %d blobs: %v, want %v", read, n, got, want)
	}
}

// TestSmallRowsFillAPage: what is small is bounded by the number of rows.
func TestSmallRowsFillAPage(t *testing.T) {
	d := open(t)
	const n = movePage + 7
	raws := make([][]byte, n)
	for i := range raws {
		raws[i] = fmt.Append(nil, i)
	}
	if _, err := d.Blobs().Put(t.Context(), raws); err != nil {
		t.Fatal(err)
	}
	shelves := move.Shelves()
	blobs := shelves[slices.IndexFunc(shelves, func(s move.Shelf) bool { return s.Name == "blobs" })]
	page, err := d.Moving().Rows(t.Context(), blobs, nil)
	if err != nil || len(page) != movePage {
		t.Fatalf("%d rows, %v", len(page), err)
	}
	if page, err = d.Moving().Rows(t.Context(), blobs, page[movePage-1][:blobs.Keys]); err != nil || len(page) != n-movePage {
		t.Fatalf("then %d rows, %v", len(page), err)
	}
}
