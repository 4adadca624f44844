package web

import (
	"encoding/json"
	"net/http"
)

// problem is an RFC 9457 problem detail with the stable code beside it.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail,omitempty"`
}

// writeProblem answers an error as application/problem+json. code is stable and
// for programs; detail says what was wrong and what to do, and never holds a
// secret or a customer's text.
func writeProblem(w http.ResponseWriter, status int, code, detail string) {
	body, err := json.Marshal(problem{Title: http.StatusText(status), Status: status, Code: code, Detail: detail})
	if err != nil { // a struct of strings and an int always encodes
		body = []byte(`{"status":500,"code":"internal"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}
