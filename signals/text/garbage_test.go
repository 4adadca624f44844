//go:build !race

// The race detector makes sync.Pool forget at random: make unit runs this
// without it.

package text

import (
	"strings"
	"testing"
)

// TestFindLeavesNoGarbage: a quiet message costs no allocation.
func TestFindLeavesNoGarbage(t *testing.T) {
	s := strings.Repeat("The team was kind and on time, see you in May. ", 5)
	m := model(t)
	if n := testing.AllocsPerRun(200, func() { m.Score(s); DefaultFinder().Find(s) }); n > 1 {
		t.Errorf("%.0f allocations a message", n)
	}
}
