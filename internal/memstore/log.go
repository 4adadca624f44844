package memstore

import (
	"context"
	"slices"
	"sync"

	"redalert/alerting"
	"redalert/ingest"
	"redalert/schemas"
	"redalert/signals"
)

var (
	_ ingest.Publisher       = (*Store)(nil)
	_ signals.EventPublisher = (*Store)(nil)
	_ signals.AlertPublisher = (*Store)(nil)
)

type logs struct {
	mu      sync.Mutex
	events  []schemas.Event
	notices []schemas.Notice
	offsets map[string]int // topic/group → entries committed
	wake    chan struct{}
}

// grown wakes everybody who waits; the caller holds mu.
func (l *logs) grown() {
	close(l.wake)
	l.wake = make(chan struct{})
}

// Publish appends events to the log; of a reserved event the stored form.
func (s *Store) Publish(ctx context.Context, events []schemas.Event) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	stored := make([]schemas.Event, len(events))
	s.doors.mu.Lock()
	for i, e := range events {
		stored[i] = e
		if r := s.doors.receipts[e.ID]; r != nil {
			stored[i] = r.event
		}
	}
	s.doors.mu.Unlock()
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.events = append(s.log.events, stored...)
	s.log.grown()
	return nil
}

// PublishAlerts appends notices to the alerts log.
func (s *Store) PublishAlerts(ctx context.Context, notices []schemas.Notice) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.notices = append(s.log.notices, notices...)
	s.log.grown()
	return nil
}

// Consumer reads the log of events as the named group.
func (s *Store) Consumer(group string) signals.Consumer {
	return consumer{reader{&s.log, "feedback/" + group}}
}

// AlertReader reads the alerts log as the named group.
func (s *Store) AlertReader(group string) alerting.AlertReader {
	return alertReader{reader{&s.log, "alerts/" + group}}
}

type reader struct {
	l     *logs
	group string
}

type consumer struct{ reader }

func (c consumer) Fetch(ctx context.Context, max int) (signals.Batch, error) {
	events, commit, err := take(ctx, c.reader, max, func() []schemas.Event { return c.l.events })
	return signals.Batch{Events: events, Commit: commit}, err
}

func (c consumer) Lag(context.Context) (int64, error) {
	return c.lag(func() int { return len(c.l.events) }), nil
}

type alertReader struct{ reader }

func (a alertReader) FetchAlerts(ctx context.Context, max int) (alerting.NoticeBatch, error) {
	notices, commit, err := take(ctx, a.reader, max, func() []schemas.Notice { return a.l.notices })
	return alerting.NoticeBatch{Notices: notices, Commit: commit}, err
}

func (a alertReader) AlertLag(context.Context) (int64, error) {
	return a.lag(func() int { return len(a.l.notices) }), nil
}

func (r reader) lag(size func() int) int64 {
	r.l.mu.Lock()
	defer r.l.mu.Unlock()
	return int64(size() - r.l.offsets[r.group])
}

// take waits for entries beyond the group's offset. all is called under the lock.
func take[T any](ctx context.Context, r reader, limit int, all func() []T) ([]T, func(context.Context) error, error) {
	if limit <= 0 {
		limit = 100
	}
	for {
		r.l.mu.Lock()
		from, list, wake := r.l.offsets[r.group], all(), r.l.wake
		r.l.mu.Unlock()
		if from < len(list) {
			to := min(from+limit, len(list))
			commit := func(ctx context.Context) error {
				if err := ctx.Err(); err != nil {
					return err
				}
				r.l.mu.Lock()
				defer r.l.mu.Unlock()
				r.l.offsets[r.group] = max(r.l.offsets[r.group], to)
				return nil
			}
			return slices.Clone(list[from:to]), commit, nil
		}
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-wake:
		}
	}
}
