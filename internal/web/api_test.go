package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"redalert/alerting"
	"redalert/ingest"
	"redalert/internal/auth"
	"redalert/internal/memstore"
	"redalert/internal/web"
	"redalert/schemas"
)

var apiDay = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// api is a server over an empty store with a person of each role and a token
// of each scope.
type api struct {
	t      *testing.T
	st     *memstore.Store
	srv    *httptest.Server
	tokens map[string]string // by scope
	cookie map[string]string // by name: staff, manager, north
}

func newAPI(t *testing.T) *api {
	t.Helper()
	st, now := memstore.New(), func() time.Time { return apiDay }
	svc := auth.New(auth.Config{Users: st.Users(), Sessions: st.Sessions(), Tokens: st.Tokens(), Now: now})
	business := schemas.Business{Name: "Riverside", Timezone: time.UTC, Currency: "EUR"}
	desk := alerting.NewDesk(alerting.DeskConfig{Cases: st.Cases(), Identities: st, Settings: st.Settings(), People: st.People(),
		Business: business, Composer: plainMail{}, PublicURL: "http://127.0.0.1", From: "desk@example.com", Now: now})
	doors := &web.Doors{Door: nobody{}, Tokens: svc.TokenBySecret, Answers: st}
	s, err := web.New(web.Deps{Doors: doors, Desk: desk, Auth: svc, Cases: st.Cases(), Lists: st.Lists(), Identities: st, Outbox: st.Outbox(),
		Settings: st.Settings(), History: st, Records: st, Quarantine: st.Quarantine(), Statuses: st, Blobs: st.Blobs(),
		Business: business, Now: now, Metrics: http.NotFoundHandler()})
	if err != nil {
		t.Fatal(err)
	}
	a := &api{t: t, st: st, srv: httptest.NewServer(s.Handler()), tokens: map[string]string{}, cookie: map[string]string{}}
	t.Cleanup(a.srv.Close)
	for _, sc := range []auth.Scope{auth.ScopeIngest, auth.ScopeRead, auth.ScopeTriage} {
		if a.tokens[string(sc)], err = svc.NewToken(t.Context(), string(sc), sc, ""); err != nil {
			t.Fatal(err)
		}
	}
	for name, u := range map[string]auth.User{
		"staff": {Role: schemas.RoleStaff}, "manager": {Role: schemas.RoleManager}, "north": {Role: schemas.RoleManager, Locations: []string{"North"}},
	} {
		u.Email = name + "@example.com"
		if err := svc.AddUser(t.Context(), u, ""); err != nil {
			t.Fatal(err)
		}
		if a.cookie[name], err = svc.StartSession(t.Context(), u.Email); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// plainMail writes no more than a mail's text.
type plainMail struct{}

func (plainMail) Compose(m alerting.Mail) ([]byte, error) { return []byte(m.Text), nil }

// nobody is a door that this test does not use.
type nobody struct{}

func (nobody) Accept(context.Context, []ingest.Item) ([]ingest.Result, error) {
	return nil, ingest.ErrUnavailable
}

// do sends a request as a token's scope or a person's name; "" = a stranger.
func (a *api) do(as, method, path string, body any) (int, http.Header, map[string]any) {
	a.t.Helper()
	var r io.Reader
	if s, ok := body.(string); ok {
		r = strings.NewReader(s)
	} else if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			a.t.Fatal(err)
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.srv.URL+path, r)
	if err != nil {
		a.t.Fatal(err)
	}
	if tok, ok := a.tokens[as]; ok {
		req.Header.Set("Authorization", "Bearer "+tok)
	} else if c, ok := a.cookie[as]; ok {
		req.AddCookie(&http.Cookie{Name: "redalert_session", Value: c})
	}
	res, err := a.srv.Client().Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		a.t.Fatalf("%s %s: %d %q is no JSON", method, path, res.StatusCode, raw)
	}
	return res.StatusCode, res.Header, out
}

// want sends a request and holds its status and, if not "", its code.
func (a *api) want(as, method, path string, body any, status int, code string) map[string]any {
	a.t.Helper()
	got, h, out := a.do(as, method, path, body)
	if got != status {
		a.t.Fatalf("%s %s as %q: %d %v, want %d", method, path, as, got, out, status)
	}
	if status >= 400 && (h.Get("Content-Type") != "application/problem+json" || out["code"] == nil || out["code"] == "") {
		a.t.Fatalf("%s %s: not a problem document: %v %v", method, path, h, out)
	}
	if code != "" && out["code"] != code {
		a.t.Fatalf("%s %s as %q: code %v, want %s", method, path, as, out["code"], code)
	}
	return out
}

