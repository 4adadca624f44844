package alerting

import (
	"context"
	"testing"
	"time"

	"redalert/schemas"
)

// sharedReader is a log of one notice that lies with another reader of the
// group, who files it, or goes away and leaves it to us.
type sharedReader struct {
	notice         schemas.Notice
	looks, fetches int
	left, filed    bool
}

func (s *sharedReader) AlertLag(context.Context) (int64, error) {
	if s.looks++; s.looks > 1 && (s.filed || !s.left) {
		return 0, nil
	}
	return 1, nil
}

func (s *sharedReader) FetchAlerts(ctx context.Context, _ int) (NoticeBatch, error) {
	if s.fetches++; s.fetches == 1 || !s.left {
		<-ctx.Done()
		return NoticeBatch{}, ctx.Err()
	}
	return NoticeBatch{Notices: []schemas.Notice{s.notice}, Commit: func(context.Context) error { s.filed = true; return nil }}, nil
}

func TestStepWaitsForNobodyElsesNotices(t *testing.T) {
	for name, left := range map[string]bool{"the other files it": false, "the other goes away": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig()
			log := &sharedReader{notice: r.red("e1", "cust-1", "high"), left: left}
			w := NewWorker(WorkerConfig{Desk: r.desk, Reader: log, Wait: func(context.Context, time.Duration) error { return nil }})
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			n, err := w.Step(ctx)
			if err != nil || (n == 1) != left || log.looks != 2 || (len(r.cases) == 1) != left {
				t.Fatalf("Step: %d notices, %v, after %d looks; %d cases", n, err, log.looks, len(r.cases))
			}
			if n, err := w.Step(ctx); n != 0 || err != nil {
				t.Errorf("Step with nothing left: %d, %v", n, err)
			}
		})
	}
}
