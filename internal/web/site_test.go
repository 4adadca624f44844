package web_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"redalert/alerting"
	"redalert/ingest"
	"redalert/internal/auth"
	"redalert/internal/memstore"
	"redalert/internal/web"
	"redalert/schemas"
)

const (
	password  = "correct horse battery"
	mariaMail = "maria.keller@mail.example"
)

// site is the whole web over the in-memory store, with a person of each role,
// one known customer with a red mail, and one anonymous review elsewhere.
type site struct {
	t        *testing.T
	st       *memstore.Store
	auth     *auth.Service
	srv      *httptest.Server
	now      atomic.Pointer[time.Time]
	maria    schemas.Case // in North, of a known customer
	reviewed schemas.Case // in East, of nobody known
	replay   func(id string) (ingest.Result, error)
}

// Monday morning, inside business hours.
var monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func newSite(t *testing.T, change ...func(*web.Deps)) *site {
	t.Helper()
	s := &site{t: t, st: memstore.New()}
	s.now.Store(&monday)
	clock := func() time.Time { return *s.now.Load() }
	s.auth = auth.New(auth.Config{Users: s.st.Users(), Sessions: s.st.Sessions(), Tokens: s.st.Tokens(), Now: clock})
	business := schemas.Business{Name: "Riverside", Timezone: time.UTC, Currency: "EUR"}
	desk := alerting.NewDesk(alerting.DeskConfig{Cases: s.st.Cases(), Identities: s.st, Settings: s.st.Settings(), People: s.st.People(),
		Business: business, Composer: plainMail{}, PublicURL: "http://127.0.0.1", From: "desk@example.com", Now: clock})
	d := web.Deps{Desk: desk, Auth: s.auth, Cases: s.st.Cases(), Lists: s.st.Lists(), Identities: s.st, Outbox: s.st.Outbox(),
		Settings: s.st.Settings(), History: s.st, Records: s.st, Quarantine: s.st.Quarantine(), Statuses: s.st, Blobs: s.st.Blobs(),
		Digests:  alerting.NewDigests(alerting.DigestsConfig{Desk: desk, Lists: s.st.Lists(), Schedule: s.st.Schedule(), Outbox: s.st.Outbox()}),
		Business: business, Now: clock,
		Replay: func(_ context.Context, id string) (ingest.Result, error) { return s.replay(id) }}
	for _, c := range change {
		c(&d)
	}
	w, err := web.New(d)
	if err != nil {
		t.Fatal(err)
	}
	s.srv = httptest.NewServer(w.Handler())
	t.Cleanup(s.srv.Close)
	s.people()
	s.cases(desk)
	return s
}

func (s *site) people() {
	s.t.Helper()
	for name, u := range map[string]auth.User{
		"staff": {Name: "Sasha Brook", Role: schemas.RoleStaff}, "other": {Name: "Ana Weir", Role: schemas.RoleStaff},
		"manager": {Name: "Martin Reed", Role: schemas.RoleManager}, "owner": {Name: "Olive Marsh", Role: schemas.RoleOwner},
		"east": {Name: "Edda Vale", Role: schemas.RoleManager, Locations: []string{"East"}},
	} {
		u.Email = name + "@example.com"
		if err := s.auth.AddUser(s.t.Context(), u, password); err != nil {
			s.t.Fatal(err)
		}
	}
	set := schemas.DefaultSettings()
	set.Locations = []schemas.Location{{Name: "North"}, {Name: "East"}}
	if err := s.st.Settings().Save(s.t.Context(), set); err != nil {
		s.t.Fatal(err)
	}
}

const mariaText = `Third time I am writing, <b>nobody</b> answers. I want my money back & I will not return.`

const mariaMIME = "From: maria.keller@mail.example\r\nSubject: Still waiting\r\nMIME-Version: 1.0\r\n" +
	"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" +
	`<p onclick="steal()">Third <b>time</b><script>steal()</script><img src="https://evil.example/p.gif"><svg onload="steal()"></svg></p>` +
	"\r\n--x\r\nContent-Type: text/html; name=\"../../invoice.html\"\r\nContent-Disposition: attachment; filename=\"../../invoice.html\"\r\n\r\n<script>steal()</script>\r\n--x--\r\n"

