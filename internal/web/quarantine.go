package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"redalert/ingest"
	"redalert/schemas"
)

// quarantineView lists what could not be taken in.
type quarantineView struct {
	Shell
	Tabs    []tab
	State   schemas.QuarantineState
	Rows    []quarantineRow
	Next    string
	CanDrop bool
}

// quarantineRow is one item.
type quarantineRow struct {
	ID, Source, Code, Reason, Locator, URL string
	State                                  schemas.QuarantineState
	At                                     *moment
	Open, Replayable                       bool
}

// quarantineItemView shows one item with its raw bytes.
type quarantineItemView struct {
	Shell
	Item    quarantineRow
	Raw     string
	Cut     bool
	NoRaw   string
	CanDrop bool
}

var quarantineCodes = map[string]string{
	schemas.QInvalid: "Does not fit", schemas.QConflict: "Contradicts an earlier one", schemas.QTooLarge: "Too large",
	schemas.QCurrency: "Unknown currency", schemas.QTime: "No usable time", schemas.QUnreadable: "Unreadable",
	schemas.QUnknownType: "Unknown kind", schemas.QStructure: "Badly built", schemas.QScorer: "Could not be judged",
	schemas.QHistory: "Could not be kept",
}

func quarantineRowOf(q schemas.Quarantined, clock reader) quarantineRow {
	code := quarantineCodes[q.Code]
	if code == "" {
		code = words(q.Code)
	}
	return quarantineRow{ID: q.ID, Source: q.Source, Code: code, Reason: sentence(q.Reason), Locator: q.Locator, State: q.State,
		URL: "/quarantine/" + url.PathEscape(q.ID), At: clock.ago(&q.At), Open: q.State == schemas.QuarantineOpen,
		Replayable: q.State == schemas.QuarantineOpen && q.RawSHA256 != ""}
}

// quarantined items have no location: they are for people who see them all.
func (s *Server) seeQuarantine(r *http.Request) error {
	if len(actorOf(r).Locations) > 0 {
		return &placesError{}
	}
	return nil
}

// placesError refuses a page to people who look after some locations only.
type placesError struct{}

func (*placesError) Error() string {
	return "what has not been read has no location, so this page is for people who look after all of them"
}

func (s *Server) quarantine(w http.ResponseWriter, r *http.Request) error {
	if err := s.seeQuarantine(r); err != nil {
		return err
	}
	state := schemas.QuarantineState(r.FormValue("state"))
	if state == "" {
		state = schemas.QuarantineOpen
	}
	v := quarantineView{State: state, CanDrop: actorOf(r).AtLeast(schemas.RoleManager)}
	for _, t := range []struct {
		st    schemas.QuarantineState
		label string
	}{{schemas.QuarantineOpen, "Open"}, {schemas.QuarantineReplayed, "Taken in later"}, {schemas.QuarantineDropped, "Dropped"}} {
		v.Tabs = append(v.Tabs, tab{Label: t.label, URL: "/quarantine?state=" + string(t.st), Current: t.st == state})
	}
	page, err := s.Quarantine.List(r.Context(), state, schemas.ListQuery{Limit: 100, Cursor: r.FormValue("cursor")})
	if err != nil {
		return err
	}
	clock := s.clock(s.zone(r))
	for _, q := range page.Items {
		v.Rows = append(v.Rows, quarantineRowOf(q, clock))
	}
	if page.Next != "" {
		v.Next = "/quarantine?state=" + string(state) + "&cursor=" + url.QueryEscape(page.Next)
	}
	v.Shell = s.shell(w, r, "Quarantine", "quarantine")
	s.render(w, r, http.StatusOK, "quarantine", v)
	return nil
}

const rawShown = 64 << 10

func (s *Server) quarantineItem(w http.ResponseWriter, r *http.Request) error {
	if err := s.seeQuarantine(r); err != nil {
		return err
	}
	q, err := s.Quarantine.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	v := quarantineItemView{Item: quarantineRowOf(q, s.clock(s.zone(r))), CanDrop: actorOf(r).AtLeast(schemas.RoleManager)}
	v.NoRaw = "The raw bytes were not kept: they were too large, or there were none."
	if q.RawSHA256 != "" {
		raw, err := s.Blobs.Get(r.Context(), q.RawSHA256)
		switch {
		case err == nil:
			v.Raw, v.Cut, v.NoRaw = readable(raw), len(raw) > rawShown, ""
		case !errors.Is(err, ingest.ErrNotFound):
			return err
		}
	}
	v.Shell = s.shell(w, r, "Quarantined item", "quarantine")
	s.render(w, r, http.StatusOK, "quarantine_item", v)
	return nil
}

// readable shows bytes as text: what is not UTF-8 becomes a question mark, and
// control characters are taken out.
func readable(raw []byte) string {
	raw = raw[:min(len(raw), rawShown)]
	s := strings.ToValidUTF8(string(raw), "\uFFFD")
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == utf8.RuneError {
			return '·'
		}
		return r
	}, s)
}

// quarantineBulk replays, drops or brings back the chosen items.
func (s *Server) quarantineBulk(w http.ResponseWriter, r *http.Request) error {
	if err := s.seeQuarantine(r); err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return err
	}
	ids, back := r.PostForm["id"], pathOnly(r.PostForm.Get("back"), "/quarantine")
	if len(ids) == 0 {
		return s.redirect(w, r, back, flash{Bad: true, Text: "Choose at least one item first."})
	}
	switch r.PostForm.Get("do") {
	case "replay":
		return s.redirect(w, r, back, s.replayAll(r.Context(), ids))
	case "drop", "restore":
		if !actorOf(r).AtLeast(schemas.RoleManager) {
			return &roleError{Need: schemas.RoleManager}
		}
		return s.setQuarantine(w, r, ids, back, r.PostForm.Get("do") == "drop")
	}
	return &inputError{"do", "choose what to do: replay or drop"}
}

func (s *Server) replayAll(ctx context.Context, ids []string) flash {
	var in, again int
	var last string
	for _, id := range ids {
		res, err := s.Replay(ctx, id)
		switch {
		case err != nil:
			again++
			last = err.Error()
		case res.Status == ingest.InQuarantine:
			again++
			last = res.Reason
		default:
			in++
		}
	}
	if again == 0 {
		return flash{Text: plural(in, "item was", "items were") + " taken in."}
	}
	return flash{Bad: true, Text: fmt.Sprintf("%d taken in, %d still not: %s", in, again, shorten(last, 300))}
}

// setQuarantine drops items or brings them back; a few can be undone at once.
func (s *Server) setQuarantine(w http.ResponseWriter, r *http.Request, ids []string, back string, drop bool) error {
	state, text := schemas.QuarantineOpen, " brought back."
	if drop {
		state, text = schemas.QuarantineDropped, " dropped. Dropped items stay under “Dropped”."
	}
	for _, id := range ids {
		if err := s.Quarantine.SetState(r.Context(), id, state, s.Now()); err != nil {
			return err
		}
	}
	f := flash{Text: plural(len(ids), "item", "items") + text}
	if drop && len(ids) == 1 {
		f.Undo, f.Form = "/quarantine", map[string]string{"id": ids[0], "do": "restore", "back": back}
	}
	return s.redirect(w, r, back, f)
}
