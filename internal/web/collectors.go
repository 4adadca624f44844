package web

import (
	"net/http"
	"net/url"
	"time"

	"redalert/schemas"
)

func queryEscape(s string) string { return url.QueryEscape(s) }

// collectorsView is the page that answers: is anything not arriving?
type collectorsView struct {
	Shell
	Headline string
	Bad      int
	Rows     []collectorRow
}

// collectorRow is one door of input.
type collectorRow struct {
	Name, Kind, Status, Icon string
	Bad, Quiet               bool
	LastSuccess, ErrorAt     *moment
	Error, Lag               string
	Accepted, Quarantined    int64
}

func (s *Server) collectors(w http.ResponseWriter, r *http.Request) error {
	all, err := s.Statuses.Collectors(r.Context())
	if err != nil {
		return err
	}
	clock := s.clock(s.zone(r))
	v := collectorsView{}
	for _, c := range all {
		row := collector(c, clock)
		if row.Bad || row.Quiet {
			v.Bad++
		}
		v.Rows = append(v.Rows, row)
	}
	switch {
	case len(all) == 0:
		v.Headline = "Nothing is connected yet"
	case v.Bad == 0:
		v.Headline = "Everything is arriving"
	case v.Bad == 1:
		v.Headline = "One source is not arriving"
	default:
		v.Headline = plural(v.Bad, "source is", "sources are") + " not arriving"
	}
	v.Shell = s.shell(w, r, "Collectors", "collectors")
	s.render(w, r, http.StatusOK, "collectors", v)
	return nil
}

// collector says how one door does. Quiet means: longer without anything new
// than this source usually stays silent.
func collector(c schemas.CollectorStatus, clock reader) collectorRow {
	row := collectorRow{Name: c.Name, Kind: words(c.Kind), Status: "Arriving", Icon: "circle-check", LastSuccess: clock.ago(c.LastSuccess),
		ErrorAt: clock.ago(c.LastErrorAt), Error: c.LastError, Accepted: c.Accepted, Quarantined: c.Quarantined, Lag: "–"}
	if c.LagSeconds != nil {
		row.Lag = "none"
		if d := time.Duration(*c.LagSeconds * float64(time.Second)); d >= time.Minute {
			row.Lag = span(d) + " behind"
		}
	}
	quiet := time.Duration(c.QuietAfter) * time.Second
	switch {
	case c.LastError != "":
		row.Bad, row.Status, row.Icon = true, "Failing", "triangle-alert"
	case c.LastSuccess == nil:
		row.Status, row.Icon = "Waiting for the first item", "clock"
	case quiet > 0 && clock.now.Sub(*c.LastSuccess) > quiet:
		row.Quiet, row.Status, row.Icon = true, "Gone quiet", "clock"
	case c.Kind == "import":
		row.Status = "Imported"
	}
	return row
}
