package signals

import (
	"context"
	"sync"
)

// turn is a lock for those who ask a server while they hold it: whoever waits for
// it waits no longer than its own context. The zero value is free.
type turn struct {
	once sync.Once
	free chan struct{} // holds one token while nobody has the turn
}

func (t *turn) token() chan struct{} {
	t.once.Do(func() {
		t.free = make(chan struct{}, 1)
		t.free <- struct{}{}
	})
	return t.free
}

// take waits for the turn, and answers the context's error if that ends first.
// After nil, give must be called.
func (t *turn) take(ctx context.Context) error {
	select {
	case <-t.token():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tryTake takes the turn if nobody has it.
func (t *turn) tryTake() bool {
	select {
	case <-t.token():
		return true
	default:
		return false
	}
}

func (t *turn) give() { t.token() <- struct{}{} }
