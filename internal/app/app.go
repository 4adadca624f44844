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
	"os"
	"path/filepath"
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
	"redalert/internal/sqlite"
	"redalert/schemas"
	"redalert/signals"
	"redalert/signals/text"
)

// Options are what a caller may choose beside the configuration.
type Options struct {
	Now     func() time.Time // nil = time.Now
	Log     *slog.Logger     // nil = silent
	Version string
	// SourceKinds names the kinds of sources that no configuration knows: the
	// demo's, an import's.
	SourceKinds map[string]string
}

// App is every part of Redalert, wired. Nothing runs until Serve.
type App struct {
	Config   config.Config
	Business schemas.Business
	Options

	DB      *sqlite.DB
	Door    *ingest.Door
	Mail    email.Decoder
	Auth    *auth.Service
	Model   signals.TextModel
	Scorer  *signals.Worker
	Desk    *alerting.Desk
	Filer   *alerting.Worker
	Sender  *alerting.Sender
	Digests *alerting.Digests
	Clock   *alerting.Clock

	composer  alerting.Composer
	transport alerting.Transport // nil without smtp
	metrics   *prometheus.Registry
	scoring   *scoreMetrics
	closers   []closer
}

type closer struct {
	name  string
	close func() error
}

// FileName of the one file, in the data folder.
const FileName = "redalert.db"

// New opens the store and wires every stage. On an error whatever was opened
// is closed again.
func New(ctx context.Context, cfg config.Config, opt Options) (app *App, err error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	a := &App{Config: cfg, Options: opt, Business: cfg.Business.Vocabulary()}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
			app = nil
		}
	}()
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	if a.DB, err = sqlite.Open(ctx, filepath.Join(cfg.DataDir, FileName)); err != nil {
		return nil, err
	}
	a.onClose("store", a.DB.Close)
	a.wireIngest()
	if err := a.wireSignals(); err != nil {
		return nil, err
	}
	if err := a.wireAlerting(); err != nil {
		return nil, err
	}
	a.Auth = auth.New(auth.Config{Users: a.DB.Users(), Sessions: a.DB.Sessions(), Tokens: a.DB.Tokens(), Now: opt.Now})
	a.metrics = a.newMetrics()
	return a, nil
}

func (a *App) wireIngest() {
	a.Door = ingest.NewDoor(ingest.DoorConfig{
		Business: a.Business, Receipts: a.DB, Publisher: a.DB, Quarantine: a.DB.Quarantine(), Blobs: a.DB.Blobs(),
		Identities: a.DB, Intake: a.DB, Statuses: a.DB, KindOf: a.kindOf, Now: a.Now, Log: a.Log,
	})
	a.onClose("door", a.Door.Close)
	a.Mail = email.Decoder{Own: a.ownAddresses(), Threads: a.DB}
	a.Door.RegisterReplay(email.ReplayKind, a.Mail.Replay)
	a.Door.RegisterReplay(review.ReplayKind, review.Replay)
	a.Door.RegisterReplay("row", importer.Decoder(a.Business, a.Now))
}

func (a *App) wireSignals() error {
	model, err := text.Load()
	if err != nil {
		return fmt.Errorf("text model: %w", err)
	}
	a.Model, a.scoring = model, newScoreMetrics()
	a.Scorer = signals.NewWorker(signals.WorkerConfig{
		Consumer: a.DB.Consumer("score"), Alerts: a.DB, History: a.DB, Context: a.DB, Quarantine: a.DB.Quarantine(),
		Model: a.Model, Business: a.Business, Keep: a.keep, OpenCasesFor: time.Duration(a.Config.Alerting.OpenCasesFor),
		Now: a.Now, Log: a.Log, Hooks: a.scoring.hooks(),
	})
	return nil
}

func (a *App) wireAlerting() error {
	from, err := a.sender()
	if err != nil {
		return err
	}
	a.composer = mailer.Composer{From: from.String()}
	a.Desk = alerting.NewDesk(alerting.DeskConfig{
		Cases: a.DB.Cases(), Identities: a.DB, Settings: a.DB.Settings(), People: a.DB.People(), Business: a.Business,
		Composer: a.composer, PublicURL: a.publicURL(), From: from.String(), Now: a.Now, Log: a.Log,
	})
	a.Filer = alerting.NewWorker(alerting.WorkerConfig{
		Desk: a.Desk, Reader: a.DB.AlertReader("alert"), OpenCasesFor: time.Duration(a.Config.Alerting.OpenCasesFor), Log: a.Log,
	})
	if s := a.Config.SMTP; s != nil {
		a.transport = mailer.NewSMTP(mailer.Config{
			Host: s.Host, Port: s.Port, TLS: mailer.TLS(s.TLS), User: s.User, Password: s.Password.Reveal(),
		})
	}
	a.Sender = alerting.NewSender(alerting.SenderConfig{
		Outbox: a.DB.Outbox(), Transport: a.transport, From: from.Address, Now: a.Now, Log: a.Log,
	})
	a.Digests = alerting.NewDigests(alerting.DigestsConfig{Desk: a.Desk, Lists: a.DB.Lists(), Schedule: a.DB.Schedule(), Outbox: a.DB.Outbox(), Log: a.Log})
	a.Clock = alerting.NewClock(alerting.ClockConfig{
		Desk: a.Desk, Lists: a.DB.Lists(), Schedule: a.DB.Schedule(), Outbox: a.DB.Outbox(), Digests: a.Digests, Log: a.Log,
	})
	return nil
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
	var errs []error
	for i := len(a.closers) - 1; i >= 0; i-- {
		if err := a.closers[i].close(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", a.closers[i].name, err))
		}
	}
	a.closers = nil
	return errors.Join(errs...)
}
