package signals

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"redalert/schemas"
)

// WorkerConfig is what a Worker needs. Zero values of OpenCasesFor, Now, Wait,
// Log, Batch and Hooks have defaults; the ports and the business do not.
type WorkerConfig struct {
	Consumer   Consumer
	Alerts     AlertPublisher
	History    History
	Context    Context
	Quarantine Quarantine
	// Keep stores the event of a quarantined item, so that it can be replayed,
	// and answers its SHA-256; nil keeps nothing.
	Keep  func(ctx context.Context, raw []byte) (string, error)
	Model TextModel // nil scores by the hard rules alone
	// Current answers the model of the next batch, which may be another than that
	// of the last: a new layer is picked up without a restart. nil = always Model.
	Current      func(context.Context) (TextModel, error)
	Business     schemas.Business
	OpenCasesFor time.Duration // alerting.open_cases_for, 0 = 14 days: older events need no priority
	Now          func() time.Time
	Wait         func(context.Context, time.Duration) error // between attempts after a failure, and in Step
	Log          *slog.Logger
	Batch        int // events a batch at most, 0 = 1,000
	Hooks        Hooks
}

// Hooks are called by the worker for metrics; each may be nil. They must be
// quick and safe for concurrent use.
type Hooks struct {
	Batch       func(events int, took time.Duration)     // a batch was committed
	Verdict     func(e schemas.Event, v schemas.Verdict) // the standing verdict of each event of a committed batch
	Quarantined func(n int)                              // events that could not be scored or kept
	Failed      func(stage string)                       // fetch, context, model, history, quarantine, alerts or commit
	// Span opens a trace span around the work on a batch; end gets its outcome.
	Span func(ctx context.Context, events []schemas.Event) (_ context.Context, end func(error))
}

// Worker takes events from the log, scores them, stores them in history and
// publishes notices, in that order; only then it commits. An event that cannot
// be scored or kept goes to quarantine and blocks no other. A crash or failure in
// between replays the batch, and the replay changes nothing: history keeps the
// first verdict and readers of notices are idempotent by event id. One Worker is
// used by one goroutine; several workers may share a log.
type Worker struct {
	c    WorkerConfig
	p90  p90Cache
	size int // of the next batch
}

const (
	defaultBatch        = 1000
	defaultOpenCasesFor = 14 * 24 * time.Hour
	firstPause          = 100 * time.Millisecond
	longestPause        = 30 * time.Second
)

