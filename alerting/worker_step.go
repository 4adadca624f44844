package alerting

import (
	"context"
	"errors"
	"time"
)

// stepWait is how long Step waits for notices that the log counts, before it
// asks whether they still wait.
const stepWait = 5 * time.Second

// errNothingCame ends a FetchAlerts of Step that waited long enough.
var errNothingCame = errors.New("nothing came")

// soonReader waits no longer than stepWait for something to read; then it
// answers errNothingCame.
type soonReader struct {
	AlertReader
	wait func(ctx context.Context, d time.Duration) error
}

func (r soonReader) FetchAlerts(ctx context.Context, limit int) (NoticeBatch, error) {
	soon, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		if r.wait(soon, stepWait) == nil {
			cancel(errNothingCame)
		}
	}()
	b, err := r.AlertReader.FetchAlerts(soon, limit)
	if err != nil && ctx.Err() == nil && errors.Is(context.Cause(soon), errNothingCame) {
		return NoticeBatch{}, errNothingCame
	}
	return b, err
}
