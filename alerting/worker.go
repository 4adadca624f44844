package alerting

import (
	"context"
	"log/slog"
	"time"
)

// WorkerConfig is what a Worker needs.
type WorkerConfig struct {
	Desk         *Desk
	Reader       AlertReader
	OpenCasesFor time.Duration // older events open no case; 0 = 14 days
	Batch        int           // 0 = 100
	Log          *slog.Logger
	// Wait pauses between attempts after an error; nil = a timer.
	Wait func(ctx context.Context, d time.Duration) error
}

// Worker reads the alerts log and files every notice.
type Worker struct{ cfg WorkerConfig }

// NewWorker builds a Worker.
func NewWorker(cfg WorkerConfig) *Worker { return &Worker{cfg: cfg} }

// Step takes one batch from the log, files it and commits.
func (w *Worker) Step(ctx context.Context) (n int, err error) { return 0, nil }

// Run calls Step until ctx ends.
func (w *Worker) Run(ctx context.Context) error { return nil }
