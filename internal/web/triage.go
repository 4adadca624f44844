package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"redalert/alerting"
	"redalert/schemas"
)

const triagePage = 50 // rows at a time

// triageView is the page that answers: who needs me now?
type triageView struct {
	Shell
	Tabs      []tab
	Tab       string
	Locations []string
	Sources   []schemas.SourceType
	Filter    triageFilter
	Queue     queueView
	Unusual   []unusualNote // on the first view, for managers
}

// tab is one entry of a row of views.
type tab struct {
	Key, Label, URL string
	Current         bool
}

// triageFilter is what the address of the page says.
type triageFilter struct {
	Tab, Location, Source, Search string
	Page                          int
}

// queueView is the part of the page that is polled.
type queueView struct {
	URL        string // of the page, to poll and to come back to
	Headline   string
	Total      int
	Overdue    int
	AtRisk     string
	Rows       []caseRow
	Review     []reviewRow
	IsReview   bool
	Notice     *flash
	Earlier    string // address of the page before
	More       string // address of the page after
	EmptyTitle string
	EmptyText  string
}

// caseRow is one case in a list.
type caseRow struct {
	ID, Who, Excerpt, Location string
	Number, Version            int64
	Priority                   schemas.Priority
	State                      schemas.CaseState
	Source                     schemas.SourceType
	SourceIcon                 string
	Why                        []string
	Value                      string
	Due                        *moment
	Opened                     *moment
	Snoozed                    *moment
	Assignee                   string
	Mine, Claimable, Open      bool
	Closed                     *moment
}

var triageTabs = []struct{ key, label, headline, emptyTitle, emptyText string }{
	{"", "Needs you now", "Needs you now", "Nobody needs you right now", "New red alerts appear here by themselves, the most urgent first."},
	{"mine", "Mine", "Yours", "You have no open case", "Claim one under “Needs you now” and it stands here."},
	{"unassigned", "Unassigned", "Nobody's yet", "Every open case has somebody", "A case that nobody has claimed appears here."},
	{"waiting", "Waiting", "Waiting for the customer", "We are waiting for nobody", "Cases that wait for the customer's answer rest here; their clock stands still."},
	{"snoozed", "Snoozed", "Snoozed", "Nothing is snoozed", "A snoozed case comes back by itself at the time you chose."},
	{"review", "To review", "To review", "Nothing to review", "Messages that may be a complaint, but not surely, are listed here for 30 days. They open no case and send no mail."},
	{"closed", "Closed", "Closed", "No case has been closed yet", "Cases that were won back, lost or dismissed stay readable here."},
}

func readTriageFilter(q url.Values) triageFilter {
	f := triageFilter{Tab: q.Get("tab"), Location: q.Get("location"), Source: q.Get("source"), Search: strings.TrimSpace(q.Get("q"))}
	f.Page, _ = strconv.Atoi(q.Get("page"))
	f.Page = max(0, min(f.Page, 10_000))
	return f
}

// url is the address of the same list on another tab or page.
func (f triageFilter) url(tab string, page int) string {
	q := url.Values{}
	for k, v := range map[string]string{"tab": tab, "location": f.Location, "source": f.Source, "q": f.Search} {
		if v != "" {
			q.Set(k, v)
		}
	}
	if page > 0 {
		q.Set("page", strconv.Itoa(page))
	}
	if len(q) == 0 {
		return "/triage"
	}
	return "/triage?" + q.Encode()
}

