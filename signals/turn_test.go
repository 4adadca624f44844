package signals_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"redalert/schemas"
	"redalert/signals"
)

// silent is a history that does not answer until it is let go.
type silent struct {
	signals.History
	signals.Context
	asked, let chan struct{}
}

func (s *silent) wait() error {
	s.asked <- struct{}{}
	<-s.let
	return errors.New("it was let go")
}

func (s *silent) GroupCounts(context.Context, string, string) ([]signals.GroupCount, error) {
	return nil, s.wait()
}

func (s *silent) RevenueP90(context.Context, time.Time) (int64, int, error) { return 0, 0, s.wait() }

// TestSilentHistory: while one asks a history that is silent, others wait no
// longer than their own contexts.
func TestSilentHistory(t *testing.T) {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	for what, of := range map[string]func(*silent) func(context.Context) error{
		"Standing": func(h *silent) func(context.Context) error {
			s := &signals.Standing{Context: h, Now: func() time.Time { return now }}
			return func(ctx context.Context) error {
				_, _, err := s.P90(ctx)
				return err
			}
		},
		"Unusuals": func(h *silent) func(context.Context) error {
			u := &signals.Unusuals{History: h, Business: schemas.Business{Timezone: time.UTC}}
			return func(ctx context.Context) error {
				_, err := u.Unusual(ctx, nil, now)
				return err
			}
		},
	} {
		h := &silent{asked: make(chan struct{}, 9), let: make(chan struct{})}
		ask := of(h)
		first := make(chan error, 1)
		go func() { first <- ask(context.WithoutCancel(t.Context())) }()
		<-h.asked
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		second := make(chan error, 1)
		go func() { second <- ask(ctx) }()
		select {
		case err := <-second:
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v, want its context's error", what, err)
			}
		case <-time.After(time.Second):
			t.Errorf("%s still waits a second later", what)
		}
		cancel()
		close(h.let)
		if err := <-first; err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: the one that waited: %v", what, err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
		if err := ask(ctx); errors.Is(err, context.DeadlineExceeded) { // the turn was given back
			t.Errorf("%s afterwards: %v", what, err)
		}
		cancel()
	}
}
