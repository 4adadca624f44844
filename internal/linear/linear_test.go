package linear

import (
	"strings"
	"testing"
)

// judge records whether Check failed the test it was given.
type judge struct {
	testing.TB
	failed bool
}

func (j *judge) Helper()               {}
func (j *judge) Errorf(string, ...any) { j.failed = true }

var spent int

// TestCheckTellsLinearFromMore: the work that must fail grows with the cube, so
// that no machine is too busy or too idle to show it.
func TestCheckTellsLinearFromMore(t *testing.T) {
	linear, more := &judge{TB: t}, &judge{TB: t}
	Check(linear, 1<<17, func(n int) { strings.Count(strings.Repeat("ab", n), "ba") })
	Check(more, 100, func(n int) {
		x := 0
		for range n * n * n {
			x++
		}
		spent += x
	})
	if linear.failed || !more.failed {
		t.Errorf("linear work failed: %v; work that grows with the cube failed: %v", linear.failed, more.failed)
	}
}