func (s *Server) triage(w http.ResponseWriter, r *http.Request) error {
	f := readTriageFilter(r.URL.Query())
	if r.Header.Get("HX-Request") == "true" && r.Header.Get("HX-Target") == "queue" {
		return s.answerQueue(w, r, http.StatusOK, f, nil)
	}
	locs, err := s.locations(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	v := triageView{Tab: f.Tab, Locations: locs, Filter: f,
		Sources: []schemas.SourceType{schemas.SourceEmail, schemas.SourceReview, schemas.SourceSurvey, schemas.SourceOrder, schemas.SourceInternal}}
	for _, t := range triageTabs {
		v.Tabs = append(v.Tabs, tab{Key: t.key, Label: t.label, URL: f.url(t.key, 0), Current: t.key == f.Tab})
	}
	if v.Queue, err = s.queue(r, f); err != nil {
		return err
	}
	if f.Tab == "" {
		v.Unusual = s.unusualNotes(r)
	}
	v.Shell = s.shell(w, r, "Triage", "triage")
	s.render(w, r, http.StatusOK, "triage", v)
	return nil
}

// answerQueue renders the polled part alone, with a notice above it.
func (s *Server) answerQueue(w http.ResponseWriter, r *http.Request, status int, f triageFilter, notice *flash) error {
	q, err := s.queue(r, f)
	if err != nil {
		return err
	}
	q.Notice = notice
	s.renderBlock(w, r, status, "triage", "queue", q)
	return nil
}

func (s *Server) queue(r *http.Request, f triageFilter) (queueView, error) {
	v := queueView{URL: f.url(f.Tab, f.Page)}
	known := false
	for _, t := range triageTabs {
		if t.key == f.Tab {
			v.Headline, v.EmptyTitle, v.EmptyText, known = t.headline, t.emptyTitle, t.emptyText, true
		}
	}
	if !known {
		return v, errNoPage
	}
	if f.Search != "" || f.Location != "" || f.Source != "" {
		v.EmptyTitle, v.EmptyText = "Nothing matches", "Try other words, or take a filter away. Search finds names, phone numbers, orders, case numbers and words of the message."
	}
	if f.Tab == "review" {
		return s.reviewQueue(r, f, v)
	}
	q := s.queueQuery(r, f)
	res, err := s.Lists.Queue(r.Context(), q)
	if err != nil {
		return v, err
	}
	if f.Tab == "closed" {
		res.Cases = lastClosed(res.Cases, f.Page)
	}
	v.Total, v.Overdue, v.AtRisk = res.Total, res.Overdue, s.money(res.AtRisk).Short()
	if v.Rows, err = s.caseRows(r, res.Cases); err != nil {
		return v, err
	}
	if f.Page > 0 {
		v.Earlier = f.url(f.Tab, f.Page-1)
	}
	if res.Total > (f.Page+1)*triagePage {
		v.More = f.url(f.Tab, f.Page+1)
	}
	return v, nil
}

// queueQuery asks the store for one page of a tab.
func (s *Server) queueQuery(r *http.Request, f triageFilter) alerting.QueueQuery {
	actor := actorOf(r)
	q := alerting.QueueQuery{Location: f.Location, SourceType: schemas.SourceType(f.Source), Search: f.Search,
		Visible: visible(actor), Now: s.Now(), Limit: triagePage, Offset: f.Page * triagePage}
	switch f.Tab {
	case "mine":
		q.Assignee = actor.Email
	case "unassigned":
		q.Assignee = "-"
	case "waiting":
		q.States = []schemas.CaseState{schemas.StateWaitingCustomer}
	case "snoozed":
		q.Snoozed = true
	case "closed":
		q.States = []schemas.CaseState{schemas.StateRecovered, schemas.StateLost, schemas.StateDismissed}
		q.Limit, q.Offset = closedMax, 0
	}
	return q
}

// closedMax bounds how many closed cases are sorted for one page.
const closedMax = 2000

// lastClosed answers one page of closed cases, the last closed first.
func lastClosed(cases []schemas.Case, page int) []schemas.Case {
	at := func(c schemas.Case) time.Time {
		if c.ClosedAt == nil {
			return time.Time{}
		}
		return *c.ClosedAt
	}
	slices.SortStableFunc(cases, func(a, b schemas.Case) int { return at(b).Compare(at(a)) })
	from := min(page*triagePage, len(cases))
	return cases[from:min(from+triagePage, len(cases))]
}

// money gives an amount without a currency the business's.
func (s *Server) money(m schemas.Money) schemas.Money {
	if m.Currency == "" {
		m.Currency = s.Business.Currency
	}
	return m
}

// caseRows shows cases as rows, in their order.
func (s *Server) caseRows(r *http.Request, cases []schemas.Case) ([]caseRow, error) {
	l, err := s.lookup(r)
	if err != nil {
		return nil, err
	}
	clock, me := s.clock(s.zone(r)), actorOf(r).Email
	rows := make([]caseRow, 0, len(cases))
	for _, c := range cases {
		row := caseRow{ID: c.ID, Number: c.Number, Version: c.Version, Excerpt: oneLine(c.Excerpt), Location: c.Location,
			Priority: c.Priority, State: c.State, Source: c.SourceType, SourceIcon: sourceIcons[c.SourceType],
			Due: clock.due(c.Due()), Opened: clock.ago(&c.OpenedAt), Assignee: l.name(c.Assignee), Mine: c.Assignee == me,
			Claimable: c.State.Open() && c.Assignee == "", Open: c.State.Open(), Closed: clock.ago(c.ClosedAt)}
		if row.Who, err = l.who(c); err != nil {
			return nil, err
		}
		if c.ValueAtRisk.Amount > 0 {
			row.Value = s.money(c.ValueAtRisk).Short()
		}
		if c.SnoozedUntil != nil && c.SnoozedUntil.After(clock.now) {
			row.Snoozed = clock.moment(*c.SnoozedUntil, "back "+clock.day(*c.SnoozedUntil))
		}
		row.Why = reasonTexts(c.Reasons, 3)
		rows = append(rows, row)
	}
	return rows, nil
}

// reasonTexts lists the messages of at most n reasons, each once.
func reasonTexts(reasons []schemas.Reason, n int) []string {
	var out []string
	seen := map[string]bool{}
	for _, r := range reasons {
		if len(out) == n {
			break
		}
		if !seen[r.Message] && r.Message != "" {
			seen[r.Message] = true
			out = append(out, r.Message)
		}
	}
	return out
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// caseClaim makes the case the actor's. From the triage list it answers the
// list anew; without scripts, or on the case page, it redirects.
func (s *Server) caseClaim(w http.ResponseWriter, r *http.Request) error {
	if !strings.HasPrefix(pathOnly(r.PostFormValue("back"), ""), "/triage") {
		return s.act(w, r, "claim", func(a schemas.Actor, id string, v int64) (schemas.Case, flash, error) {
			c, err := s.Desk.Claim(r.Context(), a, id, v)
			return c, claimed(c, "/cases/"+url.PathEscape(c.ID)), err
		})
	}
	id, version, err := caseForm(r)
	if err != nil {
		return err
	}
	back, list := r.PostFormValue("back"), r.Header.Get("HX-Request") == "true"
	c, err := s.Desk.Claim(r.Context(), actorOf(r), id, version)
	var conflict *alerting.Conflict
	status, note := http.StatusOK, flash{}
	switch {
	case errors.As(err, &conflict):
		l, err := s.lookup(r)
		if err != nil {
			return err
		}
		status, note = http.StatusConflict, flash{Bad: true, Text: wasFaster(conflict, l)}
	case err != nil:
		return err
	default:
		note = claimed(c, back)
	}
	if list {
		return s.answerQueue(w, r, status, filterOf(back), &note)
	}
	return s.redirect(w, r, back, note)
}

func wasFaster(c *alerting.Conflict, l *lookup) string {
	return l.name(c.By) + " was faster: the case is taken or has changed."
}

// claimed says that a claim worked, with the way back.
func claimed(c schemas.Case, back string) flash {
	return flash{Text: "The case is yours.", Undo: "/cases/" + url.PathEscape(c.ID) + "/assign",
		Form: map[string]string{"version": strconv.FormatInt(c.Version, 10), "assignee": "", "back": back}}
}

func filterOf(path string) triageFilter {
	u, err := url.Parse(path)
	if err != nil {
		return triageFilter{}
	}
	return readTriageFilter(u.Query())
}
