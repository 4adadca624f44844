package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"redalert/ingest"
	"redalert/internal/move"
)

// MovingSide is a store that data is moved from, with a counter.
type MovingSide struct {
	Blobs ingest.Blobs
	Rows  func(ctx context.Context, s move.Shelf, after move.Row) ([]move.Row, error)
	Read  func() int // how many rows Rows has got from the store so far
}

// MovingPages is what the pages of a side must hold to that end after so many
// rows, or with the row that makes them so many bytes. open opens an empty one.
func MovingPages(t *testing.T, mostRows, mostBytes int, open func(t *testing.T) MovingSide) {
	shelves := move.Shelves()
	blobs := shelves[slices.IndexFunc(shelves, func(s move.Shelf) bool { return s.Name == "blobs" })]
	t.Run("large rows are read once", func(t *testing.T) { largeRows(t, open(t), blobs, mostBytes) })
	t.Run("small rows fill a page", func(t *testing.T) { smallRows(t, open(t), blobs, mostRows) })
}

// largeRows: a page ends with the row that fills it, and no row beyond it is
// read; all pages together are every blob once, in order.
func largeRows(t *testing.T, side MovingSide, blobs move.Shelf, mostBytes int) {
	const n = 10
	size := mostBytes/4 + 1
	var want []string
	for i := range n {
		raw := make([]byte, size)
		raw[0] = byte(i)
		sums, err := side.Blobs.Put(t.Context(), [][]byte{raw})
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, sums...)
	}
	slices.Sort(want)
	var got []string
	var after move.Row
	for {
		before := side.Read()
		page, err := side.Rows(t.Context(), blobs, after)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		if bytes := (side.Read() - before) * size; bytes > mostBytes+size || len(got)+len(page) < n && bytes < mostBytes {
			t.Errorf("a page of %d rows was read with %d bytes; the bound is %d", len(page), bytes, mostBytes)
		}
		for _, r := range page {
			if len(r[1].([]byte)) != size {
				t.Errorf("a blob of %d bytes", len(r[1].([]byte)))
			}
			got = append(got, r[0].(string))
		}
		after = page[len(page)-1][:blobs.Keys]
	}
	if !slices.Equal(got, want) || side.Read() != n {
		t.Errorf("%d rows were read for %d blobs: %v, want %v", side.Read(), n, got, want)
	}
}

// smallRows: what is small is bounded by the number of rows.
func smallRows(t *testing.T, side MovingSide, blobs move.Shelf, mostRows int) {
	const more = 7
	raws := make([][]byte, mostRows+more)
	for i := range raws {
		raws[i] = fmt.Append(nil, i)
	}
	if _, err := side.Blobs.Put(t.Context(), raws); err != nil {
		t.Fatal(err)
	}
	page, err := side.Rows(t.Context(), blobs, nil)
	if err != nil || len(page) != mostRows {
		t.Fatalf("%d rows, %v", len(page), err)
	}
	if page, err = side.Rows(t.Context(), blobs, page[mostRows-1][:blobs.Keys]); err != nil || len(page) != more {
		t.Fatalf("then %d rows, %v", len(page), err)
	}
}
