package web

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"redalert/schemas"
)

// trendsView is the page that answers: are we keeping people?
type trendsView struct {
	Shell
	Headline  string
	Unusual   []unusualNote
	Numbers   []figure
	By        []tab
	Alerts    chart
	Churn     chart
	Locations []string
	Location  string
}

// figure is one of the four numbers.
type figure struct {
	Label, Value, Change, Definition string
	Better, Worse                    bool
}

const (
	alertWeeks  = 26
	churnMonths = 13
)

func (s *Server) trends(w http.ResponseWriter, r *http.Request) error {
	by := schemas.TrendBy(r.FormValue("by"))
	if by != schemas.ByCategory && by != schemas.ByLocation {
		by = schemas.BySource
	}
	v := trendsView{Location: r.FormValue("location")}
	var err error
	if v.Locations, err = s.locations(r.Context(), actorOf(r)); err != nil {
		return err
	}
	where := visible(actorOf(r))
	if v.Location != "" && actorOf(r).Sees(v.Location) {
		where = []string{v.Location}
	}
	for _, t := range []struct {
		key   schemas.TrendBy
		label string
	}{{schemas.BySource, "By source"}, {schemas.ByLocation, "By location"}, {schemas.ByCategory, "By what it is about"}} {
		u := "/trends?by=" + string(t.key)
		if v.Location != "" {
			u += "&location=" + queryEscape(v.Location)
		}
		v.By = append(v.By, tab{Key: string(t.key), Label: t.label, URL: u + "#alerts", Current: t.key == by})
	}
	if v.Alerts, err = s.alertChart(r, by, where); err != nil {
		return err
	}
	churned, err := s.churnTrend(r, where)
	if err != nil {
		return err
	}
	v.Churn = trendChart("churn", "Customers who left, by month", "Share of active customers who churned, per month, in per cent", "bar", "%",
		shares(churned), func(p schemas.Point) string { return fmt.Sprintf("%s %%", trim(p.Value)) })
	addCounts(&v.Churn, churned)
	if err := s.numbers(r, &v, churned, where); err != nil {
		return err
	}
	v.Unusual = s.unusualNotes(r)
	v.Shell = s.shell(w, r, "Trends", "trends")
	s.render(w, r, http.StatusOK, "trends", v)
	return nil
}

func (s *Server) today(zone *time.Location) time.Time {
	now := s.Now().In(zone)
	return time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
}

// alertChart counts red alerts by week, the running week included.
func (s *Server) alertChart(r *http.Request, by schemas.TrendBy, where []string) (chart, error) {
	today := s.today(s.Business.Timezone)
	monday := today.AddDate(0, 0, -(int(today.Weekday())+6)%7)
	t, err := s.History.Trend(r.Context(), "alerts", schemas.TrendQuery{From: monday.AddDate(0, 0, -7*(alertWeeks-1)).Format(time.DateOnly),
		To: monday.AddDate(0, 0, 7).Format(time.DateOnly), Today: today.Format(time.DateOnly), Period: schemas.PeriodWeek, By: by, Locations: where})
	if err != nil {
		return chart{}, err
	}
	kind := "stacked"
	if by == schemas.ByCategory {
		kind = "line" // one alert may be about several things: the parts do not add up
	}
	return trendChart("alerts", "Red alerts by week", "Red alerts per week", kind, "", t,
		func(p schemas.Point) string { return trim(p.Value) }), nil
}

func (s *Server) churnTrend(r *http.Request, where []string) (schemas.Trend, error) {
	today := s.today(s.Business.Timezone)
	month := time.Date(today.Year(), today.Month(), 1, 0, 0, 0, 0, time.UTC)
	return s.History.Trend(r.Context(), "churn", schemas.TrendQuery{From: month.AddDate(0, 1-churnMonths, 0).Format(time.DateOnly),
		To: month.AddDate(0, 1, 0).Format(time.DateOnly), Today: today.Format(time.DateOnly), Period: schemas.PeriodMonth, Locations: where})
}

// shares turns counts of churned customers into per cent of the active ones,
// rounded to a tenth.
func shares(t schemas.Trend) schemas.Trend {
	out := schemas.Trend{Definition: t.Definition, Period: t.Period}
	for _, s := range t.Series {
		line := schemas.Series{Name: s.Name}
		for _, p := range s.Points {
			if p.N > 0 {
				p.Value = float64(int64(p.Value/float64(p.N)*1000+0.5)) / 10
			} else {
				p.Value = 0
			}
			line.Points = append(line.Points, p)
		}
		out.Series = append(out.Series, line)
	}
	return out
}

