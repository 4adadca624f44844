// Package app wires Redalert: one straight-line function picks the adapters
// and joins the stages; nothing else knows which store is in use.
//
// New opens and wires, Serve runs until its context ends, Close releases in
// the reverse order of opening. Commands that only look something up use New
// and Close alone.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/mail"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"redalert/alerting"
	mailer "redalert/alerting/email"
	"redalert/ingest"
	"redalert/ingest/email"
	"redalert/ingest/review"
	"redalert/internal/auth"
	"redalert/internal/config"
	"redalert/internal/importer"
	"redalert/internal/teach"
	"redalert/internal/tracing"
	"redalert/schemas"
	"redalert/signals"
	"redalert/signals/text"
)

// Options are what a caller may choose beside the configuration.
type Options struct {
	Now     func() time.Time // nil = time.Now
	Real    func() time.Time // for sign-ins; nil = Now. The demo tells its past while people look on
	Log     *slog.Logger     // nil = silent
	Version string
	// SourceKinds names the kinds of sources that no configuration knows: the
	// demo's, an import's.
	SourceKinds map[string]string
}

func (o *Options) fill() {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Real == nil {
		o.Real = o.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// App is every part of Redalert, wired. Nothing runs until Serve.
type App struct {
	Config   config.Config
	Business schemas.Business
	Options

	Stores   Stores
	Door     *ingest.Door
	Mail     email.Decoder
	Auth     *auth.Service
	Model    signals.TextModel
	Scorer   *signals.Worker // works off everything when it works alone
	Teacher  *teach.Teacher
	Follower *teach.Follower
	Signals  *signals.Clock
	Desk     *alerting.Desk
	Filer    *alerting.Worker
	Sender   *alerting.Sender
	Digests  *alerting.Digests
	Clock    *alerting.Clock

	tracing   *tracing.Tracing
	composer  alerting.Composer
	transport alerting.Transport // nil without smtp
	metrics   *prometheus.Registry
	scoring   *scoreMetrics
	storing   *storeWork
	sources   *sourceNames      // in labels of metrics
	unusual   *signals.Unusuals // see unusuals
	scorers   []*signals.Worker // that Serve runs; Scorer is one of them
	closers   []closer

	rest func(ctx context.Context, d time.Duration) error // nil = sleep
}

type closer struct {
	name  string
	close func() error
}

// Groups of readers: each remembers how far it has got.
const (
	scoreGroup = "score"
	alertGroup = "alert"
)

// FileName of the one file, in the data folder.
const FileName = "redalert.db"

// New opens the store and wires every stage. On an error whatever was opened
// is closed again.
func New(ctx context.Context, cfg config.Config, opt Options) (app *App, err error) {
	opt.fill()
	a := &App{Config: cfg, Options: opt, Business: cfg.Business.Vocabulary()}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
			app = nil
		}
	}()
	if a.Stores, err = openStores(ctx, cfg, opt); err != nil {
		return nil, err
	}
	a.closers = append(a.closers, a.Stores.closers...)
	if err := a.startTracing(ctx); err != nil {
		return nil, err
	}
	a.sources = newSourceNames(a.known)
	a.storing = newStoreWork(a.sources)
	a.wireIngest()
	if err := a.wireSignals(); err != nil {
		return nil, err
	}
	if err := a.wireAlerting(); err != nil {
		return nil, err
	}
	a.Signals = signals.NewClock(a.clockConfig())
	a.Auth = auth.New(auth.Config{Users: a.Stores.Users, Sessions: a.Stores.Sessions, Tokens: a.Stores.Tokens, Now: opt.Real})
	a.metrics = a.newMetrics()
	return a, nil
}

// startTracing is off without an endpoint.
func (a *App) startTracing(ctx context.Context) (err error) {
	t := a.Config.Tracing
	a.tracing, err = tracing.New(ctx, tracing.Config{Endpoint: t.Endpoint, Sample: t.Sample, Service: "redalert", Version: a.Version})
	if err != nil {
		return err
	}
	a.onClose("tracing", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return a.tracing.Close(ctx)
	})
	return nil
}

func (a *App) wireIngest() {
	s := &a.Stores
	a.Door = ingest.NewDoor(ingest.DoorConfig{
		Business: a.Business, Receipts: s.Receipts, Publisher: s.Publisher, Quarantine: s.Quarantine, Blobs: s.Blobs,
		Identities: s.Customers, Intake: s.Intake, Statuses: s.Statuses, KindOf: a.kindOf, Trace: a.tracing.Parent, Duplicate: a.storing.duplicate, Now: a.Now, Log: a.Log,
	})
	a.onClose("door", a.Door.Close)
	a.Mail = email.Decoder{Own: a.ownAddresses(), Threads: s.Threads}
	a.Door.RegisterReplay(email.ReplayKind, a.Mail.Replay)
	a.Door.RegisterReplay(review.ReplayKind, review.Replay)
	a.Door.RegisterReplay("row", importer.Decoder(a.Business, a.Now))
}

