// Package linear shows that work grows in step with its input, for tests only.
// It compares two sizes in one run instead of timing against a clock's limit,
// so a slow or busy machine changes nothing.
package linear

import (
	"runtime"
	"testing"
	"time"
)

// What Check compares: eight times the input may take forty times as long and a
// little more, for caches, the collector and a busy machine. Quadratic work
// takes sixty-four times as long.
const (
	factor = 8
	most   = 40
	slack  = 50 * time.Millisecond
	tries  = 3
)

// Check fails the test unless run takes time in step with n. small should be
// large enough that quadratic work on eight times as much would exceed the slack
// by far; 100,000 bytes do.
func Check(t testing.TB, small int, run func(n int)) {
	t.Helper()
	if a, b := best(small, run), best(factor*small, run); b > most*a+slack {
		t.Errorf("size %d took %v, size %d took %v: more than in step", small, a, factor*small, b)
	}
}

// best is the shortest of a few tries: what disturbs only ever adds. Only what
// the calling goroutine does counts, on Linux by its thread's processor time.
func best(n int, run func(n int)) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var least time.Duration
	for i := range tries {
		start := spentHere()
		run(n)
		if took := spentHere() - start; i == 0 || took < least {
			least = took
		}
	}
	return least
}
