package postgres

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"redalert/alerting"
	"redalert/ingest"
	"redalert/schemas"
)

// TestALockedTableLeavesNoRedEventWithoutACase: somebody holds the table of
// cases for far longer than a notice may fail for a reason of its own (an
// index is built, say). When it is free, every red event has its case.
func TestALockedTableLeavesNoRedEventWithoutACase(t *testing.T) {
	d, err := Open(t.Context(), Config{URL: emptyURL(t), MaxConns: 4, lockWait: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	lock, err := d.pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Rollback(context.Background())
	if _, err := lock.Exec(ctx, "LOCK TABLE cases IN SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	b := businessOver(worldOf(d), &noon)
	const reds, outages = 3, 20
	for i := range reds {
		n := notice(schemas.NoticeRed, fmt.Sprint("e", i), "", schemas.SeverityHigh, noon)
		n.Event.ThreadID = n.Event.ID // three strangers
		if err := b.publish(ctx, n); err != nil {
			t.Fatal(err)
		}
	}
	waits := 0
	b.worker = alerting.NewWorker(alerting.WorkerConfig{Desk: b.desk, Reader: b.log.AlertReader("alert"), Wait: func(context.Context, time.Duration) error {
		if waits++; waits == outages {
			return lock.Rollback(ctx)
		}
		if n := count(t, d, "case_alerts"); n > 0 {
			return fmt.Errorf("after %d attempts %d alerts are recorded, while no case can be", waits, n)
		}
		return nil
	}, Filed: func() {
		if waits >= outages && count(t, d, "cases") == reds {
			cancel()
		}
	}})
	if err := b.worker.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if waits < outages {
		t.Fatalf("the worker ended after %d waits", waits)
	}
	if n := count(t, d, "case_alerts WHERE case_id IS NOT NULL"); n != reds || count(t, d, "cases") != reds || count(t, d, "case_alerts") != reds {
		t.Errorf("%d of %d red events have a case of their own, %d alerts", n, reds, count(t, d, "case_alerts"))
	}
}

// TestALockIsAnOutage: the error of a lock that is held too long may pass, for
// every stage.
func TestALockIsAnOutage(t *testing.T) {
	d, err := Open(t.Context(), Config{URL: emptyURL(t), MaxConns: 4, lockWait: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	lock, err := d.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Rollback(context.Background())
	if _, err := lock.Exec(t.Context(), "LOCK TABLE cases IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	_, err = d.Cases().Apply(t.Context(), opening("a"))
	if !errors.Is(err, ingest.ErrUnavailable) || !errors.Is(err, schemas.ErrUnavailable) {
		t.Errorf("answered %v", err)
	}
}
