package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"redalert/ingest/email"
	"redalert/internal/safehttp"
)

// Check is one thing the doctor looked at.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"` // what was found
	Advice string `json:"advice"` // what to do; "" when all is well
}

// Doctor tries every configured part and says what to do about what fails. It
// changes nothing but a probe file in the data folder.
func (a *App) Doctor(ctx context.Context) []Check {
	checks := []Check{a.checkFolder()}
	for _, s := range a.Stores.Servers {
		checks = append(checks, checkServer(ctx, s))
	}
	checks = append(append(checks, a.checkOwner(ctx)), a.checkAround(ctx)...)
	return append(checks, a.checkQuiet(ctx)...)
}

// checkAround tries what needs no store.
func (a *App) checkAround(ctx context.Context) []Check {
	checks := []Check{a.checkLink(), a.checkSMTP(ctx)}
	for _, m := range a.Config.IMAP {
		checks = append(checks, a.checkIMAP(ctx, m.Name))
	}
	for _, r := range a.Config.Reviews {
		checks = append(checks, a.checkReview(ctx, r.Name, r.URL))
	}
	for _, s := range a.Config.Sources {
		checks = append(checks, checkSecrets(s.Name, s.WebhookSecretFile))
	}
	return checks
}

func good(name, format string, args ...any) Check {
	return Check{Name: name, OK: true, Detail: fmt.Sprintf(format, args...)}
}

// note is about something that is not configured: nothing is broken.
func note(name, detail, advice string) Check {
	return Check{Name: name, OK: true, Detail: detail, Advice: advice}
}

func bad(name, advice string, err error) Check {
	return Check{Name: name, Detail: err.Error(), Advice: advice}
}

func (a *App) checkFolder() Check {
	probe := filepath.Join(a.Config.DataDir, ".doctor")
	if err := os.WriteFile(probe, []byte("probe"), 0o600); err != nil {
		return bad("data folder", "make the folder writable for this user, or choose another with --data", err)
	}
	_ = os.Remove(probe)
	return good("data folder", "%s is writable", a.Config.DataDir)
}

func checkServer(ctx context.Context, s Server) Check {
	found, err := s.Check(ctx)
	if err != nil {
		return bad(s.Name, s.Advice, err)
	}
	return good(s.Name, "%s", found)
}

func (a *App) checkOwner(ctx context.Context) Check {
	users, err := a.Auth.Users(ctx)
	if err != nil {
		return bad("owner", "see the store", err)
	}
	if len(users) == 0 {
		return note("owner", "nobody can sign in yet", "start redalert run and open the link it prints")
	}
	return good("owner", "%d users", len(users))
}

func (a *App) checkLink() Check {
	if a.Config.Server.PublicURL == "" {
		return note("links in mail", "they point to "+a.publicURL(), "set server.public_url so that links work from other machines")
	}
	return good("links in mail", "they point to %s", a.publicURL())
}

func (a *App) checkSMTP(ctx context.Context) Check {
	if a.transport == nil {
		return note("outgoing mail", "not configured: mail is written and waits in the outbox", "add an smtp section to redalert.yaml")
	}
	type prober interface{ Check(context.Context) error }
	p, ok := a.transport.(prober)
	if !ok {
		return good("outgoing mail", "configured")
	}
	if err := p.Check(ctx); err != nil {
		return bad("outgoing mail", "check host, port, tls, user and password of smtp", err)
	}
	return good("outgoing mail", "%s answers and takes the sign-in", a.Config.SMTP.Host)
}

func (a *App) checkIMAP(ctx context.Context, name string) Check {
	cfg := a.imapConfig(name)
	if err := email.Check(ctx, cfg); err != nil {
		return bad("mailbox "+name, "check host, port, tls, user and password of imap "+name, err)
	}
	return good("mailbox "+name, "%s answers and takes the sign-in", cfg.Host)
}

func (a *App) checkReview(ctx context.Context, name, url string) Check {
	client := safehttp.New(safehttp.Config{AllowPrivate: a.Config.Network.AllowPrivate, Timeout: 20 * time.Second})
	if _, err := client.Get(ctx, url); err != nil {
		return bad("reviews "+name, "open the address in a browser; private addresses need network.allow_private", err)
	}
	return good("reviews "+name, "%s answers", url)
}

func checkSecrets(name, path string) Check {
	secrets, err := readSecrets(path)
	if err != nil {
		return bad("webhook "+name, "write one whsec_<base64> a line into the file", err)
	}
	return good("webhook "+name, "%d secrets", len(secrets))
}

// checkQuiet names sources whose last attempt failed.
func (a *App) checkQuiet(ctx context.Context) []Check {
	statuses, err := a.Stores.Statuses.Collectors(ctx)
	if err != nil {
		return []Check{bad("sources", "see the store", err)}
	}
	var checks []Check
	for _, s := range statuses {
		if s.LastError != "" {
			checks = append(checks, Check{Name: "source " + s.Name, Detail: s.LastError, Advice: "see the collectors page"})
		}
	}
	return checks
}
