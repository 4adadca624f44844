package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"redalert/ingest"
	"redalert/ingest/hook"
	"redalert/internal/auth"
)

// Hook checks the signature of one webhook request over its body, after
// Content-Encoding is undone; see NewHook. now is the receiver's clock.
type Hook func(h http.Header, body []byte, now time.Time) error

// NewHook makes a Hook of one or two live Standard Webhooks secrets.
func NewHook(secrets []string) (Hook, error) {
	v, err := hook.New(secrets)
	if err != nil {
		return nil, err
	}
	return v.Verify, nil
}

// Doors serves the two doors for programs: POST /v1/events (bearer token of
// scope ingest) and POST /v1/hooks/{source} (signature). Both answer 202 only
// when every event of the request is durable, 503 when the stores cannot take
// it, and another 4xx with nothing kept when the request is not believed, too
// large or unreadable.
//
// It is safe for concurrent use and must not be copied. All fields but Log,
// Now and Apart are required; Hooks may be empty.
type Doors struct {
	Door ingest.Acceptor
	// Tokens finds a live token by its secret; auth.ErrBadToken for none.
	Tokens  func(ctx context.Context, bearer string) (auth.Token, error)
	Answers ingest.Answers
	Hooks   map[string]Hook // by source
	// Apart reports that other processes may serve requests over the same
	// Answers: what another one works on is then waited for.
	Apart bool
	Now   func() time.Time
	Log   *slog.Logger

	keys keyLocks
	rest func(ctx context.Context, d time.Duration) error // nil = sleep
}

// Routes mounts the doors.
func (d *Doors) Routes(mux *http.ServeMux) {
	mux.HandleFunc("POST /v1/events", d.events)
	mux.HandleFunc("POST /v1/hooks/{source}", d.hook)
}

func (d *Doors) now() time.Time {
	if d.Now == nil {
		return time.Now()
	}
	return d.Now()
}

func (d *Doors) log() *slog.Logger {
	if d.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return d.Log
}

// sender is who posts, once believed.
type sender struct {
	scope  string // of its idempotency keys
	source string // the only source it may post; "" = any
}

// refusal is an answer other than 2xx.
type refusal struct {
	status       int
	code, detail string
}

func (r *refusal) Error() string { return r.code + ": " + r.detail }

func refuse(status int, code, detail string) *refusal { return &refusal{status, code, detail} }

func (d *Doors) events(w http.ResponseWriter, r *http.Request) {
	s, err := d.bearer(r)
	if err != nil {
		d.fail(w, err)
		return
	}
	body, err := readBody(w, r)
	if err != nil {
		d.fail(w, err)
		return
	}
	d.serve(w, r, s, body)
}

func (d *Doors) hook(w http.ResponseWriter, r *http.Request) {
	source := r.PathValue("source")
	verify, ok := d.Hooks[source]
	if !ok {
		d.fail(w, refuse(http.StatusNotFound, "no_such_hook", "no webhook of this name is configured under sources"))
		return
	}
	body, err := readBody(w, r)
	if err != nil {
		d.fail(w, err)
		return
	}
	if err := verify(r.Header, body, d.now()); err != nil {
		d.log().Warn("a webhook request was not believed", "source", source, "error", err)
		d.fail(w, refuse(http.StatusUnauthorized, "bad_signature", err.Error()))
		return
	}
	d.serve(w, r, sender{scope: "hook:" + source, source: source}, body)
}

func (d *Doors) bearer(r *http.Request) (sender, error) {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	secret = strings.TrimSpace(secret)
	if !strings.EqualFold(scheme, "Bearer") || secret == "" {
		return sender{}, refuse(http.StatusUnauthorized, "unauthorized", "send Authorization: Bearer and a token of scope ingest (redalert token add NAME --scope ingest)")
	}
	t, err := d.Tokens(r.Context(), secret)
	switch {
	case errors.Is(err, auth.ErrBadToken), errors.Is(err, auth.ErrNotFound):
		return sender{}, refuse(http.StatusUnauthorized, "unauthorized", "this token is unknown or revoked")
	case err != nil:
		return sender{}, fmt.Errorf("token: %w", err)
	case t.Scope != auth.ScopeIngest:
		return sender{}, refuse(http.StatusForbidden, "wrong_scope", fmt.Sprintf("this token has the scope %s; posting events needs ingest", t.Scope))
	}
	return sender{scope: "token:" + t.Name, source: t.Source}, nil
}

// serve answers a believed request: again under its Idempotency-Key, or by
// taking its events in.
func (d *Doors) serve(w http.ResponseWriter, r *http.Request, s sender, body []byte) {
	key := r.Header.Get("Idempotency-Key")
	if key == "" {
		if response, err := d.take(r, s, body); err != nil {
			d.fail(w, err)
		} else {
			accepted(w, http.StatusAccepted, response)
		}
		return
	}
	if len(key) > maxIdempotencyKey {
		d.fail(w, refuse(http.StatusBadRequest, "bad_idempotency_key", fmt.Sprintf("Idempotency-Key is longer than %d bytes", maxIdempotencyKey)))
		return
	}
	a, err := d.once(r, s, key, body)
	if err != nil {
		d.fail(w, err)
		return
	}
	accepted(w, a.Status, a.Response)
}

const maxIdempotencyKey = 255

// take reads the events, hands them to the Door, and encodes the answer.
func (d *Doors) take(r *http.Request, s sender, body []byte) ([]byte, error) {
	items, err := readItems(r.Header.Get("Content-Type"), body)
	if err != nil {
		return nil, err
	}
	for i := range items {
		switch {
		case s.source == "":
		case items[i].Source == "":
			items[i].Source = s.source // only to file what has no source of its own
		case items[i].Source != s.source:
			return nil, refuse(http.StatusForbidden, "wrong_source", fmt.Sprintf("event %d: this sender may post the source %q only", i, s.source))
		}
	}
	results, err := d.Door.Accept(r.Context(), items)
	if err != nil {
		return nil, err
	}
	if len(results) != len(items) {
		return nil, fmt.Errorf("the door answered %d of %d events", len(results), len(items))
	}
	return encodeResults(results)
}

type doorResult struct {
	Index   int           `json:"index"`
	EventID string        `json:"event_id"`
	Status  ingest.Status `json:"status"`
	Code    string        `json:"code,omitempty"`
	Reason  string        `json:"reason"`
}

func encodeResults(results []ingest.Result) ([]byte, error) {
	out := struct {
		Results []doorResult `json:"results"`
	}{make([]doorResult, len(results))}
	for i, r := range results {
		out.Results[i] = doorResult{i, r.EventID, r.Status, r.Code, r.Reason}
	}
	return json.Marshal(out)
}

func accepted(w http.ResponseWriter, status int, response []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(response)
}

// retryAfter is what a sender is asked to wait, in seconds.
const retryAfter = "5"

// fail answers a refusal as it is, and everything else as 503: nothing may be
// taken for accepted that is not durable.
func (d *Doors) fail(w http.ResponseWriter, err error) {
	var no *refusal
	if !errors.As(err, &no) {
		d.log().Error("events could not be taken in", "error", err)
		no = refuse(http.StatusServiceUnavailable, "unavailable", "the events are not stored; send the same request again")
	}
	switch no.status {
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", retryAfter)
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="redalert"`)
	}
	writeProblem(w, no.status, no.code, no.detail)
}
