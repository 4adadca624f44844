package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"redalert/internal/config"
)

func TestHealth(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "the log does not answer", http.StatusServiceUnavailable)
	})
	mux.Handle("GET /moved", http.RedirectHandler("/healthz", http.StatusSeeOther))
	srv := httptest.NewServer(mux)
	defer srv.Close()
	gone := httptest.NewServer(mux)
	gone.Close()

	for _, tc := range []struct {
		name, url string
		code      int
		says      string
	}{
		{"well", srv.URL + "/healthz", exitDone, "well"},
		{"not ready", srv.URL + "/readyz", exitFailed, "503 Service Unavailable: the log does not answer"},
		{"a redirect is no answer", srv.URL + "/moved", exitFailed, "303"},
		{"nobody there", gone.URL + "/healthz", exitFailed, "no answer"},
		{"no address", "localhost:8787", exitUsage, "is not an address"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			code := realMain([]string{"health", "--url", tc.url}, strings.NewReader(""), &out, &errs)
			if said := out.String() + errs.String(); code != tc.code || !strings.Contains(said, tc.says) {
				t.Errorf("exit %d, said %q; want %d and %q", code, said, tc.code, tc.says)
			}
		})
	}
}

// TestHealthAsksTheDefaultAddress: the two defaults belong together.
func TestHealthAsksTheDefaultAddress(t *testing.T) {
	if want := "http://" + config.Defaults().Server.Listen + "/healthz"; healthURL != want {
		t.Errorf("health asks %s, run listens so that it is %s", healthURL, want)
	}
}