// addCase opens a case of a location.
func (a *api) addCase(id, location string) schemas.Case {
	a.t.Helper()
	c := schemas.Case{ID: id, Key: "thread:" + id, State: schemas.StateNew, Kind: schemas.KindRisk, Priority: schemas.PriorityHigh,
		Severity: schemas.SeverityHigh, Location: location, SourceType: schemas.SourceReview, OpenedAt: apiDay, UpdatedAt: apiDay,
		Episode: 1, EventIDs: []string{"e-" + id, "f-" + id}, SLAStatus: schemas.SLAActive,
		Playbook: []schemas.PlaybookStep{{Step: schemas.StepContact, State: schemas.StepOpen}, {Step: schemas.StepListen, State: schemas.StepOpen},
			{Step: schemas.StepResolve, State: schemas.StepOpen}, {Step: schemas.StepWrittenProof, State: schemas.StepOpen}}}
	cs, err := a.st.Cases().Apply(a.t.Context(), alerting.Change{Case: c,
		Audit: []schemas.CaseEvent{{At: apiDay, Actor: schemas.SystemActor, Kind: schemas.AuditOpened, EventID: "e-" + id}},
		Filed: &schemas.Alert{EventID: "e-" + id, CaseID: &c.ID, RaisedAt: apiDay, OpenedCase: true}})
	if err != nil {
		a.t.Fatal(err)
	}
	return cs[0]
}

func itemIDs(out map[string]any, key string) []string {
	ids := []string{}
	for _, it := range out["items"].([]any) {
		ids = append(ids, fmt.Sprint(it.(map[string]any)[key]))
	}
	return ids
}

func TestAPIWhoMayCall(t *testing.T) {
	a := newAPI(t)
	a.addCase("c1", "North")
	for _, list := range []string{"events", "verdicts", "alerts", "cases", "customers", "quarantine", "notifications", "collectors"} {
		path := "/v1/" + list
		a.want("", "GET", path, nil, 401, "")
		a.want("ingest", "GET", path, nil, 403, "")
		for _, as := range []string{"read", "triage", "staff"} {
			out := a.want(as, "GET", path, nil, 200, "")
			if _, ok := out["items"].([]any); !ok || out["next"] == nil {
				t.Errorf("%s: %v has no items and next", list, out)
			}
		}
	}
	a.want("", "POST", "/v1/cases/c1/claim", map[string]any{"version": 1}, 401, "")
	a.want("read", "POST", "/v1/cases/c1/claim", map[string]any{"version": 1}, 403, "")
	a.want("ingest", "PUT", "/v1/cases/c1/playbook/contact", map[string]any{"version": 1}, 403, "")
	a.want("read", "GET", "/v1/trends/alerts", nil, 200, "")
	a.want("", "GET", "/v1/trends/alerts", nil, 401, "")
	a.want("read", "GET", "/v1/nothing", nil, 404, "not_found")
}

func TestAPILocations(t *testing.T) {
	a := newAPI(t)
	a.addCase("c1", "North")
	a.addCase("c2", "East")
	if err := a.st.Quarantine().Put(t.Context(), []schemas.Quarantined{{ID: "q1", Source: "s", Code: "invalid", At: apiDay, State: schemas.QuarantineOpen}}); err != nil {
		t.Fatal(err)
	}
	for as, want := range map[string][]string{"north": {"c1"}, "manager": {"c1", "c2"}, "read": {"c1", "c2"}} {
		if got := itemIDs(a.want(as, "GET", "/v1/cases", nil, 200, ""), "id"); !slices.Equal(got, want) {
			t.Errorf("%s sees cases %v, want %v", as, got, want)
		}
	}
	if got := itemIDs(a.want("north", "GET", "/v1/alerts", nil, 200, ""), "event_id"); !slices.Equal(got, []string{"e-c1"}) {
		t.Errorf("north sees alerts %v", got)
	}
	if got := itemIDs(a.want("north", "GET", "/v1/quarantine", nil, 200, ""), "id"); len(got) != 0 {
		t.Errorf("north sees quarantine %v", got)
	}
	if got := itemIDs(a.want("read", "GET", "/v1/quarantine?state=open", nil, 200, ""), "id"); len(got) != 1 {
		t.Errorf("read sees quarantine %v", got)
	}
	a.want("north", "GET", "/v1/cases/c2", nil, 404, "not_found")
	a.want("north", "POST", "/v1/cases/c2/claim", map[string]any{"version": 1}, 404, "not_found")
	a.want("north", "GET", "/v1/cases/nope", nil, 404, "not_found")
	out := a.want("north", "GET", "/v1/cases/c1", nil, 200, "")
	if out["id"] != "c1" || len(out["audit"].([]any)) != 1 || out["reasons"] == nil {
		t.Errorf("case %v", out)
	}
}

