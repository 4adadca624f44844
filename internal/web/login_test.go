package web_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"redalert/internal/auth"
	"redalert/internal/memstore"
	"redalert/internal/web"
)

func TestSignIn(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.get("/triage?tab=mine").leadsTo(t, "/login?next=%2Ftriage%3Ftab%3Dmine")
	b.get("/login?next=/triage").want(t, 200, `name="password"`, `value="/triage"`)
	b.post("/login", "email", "staff@example.com", "password", "wrong password").
		want(t, 401, "The e-mail address or the password is wrong.", `value="staff@example.com"`, `name="password"`, "!wrong password\"")
	b.post("/login", "email", "staff@example.com", "password", password, "next", "/customers").leadsTo(t, "/customers")
	b.get("/triage").want(t, 200, "Needs you now", "Sasha Brook")
	b.get("/login").leadsTo(t, "/triage")
	b.get("/").leadsTo(t, "/triage")
	b.post("/logout").leadsTo(t, "/login")
	b.get("/triage").want(t, http.StatusSeeOther)
}

func TestSignInNeverLeavesTheSite(t *testing.T) {
	s := newSite(t)
	for _, next := range []string{"//evil.example", "https://evil.example/", `/\evil.example`, "javascript:alert(1)", "evil"} {
		s.browser().post("/login", "email", "staff@example.com", "password", password, "next", next).leadsTo(t, "/triage")
	}
}

func TestCookieIsSecureExactlyOverHTTPS(t *testing.T) {
	for public, secure := range map[string]bool{"https://alerts.example.com": true, "http://127.0.0.1:8080": false, "": false} {
		s := newSite(t, func(d *web.Deps) { d.PublicURL = public })
		p := s.browser().post("/login", "email", "staff@example.com", "password", password)
		for _, c := range (&http.Response{Header: p.header}).Cookies() {
			if c.Name == "redalert_session" && (c.Secure != secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode) {
				t.Errorf("%s: cookie %+v", public, c)
			}
		}
	}
}

func TestFirstOwner(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.get("/first-owner?key=made-up").want(t, 410, "This link has been used")
	b.post("/first-owner", "key", "made-up", "email", "x@example.com", "password", password).want(t, 410)

	fresh := memstore.New()
	s = newSite(t, func(d *web.Deps) {
		d.Auth = auth.New(auth.Config{Users: fresh.Users(), Sessions: fresh.Sessions(), Tokens: fresh.Tokens(), Now: d.Now})
	})
	key, ok, err := auth.New(auth.Config{Users: fresh.Users(), Sessions: fresh.Sessions(), Tokens: fresh.Tokens(), Now: func() time.Time { return monday }}).FirstOwnerLink(t.Context())
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	b = s.browser()
	b.get("/first-owner?key="+key).want(t, 200, "Make yourself the owner", key)
	b.post("/first-owner", "key", key, "email", "me", "name", "Me", "password", password).want(t, 422, "Write an e-mail address", `value="me"`, key)
	b.post("/first-owner", "key", key, "email", "me@example.com", "name", "Me", "password", password).leadsTo(t, "/settings")
	b.get("/settings").want(t, 200, "You are the owner now.", "me@example.com")
	s.browser().post("/first-owner", "key", key, "email", "two@example.com", "password", password).want(t, 410)
}

func TestSetPasswordLink(t *testing.T) {
	s := newSite(t)
	secret, err := s.auth.SetPasswordLink(t.Context(), "staff@example.com")
	if err != nil {
		t.Fatal(err)
	}
	b := s.browser()
	b.get("/set-password?key="+secret).want(t, 200, "staff@example.com")
	b.post("/set-password", "key", secret, "password", "short").want(t, 422, "Use at least", secret)
	b.post("/set-password", "key", secret, "password", "another good password").leadsTo(t, "/triage")
	b.get("/triage").want(t, 200, "Your password is set.")
	s.browser().get("/set-password?key="+secret).want(t, 410)
}

