package web_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"redalert/internal/web"
)

// TestReadyz: whoever asks hears which part is away and nothing else of it; the
// log hears all.
func TestReadyz(t *testing.T) {
	detail := errors.New("dial tcp 10.0.0.7:5432: connection refused")
	for name, tc := range map[string]struct {
		err  error
		code int
		body string
	}{
		"all answer": {nil, http.StatusOK, "ready\n"},
		"one away":   {&web.NotReady{Parts: []string{"postgres"}, Err: detail}, http.StatusServiceUnavailable, "not ready: postgres\n"},
		"two away":   {&web.NotReady{Parts: []string{"postgres", "kafka"}, Err: detail}, http.StatusServiceUnavailable, "not ready: postgres, kafka\n"},
		"no name":    {detail, http.StatusServiceUnavailable, "not ready\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			s := newSite(t, func(d *web.Deps) {
				d.Log = slog.New(slog.NewTextHandler(&log, nil))
				d.Ready = func(context.Context) error { return tc.err }
			})
			p := s.browser().get("/readyz")
			s.srv.Close() // the log is written before
			if p.status != tc.code || p.body != tc.body {
				t.Errorf("%d %q, want %d %q", p.status, p.body, tc.code, tc.body)
			}
			if told := strings.Contains(log.String(), detail.Error()); told != (tc.err != nil) {
				t.Errorf("the log says %q", log.String())
			}
		})
	}
}
