package web

import (
	"encoding/json"
	"errors"
	"net/http"

	"redalert/alerting"
)

// writeErrorProblem answers an API error: what writeProblem does, with who and
// which version for a conflict and the missing steps for an unfinished
// playbook. What went wrong inside stays inside.
func writeErrorProblem(w http.ResponseWriter, status int, code string, err error) {
	var (
		conflict   *alerting.Conflict
		incomplete *alerting.PlaybookIncomplete
	)
	detail := err.Error()
	if status >= http.StatusInternalServerError {
		detail = "nothing was changed; try again, and look at the server's log if it stays"
	}
	body := map[string]any{"title": http.StatusText(status), "status": status, "code": code, "detail": detail}
	switch {
	case errors.As(err, &conflict):
		body["by"], body["version"] = conflict.By, conflict.Version
	case errors.As(err, &incomplete):
		body["missing"] = incomplete.Missing
	default:
		writeProblem(w, status, code, detail)
		return
	}
	raw, err := json.Marshal(body)
	if err != nil { // strings and numbers always encode
		raw = []byte(`{"status":500,"code":"internal"}`)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(raw, '\n'))
}
