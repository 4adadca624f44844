//go:build !linux

package linear

import "time"

var begun = time.Now()

// spentHere is the time on the wall, for want of a thread's own.
func spentHere() time.Duration { return time.Since(begun) }
