package signals

import (
	"testing"
	"time"
)

func TestNextSize(t *testing.T) {
	for _, tc := range []struct {
		name    string
		size, n int
		took    time.Duration
		want    int
	}{
		{"texts: as many as fit next time", 1000, 1000, 5 * time.Second, 400},
		{"never less than a handful", 64, 64, time.Minute, 64},
		{"orders again: twice as many", 64, 64, 10 * time.Millisecond, 128},
		{"never more than configured", 800, 800, time.Millisecond, 1000},
		{"a batch that was not full says nothing of more", 64, 3, time.Millisecond, 64},
		{"about right", 500, 500, time.Second, 500},
	} {
		if got := nextSize(tc.size, tc.n, tc.took, 1000); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, got, tc.want)
		}
	}
	if got := nextSize(5, 5, time.Minute, 5); got != 5 {
		t.Errorf("a small limit is kept: %d", got)
	}
}