// cases puts a red mail and a red review through history and filing.
func (s *site) cases(desk *alerting.Desk) {
	s.t.Helper()
	ctx := s.t.Context()
	ids, err := s.st.Resolve(ctx, []schemas.Sighting{{Customer: schemas.CustomerRef{Ref: "R7", Email: mariaMail, Name: "Maria Keller", Phone: "+44 20 7946 0018"}, Location: "North", At: monday}})
	if err != nil {
		s.t.Fatal(err)
	}
	sums, err := s.st.Blobs().Put(ctx, [][]byte{[]byte(mariaMIME)})
	if err != nil {
		s.t.Fatal(err)
	}
	money := strings.Index(mariaText, "money back")
	mail := s.event("e-mail", schemas.EmailReceived, schemas.Feedback{SourceType: schemas.SourceEmail, FieldType: schemas.FieldText,
		ValueText: mariaText, Metadata: map[string]any{"subject": "Still waiting", "message_id": "<m1@mail.example>"}})
	mail.CustomerID, mail.Location, mail.ThreadID, mail.RawSHA256, mail.OrderRef = ids[0], "North", "<m1@mail.example>", sums[0], "RH-1"
	review := s.event("e-review", schemas.ReviewPosted, schemas.Feedback{SourceType: schemas.SourceReview, FieldType: schemas.FieldRating,
		ValueText: "Rude on the phone.", ValueNumber: new(1.0), ScaleMin: new(1.0), ScaleMax: new(5.0)})
	review.Location = "East"
	rule := schemas.FlaggedByRule
	red := func(id string, r schemas.Reason) schemas.Verdict {
		return schemas.Verdict{EventID: id, ModelVersion: "test", Level: schemas.LevelRed, Red: true, Probability: 0.9, Severity: schemas.SeverityHigh,
			FlaggedBy: &rule, Reasons: []schemas.Reason{r}, Categories: []schemas.Category{schemas.CatOther}, ScoredAt: monday}
	}
	scored := []schemas.Scored{
		{Event: mail, Verdict: red(mail.ID, schemas.Reason{Code: "refund", Message: "wants the money back", Span: &schemas.Span{Start: money, End: money + len("money back")}, Weight: 1})},
		{Event: review, Verdict: red(review.ID, schemas.Reason{Code: "score", Message: "a very low score", Weight: 1})},
	}
	if _, err := s.st.Store(ctx, scored); err != nil {
		s.t.Fatal(err)
	}
	var notices []schemas.Notice
	for _, sc := range scored {
		notices = append(notices, schemas.Notice{Kind: schemas.NoticeRed, Event: sc.Event, Verdict: sc.Verdict, Priority: schemas.PriorityHigh,
			ValueAtRisk: schemas.Money{Amount: 124000, Currency: "EUR"}})
	}
	if err := s.st.PublishAlerts(ctx, notices); err != nil {
		s.t.Fatal(err)
	}
	filer := alerting.NewWorker(alerting.WorkerConfig{Desk: desk, Reader: s.st.AlertReader("alert"), OpenCasesFor: 14 * 24 * time.Hour})
	if _, err := filer.Step(ctx); err != nil {
		s.t.Fatal(err)
	}
	q, err := s.st.Lists().Queue(ctx, alerting.QueueQuery{Now: monday})
	if err != nil || len(q.Cases) != 2 {
		s.t.Fatalf("cases: %d, %v", len(q.Cases), err)
	}
	for _, c := range q.Cases {
		if c.Location == "North" {
			s.maria = c
		} else {
			s.reviewed = c
		}
	}
}

func (s *site) event(id string, typ schemas.EventType, data any) schemas.Event {
	s.t.Helper()
	raw, err := json.Marshal(data)
	if err != nil {
		s.t.Fatal(err)
	}
	return schemas.Event{ID: id, Source: "test", Type: typ, NativeID: id, OccurredAt: monday, CollectedAt: monday,
		LocalDate: "2026-03-02", Data: raw}
}