func TestFault_09_Slowloris(t *testing.T) {
	s := newSite(t)
	srv := web.HTTPServer(s.srv.Config.Handler, slog.New(slog.DiscardHandler))
	if srv.ReadHeaderTimeout <= 0 || srv.ReadTimeout <= 0 || srv.WriteTimeout <= 0 || srv.IdleTimeout <= 0 {
		t.Fatalf("a time limit is missing: %+v", srv)
	}
	srv.ReadHeaderTimeout, srv.ReadTimeout = 200*time.Millisecond, 200*time.Millisecond
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(ln) //nolint:errcheck // ends with Close
	t.Cleanup(func() { srv.Close() })
	var slow []net.Conn
	for range 50 {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "GET /triage HTTP/1.1\r\nHost: x\r\nX-Slow: ")
		slow = append(slow, c)
	}
	res, err := http.Get("http://" + ln.Addr().String() + "/healthz")
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("others are not served: %v %v", res, err)
	}
	res.Body.Close()
	for _, c := range slow {
		if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(c); errors.Is(err, net.ErrClosed) || isTimeout(err) {
			t.Fatalf("a slow peer was not cut off: %v", err)
		}
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

func TestFault_11_CrossSitePost(t *testing.T) {
	s := newSite(t)
	b := s.as("manager")
	b.postFrom("cross-site", "/cases/"+s.maria.ID+"/claim", nil, "version", "1").want(t, 403, "another site")
	b.postFrom("", "/cases/"+s.maria.ID+"/claim", http.Header{"Origin": {"https://evil.example"}}, "version", "1").want(t, 403)
	b.postFrom("cross-site", "/v1/cases/"+s.maria.ID+"/claim", nil).want(t, 403, `"code":"cross_site"`)
	b.postFrom("cross-site", "/login", nil, "email", "staff@example.com", "password", password).want(t, 403)
	if c := s.stored(s.maria); c.Assignee != "" {
		t.Fatalf("claimed by %s from another site", c.Assignee)
	}
}

func TestFault_13_CookieAfterLogoutOrDisabled(t *testing.T) {
	s := newSite(t)
	keep := func(b *browser) *http.Cookie {
		for _, c := range b.http.Jar.Cookies(mustURL(t, s.srv.URL)) {
			if c.Name == "redalert_session" {
				return c
			}
		}
		t.Fatal("no session cookie")
		return nil
	}
	out, disabled := s.as("staff"), s.as("other")
	cookies := []*http.Cookie{keep(out), keep(disabled)}
	out.post("/logout").want(t, http.StatusSeeOther)
	if err := s.auth.Disable(t.Context(), "other@example.com"); err != nil {
		t.Fatal(err)
	}
	for _, c := range cookies {
		old := http.Header{"Cookie": {c.Name + "=" + c.Value}}
		s.browser().get("/v1/cases", "Cookie", old.Get("Cookie")).want(t, 401, `"code":"unauthorized"`)
		s.browser().get("/triage", "Cookie", old.Get("Cookie")).want(t, http.StatusSeeOther)
		s.browser().postFrom("same-origin", "/cases/"+s.maria.ID+"/claim", old, "version", "1").want(t, 401, "You are signed out")
		s.browser().get("/triage", "Cookie", old.Get("Cookie"), "HX-Request", "true", "HX-Target", "queue").want(t, 401)
	}
	if c := s.stored(s.maria); c.Assignee != "" {
		t.Fatal("an ended session claimed a case")
	}
}

func TestFault_14_ThousandLogins(t *testing.T) {
	s := newSite(t)
	signedIn := s.as("manager")
	refused := 0
	for range 1000 {
		p := s.browser().post("/login", "email", "staff@example.com", "password", "guess")
		switch {
		case p.status == http.StatusTooManyRequests && p.header.Get("Retry-After") != "":
			refused++
		case p.status != http.StatusUnauthorized:
			t.Fatalf("a guess was answered %d", p.status)
		}
	}
	if refused < 980 {
		t.Fatalf("only %d of 1,000 guesses were refused", refused)
	}
	signedIn.get("/triage").want(t, 200)
	s.as("owner").get("/triage").want(t, 200)
}

func TestStrangersSeeNothing(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	for _, p := range []string{"/triage", "/cases/" + s.maria.ID, "/customers", "/trends", "/collectors", "/quarantine", "/settings"} {
		b.get(p).want(t, http.StatusSeeOther, "!Maria")
	}
	b.get("/v1/cases").want(t, 401)
	for _, p := range []string{"/healthz", "/readyz", "/openapi.json", "/login", "/static/app.css"} {
		b.get(p).want(t, 200)
	}
	b.get("/nothing").want(t, 404, "Nothing here")
	b.get("/f/spring").want(t, 404, "Nothing here", "Forms are not there yet")
}

func TestSecurityHeaders(t *testing.T) {
	s := newSite(t)
	for _, p := range []page{s.as("owner").get("/settings"), s.browser().get("/login"), s.browser().get("/nothing")} {
		csp := p.header.Get("Content-Security-Policy")
		if strings.Contains(csp, "unsafe") || !strings.Contains(csp, "default-src 'none'") || p.header.Get("X-Content-Type-Options") != "nosniff" || p.header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("headers: %v", p.header)
		}
		if strings.Contains(p.body, " style=") || strings.Contains(p.body, " onclick=") || strings.Contains(p.body, "<style") {
			t.Error("inline style or handler on a page")
		}
	}
}

func TestStaticFiles(t *testing.T) {
	s := newSite(t)
	p := s.browser().get("/static/app.css", "Accept-Encoding", "gzip")
	if p.header.Get("Content-Encoding") != "gzip" || p.header.Get("ETag") == "" {
		t.Fatalf("headers: %v", p.header)
	}
	s.browser().get("/static/app.css", "If-None-Match", p.header.Get("ETag")).want(t, http.StatusNotModified)
	s.browser().get("/static/app.css?v="+strings.Trim(p.header.Get("ETag"), `"`)).want(t, 200)
	s.browser().get("/static/..%2fserver.go").want(t, 404)
	s.browser().get("/static/none.js").want(t, 404)
}

func TestPageBodyOverTheCap(t *testing.T) {
	s := newSite(t)
	s.as("staff").post("/cases/"+s.maria.ID+"/note", "version", "1", "text", strings.Repeat("x", 2<<20)).want(t, 413)
}
