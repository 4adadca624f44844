package web

import (
	"errors"
	"net/http"
	"strings"
)

// NotReady is what Deps.Ready answers while parts cannot be used.
type NotReady struct {
	Parts []string // their names, for whoever asks: no address and no detail
	Err   error    // what is wrong with them, for the log
}

func (e *NotReady) Error() string { return e.Err.Error() }

// Unwrap answers what is wrong.
func (e *NotReady) Unwrap() error { return e.Err }

func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, err := w.Write([]byte("ok\n"))
	return err
}

// readyz answers 503 and the names of the parts that are not able to work, for
// example "not ready: postgres". Anybody may ask, so that the rest is told to
// the log alone.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	var err error
	if s.Ready != nil {
		err = s.Ready(r.Context())
	}
	if err == nil {
		_, err = w.Write([]byte("ready\n"))
		return err
	}
	s.Log.Warn("not ready", "err", err)
	said := "not ready"
	var not *NotReady
	if errors.As(err, &not) && len(not.Parts) > 0 {
		said += ": " + strings.Join(not.Parts, ", ")
	}
	w.WriteHeader(http.StatusServiceUnavailable)
	_, err = w.Write([]byte(said + "\n"))
	return err
}
