package schemas

import "errors"

// ErrRestart is wrapped by errors that no further attempt in this process can
// mend: workers stop at it, the process ends with a failure, and whoever
// supervises it starts it anew.
var ErrRestart = errors.New("the process must be started anew")
