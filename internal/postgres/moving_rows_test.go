package postgres

import (
	"testing"

	"redalert/internal/storetest"
)

func TestMovingPages(t *testing.T) {
	storetest.MovingPages(t, movePage, moveBytes, func(t *testing.T) storetest.MovingSide {
		d := open(t)
		m, read := d.Moving(), 0
		m.scanned = func() { read++ }
		return storetest.MovingSide{Blobs: d.Blobs(), Rows: m.Rows, Read: func() int { return read }}
	})
}
