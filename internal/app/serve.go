package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/robfig/cron/v3"
	"golang.org/x/sync/errgroup"

	"redalert/internal/web"
)

// ErrRunning: another process serves this data folder.
var ErrRunning = errors.New("another redalert is running on this data folder; stop it first, or choose another with --data")

// lockName of the file that the process serving a data folder holds.
const lockName = "redalert.lock"

// Lock makes this the one process that serves the data folder. It is released
// by Close, and by the system when the process dies. Over stores that several
// processes may serve it does nothing.
func (a *App) Lock() error {
	if a.Stores.Apart {
		return nil
	}
	l, err := lockFolder(a.Config.DataDir)
	if err != nil {
		return err
	}
	a.onClose("lock", l.Unlock)
	return nil
}

// Serving tells a caller of Serve how to reach the server.
type Serving struct {
	URL string `json:"url"`
	PID int    `json:"pid"`
}

// ServeOptions choose how to serve.
type ServeOptions struct {
	Roles     []Role                      // nil = all
	ReadyFile string                      // written once requests are served; "" = none
	Ready     func(Serving)               // called then; may be nil
	Demo      *web.DemoHooks              //
	Also      func(context.Context) error // runs beside; its error ends Serve
	Hold      func(context.Context) error // the workers start when it returns; nil = at once
}

// drainFor is how long requests and batches under way may take at the end.
const drainFor = 15 * time.Second

// Serve listens and works until ctx ends, then finishes what is under way and
// answers nil. Over the one file it holds the data folder's lock.
func (a *App) Serve(ctx context.Context, opt ServeOptions) error {
	roles, err := a.checkRoles(opt.Roles)
	if err != nil {
		return err
	}
	if err := a.Lock(); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", a.Config.Server.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", a.Config.Server.Listen, err)
	}
	url := "http://" + ln.Addr().String()
	handler, err := a.handler(url, roles, opt.Demo)
	if err != nil {
		ln.Close()
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return serveHTTP(ctx, ln, handler, a.Log) })
	if err := a.serveMetrics(ctx, g); err != nil {
		return errors.Join(err, g.Wait())
	}
	if opt.Also != nil {
		g.Go(func() error { return opt.Also(ctx) })
	}
	g.Go(func() error { return a.work(ctx, roles, opt.Hold) })
	if err := announce(opt, Serving{URL: url, PID: os.Getpid()}); err != nil {
		a.Log.Error("the ready file could not be written", "error", err)
	}
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// newCron makes the alarm clock. Order of the chain: Skip outside, Recover
// inside — the other way round one panic would stop the job for good. It knows
// UTC alone, where no hour is skipped or comes twice.
func newCron(log cron.Logger) *cron.Cron {
	return cron.New(cron.WithLocation(time.UTC), cron.WithChain(cron.SkipIfStillRunning(log), cron.Recover(log)))
}

// everyMinute runs the clock's jobs of one role. Which of them are due is decided
// by alerting.Clock and signals.Clock, in business time and only once each; cron
// only wakes them, and what was missed is caught up at the start.
func (a *App) everyMinute(ctx context.Context, due func(ctx context.Context, now time.Time) error) error {
	c := newCron(cronLog{a.Log})
	tick := func() {
		if err := due(ctx, a.Now()); err != nil && ctx.Err() == nil {
			a.Log.Error("clock jobs failed; they are tried again in a minute", "error", err)
		}
	}
	if _, err := c.AddFunc("* * * * *", tick); err != nil {
		return err
	}
	tick() // catch up at once
	c.Start()
	<-ctx.Done()
	<-c.Stop().Done()
	return nil
}

// keepLog is how long the log of events and alerts is kept; history is the
// memory.
const keepLog = 30 * 24 * time.Hour

// Tick runs every clock job that is due at now, once, signals first: a digest
// tells of what they found.
func (a *App) Tick(ctx context.Context, now time.Time) error {
	return errors.Join(a.raiseSignals(ctx, a.Signals, now), a.tickAlert(ctx, now))
}

// tickAlert runs the clock jobs of the role alert.
func (a *App) tickAlert(ctx context.Context, now time.Time) error {
	return errors.Join(a.Clock.Due(ctx, now), a.Auth.Sweep(ctx), a.learnNightly(ctx, now), a.Stores.Prune(ctx, now.Add(-keepLog)))
}

// tickScore runs those of the role score.
func (a *App) tickScore(ctx context.Context, now time.Time) error {
	_, err := a.Signals.Due(ctx, now)
	return err
}

type cronLog struct{ log *slog.Logger }

func (l cronLog) Info(msg string, kv ...any) { l.log.Debug("cron: "+msg, kv...) }
func (l cronLog) Error(err error, msg string, kv ...any) {
	l.log.Error("cron: "+msg, append(kv, "error", err)...)
}

// Deliver makes one attempt for each notification that is due.
func (a *App) Deliver(ctx context.Context) error {
	if err := a.Sender.Drain(ctx); err != nil {
		return fmt.Errorf("deliver: %w", err)
	}
	return nil
}

func serveHTTP(ctx context.Context, ln net.Listener, h http.Handler, log *slog.Logger) error {
	srv := web.HTTPServer(h, log)
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	select {
	case err := <-failed:
		return fmt.Errorf("web server: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainFor)
	defer cancel()
	if err := srv.Shutdown(stop); err != nil {
		return errors.Join(err, srv.Close())
	}
	return nil
}

func announce(opt ServeOptions, s Serving) error {
	if opt.Ready != nil {
		opt.Ready(s)
	}
	if opt.ReadyFile == "" {
		return nil
	}
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	tmp := opt.ReadyFile + ".tmp"
	if err := os.WriteFile(tmp, append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, opt.ReadyFile)
}
