package signals_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"redalert/internal/memstore"
	"redalert/schemas"
	"redalert/signals"
)

// shared is a consumer whose log is read by another, too: at the first look of
// ours one event lies with the other, who then works it off, or goes away and
// leaves it to us.
type shared struct {
	signals.Consumer
	looks, fetches int
	left           bool // the other has gone away
}

func (s *shared) Lag(ctx context.Context) (int64, error) {
	if s.looks++; s.looks == 1 {
		return 1, nil
	}
	return s.Consumer.Lag(ctx)
}

func (s *shared) Fetch(ctx context.Context, limit int) (signals.Batch, error) {
	if s.fetches++; s.fetches > 1 && s.left {
		return s.Consumer.Fetch(context.WithoutCancel(ctx), limit)
	}
	<-ctx.Done()
	return signals.Batch{}, ctx.Err()
}

func TestStepWaitsForNobodyElsesEvents(t *testing.T) {
	for name, left := range map[string]bool{"the other works it off": false, "the other goes away": true} {
		t.Run(name, func(t *testing.T) {
			f := &faulty{Store: memstore.New()}
			if left {
				publish(t, f, numbered(event(t, schemas.EmailReceived, schemas.Feedback{ValueText: "hello"}), "e", "c", noon))
			}
			c := workerConfig(f, nil)
			log := &shared{Consumer: c.Consumer, left: left}
			var failed []string
			var waited atomic.Int64 // a step asks for its wait beside its fetch
			c.Consumer = log
			c.Wait = func(_ context.Context, d time.Duration) error { waited.Store(int64(d)); return nil }
			c.Hooks.Failed = func(stage string) { failed = append(failed, stage) }
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			n, err := signals.NewWorker(c).Step(ctx)
			if err != nil || (n == 1) != left || len(failed) > 0 {
				t.Fatalf("Step: %d events, %v, failed %v", n, err, failed)
			}
			if d := time.Duration(waited.Load()); log.looks != 2 || d <= 0 || d > 10*time.Second {
				t.Errorf("it looked %d times and waited for %v", log.looks, d)
			}
			if got := len(verdicts(t, f)); left && got != 1 {
				t.Errorf("%d verdicts", got)
			}
		})
	}
}

// TestStepEndsWithItsContext: while nothing comes, the end of ctx ends it.
func TestStepEndsWithItsContext(t *testing.T) {
	c := workerConfig(&faulty{Store: memstore.New()}, nil)
	c.Consumer = &shared{Consumer: c.Consumer}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c.Wait = func(ctx context.Context, _ time.Duration) error { cancel(); <-ctx.Done(); return ctx.Err() }
	if n, err := signals.NewWorker(c).Step(ctx); n != 0 || err == nil {
		t.Errorf("Step: %d, %v", n, err)
	}
}
