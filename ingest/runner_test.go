package ingest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"redalert/ingest"
	"redalert/schemas"
)

// script is a collector that plays what it is told, one step a Read.
type script struct {
	steps  []func() (ingest.Delivery, error)
	cancel context.CancelFunc
	closed bool
}

func (s *script) Name() string { return "box" }
func (s *script) Kind() string { return "imap" }
func (s *script) Close() error { s.closed = true; return nil }
func (s *script) Read(ctx context.Context) (ingest.Delivery, error) {
	if len(s.steps) == 0 {
		s.cancel()
		return ingest.Delivery{}, ctx.Err()
	}
	step := s.steps[0]
	s.steps = s.steps[1:]
	return step()
}

func TestRunCollector(t *testing.T) {
	f := newStore()
	ctx, cancel := context.WithCancel(t.Context())
	acks := 0
	deliver := func() (ingest.Delivery, error) {
		return ingest.Delivery{
			Items:  []ingest.Item{{Source: "box", Type: schemas.OrderPlaced, NativeID: "A", Data: []byte(`{"order_ref":"A",` + total + `}`)}},
			Ack:    func(context.Context) error { acks++; return nil },
			Newest: clock.Add(-90 * time.Second),
		}, nil
	}
	fails := func() (ingest.Delivery, error) { return ingest.Delivery{}, errors.New("connection reset") }
	status := func(check func(schemas.CollectorStatus) bool) func() (ingest.Delivery, error) {
		return func() (ingest.Delivery, error) {
			if st, err := f.Collectors(ctx); err != nil || len(st) != 1 || !check(st[0]) {
				t.Errorf("status %+v %v", st, err)
			}
			return ingest.Delivery{}, nil
		}
	}
	c := &script{cancel: cancel, steps: []func() (ingest.Delivery, error){
		fails,
		status(func(s schemas.CollectorStatus) bool {
			return s.LastError == "connection reset" && s.LastErrorAt != nil && s.Kind == "imap"
		}),
		func() (ingest.Delivery, error) { panic("boom") },
		fails, fails, fails, fails, fails, fails, fails, fails, fails, fails,
		func() (ingest.Delivery, error) { f.set("publish", true); return deliver() }, // the store is down: no ack
		func() (ingest.Delivery, error) { f.set("publish", false); return deliver() },
		status(func(s schemas.CollectorStatus) bool {
			return s.LastError == "" && s.LastSuccess != nil && s.LagSeconds != nil && *s.LagSeconds == 90 && s.QuietAfter == 600
		}),
		status(func(s schemas.CollectorStatus) bool { return *s.LagSeconds == 0 }),
	}}
	var pauses []time.Duration
	err := ingest.RunCollector(ctx, c, f.door(nil), ingest.RunnerConfig{
		QuietAfter: 10 * time.Minute,
		Statuses:   f, Now: func() time.Time { return clock },
		Wait: func(_ context.Context, d time.Duration) error { pauses = append(pauses, d); return nil },
	})
	if err != nil || !c.closed {
		t.Error(err, c.closed)
	}
	want := []time.Duration{1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300}
	if len(pauses) != len(want) {
		t.Fatalf("%v", pauses)
	}
	for i := range want {
		if pauses[i] != want[i]*time.Second {
			t.Errorf("pause %d: %v, want %v s", i, pauses[i], want[i])
		}
	}
	if acks != 1 || len(f.logged) != 1 {
		t.Errorf("%d acks, %d events", acks, len(f.logged))
	}
}

func TestSleepEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := ingest.Sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