// browser is one signed-in (or not) person.
type browser struct {
	s    *site
	http *http.Client
}

// page is an answer.
type page struct {
	status int
	header http.Header
	body   string
}

func (s *site) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &browser{s: s, http: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// as signs a person in through the form.
func (s *site) as(name string) *browser {
	s.t.Helper()
	b := s.browser()
	if p := b.post("/login", "email", name+"@example.com", "password", password); p.status != http.StatusSeeOther {
		s.t.Fatalf("sign in as %s: %d", name, p.status)
	}
	return b
}

func (b *browser) send(req *http.Request) page {
	b.s.t.Helper()
	res, err := b.http.Do(req)
	if err != nil {
		b.s.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		b.s.t.Fatal(err)
	}
	return page{res.StatusCode, res.Header, string(raw)}
}

func (b *browser) get(path string, header ...string) page {
	b.s.t.Helper()
	req, err := http.NewRequestWithContext(b.s.t.Context(), "GET", b.s.srv.URL+path, nil)
	if err != nil {
		b.s.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return b.send(req)
}

// post sends a form made of pairs, as a browser on our own page does.
func (b *browser) post(path string, pairs ...string) page {
	b.s.t.Helper()
	return b.postFrom("same-origin", path, nil, pairs...)
}

func (b *browser) postFrom(fetchSite, path string, header http.Header, pairs ...string) page {
	b.s.t.Helper()
	f := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		f.Add(pairs[i], pairs[i+1])
	}
	req, err := http.NewRequestWithContext(b.s.t.Context(), "POST", b.s.srv.URL+path, strings.NewReader(f.Encode()))
	if err != nil {
		b.s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", fetchSite)
	for k, v := range header {
		req.Header[k] = v
	}
	return b.send(req)
}

// want holds the status of an answer and the texts in it; a text that begins
// with ! must not be there.
func (p page) want(t *testing.T, status int, texts ...string) page {
	t.Helper()
	if p.status != status {
		t.Fatalf("status %d, want %d: %.300s", p.status, status, p.body)
	}
	for _, s := range texts {
		if not, ok := strings.CutPrefix(s, "!"); ok == strings.Contains(p.body, not) {
			t.Fatalf("page and %q: %s", s, mainOf(p.body))
		}
	}
	return p
}

func (p page) leadsTo(t *testing.T, where string) page {
	t.Helper()
	p.want(t, http.StatusSeeOther)
	if got := p.header.Get("Location"); got != where {
		t.Fatalf("leads to %s, want %s", got, where)
	}
	return p
}

var tags = regexp.MustCompile(`<[^>]*>`)

// mainOf is the text of a page's content, for messages.
func mainOf(body string) string {
	if _, after, ok := strings.Cut(body, "<main"); ok {
		body = after
	}
	text := strings.Join(strings.Fields(tags.ReplaceAllString(body, " ")), " ")
	return text[:min(len(text), 900)]
}

var versionField = regexp.MustCompile(`name="version" value="(\d+)"`)

// version reads the version that a case's forms carry.
func (p page) version(t *testing.T) string {
	t.Helper()
	m := versionField.FindStringSubmatch(p.body)
	if m == nil {
		t.Fatalf("no version in %s", mainOf(p.body))
	}
	return m[1]
}

// command posts a form of the case page with the version shown there now.
func (b *browser) command(c schemas.Case, what string, pairs ...string) page {
	b.s.t.Helper()
	v := b.get("/cases/"+c.ID).want(b.s.t, http.StatusOK).version(b.s.t)
	return b.post("/cases/"+c.ID+"/"+what, append([]string{"version", v}, pairs...)...)
}

func (s *site) stored(c schemas.Case) schemas.Case {
	s.t.Helper()
	now, err := s.st.Cases().Case(s.t.Context(), c.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	return now
}
