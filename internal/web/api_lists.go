package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"redalert/internal/export"
	"redalert/schemas"
	"redalert/signals"
)

// apiRoutes is the JSON API for programs and scripts. openapi.json describes
// it; a test holds the two together.
func (s *Server) apiRoutes() []Route {
	all := []Route{{"GET", "/openapi.json", AccessOpen, s.openAPI}}
	for _, k := range []export.Kind{export.Events, export.Verdicts, export.Alerts, export.Cases, export.Customers, export.Notifications} {
		all = append(all, Route{"GET", "/v1/" + string(k), AccessRead, s.listRecords(k)})
	}
	all = append(all,
		Route{"GET", "/v1/quarantine", AccessRead, s.listQuarantine},
		Route{"GET", "/v1/collectors", AccessRead, s.listCollectors},
		Route{"GET", "/v1/unusual", AccessRead, s.listUnusual},
		Route{"GET", "/v1/trends/{kind}", AccessRead, s.trend},
		Route{"GET", "/v1/learned", AccessRead, s.getLearned},
		Route{"PUT", "/v1/events/{id}/mark", AccessTriage, s.putMark},
		Route{"GET", "/v1/cases/{id}", AccessRead, s.oneCase},
		Route{"PUT", "/v1/cases/{id}/playbook/{step}", AccessTriage, s.putStep},
	)
	for _, c := range s.caseCommands() {
		all = append(all, Route{"POST", "/v1/cases/{id}/" + c.name, AccessTriage, s.command(c.run)})
	}
	for i := range all {
		all[i].Handle = apiErrors(all[i].Handle)
	}
	return all
}

// badRequest is a request that cannot be read: a parameter or the body.
type badRequest struct{ Field, Message string }

func (e *badRequest) Error() string { return e.Field + ": " + e.Message }

// apiErrors answers what only the API knows of; the rest goes on to fail.
func apiErrors(h func(http.ResponseWriter, *http.Request) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		err := h(w, r)
		var (
			bad     *badRequest
			query   *signals.TrendQueryError
			unknown *signals.UnknownTrend
		)
		switch {
		case errors.As(err, &bad), errors.As(err, &query), errors.Is(err, schemas.ErrBadCursor):
			writeProblem(w, http.StatusBadRequest, "bad_request", err.Error())
		case errors.As(err, &unknown):
			writeProblem(w, http.StatusNotFound, "not_found", unknown.Error())
		default:
			return err
		}
		return nil
	}
}

// writeJSON answers 200 with v.
func writeJSON(w http.ResponseWriter, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, err = w.Write(append(b, '\n'))
	return err
}

// records is where lists and exports alike come from.
func (s *Server) records() export.Source {
	return export.Source{History: s.History, Records: s.Records, Lists: s.Lists, Outbox: s.Outbox,
		Identities: s.Identities, Quarantine: s.Quarantine, Currency: s.Business.Currency, Risks: s.Risks}
}

// listQuery reads cursor, limit, since and until, and keeps to what the caller
// may see.
func listQuery(r *http.Request) (schemas.ListQuery, error) {
	v := r.URL.Query()
	q := schemas.ListQuery{Cursor: v.Get("cursor"), Locations: visible(actorOf(r))}
	if l := v.Get("limit"); l != "" {
		n, err := strconv.Atoi(l)
		if err != nil || n < 1 {
			return q, &badRequest{"limit", "write a whole number from 1 to " + strconv.Itoa(schemas.MaxPage)}
		}
		q.Limit = n
	}
	for name, t := range map[string]*time.Time{"since": &q.Since, "until": &q.Until} {
		at, err := schemas.ParseTime(v.Get(name))
		if err != nil {
			return q, &badRequest{name, err.Error()}
		}
		*t = at
	}
	return q, nil
}

// listRecords lists one kind of record.
func (s *Server) listRecords(kind export.Kind) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		q, err := listQuery(r)
		if err != nil {
			return err
		}
		p, err := s.records().Page(r.Context(), kind, q)
		if err != nil {
			return err
		}
		return writeJSON(w, p)
	}
}

// listQuarantine lists what could not be taken in. It has no location, so it is
// for unrestricted users.
func (s *Server) listQuarantine(w http.ResponseWriter, r *http.Request) error {
	q, err := listQuery(r)
	if err != nil {
		return err
	}
	state := schemas.QuarantineState(r.URL.Query().Get("state"))
	switch state {
	case "", schemas.QuarantineOpen, schemas.QuarantineReplayed, schemas.QuarantineDropped:
	default:
		return &badRequest{"state", "choose open, replayed or dropped, or leave it out"}
	}
	if len(q.Locations) > 0 {
		return writeJSON(w, schemas.Page[any]{Items: []any{}})
	}
	p, err := s.records().Quarantined(r.Context(), state, q)
	if err != nil {
		return err
	}
	return writeJSON(w, p)
}

// listCollectors lists how every door of input is doing, all on one page.
func (s *Server) listCollectors(w http.ResponseWriter, r *http.Request) error {
	all, err := s.Statuses.Collectors(r.Context())
	if err != nil {
		return err
	}
	if all == nil {
		all = []schemas.CollectorStatus{}
	}
	return writeJSON(w, schemas.Page[schemas.CollectorStatus]{Items: all})
}

// trend answers a chart: by default the last twelve months, by month, until
// today.
func (s *Server) trend(w http.ResponseWriter, r *http.Request) error {
	now := s.Now()
	if s.Business.Timezone != nil {
		now = now.In(s.Business.Timezone)
	}
	v := r.URL.Query()
	q := schemas.TrendQuery{
		From: v.Get("from"), To: v.Get("to"), Today: s.Business.LocalDate(now),
		Period: schemas.Period(v.Get("period")), By: schemas.TrendBy(v.Get("by")), Locations: visible(actorOf(r)),
	}
	if q.From == "" {
		q.From = time.Date(now.Year(), now.Month()-11, 1, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
	}
	if q.To == "" {
		q.To = now.AddDate(0, 0, 1).Format(time.DateOnly)
	}
	if q.Period == "" {
		q.Period = schemas.PeriodMonth
	}
	switch q.By {
	case schemas.ByAll, schemas.BySource, schemas.ByCategory, schemas.ByLocation:
	default:
		return &badRequest{"by", "choose source, category or location, or leave it out"}
	}
	t, err := s.History.Trend(r.Context(), r.PathValue("kind"), q)
	if err != nil {
		return err
	}
	if t.Series == nil {
		t.Series = []schemas.Series{}
	}
	for i := range t.Series {
		if t.Series[i].Points == nil {
			t.Series[i].Points = []schemas.Point{}
		}
	}
	return writeJSON(w, t)
}
