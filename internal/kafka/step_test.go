package kafka

import (
	"context"
	"testing"
	"time"

	"redalert/signals"
)

// TestStepBesideAnother: two processes read a group; while one works off what
// lies in its partitions, Step of the other waits for no event of its own, and
// answers that nothing is left once the first has committed.
func TestStepBesideAnother(t *testing.T) {
	cfg := config(fake(t).ListenAddrs()[0])
	cfg.Partitions = 2
	a := open(t, cfg)
	b := second(t, a, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	ours, theirs := a.Consumer("g"), b.Consumer("g")
	publish(t, a, events("before", 1, 1)) // both ask for it, so that both join
	joining, joined := context.WithCancel(ctx)
	for _, c := range []signals.Consumer{ours, theirs} {
		go c.Fetch(joining, 1) // never committed here
	}
	eventually(t, "both have a partition", 30*time.Second, func() bool {
		return statsOf(t, a, "g").Assigned == 1 && statsOf(t, b, "g").Assigned == 1
	})
	joined()
	publish(t, a, events("e", 40, 20))
	batch := fetchSome(t, theirs, 100)
	for lagOf(t, a, "g") > int64(len(batch.Events)) {
		mine := fetchSome(t, ours, 100)
		if err := mine.Commit(ctx); err != nil {
			t.Fatal(err)
		}
		more, stop := context.WithTimeout(ctx, 100*time.Millisecond)
		if all, err := theirs.Fetch(more, 100); err == nil {
			batch = all // what was not committed comes again, with what came since
		}
		stop()
	}
	waits := make(chan struct{})
	w := signals.NewWorker(signals.WorkerConfig{Consumer: ours, Wait: func(ctx context.Context, _ time.Duration) error {
		if err := batch.Commit(ctx); err != nil {
			t.Error(err)
		}
		close(waits)
		return nil
	}})
	if n, err := w.Step(ctx); n != 0 || err != nil {
		t.Fatalf("Step: %d events, %v; the other had them all", n, err)
	}
	<-waits
}
