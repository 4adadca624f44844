package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"redalert/schemas"
)

// Pauses of a collector that fails, doubled from the first to the last.
const (
	firstPause = time.Second
	lastPause  = 5 * time.Minute
)

// acceptChunk bounds how many items of one delivery go through the Door at once.
const acceptChunk = 500

// RunnerConfig is what RunCollector needs; Statuses may be nil. Now nil is
// time.Now, Wait nil sleeps on the real clock, Log nil discards.
type RunnerConfig struct {
	Statuses Statuses
	// QuietAfter is how long this collector may go without a successful look at
	// its source before the page calls it quiet; 0 = for ever.
	QuietAfter time.Duration
	Now        func() time.Time
	Log        *slog.Logger
	Wait       func(ctx context.Context, d time.Duration) error
}

// RunCollector reads a collector until ctx ends, hands everything to the Door
// and acknowledges it only then; it closes the collector and returns nil. A
// failure or a panic of the collector, the Door or the acknowledgement is
// reported and followed by a growing pause (1 s to 5 min), then by another
// Read: without an acknowledgement the source delivers the same again.
func RunCollector(ctx context.Context, c Collector, to Acceptor, cfg RunnerConfig) error {
	r := newRunner(c, to, cfg)
	pause := firstPause
	for ctx.Err() == nil {
		err := r.once(ctx)
		if ctx.Err() != nil {
			break
		}
		if err == nil {
			pause = firstPause
			continue
		}
		r.failed(ctx, err, pause)
		if r.cfg.Wait(ctx, pause) != nil {
			break
		}
		pause = min(2*pause, lastPause)
	}
	if err := c.Close(); err != nil {
		r.cfg.Log.Warn("a collector did not close cleanly", "source", c.Name(), "error", err)
	}
	return nil
}

type runner struct {
	c   Collector
	to  Acceptor
	cfg RunnerConfig
}

func newRunner(c Collector, to Acceptor, cfg RunnerConfig) *runner {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Wait == nil {
		cfg.Wait = Sleep
	}
	return &runner{c: c, to: to, cfg: cfg}
}

// Sleep waits for d, or until ctx ends, and answers its error then. Where tests must
// not wait, what waits takes a function of this shape.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

var errPanic = errors.New("the collector failed (a fault of the program)")

// once reads, accepts and acknowledges one delivery.
func (r *runner) once(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.cfg.Log.Error("a collector panicked", "source", r.c.Name(), "panic", fmt.Sprintf("%T", p))
			err = errPanic
		}
	}()
	del, err := r.c.Read(ctx)
	if err != nil {
		return err
	}
	for items := del.Items; len(items) > 0; {
		n := min(len(items), acceptChunk)
		if _, err := r.to.Accept(ctx, items[:n]); err != nil {
			return err
		}
		items = items[n:]
	}
	if del.Ack != nil {
		if err := del.Ack(ctx); err != nil {
			return fmt.Errorf("acknowledge: %w", err)
		}
	}
	r.succeeded(ctx, del.Newest)
	return nil
}

func (r *runner) succeeded(ctx context.Context, newest time.Time) {
	now := r.cfg.Now().UTC()
	lag := 0.0
	if !newest.IsZero() {
		lag = max(0, now.Sub(newest).Seconds())
	}
	r.report(ctx, schemas.CollectorStatus{Name: r.c.Name(), Kind: r.c.Kind(), LastSuccess: &now, LagSeconds: &lag})
}

func (r *runner) failed(ctx context.Context, err error, pause time.Duration) {
	now := r.cfg.Now().UTC()
	r.cfg.Log.Warn("a collector failed and tries again", "source", r.c.Name(), "kind", r.c.Kind(), "error", err, "pause", pause)
	r.report(ctx, schemas.CollectorStatus{Name: r.c.Name(), Kind: r.c.Kind(), LastError: err.Error(), LastErrorAt: &now})
}

func (r *runner) report(ctx context.Context, s schemas.CollectorStatus) {
	if r.cfg.Statuses == nil {
		return
	}
	s.QuietAfter = int64(r.cfg.QuietAfter.Seconds())
	if err := r.cfg.Statuses.Report(ctx, s); err != nil && ctx.Err() == nil {
		r.cfg.Log.Warn("a collector's status was not kept", "source", s.Name, "error", err)
	}
}