// NewWorker makes a worker; it starts nothing.
func NewWorker(c WorkerConfig) *Worker {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Wait == nil {
		c.Wait = wait
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Batch <= 0 {
		c.Batch = defaultBatch
	}
	if c.OpenCasesFor <= 0 {
		c.OpenCasesFor = defaultOpenCasesFor
	}
	return &Worker{c: c, p90: p90Cache{context: c.Context, now: c.Now}, size: min(c.Batch, firstBatch)}
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Run works until ctx ends and answers nil then, or until an error that wraps
// schemas.ErrRestart, which it answers. Any other failure is logged and the
// batch tried again after a pause that grows from 0.1 s to 30 s; nothing is
// committed meanwhile, so the lag grows and memory does not.
func (w *Worker) Run(ctx context.Context) error {
	pause := firstPause
	for ctx.Err() == nil {
		_, err := w.batch(ctx, w.c.Consumer.Fetch)
		if err == nil {
			pause = firstPause
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, schemas.ErrRestart) {
			return err
		}
		w.c.Log.Error("scoring stopped at a batch; it will be tried again", "error", err, "pause", pause)
		if w.c.Wait(ctx, pause) != nil {
			return nil
		}
		pause = min(2*pause, longestPause)
	}
	return nil
}

// stepWait is how long Step waits for events that the log counts, before it
// asks whether they still wait.
const stepWait = 5 * time.Second

// errNothingCame ends a Fetch of Step that waited long enough.
var errNothingCame = errors.New("nothing came")

// Step works off one batch if something waits and answers how many events it
// took; 0 means that nothing waits. It does not try again after a failure. What
// waits may be another's to work off, who shares the log with us: as long as
// nothing comes to us, the lag is asked for again every 5 s.
func (w *Worker) Step(ctx context.Context) (n int, err error) {
	for {
		lag, err := w.c.Consumer.Lag(ctx)
		if err != nil {
			return 0, w.failed("fetch", err)
		}
		if lag == 0 {
			return 0, nil
		}
		if n, err = w.batch(ctx, w.fetchSoon); !errors.Is(err, errNothingCame) {
			return n, err
		}
	}
}

// fetchSoon is the consumer's Fetch that waits no longer than stepWait; then it
// answers errNothingCame.
func (w *Worker) fetchSoon(ctx context.Context, limit int) (Batch, error) {
	soon, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		if w.c.Wait(soon, stepWait) == nil {
			cancel(errNothingCame)
		}
	}()
	b, err := w.c.Consumer.Fetch(soon, limit)
	if err != nil && ctx.Err() == nil && errors.Is(context.Cause(soon), errNothingCame) {
		return Batch{}, errNothingCame
	}
	return b, err
}

func (w *Worker) failed(stage string, err error) error {
	if w.c.Hooks.Failed != nil {
		w.c.Hooks.Failed(stage)
	}
	return fmt.Errorf("scoring: %s: %w", stage, err)
}

func (w *Worker) batch(ctx context.Context, fetch func(context.Context, int) (Batch, error)) (int, error) {
	b, err := fetch(ctx, w.size)
	if errors.Is(err, errNothingCame) {
		return 0, err
	}
	if err != nil {
		return 0, w.failed("fetch", err)
	}
	if len(b.Events) == 0 {
		return 0, nil
	}
	end := func(error) {}
	if w.c.Hooks.Span != nil {
		ctx, end = w.c.Hooks.Span(ctx, b.Events)
	}
	n, err := w.work(ctx, b)
	end(err)
	return n, err
}

// work brings one batch through scoring, history and the alerts log, and
// commits it.
func (w *Worker) work(ctx context.Context, b Batch) (int, error) {
	start := w.c.Now()
	known := newOverlay(w.c.Context, b.Events)
	if err := known.load(ctx, needsFacts(b.Events)); err != nil {
		return 0, w.failed("context", err)
	}
	m := w.c.Model
	if w.c.Current != nil {
		var err error
		if m, err = w.c.Current(ctx); err != nil {
			return 0, w.failed("model", err)
		}
	}
	scored, bad := w.score(b.Events, known, m)
	if err := w.setAside(ctx, bad, b.Events); err != nil {
		return 0, w.failed("quarantine", err)
	}
	facts := known.loading(ctx, redCustomers(scored))
	scored, standing, err := w.store(ctx, scored)
	loadErr := facts()
	if err != nil {
		return 0, w.failed("history", err)
	}
	if loadErr != nil {
		return 0, w.failed("context", loadErr)
	}
	notices, err := w.notices(ctx, scored, standing, known)
	if err != nil {
		return 0, w.failed("context", err)
	}
	if len(notices) > 0 {
		if err := w.c.Alerts.PublishAlerts(ctx, notices); err != nil {
			return 0, w.failed("alerts", err)
		}
	}
	if err := b.Commit(ctx); err != nil {
		return 0, w.failed("commit", err)
	}
	w.report(scored, standing, w.c.Now().Sub(start))
	return len(b.Events), nil
}

func (w *Worker) report(scored []schemas.Scored, standing []schemas.Verdict, took time.Duration) {
	if w.c.Hooks.Verdict != nil {
		for i := range standing {
			w.c.Hooks.Verdict(scored[i].Event, standing[i])
		}
	}
	if w.c.Hooks.Batch != nil {
		w.c.Hooks.Batch(len(scored), took)
	}
}

// store keeps scored events in history and answers those it kept with their
// standing verdicts. What history can never keep goes to quarantine instead,
// and the others are stored.
func (w *Worker) store(ctx context.Context, scored []schemas.Scored) ([]schemas.Scored, []schemas.Verdict, error) {
	for len(scored) > 0 {
		standing, err := w.c.History.Store(ctx, scored)
		var rejected *RejectedError
		if errors.As(err, &rejected) {
			rest, bad, events := w.without(scored, rejected.Events)
			if len(bad) == 0 {
				return nil, nil, fmt.Errorf("history rejects events it was not given: %w", err)
			}
			if err := w.setAside(ctx, bad, events); err != nil {
				return nil, nil, err
			}
			scored = rest
			continue
		}
		if err == nil && len(standing) != len(scored) {
			err = fmt.Errorf("history answered %d verdicts for %d events", len(standing), len(scored))
		}
		return scored, standing, err
	}
	return nil, nil, nil
}

// notices says what alerting must know of a batch, by the standing verdicts:
// every red event (alerting decides by the event's time whether it opens a
// case), a customer's mail that is not red, and our own replies.
func (w *Worker) notices(ctx context.Context, scored []schemas.Scored, standing []schemas.Verdict, known *overlay) ([]schemas.Notice, error) {
	var out []schemas.Notice
	var want []string
	for i, v := range standing {
		ev := scored[i].Event
		n := schemas.Notice{Event: ev, Verdict: v, ValueAtRisk: schemas.Money{Currency: w.c.Business.Currency}}
		switch {
		case v.Red:
			n.Kind = schemas.NoticeRed
			n.Mistake = IsMistake(ev, v)
			want = append(want, ev.CustomerID)
		case ev.Type == schemas.ReplySent:
			n.Kind = schemas.NoticeReply
		case ev.Type == schemas.EmailReceived && v.ModelVersion != schemas.Unscored:
			n.Kind = schemas.NoticeMessage
		default:
			continue
		}
		out = append(out, n)
	}
	if err := known.load(ctx, want); err != nil {
		return nil, err
	}
	for i := range out {
		if out[i].Kind == schemas.NoticeRed {
			if err := w.value(ctx, &out[i], known); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// value fills in what the customer is worth and how urgent that makes it.
func (w *Worker) value(ctx context.Context, n *schemas.Notice, known *overlay) error {
	facts := NewContext(known.facts(n.Event.CustomerID), n.Event, w.c.Business.Currency).Facts
	n.ValueAtRisk = ValueAtRisk(facts, n.Event.OccurredAt, w.c.Business.Currency)
	var p90 int64
	var customers int
	recent := w.c.Now().Sub(n.Event.OccurredAt) <= w.c.OpenCasesFor || n.Event.OpenCases()
	if recent && n.ValueAtRisk.Amount > 0 {
		var err error
		if p90, customers, err = w.p90.at(ctx, n.Event.OccurredAt); err != nil {
			return err
		}
	}
	n.Priority = Priority(n.Verdict.Severity, n.ValueAtRisk.Amount, p90, customers)
	return nil
}

// usesFacts reports whether scoring the event looks at earlier orders.
func usesFacts(ev schemas.Event) bool {
	return ev.CustomerID != "" && (ev.Type == schemas.OrderPlaced || ev.Type == schemas.OrderChanged)
}

// redCustomers are those whose value will be asked for, unless an earlier
// verdict stands: they are looked up while history stores.
func redCustomers(scored []schemas.Scored) []string {
	var ids []string
	for _, s := range scored {
		if s.Verdict.Red {
			ids = append(ids, s.Event.CustomerID)
		}
	}
	return ids
}

func needsFacts(events []schemas.Event) []string {
	var ids []string
	for _, ev := range events {
		if usesFacts(ev) {
			ids = append(ids, ev.CustomerID)
		}
	}
	return ids
}
