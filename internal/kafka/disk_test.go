package kafka

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"redalert/ingest"
	"redalert/internal/lane"
	"redalert/internal/servertest"
)

// FAULTS 42, on a real broker: its disk fills under load. Publish says "come
// again" and the broker ends, as Kafka does without a disk to write to; with
// room it is started again, the same Log goes on, and everything acknowledged
// is there.
func TestFault_42_DiskFull(t *testing.T) {
	lane.Long(t, "a real broker")
	disk := servertest.SmallDisk(t, 128)
	broker := servertest.Kafka(t, servertest.KafkaOptions{Parent: disk.Path})
	l := open(t, config(broker.Addr))
	publish(t, l, events("before", 200, 7))
	fetchSome(t, l.Consumer("g"), 1) // the group's own topic is there
	disk.Fill(t, 512<<10)
	acknowledged, err := 200, error(nil)
	next := func(ctx context.Context) error {
		if err := l.Publish(ctx, events(fmt.Sprint("full", acknowledged, "-"), 200, 7)); err != nil {
			return err
		}
		acknowledged += 200
		return nil
	}
	for err == nil && acknowledged < 50_000 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		err = next(ctx)
		cancel()
	}
	t.Logf("%d events until: %v", acknowledged, err)
	if !errors.Is(err, ingest.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Publish on a full disk: %v, want ErrUnavailable", err)
	}
	disk.Free(t)
	broker.Kill(t)
	broker.Start(t)
	eventually(t, "publishing goes on", 30*time.Second, func() bool { return next(t.Context()) == nil })
	seen := map[string]bool{}
	eventually(t, "all events are read", 30*time.Second, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		b, err := l.Consumer("g").Fetch(ctx, 500)
		if errors.Is(err, ingest.ErrUnavailable) { // what the reader met while the broker was away
			return false
		}
		if err == nil {
			err = b.Commit(ctx)
		}
		for _, e := range b.Events {
			seen[e.ID] = true
		}
		if err != nil && !errors.Is(err, ErrStale) && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		return len(seen) >= acknowledged
	})
}
