package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"redalert/ingest"
	"redalert/internal/auth"
	"redalert/internal/config"
	"redalert/internal/demo"
	"redalert/internal/web"
	"redalert/schemas"
	"redalert/signals"
)

// DemoOptions choose how the demo runs.
type DemoOptions struct {
	ReadyFile string
	Ready     func(Serving)
	Say       func(format string, args ...any) // progress for people
	Pause     time.Duration                    // between live messages, on average
	Log       *slog.Logger
	Version   string
	Now       func() time.Time // when SeedDemo's story ends, the first time; nil = time.Now

	write func(seed uint64, now time.Time) *demo.Story // nil = demo.Write; tests tell less
}

// demoMark stands in the demo's folder, so that ForgetDemo never deletes
// anything else.
const demoMark = "this-is-a-redalert-demo"

// seeded is written when the demo's past is complete.
const seeded = "history-complete"

// ForgetDemo deletes a demo's data; a folder that holds no demo is refused.
func ForgetDemo(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, demoMark)); err != nil {
		return fmt.Errorf("%s holds something that is not a demo; it is left alone", dir)
	}
	return os.RemoveAll(dir)
}

// clock is the demo's time: what the past is told with, then the real one.
type clock struct {
	mu     sync.Mutex
	frozen time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.frozen.IsZero() {
		return c.frozen
	}
	return time.Now()
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frozen = t
}

