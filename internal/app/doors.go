package app

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"redalert/alerting"
	"redalert/ingest"
	"redalert/ingest/email"
	"redalert/ingest/review"
	"redalert/internal/safehttp"
	"redalert/internal/web"
	"redalert/signals"
)

// handler builds the whole site for the address it is served at.
func (a *App) handler(url string, roles []Role, demo *web.DemoHooks) (http.Handler, error) {
	public := a.Config.Server.PublicURL
	if public == "" {
		public = url
	}
	doors, err := a.doors(roles)
	if err != nil {
		return nil, err
	}
	people := a.Auth
	if !slices.Contains(roles, RoleWeb) {
		people = nil // no pages, no API: health, metrics and perhaps the doors
	}
	s := &a.Stores
	srv, err := web.New(web.Deps{
		Doors: doors, Desk: a.Desk, Auth: people, Cases: s.Cases, Lists: s.Lists, Identities: s.Identities, Outbox: s.Outbox,
		Settings: s.Settings, Lessons: s.Lessons, Learn: a.Learn, ModelVersion: a.Model.Version(), History: s.History, Records: s.Records, Risks: a.risks(), Unusual: a.unusuals(), Standing: &signals.Standing{Context: s.Context, Now: a.Now}, Quarantine: s.Quarantine,
		Replay: a.Door.ReplayQuarantined, Blobs: s.Blobs, Statuses: s.Statuses, Digests: a.Digests,
		SendTestMail: a.sendTestMail(), Business: a.Business, PublicURL: public,
		TrustedProxies: a.Config.Server.TrustedProxies, Now: a.Now, Log: a.Log, Ready: a.Stores.Ready,
		Metrics: a.metricsHere(), Demo: demo,
	})
	if err != nil {
		return nil, err
	}
	return a.tracing.Handler(srv.Handler()), nil
}

// doors are the HTTP doors of input; nil in a process that does not collect.
func (a *App) doors(roles []Role) (*web.Doors, error) {
	if !slices.Contains(roles, RoleCollect) {
		return nil, nil
	}
	hooks, err := a.hooks()
	if err != nil {
		return nil, err
	}
	return &web.Doors{Door: a.Door, Tokens: a.Auth.TokenBySecret, Answers: a.Stores.Answers, Hooks: hooks, Apart: a.Stores.Apart, Now: a.Now, Log: a.Log}, nil
}

// hooks reads the secrets of every signed webhook.
func (a *App) hooks() (map[string]web.Hook, error) {
	hooks := map[string]web.Hook{}
	for _, s := range a.Config.Sources {
		secrets, err := readSecrets(s.WebhookSecretFile)
		if err != nil {
			return nil, fmt.Errorf("sources: %s: webhook_secret_file: %w", s.Name, err)
		}
		hook, err := web.NewHook(secrets)
		if err != nil {
			return nil, fmt.Errorf("sources: %s: webhook_secret_file: %w", s.Name, err)
		}
		hooks[s.Name] = hook
	}
	return hooks, nil
}

func readSecrets(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var secrets []string
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if line := strings.TrimSpace(sc.Text()); line != "" && !strings.HasPrefix(line, "#") {
			secrets = append(secrets, line)
		}
	}
	if len(secrets) == 0 || len(secrets) > 2 {
		return nil, fmt.Errorf("%s holds %d secrets; one whsec_… a line, two at most", path, len(secrets))
	}
	return secrets, nil
}

// collectors builds one collector for each configured mailbox and review page.
func (a *App) collectors() ([]ingest.Collector, error) {
	var cs []ingest.Collector
	for _, m := range a.Config.IMAP {
		cs = append(cs, email.NewIMAP(a.imapConfig(m.Name), a.Stores.Cursors, a.Mail, a.Now, a.Log))
	}
	client := safehttp.New(safehttp.Config{AllowPrivate: a.Config.Network.AllowPrivate, Timeout: 30 * time.Second})
	for _, r := range a.Config.Reviews {
		c, err := review.New(review.Config{
			Name: r.Name, URL: r.URL, Kind: r.Kind, Every: time.Duration(r.Every), Client: client, Cursors: a.Stores.Cursors, Timezone: a.Business.Timezone, Now: a.Now,
		})
		if err != nil {
			return nil, fmt.Errorf("reviews: %s: %w", r.Name, err)
		}
		cs = append(cs, c)
	}
	return cs, nil
}

// kindOf names the kind of a configured source; others are posted events, or
// what the caller says they are (the demo).
func (a *App) kindOf(source string) string {
	for _, m := range a.Config.IMAP {
		if m.Name == source {
			return "imap"
		}
	}
	for _, r := range a.Config.Reviews {
		if r.Name == source {
			return "review"
		}
	}
	for _, s := range a.Config.Sources {
		if s.Name == source {
			return s.Kind
		}
	}
	return a.SourceKinds[source]
}

// known reports whether a source is configured, or the caller's own.
func (a *App) known(source string) bool { return a.kindOf(source) != "" }

func (a *App) imapConfig(name string) email.Config {
	for _, m := range a.Config.IMAP {
		if m.Name == name {
			return email.Config{
				Name: m.Name, Host: m.Host, Port: m.Port, TLS: m.TLS, User: m.User, Password: m.Password.Reveal(),
				Mailbox: m.Mailbox, SentMailbox: m.SentMailbox,
			}
		}
	}
	return email.Config{}
}

func (a *App) sendTestMail() func(ctx context.Context, to string) error {
	if a.transport == nil {
		return nil
	}
	return func(ctx context.Context, to string) error {
		from, err := a.sender()
		if err != nil {
			return err
		}
		now := a.Now()
		msg, err := a.composer.Compose(alerting.Mail{
			To: to, Subject: "Test mail from Redalert", Date: now, Auto: true,
			MessageID: fmt.Sprintf("<test.%d@%s>", now.UnixNano(), domainOf(from.Address)),
			Text:      "This is the test mail you asked for. Mail from Redalert reaches you.\n\n" + a.publicURL() + "\n",
			Headers:   map[string]string{"X-Redalert-Notification": "test"},
		})
		if err != nil {
			return err
		}
		_, err = a.transport.Send(ctx, from.Address, to, msg)
		return err
	}
}

func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

// serveMetrics opens a listener of its own for /metrics when one is configured.
func (a *App) serveMetrics(ctx context.Context, g *errgroup.Group) error {
	addr := a.Config.Server.MetricsListen
	if addr == "" {
		return nil
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listen for metrics on %s: %w", addr, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.metricsHandler())
	g.Go(func() error { return serveHTTP(ctx, ln, mux, a.Log) })
	return nil
}
