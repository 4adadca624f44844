package schemas

import "errors"

// ErrRestart is wrapped by errors that no further attempt in this process can
// mend: workers stop at it, the process ends with a failure, and whoever
// supervises it starts it anew.
var ErrRestart = errors.New("the process must be started anew")

// ErrUnavailable wraps every failure of a port that may pass by itself: the
// log or the store is down, full, busy or locked. The same call may be made
// again later; nothing may be given up or set aside because of it.
var ErrUnavailable = errors.New("store unavailable")
