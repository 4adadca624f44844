package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"redalert/schemas"
	"redalert/signals"
)

// Store keeps events and verdicts and folds the orders they touch; see
// signals.History. It is no transaction: after an error some of it may be in,
// and calling it again with the same events completes it.
func (d *DB) Store(ctx context.Context, scored []schemas.Scored) ([]schemas.Verdict, error) {
	if len(scored) == 0 {
		return nil, nil
	}
	b, err := newBatch(scored)
	if err != nil {
		return nil, fmt.Errorf("store history: %w", err)
	}
	leave, err := d.flight.enter(ctx, b)
	if err != nil {
		return nil, fmt.Errorf("store history: %w", err)
	}
	defer leave()
	if err := d.store(ctx, b); err != nil {
		return nil, unavailable("store history", err)
	}
	out := make([]schemas.Verdict, len(scored))
	for i, s := range scored {
		out[i] = b.standing[s.Event.ID]
	}
	return out, nil
}

func (d *DB) store(ctx context.Context, b *batch) error {
	known, err := d.loadStanding(ctx, b)
	if err != nil {
		return err
	}
	var fresh []*eventRow
	for _, r := range b.rows {
		if !known[r.scored.Event.ID] {
			fresh = append(fresh, r)
		}
	}
	if len(fresh) == 0 {
		return d.foldOrders(ctx, b.rows)
	}
	writer := d.nextWriter()
	if err := d.insertEvents(ctx, fresh, writer); err != nil {
		return err
	}
	if d.hooks.beforeSettle != nil {
		d.hooks.beforeSettle()
	}
	// With the events in, their verdicts and their orders have nothing to do
	// with each other.
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() error { return d.settle(ctx, b, fresh, writer) })
	both.Go(func() error { return d.foldOrders(ctx, b.rows) })
	return both.Wait()
}

// insertEvents writes rows. When the server refuses some for what they hold,
// the others get in and those are a *signals.RejectedError.
func (d *DB) insertEvents(ctx context.Context, rows []*eventRow, writer uint64) error {
	err := d.insert(ctx, eventsTable, eventColumns(rows, writer))
	switch {
	case !aboutRows(err):
		return err
	case len(rows) == 1:
		return &signals.RejectedError{Events: []signals.Rejection{{EventID: rows[0].scored.Event.ID, Reason: err.Error()}}}
	}
	var all signals.RejectedError
	for _, half := range [][]*eventRow{rows[:len(rows)/2], rows[len(rows)/2:]} {
		err := d.insertEvents(ctx, half, writer)
		var rejected *signals.RejectedError
		switch {
		case errors.As(err, &rejected):
			all.Events = append(all.Events, rejected.Events...)
		case err != nil:
			return err
		}
	}
	if len(all.Events) > 0 {
		return &all
	}
	return nil
}

// flight keeps two calls of one process from storing the same event at once:
// the second waits, and then finds what the first one stored. Between
// processes settle decides.
type flight struct {
	mu   sync.Mutex
	busy map[string]chan struct{} // event id → closes when its call is done
}

// enter waits until no other call stores any event of b, and takes them.
func (f *flight) enter(ctx context.Context, b *batch) (leave func(), err error) {
	for {
		wait := f.take(b)
		if wait == nil {
			return func() { f.release(b) }, nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// take takes every event of b, or none and answers what to wait for.
func (f *flight) take(b *batch) (wait chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range b.rows {
		if c := f.busy[r.scored.Event.ID]; c != nil {
			return c
		}
	}
	if f.busy == nil {
		f.busy = map[string]chan struct{}{}
	}
	done := make(chan struct{})
	for _, r := range b.rows {
		f.busy[r.scored.Event.ID] = done
	}
	return nil
}

func (f *flight) release(b *batch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(b.rows) > 0 {
		close(f.busy[b.rows[0].scored.Event.ID])
	}
	for _, r := range b.rows {
		delete(f.busy, r.scored.Event.ID)
	}
}
