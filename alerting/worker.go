package alerting

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"redalert/schemas"
)

// DefaultOpenCasesFor is how old a red event may be when collected to open a
// case, unless configured otherwise.
const DefaultOpenCasesFor = 14 * 24 * time.Hour

const (
	conflictTries = 20 // a case changed under us: read again
	stuckTries    = 8  // then a notice that no store outage keeps from being filed is set aside
)

// WorkerConfig is what a Worker needs.
type WorkerConfig struct {
	Desk         *Desk
	Reader       AlertReader
	OpenCasesFor time.Duration // older events open no case; 0 = DefaultOpenCasesFor
	Batch        int           // 0 = 100
	Log          *slog.Logger
	// Span opens a trace span around the filing of a notice; end gets its
	// outcome. nil = none.
	Span func(ctx context.Context, n schemas.Notice) (_ context.Context, end func(error))
	// Filed is called when a batch was filed, whose mails are in the outbox. It
	// must be quick. nil = nobody wants to know.
	Filed func()
	// Wait pauses between attempts after an error; nil = a timer.
	Wait func(ctx context.Context, d time.Duration) error
}

// Worker reads the alerts log and files every notice: a red one into its
// customer's one open case, what the customer writes and what we answer into
// that case's story. Filing is idempotent: a replay changes nothing. It never
// reads history. Use one Worker in one goroutine.
type Worker struct {
	cfg   WorkerConfig
	tries map[string]int // by event id, of notices that failed
}

// NewWorker builds a Worker.
func NewWorker(cfg WorkerConfig) *Worker {
	if cfg.OpenCasesFor <= 0 {
		cfg.OpenCasesFor = DefaultOpenCasesFor
	}
	if cfg.Batch <= 0 {
		cfg.Batch = 100
	}
	if cfg.Wait == nil {
		cfg.Wait = waitTimer
	}
	cfg.Log = orSilent(cfg.Log)
	return &Worker{cfg: cfg, tries: map[string]int{}}
}

func waitTimer(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Run works batch by batch until ctx ends (it then answers nil), or until an
// error that wraps schemas.ErrRestart, which it answers. After another it waits
// with growing pauses, at most a minute.
func (w *Worker) Run(ctx context.Context) error {
	pause := time.Second
	for ctx.Err() == nil {
		_, err := w.next(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			pause = time.Second
			continue
		}
		if errors.Is(err, schemas.ErrRestart) {
			return err
		}
		w.cfg.Log.Error("filing alerts failed; trying again", "err", err, "pause", pause)
		if w.cfg.Wait(ctx, pause) != nil {
			return nil
		}
		pause = min(2*pause, time.Minute)
	}
	return nil
}

// Step takes one batch from the log if something waits, files it and commits,
// answering how many notices it took; 0 means that nothing waits. On an error
// nothing is committed; the batch comes again and what was filed stays filed
// once. A notice that fails does not keep those behind it from being filed. What
// waits may be another's to file, who shares the log with us: as long as nothing
// comes to us, the lag is asked for again every 5 s.
func (w *Worker) Step(ctx context.Context) (n int, err error) {
	once := *w
	once.cfg.Reader = soonReader{w.cfg.Reader, w.cfg.Wait}
	for {
		lag, err := w.cfg.Reader.AlertLag(ctx)
		if err != nil {
			return 0, fmt.Errorf("read the alerts log: %w", err)
		}
		if lag == 0 {
			return 0, nil
		}
		if n, err = once.next(ctx); !errors.Is(err, errNothingCame) {
			return n, err
		}
	}
}

// next is Step, but waits until there is something.
func (w *Worker) next(ctx context.Context) (n int, err error) {
	batch, err := w.cfg.Reader.FetchAlerts(ctx, w.cfg.Batch)
	if err != nil {
		return 0, fmt.Errorf("read the alerts log: %w", err)
	}
	var errs []error
	for _, notice := range batch.Notices {
		if err := w.try(ctx, notice); err != nil {
			errs = append(errs, fmt.Errorf("file event %s: %w", notice.Event.ID, err))
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
	if w.cfg.Filed != nil {
		w.cfg.Filed()
	}
	if len(errs) > 0 {
		return 0, errors.Join(errs...)
	}
	if batch.Commit != nil {
		if err := batch.Commit(ctx); err != nil {
			return 0, fmt.Errorf("commit the alerts log: %w", err)
		}
	}
	return len(batch.Notices), nil
}

// spanned files one notice within its trace.
func (w *Worker) spanned(ctx context.Context, n schemas.Notice) error {
	if w.cfg.Span == nil {
		return w.file(ctx, n)
	}
	ctx, end := w.cfg.Span(ctx, n)
	err := w.file(ctx, n)
	end(err)
	return err
}

// try files one notice. One that keeps failing while the store works is
// recorded as an alert without a case, and loudly logged. A failure that may
// pass (schemas.ErrUnavailable: the store is down, full, busy or locked) counts
// for nothing: the notice is tried again until the store works.
func (w *Worker) try(ctx context.Context, n schemas.Notice) error {
	err := w.spanned(ctx, n)
	if err == nil {
		delete(w.tries, n.Event.ID)
		return nil
	}
	if errors.Is(err, schemas.ErrUnavailable) {
		return err
	}
	w.tries[n.Event.ID]++
	if ctx.Err() != nil || w.tries[n.Event.ID] < stuckTries {
		return err
	}
	if n.Kind == schemas.NoticeRed {
		if rerr := w.record(ctx, n); rerr != nil {
			return errors.Join(err, rerr)
		}
	} else if _, rerr := w.cfg.Desk.cfg.Cases.ByKeys(ctx, []string{n.Event.CaseKey()}); rerr != nil {
		return errors.Join(err, rerr)
	}
	w.cfg.Log.Error("an alert cannot be filed and is set aside without a case; look at the event and report this as a bug",
		"event", n.Event.ID, "kind", n.Kind, "err", err)
	delete(w.tries, n.Event.ID)
	return nil
}

// file files one notice, reading again whenever a case changed meanwhile.
func (w *Worker) file(ctx context.Context, n schemas.Notice) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	for range conflictTries {
		err = w.fileOnce(ctx, n)
		if errors.Is(err, ErrAlreadyFiled) {
			return nil
		}
		if !isConflict(err) {
			return err
		}
	}
	return err
}

func (w *Worker) fileOnce(ctx context.Context, n schemas.Notice) error {
	if n.Kind == schemas.NoticeRed && tooOld(n.Event, w.cfg.OpenCasesFor) {
		return w.record(ctx, n)
	}
	d := w.cfg.Desk
	customer, cases, err := w.find(ctx, n)
	if err != nil {
		return err
	}
	open, err := d.unite(ctx, openOnes(cases))
	if err != nil {
		return err
	}
	switch n.Kind {
	case schemas.NoticeRed:
		return w.fileRed(ctx, n, customer, open, cases)
	case schemas.NoticeMessage, schemas.NoticeReply:
		if open == nil {
			return nil
		}
		return w.fileWord(ctx, n, customer, *open, cases)
	}
	w.cfg.Log.Warn("a notice of an unknown kind is left out", "kind", n.Kind, "event", n.Event.ID)
	return nil
}

func (w *Worker) record(ctx context.Context, n schemas.Notice) error {
	return w.cfg.Desk.cfg.Cases.RecordAlert(ctx, schemas.Alert{EventID: n.Event.ID, RaisedAt: instant(w.cfg.Desk.cfg.Now())})
}
