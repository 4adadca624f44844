// Package web serves Redalert to people and programs: the pages, the JSON API
// and the HTTP doors of input, behind one visible table of routes (routes.go).
//
// It keeps no state of its own but short-lived rate limits: everything shown
// is read through the ports in Deps, every change of a case goes through the
// alerting desk, so that no page can get round a rule. It starts no goroutine
// and opens no listener; the caller mounts Handler in an http.Server.
package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"redalert/alerting"
	"redalert/ingest"
	"redalert/internal/auth"
	"redalert/schemas"
	"redalert/signals"
)

// Deps is everything the web needs. Digests, SendTestMail, Metrics, Ready and
// Demo may be nil: what they serve is then left out. A process that serves
// only the doors of input leaves Auth nil and gets no pages.
type Deps struct {
	Doors      *Doors
	Desk       *alerting.Desk
	Auth       *auth.Service
	Cases      alerting.Cases
	Lists      alerting.CaseLists
	Identities alerting.Identities
	Outbox     alerting.Outbox
	Settings   alerting.SettingsStore
	Lessons    alerting.Lessons // what staff say of events, and what was learned; nil asks nobody
	History    signals.History
	Records    signals.Records
	Risks      *signals.Risks    // churn_risk of customers; nil shows none
	Standing   *signals.Standing // where the value of customers stands; nil shows none
	Unusual    *signals.Unusuals // nil finds nothing
	Quarantine ingest.Quarantine
	Replay     func(ctx context.Context, id string) (ingest.Result, error)
	Blobs      ingest.Blobs
	Statuses   ingest.Statuses
	Digests    *alerting.Digests
	// Learn fits a layer on what staff decided and puts it to work if it is better;
	// nil leaves it to the night.
	Learn func(ctx context.Context, by string) (schemas.Layer, error)
	// ModelVersion names the text model as it ships.
	ModelVersion string
	// SendTestMail sends one mail to the address at once and answers what the
	// mail server said.
	SendTestMail func(ctx context.Context, to string) error

	Business       schemas.Business
	PublicURL      string         // absolute; https makes the session cookie Secure
	TrustedProxies []netip.Prefix // peers whose X-Forwarded-For is believed
	Now            func() time.Time
	Log            *slog.Logger
	Ready          func(ctx context.Context) error // see NotReady
	Metrics        http.Handler
	Demo           *DemoHooks
}

// DemoHooks is set in a demo only: it turns one-click sign-in on and mounts
// the page that shows the mail the demo has sent.
type DemoHooks struct {
	// SignIn opens a session for the demo user of a role.
	SignIn func(ctx context.Context, role schemas.Role) (secret string, err error)
	// Mailbox is mounted at /demo/ and reached without sign-in.
	Mailbox http.Handler
}

// Server is the web of one process. It is safe for concurrent use.
type Server struct {
	Deps
	secure  bool // cookies are Secure
	origin  *http.CrossOriginProtection
	views   *views
	static  *staticFiles
	unsure  reviewIndex
	handler http.Handler
}

// New checks d, parses the templates and builds the route table.
func New(d Deps) (*Server, error) {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Business.Timezone == nil {
		d.Business.Timezone = time.UTC
	}
	u, err := url.Parse(d.PublicURL)
	if err != nil || (d.PublicURL != "" && u.Host == "") {
		return nil, errors.New("web: public_url " + d.PublicURL + " is not an absolute URL such as https://alerts.example.com")
	}
	s := &Server{Deps: d, secure: u.Scheme == "https"}
	s.origin = http.NewCrossOriginProtection()
	if u.Host != "" {
		if err := s.origin.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
			return nil, errors.New("web: public_url: " + err.Error())
		}
	}
	s.origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, errCrossOrigin)
	}))
	if s.static, err = newStaticFiles(); err != nil {
		return nil, err
	}
	if s.views, err = newViews(s.static); err != nil {
		return nil, err
	}
	s.handler = s.build()
	return s, nil
}

// Handler is the whole site, every middleware included.
func (s *Server) Handler() http.Handler { return s.handler }

// wantsJSON reports whether a request is a program's: errors are then problem
// documents instead of pages.
func wantsJSON(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/v1/") || r.URL.Path == "/openapi.json"
}
