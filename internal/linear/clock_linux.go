package linear

import (
	"time"

	"golang.org/x/sys/unix"
)

// spentHere is what the calling thread has used of a processor: what else runs on
// the machine does not count.
func spentHere() time.Duration {
	var at unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &at); err != nil {
		panic(err) // every Linux has this clock
	}
	return time.Duration(at.Nano())
}