func TestAPIPagesAndBounds(t *testing.T) {
	a := newAPI(t)
	for i := range 3 {
		a.addCase(fmt.Sprintf("c%d", i), "North")
	}
	first := a.want("read", "GET", "/v1/cases?limit=2", nil, 200, "")
	second := a.want("read", "GET", "/v1/cases?limit=2&cursor="+first["next"].(string), nil, 200, "")
	if got := append(itemIDs(first, "id"), itemIDs(second, "id")...); !slices.Equal(got, []string{"c0", "c1", "c2"}) || second["next"] != "" {
		t.Errorf("pages hold %v, next %v", got, second["next"])
	}
	if got := itemIDs(a.want("read", "GET", "/v1/cases?since=2026-03-02T09:00:00Z", nil, 200, ""), "id"); len(got) != 3 {
		t.Errorf("since is inclusive: %v", got)
	}
	if got := itemIDs(a.want("read", "GET", "/v1/cases?until=2026-03-02T09:00:00Z", nil, 200, ""), "id"); len(got) != 0 {
		t.Errorf("until is exclusive: %v", got)
	}
	for _, bad := range []string{"limit=0", "limit=x", "since=yesterday", "cursor=x"} {
		a.want("read", "GET", "/v1/cases?"+bad, nil, 400, "bad_request")
	}
	a.want("read", "GET", "/v1/quarantine?state=lost", nil, 400, "bad_request")
}

func TestAPIClaimAndConflict(t *testing.T) {
	a := newAPI(t)
	a.addCase("c1", "North")
	got := a.want("staff", "POST", "/v1/cases/c1/claim", map[string]any{"version": 1}, 200, "")
	if got["assignee"] != "staff@example.com" || got["state"] != "acknowledged" || got["version"] != 2.0 {
		t.Fatalf("claimed: %v", got)
	}
	for _, version := range []int{1, 2} {
		out := a.want("manager", "POST", "/v1/cases/c1/claim", map[string]any{"version": version}, 409, "conflict")
		if out["by"] != "staff@example.com" || out["version"] != 2.0 {
			t.Fatalf("conflict: %v", out)
		}
	}
	a.want("staff", "POST", "/v1/cases/c1/notes", map[string]any{"version": 0, "text": "x"}, 422, "")
	a.want("staff", "POST", "/v1/cases/c1/notes", "{", 400, "bad_request")
	a.want("staff", "POST", "/v1/cases/c1/notes", `{"version":"two"}`, 400, "bad_request")
}

