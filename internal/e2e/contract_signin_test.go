package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

var firstOwner = regexp.MustCompile(`http://\S+/first-owner\?key=\S+`)

func TestContractFirstOwner(t *testing.T) {
	t.Parallel()
	s := start(t, "run", "--data", t.TempDir())
	var link string
	eventually(t, 20*time.Second, "a link without a terminal", func() bool { // what it prints reaches us a moment later
		link = firstOwner.FindString(s.stdout.String() + s.stderr.String())
		return link != ""
	})
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	p := newPerson(s.url)
	resp, page := p.do(t, http.MethodGet, u.RequestURI(), nil)
	form := fields(page)
	if resp.StatusCode != 200 || !form.Has("email") || !form.Has("password") {
		t.Fatalf("the link: %d, fields %v", resp.StatusCode, form)
	}
	for name, value := range map[string]string{"email": "owner@shop.example", "name": "Owner", "password": "a long enough pass phrase"} {
		form.Set(name, value)
	}
	action := regexp.MustCompile(`<form[^>]*action="([^"]+)"`).FindStringSubmatch(page)
	to := u.RequestURI()
	if action != nil {
		to = action[1]
	}
	if resp, page = p.do(t, http.MethodPost, to, form); resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("the form: %d\n%s", resp.StatusCode, page)
	}
	if resp, _ = p.do(t, http.MethodGet, "/settings", nil); resp.StatusCode != 200 {
		t.Errorf("the first owner's settings: %d", resp.StatusCode)
	}
	if resp, _ = newPerson(s.url).do(t, http.MethodPost, to, form); resp.StatusCode < 400 {
		t.Errorf("the link a second time: %d", resp.StatusCode)
	}
	newPerson(s.url).signIn(t, "owner@shop.example", "a long enough pass phrase")
}

func TestContractSignIn(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	const password = "correct horse battery"
	for role, where := range map[string]string{"staff": "North", "manager": "", "owner": ""} {
		args := s.args("user", "add", role+"2@shop.example", "--role", role, "--password-stdin")
		if where != "" {
			args = append(args, "--location", where)
		}
		if out, errs, code := redalert(t, password+"\n", args...); code != 0 {
			t.Fatalf("user add: exit %d %s%s", code, out, errs)
		}
	}
	stranger := newPerson(s.url)
	for _, page := range []string{"/triage", "/cases/x", "/customers/x", "/trends", "/collectors", "/quarantine", "/settings"} {
		if resp, _ := stranger.do(t, http.MethodGet, page, nil); resp.StatusCode != 303 || !strings.HasPrefix(resp.Header.Get("Location"), "/login") {
			t.Errorf("%s without a session: %d to %q", page, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
	for _, wrong := range []url.Values{{"email": {"staff2@shop.example"}, "password": {"wrong"}}, {"email": {"nobody@shop.example"}, "password": {password}}, {}} {
		resp, page := stranger.do(t, http.MethodPost, "/login", wrong)
		if f := fields(page); resp.StatusCode != 401 || !f.Has("email") || !f.Has("password") {
			t.Errorf("login with %v: %d, fields %v", wrong, resp.StatusCode, f)
		}
	}
	for role, settings := range map[string]int{"staff": 403, "manager": 403, "owner": 200} {
		p := newPerson(s.url)
		c := p.signIn(t, role+"2@shop.example", password)
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Secure || c.Path != "/" {
			t.Errorf("the cookie of an http server: %+v", c)
		}
		for path, want := range map[string]int{"/settings": settings, "/triage": 200, "/trends": 200, "/v1/cases": 200, "/cases/none": 404, "/v1/cases/none": 404, "/nowhere": 404} {
			if resp, _ := p.do(t, http.MethodGet, path, nil); resp.StatusCode != want {
				t.Errorf("%s for %s: %d, want %d", path, role, resp.StatusCode, want)
			}
		}
		if role == "owner" {
			continue
		}
		p.do(t, http.MethodPost, "/logout", url.Values{})
		p.http.Jar.SetCookies(mustURL(s.url), []*http.Cookie{c})
		if resp, _ := p.do(t, http.MethodGet, "/v1/cases", nil); resp.StatusCode != 401 {
			t.Errorf("the cookie after logout: %d", resp.StatusCode)
		}
	}
	p := newPerson(s.url)
	p.signIn(t, "staff2@shop.example", password)
	must(t, s.args("user", "disable", "staff2@shop.example")...)
	if resp, _ := p.do(t, http.MethodGet, "/v1/cases", nil); resp.StatusCode != 401 {
		t.Errorf("a disabled user: %d", resp.StatusCode)
	}
}

func mustURL(s string) *url.URL { u, _ := url.Parse(s); return u }

// TestContractLocations: what a restricted user's session lists is limited to
// its locations, records without one included in the limit.
func TestContractLocations(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	if _, errs, code := redalert(t, "long enough secret\n", s.args("user", "add", "north@shop.example", "--role", "manager", "--location", "North", "--password-stdin")...); code != 0 {
		t.Fatal(errs)
	}
	ids := map[string]string{}
	for _, where := range []string{"North", "South", ""} {
		d := nps("C-"+where, 1)
		if where != "" {
			d["location"] = where
		}
		ids[where] = str(s.caseOf(t, s.accepted(t, "feedback.survey.answered", d).EventID), "id")
	}
	p := newPerson(s.url)
	p.signIn(t, "north@shop.example", "long enough secret")
	for _, kind := range []string{"events", "verdicts", "alerts", "cases", "customers"} {
		resp, body := p.do(t, http.MethodGet, "/v1/"+kind, nil)
		var page struct{ Items []map[string]any }
		if err := json.Unmarshal([]byte(body), &page); err != nil || resp.StatusCode != 200 || len(page.Items) != 1 {
			t.Errorf("/v1/%s for North: %d, %d items: %s", kind, resp.StatusCode, len(page.Items), body)
		}
	}
	for where, id := range ids {
		want := 404
		if where == "North" {
			want = 200
		}
		for _, path := range []string{"/v1/cases/", "/cases/"} {
			if resp, _ := p.do(t, http.MethodGet, path+id, nil); resp.StatusCode != want {
				t.Errorf("%s of %q for North: %d, want %d", path, where, resp.StatusCode, want)
			}
		}
	}
	if got := s.mails.to("north@shop.example"); len(got) != 0 {
		t.Errorf("nothing was critical, but %d mails", len(got))
	}
}
