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

func TestCheckTellsLinearFromQuadratic(t *testing.T) {
	linear, quadratic := &judge{TB: t}, &judge{TB: t}
	Check(linear, 1<<17, func(n int) { strings.Count(strings.Repeat("ab", n), "ba") })
	Check(quadratic, 1<<12, func(n int) {
		s := ""
		for range n {
			s += "ab"
		}
	})
	if linear.failed || !quadratic.failed {
		t.Errorf("linear work failed: %v; quadratic work failed: %v", linear.failed, quadratic.failed)
	}
}
