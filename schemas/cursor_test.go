package schemas

import (
	"errors"
	"math"
	"testing"
)

func TestCursorRoundTrip(t *testing.T) {
	for _, id := range []string{"", "a", "ü\x00\"", "0c7c1e4e-0000"} {
		for _, at := range []int64{0, -1, math.MaxInt64, math.MinInt64, 1767225600123} {
			gotAt, gotID, ok, err := DecodeCursor(EncodeCursor(at, id))
			if err != nil || !ok || gotAt != at || gotID != id {
				t.Errorf("(%d, %q) came back as (%d, %q), ok %v, err %v", at, id, gotAt, gotID, ok, err)
			}
		}
	}
	if _, _, ok, err := DecodeCursor(""); ok || err != nil {
		t.Errorf("an empty cursor is the start: ok %v, err %v", ok, err)
	}
}

func FuzzDecodeCursor(f *testing.F) {
	f.Add("x")
	f.Add("WzFd")
	f.Add(EncodeCursor(5, "a"))
	f.Fuzz(func(t *testing.T, s string) {
		at, id, ok, err := DecodeCursor(s)
		if err != nil && !errors.Is(err, ErrBadCursor) {
			t.Fatalf("%q: %v is not ErrBadCursor", s, err)
		}
		if ok {
			if a, i, ok2, err := DecodeCursor(EncodeCursor(at, id)); a != at || i != id || !ok2 || err != nil {
				t.Fatalf("%q decoded to (%d, %q), which does not survive: (%d, %q) %v", s, at, id, a, i, err)
			}
		}
	})
}
