package signals

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"redalert/schemas"
)

// WorkerConfig is what a Worker needs. Zero values of Now, Wait, Log, Batch and
// Hooks have defaults; the ports and the business do not.
type WorkerConfig struct {
	Consumer   Consumer
	Alerts     AlertPublisher
	History    History
	Context    Context
	Quarantine Quarantine
	// Keep stores the event of a quarantined item, so that it can be replayed,
	// and answers its SHA-256; nil keeps nothing.
	Keep     func(ctx context.Context, raw []byte) (string, error)
	Model    TextModel // nil scores by the hard rules alone
	Business schemas.Business
	Now      func() time.Time
	Wait     func(context.Context, time.Duration) error // between attempts after a failure
	Log      *slog.Logger
	Batch    int // events a batch, 0 = 500
	Hooks    Hooks
}

// Hooks are called by the worker for metrics; each may be nil. They must be
// quick and safe for concurrent use.
type Hooks struct {
	Batch       func(events int, took time.Duration) // a batch was committed
	Quarantined func(n int)                          // events the scorer failed on
}

// Worker takes events from the log, scores them, stores them in history and
// publishes notices. One Worker is used by one goroutine; several workers may
// share a log.
type Worker struct{ c WorkerConfig }

// NewWorker makes a worker; it starts nothing.
func NewWorker(c WorkerConfig) *Worker {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Wait == nil {
		c.Wait = sleep
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Batch <= 0 {
		c.Batch = 500
	}
	return &Worker{c: c}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Pauses after failures: doubled each time, from the first to the last.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 30 * time.Second
)

// Run works until ctx ends and then answers nil. After a failure the same
// batch comes again, after a pause that grows.
func (w *Worker) Run(ctx context.Context) error {
	pause := firstPause
	for ctx.Err() == nil {
		err := w.next(ctx)
		if err == nil {
			pause = firstPause
			continue
		}
		if ctx.Err() != nil {
			break
		}
		w.c.Log.Error("scoring failed; the batch comes again", "error", err, "in", pause)
		if w.c.Wait(ctx, pause) != nil {
			break
		}
		pause = min(2*pause, lastPause)
	}
	return nil
}

// next waits for a batch and works it off.
func (w *Worker) next(ctx context.Context) error {
	b, err := w.c.Consumer.Fetch(ctx, w.c.Batch)
	if err != nil {
		return fmt.Errorf("fetch: %w", err)
	}
	return w.work(ctx, b)
}

// Step works off one batch if something waits, and answers how many events it
// took; 0 means that nothing waits.
func (w *Worker) Step(ctx context.Context) (n int, err error) {
	lag, err := w.c.Consumer.Lag(ctx)
	if err != nil || lag == 0 {
		return 0, err
	}
	b, err := w.c.Consumer.Fetch(ctx, w.c.Batch)
	if err != nil {
		return 0, fmt.Errorf("fetch: %w", err)
	}
	return len(b.Events), w.work(ctx, b)
}

// work does steps 5 to 8 of the way of an event: score, store, raise, commit.
// Whatever fails, the batch comes again, and that changes nothing that was done.
func (w *Worker) work(ctx context.Context, b Batch) error {
	began := w.c.Now()
	ks, err := w.known(ctx, b.Events)
	if err != nil {
		return fmt.Errorf("customer context: %w", err)
	}
	scored, failed := w.scoreAll(ctx, b.Events, ks, began)
	standing, err := w.c.History.Store(ctx, scored)
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	if len(failed) > 0 {
		if err := w.c.Quarantine.Put(ctx, failed); err != nil {
			return fmt.Errorf("quarantine: %w", err)
		}
		if w.c.Hooks.Quarantined != nil {
			w.c.Hooks.Quarantined(len(failed))
		}
	}
	notices, err := w.notices(ctx, scored, standing, ks)
	if err != nil {
		return fmt.Errorf("priority: %w", err)
	}
	if len(notices) > 0 {
		if err := w.c.Alerts.PublishAlerts(ctx, notices); err != nil {
			return fmt.Errorf("alerts: %w", err)
		}
	}
	if err := b.Commit(ctx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	if w.c.Hooks.Batch != nil {
		w.c.Hooks.Batch(len(b.Events), w.c.Now().Sub(began))
	}
	return nil
}

// known holds the order facts of a batch's customers, those in the batch
// itself included: NewContext leaves out what is not earlier.
type known map[string][]schemas.OrderFact

func (w *Worker) known(ctx context.Context, events []schemas.Event) (known, error) {
	var ids []string
	seen := map[string]bool{}
	for _, e := range events {
		if e.CustomerID != "" && !seen[e.CustomerID] {
			seen[e.CustomerID] = true
			ids = append(ids, e.CustomerID)
		}
	}
	if len(ids) == 0 {
		return known{}, nil
	}
	facts, err := w.c.Context.OrderFacts(ctx, ids)
	if err != nil {
		return nil, err
	}
	ks := known{}
	for id, fs := range facts {
		ks[id] = fs
	}
	for _, e := range events {
		if f, ok := Fact(e); ok && e.CustomerID != "" {
			ks[e.CustomerID] = append(ks[e.CustomerID], f)
		}
	}
	return ks, nil
}

func (w *Worker) context(e schemas.Event, ks known) CustomerContext {
	if e.CustomerID == "" {
		return CustomerContext{Currency: w.c.Business.Currency}
	}
	return NewContext(ks[e.CustomerID], e, w.c.Business.Currency)
}

func (w *Worker) scoreAll(ctx context.Context, events []schemas.Event, ks known, now time.Time) (scored []schemas.Scored, failed []schemas.Quarantined) {
	scored = make([]schemas.Scored, 0, len(events))
	for _, e := range events {
		v, err := w.score(e, ks)
		if err != nil {
			w.c.Log.Error("the scorer failed on an event; it is in quarantine", "event", e.ID, "error", err)
			failed = append(failed, w.quarantined(ctx, e, err, now))
			continue
		}
		v.ScoredAt = now
		scored = append(scored, schemas.Scored{Event: e, Verdict: v})
	}
	return scored, failed
}

// score turns a panic over one event into its quarantine. The panic's value may
// quote the customer, so only its type is told.
func (w *Worker) score(e schemas.Event, ks known) (v schemas.Verdict, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the scorer panicked (%T)", p)
		}
	}()
	return Score(e, w.context(e, ks), w.c.Model), nil
}

