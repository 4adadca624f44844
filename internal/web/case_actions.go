package web

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"redalert/alerting"
	"redalert/schemas"
)

// caseForm reads what every form of a case carries.
func caseForm(r *http.Request) (id string, version int64, err error) {
	if err := r.ParseForm(); err != nil {
		return "", 0, err
	}
	version, err = strconv.ParseInt(r.PostForm.Get("version"), 10, 64)
	if err != nil || version < 1 {
		return "", 0, &inputError{"version", "the form lacks the version of the case; open the case again"}
	}
	return r.PathValue("id"), version, nil
}

// act runs one command of a form. A refusal shows the case page again with
// what was typed and why, beside the field; success goes back to the page.
func (s *Server) act(w http.ResponseWriter, r *http.Request, form string, cmd func(a schemas.Actor, id string, version int64) (schemas.Case, flash, error)) error {
	id, version, err := caseForm(r)
	if err != nil {
		return err
	}
	c, done, err := cmd(actorOf(r), id, version)
	if err == nil {
		return s.redirect(w, r, pathOnly(r.PostForm.Get("back"), "/cases/"+url.PathEscape(c.ID)), done)
	}
	l, lerr := s.lookup(r)
	if lerr != nil {
		return lerr
	}
	field, message, ok := deskError(unwrapDesk(err), l)
	if !ok {
		return err
	}
	var conflict *alerting.Conflict
	if form == "claim" && errors.As(err, &conflict) {
		message = wasFaster(conflict, l)
	}
	status, _ := statusOf(err)
	c, cerr := s.seeCase(r.Context(), actorOf(r), id)
	if cerr != nil {
		return cerr
	}
	general := field == "" || field == "version" || field == "state" || field == "customer"
	return s.showCase(w, r, status, c, formState{Name: form, Field: field, Error: message, Values: r.PostForm, General: general})
}

// unwrapDesk finds the desk's own error in a chain.
func unwrapDesk(err error) error {
	var (
		invalid    *alerting.Invalid
		conflict   *alerting.Conflict
		incomplete *alerting.PlaybookIncomplete
		notAllowed *alerting.NotAllowed
		badMove    *alerting.NotATransition
		input      *inputError
	)
	switch {
	case errors.As(err, &invalid):
		return invalid
	case errors.As(err, &conflict):
		return conflict
	case errors.As(err, &incomplete):
		return incomplete
	case errors.As(err, &notAllowed):
		return notAllowed
	case errors.As(err, &badMove):
		return badMove
	case errors.As(err, &input):
		return input
	}
	return err
}

func (s *Server) caseAssign(w http.ResponseWriter, r *http.Request) error {
	return s.act(w, r, "assign", func(a schemas.Actor, id string, v int64) (schemas.Case, flash, error) {
		c, err := s.Desk.Assign(r.Context(), a, id, v, r.PostForm.Get("assignee"), r.PostForm.Get("reason"))
		text := "The case is back: nobody has it now."
		if c.Assignee != "" {
			text = "The case is handed over."
		}
		return c, flash{Text: text}, err
	})
}

var moved = map[schemas.CaseState]string{
	schemas.StateRecovered: "Won back. Well done.", schemas.StateLost: "Marked as lost.", schemas.StateDismissed: "Dismissed.",
	schemas.StateNew: "The case is open again.", schemas.StateInRecovery: "Recovery goes on.",
	schemas.StateWaitingCustomer: "We wait for the customer; the clock stands still.",
}

func (s *Server) caseMove(w http.ResponseWriter, r *http.Request) error {
	return s.act(w, r, "move-"+r.FormValue("to"), func(a schemas.Actor, id string, v int64) (schemas.Case, flash, error) {
		to := schemas.CaseState(r.PostForm.Get("to"))
		c, err := s.Desk.Transition(r.Context(), a, id, v, to, r.PostForm.Get("reason"))
		if err == nil && to == schemas.StateDismissed && r.PostForm.Get("no_alert") != "" {
			err = s.judgeCase(r.Context(), a, c)
		}
		f := flash{Text: moved[to]}
		if to == schemas.StateDismissed || to == schemas.StateLost {
			f.Undo = "/cases/" + url.PathEscape(id) + "/move"
			f.Form = map[string]string{"version": strconv.FormatInt(c.Version, 10), "to": string(schemas.StateNew), "reason": "taken back"}
		}
		return c, f, err
	})
}

func (s *Server) caseStep(w http.ResponseWriter, r *http.Request) error {
	step := schemas.Step(r.PathValue("step"))
	return s.act(w, r, "step-"+string(step), func(a schemas.Actor, id string, v int64) (schemas.Case, flash, error) {
		c, err := s.Desk.CompleteStep(r.Context(), a, id, v, step, r.PostForm.Get("evidence"))
		return c, flash{Text: "Done: " + words(step) + "."}, err
	})
}

