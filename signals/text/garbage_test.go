//go:build !race

// The race detector makes sync.Pool forget at random: make unit runs this
// without it.

package text

import (
	"strings"
	"testing"
)

// TestFindLeavesNoGarbage: a message in which something is found costs the copy of it.
func TestFindLeavesNoGarbage(t *testing.T) {
	s := strings.Repeat("The team was kind and on time, see you in May. ", 5)
	m := model(t)
	if n := testing.AllocsPerRun(200, func() { m.Score(s); DefaultFinder().Find(s) }); n > 1 {
		t.Errorf("%.0f allocations a message", n)
	}
}

// TestCascadeLeavesNoGarbage: neither a message that is surely quiet nor one that
// was read before costs an allocation.
func TestCascadeLeavesNoGarbage(t *testing.T) {
	c := cascade(t)
	quiet := strings.Repeat("Thank you, the team was on time and did good work. ", 5)
	const asked, read = "Did you have any problems?", "Perhaps the music could be a little lower."
	c.Predict(read, Hints{Question: asked})
	if n := testing.AllocsPerRun(200, func() { c.Hear(quiet, Hints{}); c.Hear(read, Hints{Question: asked}) }); n > 0 {
		t.Errorf("%.1f allocations for two messages", n)
	}
}