func TestAPIPlaybook(t *testing.T) {
	a := newAPI(t)
	a.addCase("c1", "North")
	version := 1.0
	ok := func(method, path string, body map[string]any) map[string]any {
		t.Helper()
		body["version"] = version
		out := a.want("staff", method, "/v1/cases/c1"+path, body, 200, "")
		version = out["version"].(float64)
		return out
	}
	ok("POST", "/claim", map[string]any{})
	a.want("staff", "POST", "/v1/cases/c1/transitions", map[string]any{"version": version, "to": "waiting_customer"}, 422, "not_a_transition")
	a.want("staff", "POST", "/v1/cases/c1/transitions", map[string]any{"version": version, "to": "dismissed"}, 422, "")
	ok("POST", "/transitions", map[string]any{"to": "in_recovery"})
	a.want("staff", "PUT", "/v1/cases/c1/playbook/contact", map[string]any{"version": version, "override_reason": "no"}, 403, "forbidden")
	version++ // the denied attempt stands in the audit
	if out := a.want("read", "GET", "/v1/cases/c1", nil, 200, ""); out["version"] != version {
		version = out["version"].(float64)
	}
	ok("POST", "/calls", map[string]any{"outcome": "reached", "note": "talked"})
	ok("PUT", "/playbook/contact", map[string]any{"evidence": "talked on the phone"})
	out := a.want("staff", "POST", "/v1/cases/c1/transitions", map[string]any{"version": version, "to": "recovered"}, 422, "playbook_incomplete")
	if fmt.Sprint(out["missing"]) != "[listen resolve written_proof]" {
		t.Fatalf("missing %v", out["missing"])
	}
	ok("PUT", "/playbook/listen", map[string]any{"evidence": "wants it fixed"})
	ok("PUT", "/playbook/resolve", map[string]any{"evidence": "sent a new one"})
	a.want("staff", "PUT", "/v1/cases/c1/playbook/own_up", map[string]any{"version": version, "evidence": "x"}, 422, "")
	got := a.want("manager", "PUT", "/v1/cases/c1/playbook/written_proof", map[string]any{"version": version, "override_reason": "no address"}, 200, "")
	version = got["version"].(float64)
	if done := ok("POST", "/transitions", map[string]any{"to": "recovered"}); done["state"] != "recovered" || done["closed_at"] == nil {
		t.Fatalf("closed: %v", done)
	}
}

func TestAPIOtherCommands(t *testing.T) {
	a := newAPI(t)
	a.addCase("c1", "North")
	a.addCase("c2", "North")
	post := func(as, path string, body map[string]any, status int) map[string]any {
		t.Helper()
		return a.want(as, "POST", "/v1/cases/"+path, body, status, "")
	}
	if got := post("staff", "c1/assign", map[string]any{"version": 1, "assignee": "manager@example.com", "reason": "knows them"}, 200); got["assignee"] != "manager@example.com" {
		t.Errorf("assigned %v", got["assignee"])
	}
	if got := a.want("read", "GET", "/v1/notifications", nil, 200, "")["items"].([]any); len(got) != 1 || got[0].(map[string]any)["kind"] != "assigned" {
		t.Errorf("notifications %v", got)
	}
	post("staff", "c1/assign", map[string]any{"version": 2, "assignee": "nobody@example.com"}, 422)
	post("staff", "c1/snooze", map[string]any{"version": 2}, 422)
	if got := post("staff", "c1/snooze", map[string]any{"version": 2, "until": "2026-03-03T09:00:00Z", "reason": "on holiday"}, 200); got["snoozed_until"] == nil {
		t.Error("not snoozed")
	}
	if got := post("staff", "c1/kind", map[string]any{"version": 3, "kind": "mistake", "reason": "our fault"}, 200); got["kind"] != "mistake" {
		t.Errorf("kind %v", got["kind"])
	}
	if got := post("triage", "c1/notes", map[string]any{"version": 4, "text": "from the till"}, 200); got["version"] != 5.0 {
		t.Errorf("version %v", got["version"])
	}
	if got := post("staff", "c1/split", map[string]any{"version": 5, "event_ids": []string{"f-c1"}}, 200); got["id"] == "c1" {
		t.Error("split answers the old case")
	}
	if got := post("staff", "c2/merge", map[string]any{"version": 1, "into": "c1"}, 200); got["id"] != "c1" {
		t.Errorf("merge answers %v", got["id"])
	}
	post("staff", "c1/transitions", map[string]any{"version": 7, "to": "lost", "reason": "gone"}, 403)
}

func TestAPITrends(t *testing.T) {
	a := newAPI(t)
	out := a.want("read", "GET", "/v1/trends/alerts?from=2026-01-01&to=2026-03-03&period=month", nil, 200, "")
	if out["period"] != "month" || out["definition"] == "" || out["series"] == nil {
		t.Errorf("trend %v", out)
	}
	a.want("read", "GET", "/v1/trends/recovery", nil, 404, "not_found")
	for _, bad := range []string{"from=x", "period=year", "by=colour", "from=2026-03-01&to=2026-02-01"} {
		a.want("read", "GET", "/v1/trends/alerts?"+bad, nil, 400, "bad_request")
	}
}
