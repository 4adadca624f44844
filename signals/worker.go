package signals

import (
	"context"
	"log/slog"
	"time"

	"redalert/schemas"
)

// WorkerConfig is what a Worker needs. Zero values of Now, Wait, Log, Batch and
// Hooks have defaults; the ports and the business do not.
type WorkerConfig struct {
	Consumer     Consumer
	Alerts       AlertPublisher
	History      History
	Context      Context
	Quarantine   Quarantine
	Model        TextModel // nil scores by the hard rules alone
	Business     schemas.Business
	OpenCasesFor time.Duration // alerting.open_cases_for; 0 = 14 days
	Now          func() time.Time
	Wait         func(context.Context, time.Duration) error // between attempts after a failure
	Log          *slog.Logger
	Batch        int // events a batch, 0 = 500
	Hooks        Hooks
}

// Hooks are called by the worker for metrics; each may be nil. They must be
// quick and safe for concurrent use.
type Hooks struct {
	Batch       func(events int, took time.Duration)     // a batch was committed
	Verdict     func(v schemas.Verdict, e schemas.Event) // a new verdict of a batch that was stored
	Quarantined func(n int)                              // events the scorer failed on
	Failed      func(stage string)                       // fetch, context, history, quarantine, alerts or commit
}

// Worker takes events from the log, scores them, stores them in history and
// publishes notices. One Worker is used by one goroutine; several workers may
// share a log.
type Worker struct{ c WorkerConfig }

// NewWorker makes a worker; it starts nothing.
func NewWorker(c WorkerConfig) *Worker { return &Worker{c: c} }

// Run works until ctx ends; see Step. It answers nil when ctx ended.
func (w *Worker) Run(ctx context.Context) error { return nil }

// Step works off one batch if something waits, and answers how many events it
// took; 0 means that nothing waits.
func (w *Worker) Step(ctx context.Context) (n int, err error) { return 0, nil }
