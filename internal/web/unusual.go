package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"redalert/schemas"
)

// unusualNote is one notice on a page.
type unusualNote struct{ Title, Why, URL string }

const (
	unusualShown   = 5      // notices on a page
	unusualListed  = 200    // alerts on the page behind one
	unusualScanned = 20_000 // alerts looked through for it
)

// unusualNotes are what a manager or owner is told of; nobody else is. A history
// that does not answer keeps no page back: it then says nothing of it.
func (s *Server) unusualNotes(r *http.Request) []unusualNote {
	if !actorOf(r).AtLeast(schemas.RoleManager) {
		return nil
	}
	all, err := s.Unusual.Unusual(r.Context(), visible(actorOf(r)), s.Now())
	if err != nil {
		s.Log.Warn("what is unusual is left out of a page: history does not answer", "err", err)
		return nil
	}
	var out []unusualNote
	for _, u := range all[:min(len(all), unusualShown)] {
		out = append(out, unusualNote{Title: u.Title(), Why: u.Why(), URL: u.Path()})
	}
	return out
}

// listUnusual answers the notices for programs, and for managers and owners.
func (s *Server) listUnusual(w http.ResponseWriter, r *http.Request) error {
	if err := managersOnly(r); err != nil {
		return err
	}
	all, err := s.Unusual.Unusual(r.Context(), visible(actorOf(r)), s.Now())
	if err != nil {
		return err
	}
	if all == nil {
		all = []schemas.Unusual{}
	}
	return writeJSON(w, schemas.Page[schemas.Unusual]{Items: all})
}

// unusualView is the page with the alerts behind a notice.
type unusualView struct {
	Shell
	Group string
	When  string
	Rows  []unusualRow
	More  bool // there are older ones
}

// unusualRow is one alert; URL leads to its case, or to its customer.
type unusualRow struct {
	Who, Text, Kind, Score, Location, URL string
	Source                                schemas.SourceType
	SourceIcon                            string
	Why                                   []string
	At                                    *moment
}

// unusualPage lists the red alerts of a group over some local days, newest
// first. Everybody sees those of their own locations.
func (s *Server) unusualPage(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	if len(q) == 0 { // notices stand on the trends page
		http.Redirect(w, r, "/trends", http.StatusSeeOther)
		return nil
	}
	u := schemas.Unusual{From: q.Get("from"), Through: q.Get("through"), Source: q.Get("source"), Location: q.Get("location"), Category: schemas.Category(q.Get("category"))}
	from, err := time.ParseInLocation(time.DateOnly, u.From, s.Business.Timezone)
	if err != nil {
		return errNoPage
	}
	through, err := time.ParseInLocation(time.DateOnly, u.Through, s.Business.Timezone)
	if err != nil || through.Before(from) {
		return errNoPage
	}
	scored, cases, err := s.alertsBehind(r, u, from)
	if err != nil {
		return err
	}
	v := unusualView{Group: u.Group(), When: from.Format("Monday 2 January") + " to " + through.Format("Monday 2 January 2006"), More: len(scored) > unusualListed}
	if v.Rows, err = s.unusualRows(r, scored[:min(len(scored), unusualListed)], cases); err != nil {
		return err
	}
	v.Shell = s.shell(w, r, u.Group(), "trends")
	s.render(w, r, http.StatusOK, "unusual", v)
	return nil
}

// alertsBehind finds the alerts of the group and their cases. An alert is raised
// no earlier than it happened, so what was raised before need not be looked at.
func (s *Server) alertsBehind(r *http.Request, u schemas.Unusual, since time.Time) (found []schemas.Scored, cases map[string]string, err error) {
	cases = map[string]string{}
	q := schemas.ListQuery{Since: since, Limit: schemas.MaxPage, Locations: visible(actorOf(r))}
	for looked := 0; looked < unusualScanned; {
		page, err := s.Lists.Alerts(r.Context(), q)
		if err != nil {
			return nil, nil, err
		}
		looked += len(page.Items)
		var ids []string
		for _, a := range page.Items {
			if ids = append(ids, a.EventID); a.CaseID != nil {
				cases[a.EventID] = *a.CaseID
			}
		}
		scored, err := s.Records.Scored(r.Context(), ids)
		if err != nil {
			return nil, nil, err
		}
		for _, sc := range scored {
			if inGroup(u, sc) && actorOf(r).Sees(sc.Event.Location) {
				found = append(found, sc)
			}
		}
		if q.Cursor = page.Next; page.Next == "" {
			break
		}
	}
	slices.SortStableFunc(found, func(a, b schemas.Scored) int { return b.Event.OccurredAt.Compare(a.Event.OccurredAt) })
	return found, cases, nil
}

// inGroup reports whether a notice counted the event.
func inGroup(u schemas.Unusual, sc schemas.Scored) bool {
	ev := sc.Event
	return sc.Verdict.Red && ev.LocalDate >= u.From && ev.LocalDate <= u.Through && (u.Source == "" || ev.Source == u.Source) &&
		(u.Location == "" || ev.Location == u.Location) && (u.Category == "" || slices.Contains(sc.Verdict.Categories, u.Category))
}

func (s *Server) unusualRows(r *http.Request, scored []schemas.Scored, cases map[string]string) ([]unusualRow, error) {
	l, err := s.lookup(r)
	if err != nil {
		return nil, err
	}
	clock := s.clock(s.zone(r))
	var rows []unusualRow
	for _, sc := range scored {
		ev := sc.Event
		src, told := schemas.SourceTypeOf(ev.Type), eventText(ev)
		row := unusualRow{Text: shorten(oneLine(told.Text), 280), Kind: told.Kind, Score: told.Score, Location: ev.Location, Source: src,
			SourceIcon: sourceIcons[src], At: clock.ago(&ev.OccurredAt), Why: reasonTexts(sc.Verdict.Reasons, 3)}
		if row.Who, err = l.who(schemas.Case{CustomerID: ev.CustomerID, SourceType: src}); err != nil {
			return nil, err
		}
		switch id := cases[ev.ID]; {
		case id != "":
			row.URL = "/cases/" + url.PathEscape(id)
		case ev.CustomerID != "":
			row.URL = "/customers/" + url.PathEscape(ev.CustomerID)
		}
		row.Who = strings.TrimSpace(row.Who)
		rows = append(rows, row)
	}
	return rows, nil
}
