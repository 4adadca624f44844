package web

import (
	"context"
	"net/http"
	"time"

	"redalert/alerting"
	"redalert/schemas"
)

// markView is the question under an event, and what somebody said to it.
type markView struct {
	EventID string
	Asked   bool   // the event is for people to judge, and marks are kept
	Said    string // "yes" or "no"; "" = nobody has said
	By      string
	Back    string // where the answer leads
}

// marksOf answers what was said of events; none where marks are not kept.
func (s *Server) marksOf(ctx context.Context, ids []string) (map[string]schemas.Mark, error) {
	if s.Lessons == nil || len(ids) == 0 {
		return nil, nil
	}
	return s.Lessons.MarksOf(ctx, ids)
}

func (s *Server) markView(id, back string, marks map[string]schemas.Mark, l *lookup) markView {
	v := markView{EventID: id, Asked: s.Lessons != nil, Back: back}
	if m, ok := marks[id]; ok {
		v.Said, v.By = "no", l.name(m.By)
		if m.Red {
			v.Said = "yes"
		}
	}
	return v
}

// judge stores what an actor says of an event they may see; alerting.ErrNotFound
// hides others. said is yes, no, or nothing to take an answer back.
func (s *Server) judge(ctx context.Context, a schemas.Actor, id, said string) error {
	if s.Lessons == nil {
		return errNoPage
	}
	found, err := s.Records.Scored(ctx, []string{id})
	if err != nil {
		return err
	}
	if len(found) == 0 || !a.Sees(found[0].Event.Location) {
		return alerting.ErrNotFound
	}
	switch said {
	case "yes", "no":
		return s.Lessons.Mark(ctx, schemas.Mark{EventID: id, Red: said == "yes", Cause: schemas.MarkSaid, By: a.Email, At: s.Now().UTC().Truncate(time.Millisecond)})
	case "":
		return s.Lessons.Unmark(ctx, id)
	}
	return &inputError{"red", "say yes or no"}
}

var judged = map[string]string{
	"yes": "Yes, a red alert: the scorer learns from it.", "no": "No red alert: the scorer learns from it.", "": "The answer is taken back.",
}

// postMark is one click under an event.
func (s *Server) postMark(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	id, said := r.PostForm.Get("event"), r.PostForm.Get("red")
	if err := s.judge(r.Context(), actorOf(r), id, said); err != nil {
		return err
	}
	back := pathOnly(r.PostForm.Get("back"), "/triage?tab=review")
	f := flash{Text: judged[said]}
	if said != "" {
		f.Undo, f.Form = "/marks", map[string]string{"event": id, "red": "", "back": back}
	}
	return s.redirect(w, r, back, f)
}

// judgeCase says of every event of a case that was dismissed that it was no red
// alert.
func (s *Server) judgeCase(ctx context.Context, a schemas.Actor, c schemas.Case) error {
	if s.Lessons == nil {
		return nil
	}
	for _, id := range c.EventIDs {
		m := schemas.Mark{EventID: id, Cause: schemas.MarkDismissed, By: a.Email, At: s.Now().UTC().Truncate(time.Millisecond)}
		if err := s.Lessons.Mark(ctx, m); err != nil {
			return err
		}
	}
	return nil
}