// Demo serves the synthetic business until ctx ends.
func Demo(ctx context.Context, cfg config.Config, opt DemoOptions) (err error) {
	if err := prepareDemo(&cfg); err != nil {
		return err
	}
	clk := &clock{}
	box, err := demo.OpenMailbox(filepath.Join(cfg.DataDir, "mail"), time.Now, opt.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	cfg.SMTP = &config.SMTP{Host: "127.0.0.1", Port: box.Port(), TLS: "none", From: demo.Name + " <care@riverside.example>"}
	a, err := New(ctx, cfg, Options{Now: clk.now, Real: time.Now, Log: opt.Log, Version: opt.Version, SourceKinds: demo.Kinds()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	if err := a.demoPeople(ctx); err != nil {
		return err
	}
	d := &demoRun{App: a, clock: clk, opt: opt, told: make(chan struct{})}
	return a.Serve(ctx, ServeOptions{
		ReadyFile: opt.ReadyFile, Ready: opt.Ready, Hold: d.past, Also: d.live,
		Demo: &web.DemoHooks{SignIn: a.demoSignIn, Mailbox: box.Handler()},
	})
}

// SeedDemo tells the synthetic business's past to the configured stores and
// answers how many events were taken in. Whoever scores and alerts there works
// it off. The moment at which the story ends is remembered there before the
// first event is in, so that a second time, on whatever day, tells the same
// story: it adds what an interrupted first time left out, else nothing.
func SeedDemo(ctx context.Context, cfg config.Config, opt DemoOptions) (taken int, err error) {
	if cfg.Business.Currency != demo.Currency {
		return 0, fmt.Errorf("the demo is told in %s; set business.currency to it (it is %s)", demo.Currency, cfg.Business.Currency)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.write == nil {
		opt.write = demo.Write
	}
	a, err := New(ctx, cfg, Options{Now: opt.Now, Log: opt.Log, Version: opt.Version, SourceKinds: demo.Kinds()})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	if err := a.demoLocations(ctx); err != nil {
		return 0, err
	}
	now, err := a.seededAt(ctx, opt.Now)
	if err != nil {
		return 0, fmt.Errorf("demo history: %w", err)
	}
	story := opt.write(demo.Seed, now)
	for items := range slices.Chunk(story.Items, demoBatch) {
		results, err := a.Door.Accept(ctx, items)
		if err != nil {
			return taken, fmt.Errorf("demo history: %w", err)
		}
		for _, r := range results {
			if r.Status == ingest.Accepted {
				taken++
			}
		}
		opt.Say("%s: %d events are in", items[len(items)-1].OccurredAt.Format(time.DateOnly), taken)
	}
	return taken, nil
}

// seedCursor is where the moment of the first seed stands among the cursors.
const seedCursor = "demo-seed"

// seededAt answers when the seeded story ends: now, at the first time.
func (a *App) seededAt(ctx context.Context, clock func() time.Time) (time.Time, error) {
	switch text, err := a.Stores.Cursors.Load(ctx, seedCursor); {
	case err == nil:
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return at, fmt.Errorf("the moment of the first seed cannot be read: %w", err)
		}
		return at, nil
	case !errors.Is(err, ingest.ErrNotFound):
		return time.Time{}, err
	}
	now := clock()
	return now, a.Stores.Cursors.Save(ctx, seedCursor, now.Format(time.RFC3339Nano))
}

// demoBatch is how many items of the past are taken in at once.
const demoBatch = 500

func prepareDemo(cfg *config.Config) error {
	cfg.Business = config.Business{Name: demo.Name, Timezone: demo.Timezone, Currency: demo.Currency}
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(cfg.DataDir, FileName)); err == nil {
		if _, err := os.Stat(filepath.Join(cfg.DataDir, demoMark)); err != nil {
			return fmt.Errorf("%s holds a business that is not the demo; choose another folder with --data", cfg.DataDir)
		}
	}
	return os.WriteFile(filepath.Join(cfg.DataDir, demoMark), nil, 0o600)
}

func (a *App) demoPeople(ctx context.Context) error {
	for _, p := range demo.People() {
		err := a.Auth.AddUser(ctx, auth.User{Email: p.Email, Name: p.Name, Role: p.Role, Locations: p.Locations}, "")
		if err != nil && !errors.Is(err, auth.ErrExists) {
			return fmt.Errorf("demo user %s: %w", p.Email, err)
		}
	}
	return a.demoLocations(ctx)
}

// demoLocations makes the demo's locations known, unless there are some.
func (a *App) demoLocations(ctx context.Context) error {
	settings, err := a.Stores.Settings.Load(ctx)
	if err != nil || len(settings.Locations) > 0 {
		return err
	}
	for _, l := range demo.Locations() {
		settings.Locations = append(settings.Locations, schemas.Location{Name: l})
	}
	return a.Stores.Settings.Save(ctx, settings)
}

func (a *App) demoSignIn(ctx context.Context, role schemas.Role) (string, error) {
	for _, p := range demo.People() {
		if p.Role == role {
			return a.Auth.StartSession(ctx, p.Email)
		}
	}
	return "", fmt.Errorf("the demo has no %s", role)
}

type demoRun struct {
	*App
	clock *clock
	opt   DemoOptions
	story *demo.Story
	told  chan struct{} // closed when the past is complete
}

// past tells the business's history, unless an earlier start did: the long
// past at once, then the last weeks day by day, with people at work.
func (d *demoRun) past(ctx context.Context) error {
	defer close(d.told)
	now := time.Now()
	d.story = demo.Write(demo.Seed, now)
	mark := filepath.Join(d.Config.DataDir, seeded)
	if _, err := os.Stat(mark); err == nil {
		return nil
	}
	if err := d.tell(ctx, now); err != nil {
		return err
	}
	d.clock.set(time.Time{})
	d.opt.Say("%d events of %d months are in; live messages follow.", len(d.story.Items), 14)
	return os.WriteFile(mark, nil, 0o600)
}

// days that are told one by one, so that cases have a life.
const days = 45

// signalDays are those of them on which the clock raises signals, too: it goes
// through every customer, and the demo is to begin soon.
const signalDays = 12

func (d *demoRun) tell(ctx context.Context, now time.Time) error {
	items := d.story.Items
	next := func(until time.Time) error {
		n := 0
		for n < len(items) && items[n].OccurredAt.Before(until) {
			n++
		}
		batch := items[:n]
		items = items[n:]
		for len(batch) > 0 {
			k := min(len(batch), demoBatch)
			if _, err := d.Door.Accept(ctx, batch[:k]); err != nil {
				return fmt.Errorf("demo history: %w", err)
			}
			batch = batch[k:]
		}
		return d.workOff(ctx)
	}
	cfg := d.clockConfig()
	cfg.Fits = nil // what is learnt is learnt once, when the past is complete
	signalling := signals.NewClock(cfg)
	crew := demo.NewCrew(d.Desk, d.Stores.Lists, demo.Seed)
	for day := now.AddDate(0, 0, -days); day.Before(now); day = day.AddDate(0, 0, 1) {
		d.clock.set(day)
		if err := next(day); err != nil {
			return err
		}
		if now.Sub(day) <= signalDays*24*time.Hour {
			if err := d.raiseSignals(ctx, signalling, day); err != nil {
				return fmt.Errorf("demo signals: %w", err)
			}
		}
		if err := crew.Work(ctx, day); err != nil {
			return fmt.Errorf("demo crew: %w", err)
		}
		if err := d.Clock.Due(ctx, day); err != nil {
			return fmt.Errorf("demo clock: %w", err)
		}
	}
	d.clock.set(now)
	return next(now.Add(time.Hour))
}

// workOff scores and files what is in the log; mail of the past is left to the
// sender.
func (d *demoRun) workOff(ctx context.Context) error {
	for {
		scored, err := d.Scorer.Step(ctx)
		if err != nil {
			return err
		}
		filed, err := d.Filer.Step(ctx)
		if err != nil {
			return err
		}
		if scored+filed == 0 {
			return nil
		}
	}
}

// live sends a message now and then until ctx ends; the first few come fast.
func (d *demoRun) live(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-d.told:
	}
	for i := 0; ; i++ {
		pause := time.Duration(float64(d.opt.Pause) * (0.5 + rand.Float64()))
		if i < 3 {
			pause = min(pause, 2*time.Second)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		item := d.story.Next(time.Now())
		if _, err := d.Door.Accept(ctx, []ingestItem{item}); err != nil && ctx.Err() == nil {
			d.Log.Warn("a live message of the demo did not get in", "error", err)
		}
	}
}
