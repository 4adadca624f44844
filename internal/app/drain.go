package app

import (
	"context"
	"fmt"
	"time"

	"redalert/ingest"
)

// Drain works off what is there — log, cases, outbox — and returns when
// nothing is left to do now. What was accepted a moment ago and is not in the
// log yet is waited for, a minute at most: see awaitUnpublished. Mail that
// waits for a later attempt stays.
func (a *App) Drain(ctx context.Context) error {
	if err := a.settleLog(ctx); err != nil {
		return err
	}
	return a.Deliver(ctx)
}

// settleLog works off what was accepted, until both logs are empty.
func (a *App) settleLog(ctx context.Context) error {
	if err := a.recover(ctx); err != nil {
		return err
	}
	if err := a.emptyLogs(ctx); err != nil {
		return err
	}
	if waited, err := a.awaitUnpublished(ctx); err != nil || !waited {
		return err
	}
	return a.emptyLogs(ctx)
}

// emptyLogs scores and files until there is nothing more in the logs.
func (a *App) emptyLogs(ctx context.Context) error {
	for {
		scored, err := a.Scorer.Step(ctx)
		if err != nil {
			return fmt.Errorf("score: %w", err)
		}
		filed, err := a.Filer.Step(ctx)
		if err != nil {
			return fmt.Errorf("file: %w", err)
		}
		if scored+filed == 0 {
			return nil
		}
	}
}

// lookAgain is how often awaitUnpublished looks.
const lookAgain = 5 * time.Second

// awaitUnpublished waits until everything that is accepted at the moment of the
// call is in the log, and answers whether it had to. Until a reserved event is
// old enough (pendingAge) the process that reserved it may be at work, and
// publishes it; after that it has died, and this one does. Of what came in
// later, something may be left to others.
func (a *App) awaitUnpublished(ctx context.Context) (waited bool, err error) {
	if a.Stores.Unpublished == nil {
		return false, nil
	}
	n, wait, err := a.Stores.Unpublished(ctx)
	if err != nil || n == 0 {
		return false, err
	}
	wait += time.Second // the server says it by its clock
	a.Log.Info("waiting for events that were accepted just now and are not in the log: whoever took them in publishes them, or this process does when they are old enough",
		"events", n, "seconds_at_most", int(wait.Seconds()))
	for {
		pause := min(wait, lookAgain)
		if err := a.pause(ctx, pause); err != nil {
			return true, err
		}
		wait -= pause
		if err := a.recover(ctx); err != nil {
			return true, err
		}
		if n, _, err = a.Stores.Unpublished(ctx); err != nil || n == 0 {
			return true, err
		}
		if wait <= 0 {
			a.Log.Warn("events that were accepted since are not in the log yet; the processes that took them in publish them, and run --drain again does", "events", n)
			return true, nil
		}
	}
}

func (a *App) pause(ctx context.Context, t time.Duration) error {
	if a.rest != nil {
		return a.rest(ctx, t)
	}
	return ingest.Sleep(ctx, t)
}
