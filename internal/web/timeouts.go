package web

import (
	"log/slog"
	"net/http"
	"time"
)

// HTTPServer answers the server that a process runs h in: with time limits for
// headers, bodies and answers, so that a peer that dribbles is cut off and
// costs nobody else anything. Large uploads at a slow 100 KB/s still fit.
func HTTPServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 2 * time.Minute, WriteTimeout: 2 * time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