// addCounts puts the counts behind the shares into the table.
func addCounts(c *chart, t schemas.Trend) {
	if len(t.Series) != 1 || len(c.Rows) != len(t.Series[0].Points) {
		return
	}
	c.Head = []string{"Month", "Share", "Left", "Active at the start"}
	for i, p := range t.Series[0].Points {
		c.Rows[i].Cells = append(c.Rows[i].Cells, trim(p.Value), strconv.FormatInt(p.N, 10))
	}
}

// tally counts cases now, and as they were 30 days ago.
type tally struct {
	open, openThen, won, wonBefore int
	risk, riskThen                 int64
}

func (t *tally) add(c schemas.Case, now time.Time) {
	month := now.AddDate(0, 0, -30)
	if c.MergedInto != "" {
		return
	}
	if c.State.Open() {
		t.open++
		t.risk += c.ValueAtRisk.Amount
	}
	if c.OpenedAt.Before(month) && (c.ClosedAt == nil || c.ClosedAt.After(month)) {
		t.openThen++
		t.riskThen += c.ValueAtRisk.Amount
	}
	if c.State != schemas.StateRecovered || c.ClosedAt == nil {
		return
	}
	switch {
	case c.ClosedAt.After(month):
		t.won++
	case c.ClosedAt.After(month.AddDate(0, 0, -30)):
		t.wonBefore++
	}
}

// tallyCases goes through the cases opened within a year.
func (s *Server) tallyCases(r *http.Request, where []string) (t tally, err error) {
	q := schemas.ListQuery{Since: s.Now().AddDate(-1, 0, 0), Limit: 1000, Locations: where}
	for {
		page, err := s.Lists.List(r.Context(), q)
		if err != nil {
			return t, err
		}
		for _, c := range page.Items {
			t.add(c, s.Now())
		}
		if q.Cursor = page.Next; page.Next == "" {
			return t, nil
		}
	}
}

// numbers fills in the four numbers with their change.
func (s *Server) numbers(r *http.Request, v *trendsView, churned schemas.Trend, where []string) error {
	t, err := s.tallyCases(r, where)
	if err != nil {
		return err
	}
	at := func(n int64) schemas.Money { return schemas.Money{Amount: n, Currency: s.Business.Currency} }
	left, leftBefore, name := lastMonths(churned)
	v.Numbers = []figure{
		{Label: "Open cases", Value: countText(int64(t.open)), Change: change(float64(t.open), float64(t.openThen), "30 days ago"),
			Better: t.open < t.openThen, Worse: t.open > t.openThen, Definition: "Cases that still need work, snoozed ones included."},
		{Label: "Won back", Value: countText(int64(t.won)), Change: change(float64(t.won), float64(t.wonBefore), "in the 30 days before"),
			Better: t.won > t.wonBefore, Worse: t.won < t.wonBefore, Definition: "Cases closed as won back in the last 30 days."},
		{Label: "Left" + name, Value: countText(int64(left)), Change: change(left, leftBefore, "the month before"),
			Better: left < leftBefore, Worse: left > leftBefore, Definition: "Customers who churned in the last full month; the chart below says what that means."},
		{Label: "At risk", Value: at(t.risk).Short(), Change: moneyChange(at(t.risk-t.riskThen), "30 days ago"),
			Better: t.risk < t.riskThen, Worse: t.risk > t.riskThen, Definition: "What the customers with an open case brought in over the year before."},
	}
	v.Headline = fmt.Sprintf("%s won back and %s left", plural(t.won, "customer", "customers"), countText(int64(left)))
	return nil
}

func moneyChange(d schemas.Money, since string) string {
	switch {
	case d.Amount == 0:
		return "as " + since
	case d.Amount < 0:
		d.Amount = -d.Amount
		return d.Short() + " less than " + since
	}
	return d.Short() + " more than " + since
}

// lastMonths answers who churned in the last two finished months.
func lastMonths(t schemas.Trend) (last, before float64, name string) {
	if len(t.Series) == 0 {
		return 0, 0, ""
	}
	var done []schemas.Point
	for _, p := range t.Series[0].Points {
		if p.Complete {
			done = append(done, p)
		}
	}
	if n := len(done); n > 0 {
		last = done[n-1].Value
		if at, err := time.Parse(time.DateOnly, done[n-1].Start); err == nil {
			name = " in " + at.Format("January")
		}
		if n > 1 {
			before = done[n-2].Value
		}
	}
	return last, before, name
}
