package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"redalert/alerting"
	"redalert/schemas"
)

// caseDetail is one case with its audit.
type caseDetail struct {
	schemas.Case
	Audit []schemas.CaseEvent `json:"audit"`
}

// oneCase answers a case with its audit; 404 when the caller may not see it.
func (s *Server) oneCase(w http.ResponseWriter, r *http.Request) error {
	c, err := s.Cases.Case(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	if !actorOf(r).Sees(c.Location) {
		return alerting.ErrNotFound
	}
	audit, err := s.Cases.Audit(r.Context(), c.ID)
	if err != nil {
		return err
	}
	if c, err = s.records().OneCase(r.Context(), c); err != nil {
		return err
	}
	if audit == nil {
		audit = []schemas.CaseEvent{}
	}
	return writeJSON(w, caseDetail{c, audit})
}

// commandBody is what the commands of a case take; each reads its own fields.
type commandBody struct {
	Version        int64      `json:"version"`
	To             string     `json:"to"`
	Reason         string     `json:"reason"`
	Text           string     `json:"text"`
	Note           string     `json:"note"`
	Outcome        string     `json:"outcome"`
	NextAttemptAt  *time.Time `json:"next_attempt_at"`
	Subject        string     `json:"subject"`
	Assignee       string     `json:"assignee"`
	Kind           string     `json:"kind"`
	Into           string     `json:"into"`
	EventIDs       []string   `json:"event_ids"`
	Until          *time.Time `json:"until"`
	Evidence       *string    `json:"evidence"`
	OverrideReason *string    `json:"override_reason"`
}

type caseCommand struct {
	name string
	run  func(ctx context.Context, a schemas.Actor, id string, b commandBody) (schemas.Case, error)
}

// caseCommands is every POST under a case. The desk checks who may do what.
func (s *Server) caseCommands() []caseCommand {
	type (
		ctxt = context.Context
		act  = schemas.Actor
		body = commandBody
		kase = schemas.Case
	)
	d := s.Desk
	return []caseCommand{
		{"claim", func(c ctxt, a act, id string, b body) (kase, error) { return d.Claim(c, a, id, b.Version) }},
		{"transitions", func(c ctxt, a act, id string, b body) (kase, error) {
			return d.Transition(c, a, id, b.Version, schemas.CaseState(b.To), b.Reason)
		}},
		{"notes", func(c ctxt, a act, id string, b body) (kase, error) {
			return d.AddNote(c, a, id, b.Version, firstText(b.Text, b.Note))
		}},
		{"calls", func(c ctxt, a act, id string, b body) (kase, error) {
			return d.LogCall(c, a, id, b.Version, alerting.Call{Outcome: b.Outcome, Note: b.Note, NextAttemptAt: b.NextAttemptAt})
		}},
		{"replies", func(c ctxt, a act, id string, b body) (kase, error) {
			return d.Reply(c, a, id, b.Version, alerting.ReplyDraft{Subject: b.Subject, Text: b.Text})
		}},
		{"assign", func(c ctxt, a act, id string, b body) (kase, error) {
			return d.Assign(c, a, id, b.Version, b.Assignee, b.Reason)
		}},
		{"kind", func(c ctxt, a act, id string, b body) (kase, error) {
			return d.SetKind(c, a, id, b.Version, schemas.CaseKind(b.Kind), b.Reason)
		}},
		{"merge", func(c ctxt, a act, id string, b body) (kase, error) { return d.Merge(c, a, id, b.Version, b.Into) }},
		{"split", func(c ctxt, a act, id string, b body) (kase, error) { return d.Split(c, a, id, b.Version, b.EventIDs) }},
		{"snooze", func(c ctxt, a act, id string, b body) (kase, error) {
			if b.Until == nil {
				return kase{}, &alerting.Invalid{Field: "until", Message: "Say until when, such as 2026-03-01T09:00:00Z."}
			}
			return d.Snooze(c, a, id, b.Version, *b.Until, b.Reason)
		}},
	}
}

func firstText(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// command reads the body, runs a command and answers the case as it is now.
func (s *Server) command(run func(context.Context, schemas.Actor, string, commandBody) (schemas.Case, error)) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		b, err := readCommand(r)
		if err != nil {
			return err
		}
		c, err := run(r.Context(), actorOf(r), r.PathValue("id"), b)
		if err != nil {
			return err
		}
		if c, err = s.records().OneCase(r.Context(), c); err != nil {
			return err
		}
		return writeJSON(w, c)
	}
}

// putStep completes a step of the playbook with evidence, or passes over it
// with a reason.
func (s *Server) putStep(w http.ResponseWriter, r *http.Request) error {
	step := schemas.Step(r.PathValue("step"))
	return s.command(func(ctx context.Context, a schemas.Actor, id string, b commandBody) (schemas.Case, error) {
		switch {
		case b.Evidence != nil && b.OverrideReason != nil:
			return schemas.Case{}, &alerting.Invalid{Field: "evidence", Message: "Send either evidence or override_reason."}
		case b.OverrideReason != nil:
			return s.Desk.OverrideStep(ctx, a, id, b.Version, step, *b.OverrideReason)
		case b.Evidence != nil:
			return s.Desk.CompleteStep(ctx, a, id, b.Version, step, *b.Evidence)
		}
		return s.Desk.CompleteStep(ctx, a, id, b.Version, step, "")
	})(w, r)
}

// readCommand reads a JSON object; fields that a command does not know are
// left alone.
func readCommand(r *http.Request) (commandBody, error) {
	var b commandBody
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return b, fmt.Errorf("read the request: %w", err)
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) && wrong.Field != "" {
			return b, &badRequest{wrong.Field, "is a " + wrong.Value + "; write a " + wrong.Type.String()}
		}
		return b, &badRequest{"body", `send a JSON object such as {"version":1}`}
	}
	return b, nil
}