func (w *Worker) quarantined(ctx context.Context, e schemas.Event, cause error, now time.Time) schemas.Quarantined {
	sum := sha256.Sum256([]byte(schemas.QScorer + "\x00" + e.ID))
	q := schemas.Quarantined{
		ID: hex.EncodeToString(sum[:16]), Source: e.Source, Code: schemas.QScorer, At: now, State: schemas.QuarantineOpen,
		Reason: cause.Error() + "; this is a fault of the program: report it, then replay the item", Locator: "event " + e.ID, Replay: "event",
	}
	raw, err := json.Marshal(e)
	if err != nil || w.c.Keep == nil {
		return q
	}
	if q.RawSHA256, err = w.c.Keep(ctx, raw); err != nil {
		w.c.Log.Error("the event of a quarantined item was not kept", "event", e.ID, "error", err)
	}
	return q
}

// notices says what alerting has to know of a batch: red events, our replies,
// and what customers wrote without being red.
func (w *Worker) notices(ctx context.Context, scored []schemas.Scored, standing []schemas.Verdict, ks known) ([]schemas.Notice, error) {
	var ns []schemas.Notice
	var p90 int64
	customers := -1 // not asked yet: once a batch is enough, and none without a red event
	for i, s := range scored {
		n := schemas.Notice{Event: s.Event, Verdict: standing[i]}
		switch {
		case n.Verdict.Red:
			n.Kind = schemas.NoticeRed
			if customers < 0 {
				var err error
				if p90, customers, err = w.c.Context.RevenueP90(ctx, s.Event.OccurredAt); err != nil {
					return nil, err
				}
			}
			c := w.context(s.Event, ks)
			n.ValueAtRisk = ValueAtRisk(c.Facts, s.Event.OccurredAt, w.c.Business.Currency)
			n.Priority = Priority(n.Verdict.Severity, n.ValueAtRisk.Amount, p90, customers)
			n.Mistake = IsMistake(s.Event, n.Verdict)
		case s.Event.Type == schemas.ReplySent:
			n.Kind = schemas.NoticeReply
		case s.Event.Type == schemas.EmailReceived && n.Verdict.ModelVersion != schemas.Unscored:
			n.Kind = schemas.NoticeMessage
		default:
			continue
		}
		ns = append(ns, n)
	}
	return ns, nil
}