func (s *Server) caseOverride(w http.ResponseWriter, r *http.Request) error {
	step := schemas.Step(r.PathValue("step"))
	return s.act(w, r, "override-"+string(step), func(a schemas.Actor, id string, v int64) (schemas.Case, flash, error) {
		c, err := s.Desk.OverrideStep(r.Context(), a, id, v, step, r.PostForm.Get("reason"))
		return c, flash{Text: "Left out: " + words(step) + "."}, err
	})
}

func (s *Server) caseCall(w http.ResponseWriter, r *http.Request) error {
	return s.act(w, r, "call", func(a schemas.Actor, id string, v int64) (schemas.Case, flash, error) {
		call := alerting.Call{Outcome: r.PostForm.Get("outcome"), Note: r.PostForm.Get("note")}
		if at := r.PostForm.Get("next_attempt_at"); at != "" {
			t, err := time.ParseInLocation("2006-01-02T15:04", at, s.zone(r))
			if err != nil {
				return schemas.Case{}, flash{}, &inputError{"next_attempt_at", "write the time as 2026-03-01T09:00"}
			}
			call.NextAttemptAt = &t
		}
		c, err := s.Desk.LogCall(r.Context(), a, id, v, call)
		return c, flash{Text: "The call is noted."}, err
	})
}

func (s *Server) caseNote(w http.ResponseWriter, r *http.Request) error {
	return s.act(w, r, "note", func(a schemas.Actor, id string, v int64) (schemas.Case, flash, error) {
		c, err := s.Desk.AddNote(r.Context(), a, id, v, r.PostForm.Get("text"))
		return c, flash{Text: "Noted."}, err
	})
}

func (s *Server) caseReply(w http.ResponseWriter, r *http.Request) error {
	return s.act(w, r, "reply", func(a schemas.Actor, id string, v int64) (schemas.Case, flash, error) {
		c, err := s.Desk.Reply(r.Context(), a, id, v, alerting.ReplyDraft{Subject: r.PostForm.Get("subject"), Text: r.PostForm.Get("text")})
		return c, flash{Text: "The reply is on its way."}, err
	})
}

func (s *Server) caseKind(w http.ResponseWriter, r *http.Request) error {
	return s.act(w, r, "kind", func(a schemas.Actor, id string, v int64) (schemas.Case, flash, error) {
		c, err := s.Desk.SetKind(r.Context(), a, id, v, schemas.CaseKind(r.PostForm.Get("kind")), r.PostForm.Get("reason"))
		return c, flash{Text: "The playbook is now the one for “" + words(c.Kind) + "”."}, err
	})
}

// caseMerge takes the number of the other case, as people know it.
func (s *Server) caseMerge(w http.ResponseWriter, r *http.Request) error {
	return s.act(w, r, "merge", func(a schemas.Actor, id string, v int64) (schemas.Case, flash, error) {
		into, err := s.caseByNumber(r, r.PostForm.Get("into"))
		if err != nil {
			return schemas.Case{}, flash{}, err
		}
		c, err := s.Desk.Merge(r.Context(), a, id, v, into)
		return c, flash{Text: "The two cases are one now."}, err
	})
}

// caseByNumber finds an open case, awake or snoozed, by its number.
func (s *Server) caseByNumber(r *http.Request, number string) (string, error) {
	n, err := strconv.ParseInt(strings.TrimPrefix(strings.TrimSpace(number), "#"), 10, 64)
	if err != nil {
		return "", &inputError{"into", "write the number of the other case, such as 17"}
	}
	for _, snoozed := range []bool{false, true} {
		q, err := s.Lists.Queue(r.Context(), alerting.QueueQuery{Search: strconv.FormatInt(n, 10), Visible: visible(actorOf(r)),
			Now: s.Now(), Snoozed: snoozed, Limit: 1000})
		if err != nil {
			return "", err
		}
		for _, c := range q.Cases {
			if c.Number == n {
				return c.ID, nil
			}
		}
	}
	return "", &inputError{"into", "there is no open case with this number"}
}

func (s *Server) caseSplit(w http.ResponseWriter, r *http.Request) error {
	return s.act(w, r, "split", func(a schemas.Actor, id string, v int64) (schemas.Case, flash, error) {
		c, err := s.Desk.Split(r.Context(), a, id, v, r.PostForm["event"])
		return c, flash{Text: "This is the new case."}, err
	})
}

func (s *Server) caseSnooze(w http.ResponseWriter, r *http.Request) error {
	return s.act(w, r, "snooze", func(a schemas.Actor, id string, v int64) (schemas.Case, flash, error) {
		until, err := schemas.ParseTime(r.PostForm.Get("until"))
		if err != nil || until.IsZero() {
			return schemas.Case{}, flash{}, &inputError{"until", "choose a time"}
		}
		c, err := s.Desk.Snooze(r.Context(), a, id, v, until, r.PostForm.Get("reason"))
		if err != nil {
			return c, flash{}, err
		}
		return c, flash{Text: "Snoozed until " + s.clock(s.zone(r)).day(until) + "."}, nil
	})
}
