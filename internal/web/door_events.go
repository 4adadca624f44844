package web

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"redalert/ingest"
	"redalert/internal/auth"
)

// Hook checks the signature of one webhook request; *hook.Verifier's Verify is
// the one there is. now is the receiver's clock.
type Hook func(h http.Header, body []byte, now time.Time) error

// Doors serves the two doors for programs: POST /v1/events and
// POST /v1/hooks/{source}. Both answer 202 only when every event of the
// request is durable. It is safe for concurrent use and must not be copied.
type Doors struct {
	Door    ingest.Acceptor
	Tokens  func(ctx context.Context, bearer string) (auth.Token, error)
	Answers ingest.Answers
	Hooks   map[string]Hook // by source
	Now     func() time.Time
	Log     *slog.Logger

	keys keyLocks
}

// Routes mounts the doors.
func (d *Doors) Routes(mux *http.ServeMux) {}
