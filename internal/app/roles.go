package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"redalert/ingest"
)

// Role is one kind of work that a process may do. Every process serves health
// and metrics.
type Role string

// Every role.
const (
	RoleCollect Role = "collect" // the doors of input and the collectors
	RoleScore   Role = "score"   // verdicts, history, the alerts log
	RoleAlert   Role = "alert"   // cases, timers, digests, the outbox
	RoleWeb     Role = "web"     // the pages and the JSON API
)

// AllRoles is every role, in the order of an event's way.
func AllRoles() []Role { return []Role{RoleCollect, RoleScore, RoleAlert, RoleWeb} }

// ParseRoles reads "all" or a list such as "collect,score".
func ParseRoles(s string) ([]Role, error) {
	if s == "all" {
		return AllRoles(), nil
	}
	var roles []Role
	for _, name := range strings.Split(s, ",") {
		r := Role(strings.TrimSpace(name))
		if !slices.Contains(AllRoles(), r) {
			return nil, fmt.Errorf("%q is no role; all, or some of collect,score,alert,web", name)
		}
		if !slices.Contains(roles, r) {
			roles = append(roles, r)
		}
	}
	return roles, nil
}

// ErrOneProcess: the one file is served whole or not at all.
var ErrOneProcess = errors.New("roles apart need the three servers (kafka, clickhouse, postgres in redalert.yaml); the one file is served by one process in all roles")

// checkRoles fills in the default and refuses what the stores cannot do.
func (a *App) checkRoles(roles []Role) ([]Role, error) {
	if roles == nil {
		return AllRoles(), nil
	}
	if !a.Stores.Apart && len(roles) < len(AllRoles()) {
		return nil, ErrOneProcess
	}
	return roles, nil
}

// work runs everything of the roles that is not a request.
func (a *App) work(ctx context.Context, roles []Role, hold func(context.Context) error) error {
	if hold != nil {
		if err := hold(ctx); err != nil {
			return err
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, r := range roles {
		switch r {
		case RoleCollect:
			g.Go(func() error { return a.collect(ctx) })
		case RoleScore:
			for _, w := range a.scorers {
				g.Go(func() error { return w.Run(ctx) })
			}
			g.Go(func() error { return a.everyMinute(ctx, a.tickScore) })
		case RoleAlert:
			for _, run := range []func(context.Context) error{a.Filer.Run, a.Sender.Run} {
				g.Go(func() error { return run(ctx) })
			}
			g.Go(func() error { return a.everyMinute(ctx, a.tickAlert) })
		case RoleWeb: // requests only
		}
	}
	return g.Wait()
}

// collect publishes what a crash left behind, then runs every collector, each
// in one process at a time.
func (a *App) collect(ctx context.Context) error {
	cs, err := a.collectors()
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	switch err := a.recover(ctx); {
	case err == nil:
	case !a.Stores.Apart:
		return fmt.Errorf("publish what a crash left behind: %w", err)
	default: // a server is away; collecting goes on, see recoverNowAndThen
		a.warnUnpublished(ctx, err)
	}
	if a.Stores.Apart {
		g.Go(func() error { return a.recoverNowAndThen(ctx) })
	}
	for _, c := range cs {
		g.Go(func() error {
			return a.Stores.Exclusive(ctx, "collect:"+c.Name(), func(ctx context.Context) error {
				return ingest.RunCollector(ctx, c, a.Door, ingest.RunnerConfig{Statuses: a.Stores.Statuses, QuietAfter: a.quietAfter(c), Now: a.Now, Log: a.Log})
			})
		})
	}
	return g.Wait()
}

// mailboxQuiet is some times the four minutes after which IDLE looks anew.
const mailboxQuiet = 15 * time.Minute

// quietAfter is how long a collector may be unheard of before it is an alarm:
// a few times the pause between two looks at its source.
func (a *App) quietAfter(c ingest.Collector) time.Duration {
	for _, r := range a.Config.Reviews {
		if r.Name == c.Name() {
			return 3*time.Duration(r.Every) + mailboxQuiet
		}
	}
	return mailboxQuiet
}

func (a *App) recover(ctx context.Context) error {
	n, err := a.Door.Recover(ctx)
	if err == nil && n > 0 {
		a.Log.Info("published what was accepted but not yet in the log", "events", n)
	}
	return err
}

// recoverEvery is how often a collector looks for what another process left
// reserved but unpublished when it died.
const recoverEvery = time.Minute

func (a *App) recoverNowAndThen(ctx context.Context) error {
	tick := time.NewTicker(recoverEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := a.recover(ctx); err != nil {
				a.warnUnpublished(ctx, err)
			}
		}
	}
}

func (a *App) warnUnpublished(ctx context.Context, err error) {
	if ctx.Err() == nil {
		a.Log.Warn("what was accepted but not yet in the log waits for the next try", "again_in", recoverEvery, "error", err)
	}
}