func (a *App) wireSignals() error {
	model, err := text.LoadCascade()
	if err != nil {
		return fmt.Errorf("text model: %w", err)
	}
	a.Model, a.scoring = model, newScoreMetrics()
	a.wireLearning()
	s, hooks := &a.Stores, a.scoring.hooks()
	hooks.Span = a.tracing.Batch
	consumers := s.Scorers
	if consumers == nil {
		consumers = []signals.Consumer{s.Consumer(scoreGroup)}
	}
	for _, c := range consumers {
		a.scorers = append(a.scorers, signals.NewWorker(signals.WorkerConfig{
			Consumer: c, Alerts: s.Alerts, History: measuredHistory{s.History, a.storing, a.Now}, Context: s.Context, Quarantine: s.Quarantine,
			Model: a.Model, Current: a.Follower.Current, Business: a.Business, Keep: a.keep, OpenCasesFor: time.Duration(a.Config.Alerting.OpenCasesFor),
			Now: a.Now, Log: a.Log, Hooks: hooks, Batch: s.ScoreBatch,
		}))
	}
	a.Scorer = a.scorers[0]
	return nil
}

func (a *App) wireAlerting() error {
	from, err := a.sender()
	if err != nil {
		return err
	}
	a.composer = mailer.Composer{From: from.String()}
	s := &a.Stores
	a.Desk = alerting.NewDesk(alerting.DeskConfig{
		Cases: s.Cases, Identities: s.Identities, Settings: s.Settings, People: s.People, Business: a.Business,
		Composer: a.composer, PublicURL: a.publicURL(), From: from.String(), Now: a.Now, Log: a.Log,
	})
	wake := make(chan struct{}, 1)
	a.Filer = alerting.NewWorker(alerting.WorkerConfig{
		Filed: func() {
			select {
			case wake <- struct{}{}:
			default: // the sender is awake
			}
		},
		Desk: a.Desk, Reader: s.AlertReader(alertGroup), OpenCasesFor: time.Duration(a.Config.Alerting.OpenCasesFor), Span: a.tracing.Notice, Log: a.Log,
	})
	a.transport = a.mailServer()
	a.Sender = alerting.NewSender(alerting.SenderConfig{
		Outbox: s.Outbox, Transport: a.transport, From: from.Address, Now: a.Now, Log: a.Log, Wake: wake,
	})
	a.Digests = alerting.NewDigests(alerting.DigestsConfig{Desk: a.Desk, Lists: s.Lists, Schedule: s.Schedule, Outbox: s.Outbox, Unusual: a.unusuals(), Log: a.Log})
	a.Clock = alerting.NewClock(alerting.ClockConfig{
		Desk: a.Desk, Lists: s.Lists, Schedule: s.Schedule, Outbox: s.Outbox, Digests: a.Digests, Log: a.Log,
	})
	return nil
}

// mailServer is what outgoing mail leaves by; nil without smtp.
func (a *App) mailServer() alerting.Transport {
	m := a.Config.SMTP
	if m == nil {
		return nil
	}
	return mailer.NewSMTP(mailer.Config{
		Host: m.Host, Port: m.Port, TLS: mailer.TLS(m.TLS), User: m.User, Password: m.Password.Reveal(),
	})
}

// sender is our address in mail. Without smtp nothing leaves, but mail is
// composed all the same and waits.
func (a *App) sender() (*mail.Address, error) {
	if a.Config.SMTP == nil {
		return &mail.Address{Name: a.Business.Name, Address: "redalert@localhost"}, nil
	}
	from, err := mail.ParseAddress(a.Config.SMTP.From)
	if err != nil {
		return nil, fmt.Errorf("smtp.from: %w", err)
	}
	return from, nil
}

func (a *App) publicURL() string {
	if u := strings.TrimRight(a.Config.Server.PublicURL, "/"); u != "" {
		return u
	}
	return "http://" + a.Config.Server.Listen
}

// ownAddresses are the addresses mail of ours comes from.
func (a *App) ownAddresses() []string {
	var own []string
	add := func(s string) {
		if addr, err := mail.ParseAddress(s); err == nil {
			own = append(own, strings.ToLower(addr.Address))
		}
	}
	for _, m := range a.Config.IMAP {
		add(m.User)
	}
	if a.Config.SMTP != nil {
		add(a.Config.SMTP.From)
		add(a.Config.SMTP.User)
	}
	return own
}

func (a *App) onClose(name string, f func() error) {
	a.closers = append(a.closers, closer{name, f})
}

// Close releases everything in the reverse order of opening.
func (a *App) Close() error {
	closers := a.closers
	a.closers = nil
	return closeAll(closers)
}

func closeAll(closers []closer) error {
	var errs []error
	for i := len(closers) - 1; i >= 0; i-- {
		if err := closers[i].close(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", closers[i].name, err))
		}
	}
	return errors.Join(errs...)
}
