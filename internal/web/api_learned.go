package web

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"redalert/alerting"
	"redalert/schemas"
)

// learnedRecord is what was learned, for programs.
type learnedRecord struct {
	ModelVersion string             `json:"model_version"` // as it ships
	Number       int                `json:"number"`        // of the layer in use, 0 = none
	Pinned       bool               `json:"pinned"`
	Layers       []schemas.Layer    `json:"layers"` // newest first
	Uses         []schemas.LayerUse `json:"uses"`   // newest first
}

// getLearned answers the layers and which of them scores: to tokens, managers and
// owners, as the page does.
func (s *Server) getLearned(w http.ResponseWriter, r *http.Request) error {
	if s.Lessons == nil {
		return alerting.ErrNotFound
	}
	if err := managersOnly(r); err != nil {
		return err
	}
	v := learnedRecord{ModelVersion: s.ModelVersion}
	var err error
	if v.Layers, err = s.Lessons.Layers(r.Context()); err != nil {
		return err
	}
	if v.Uses, err = s.Lessons.LayerUses(r.Context(), 100); err != nil {
		return err
	}
	if len(v.Uses) > 0 {
		v.Number, v.Pinned = v.Uses[0].Number, v.Uses[0].Pinned
	}
	return writeJSON(w, v)
}

// putMark says of one event whether it was a red alert: {"red":true}, false, or
// null to take the answer back. It answers the mark as it is now, null without
// one.
func (s *Server) putMark(w http.ResponseWriter, r *http.Request) error {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	said, err := readMark(raw)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	if err := s.judge(r.Context(), actorOf(r), id, said); err != nil {
		return err
	}
	marks, err := s.Lessons.MarksOf(r.Context(), []string{id})
	if err != nil {
		return err
	}
	if m, ok := marks[id]; ok {
		return writeJSON(w, m)
	}
	return writeJSON(w, nil)
}

// readMark reads {"red":true|false|null}: yes, no, or nothing.
func readMark(raw []byte) (string, error) {
	var b map[string]json.RawMessage
	if err := json.Unmarshal(raw, &b); err != nil {
		return "", &badRequest{"body", `send a JSON object such as {"red":true}`}
	}
	switch string(b["red"]) {
	case "true":
		return "yes", nil
	case "false":
		return "no", nil
	case "null":
		return "", nil
	}
	return "", &badRequest{"red", "is true, false, or null to take the answer back"}
}
