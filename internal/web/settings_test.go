package web_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"redalert/internal/web"
	"redalert/schemas"
)

func TestSettingsAreForOwners(t *testing.T) {
	s := newSite(t)
	for _, who := range []string{"staff", "manager", "east"} {
		b := s.as(who)
		b.get("/settings").want(t, 403, "Not for your role", "!Olive")
		for _, p := range []string{"/settings/users", "/settings/hours", "/settings/digest", "/settings/locations", "/settings/response",
			"/settings/tokens", "/settings/test-mail", "/settings/users/staff@example.com", "/settings/users/staff@example.com/disabled"} {
			b.post(p, "role", "owner").want(t, 403)
		}
	}
	s.as("owner").get("/settings").want(t, 200, "Olive Marsh", "08:00-18:00", "North")
}

func TestSettingsAreSaved(t *testing.T) {
	s := newSite(t)
	b := s.as("owner")
	b.post("/settings/hours", "mon", "8-12, 13:00-17:30", "tue", "closed", "wed", "9:00–24:00", "holidays", "2026-12-25\n2026-12-26").leadsTo(t, "/settings#hours")
	b.post("/settings/digest", "enabled", "1", "at", "06:45", "day", "mon", "day", "fri").leadsTo(t, "/settings#digest")
	b.post("/settings/locations", "was", "North", "name", "North", "timezone", "Europe/Dublin", "hours", "mon 09:00-17:00; sat 10:00-12:00",
		"was", "East", "name", "", "timezone", "", "hours", "", "was", "", "name", "South", "timezone", "", "hours", "").leadsTo(t, "/settings#locations")
	response := []string{}
	for _, p := range []string{"urgent", "high", "medium", "low"} {
		response = append(response, "first-"+p, "0.5", "next-"+p, "2", "solve-"+p, "10")
	}
	b.post("/settings/response", response...).leadsTo(t, "/settings#response")
	got, err := s.st.Settings().Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if h := got.Hours; len(h[time.Monday]) != 2 || h[time.Monday][1].To != "17:30" || len(h[time.Tuesday]) != 0 || h[time.Wednesday][0].To != "24:00" || len(got.Holidays) != 2 {
		t.Errorf("hours %+v %v", got.Hours, got.Holidays)
	}
	if !got.Digest.Enabled || got.Digest.At != "06:45" || len(got.Digest.Weekdays) != 2 {
		t.Errorf("digest %+v", got.Digest)
	}
	if len(got.Locations) != 2 || got.Locations[0].Timezone != "Europe/Dublin" || len(got.Locations[0].Hours[time.Saturday]) != 1 || got.Locations[1].Name != "South" {
		t.Errorf("locations %+v", got.Locations)
	}
	if got.Response.FirstResponse[schemas.PriorityUrgent] != 30 || got.Response.Resolution[schemas.PriorityLow] != 600 {
		t.Errorf("response %+v", got.Response)
	}
	b.get("/settings").want(t, 200, "mon 09:00-17:00; sat 10:00-12:00", "08:00-12:00, 13:00-17:30")
}

func TestSettingsRefuseAndKeepWhatWasTyped(t *testing.T) {
	s := newSite(t)
	b := s.as("owner")
	b.post("/settings/hours", "mon", "18:00-08:00").want(t, 422, "18:00-08:00", "is no stretch of time")
	b.post("/settings/hours", "mon", "8-12, 11-14").want(t, 422, "overlap")
	b.post("/settings/hours").want(t, 422, "nothing would ever be due")
	b.post("/settings/hours", "mon", "8-12", "holidays", "Christmas").want(t, 422, "is no date", "Christmas")
	b.post("/settings/digest", "enabled", "1", "at", "early").want(t, 422)
	b.post("/settings/digest", "enabled", "1", "at", "07:00").want(t, 422, "Choose at least one day")
	b.post("/settings/locations", "was", "", "name", "X", "timezone", "Mars/Olympus", "hours", "").want(t, 422, "is no time zone", `value="Mars/Olympus"`)
	b.post("/settings/locations", "was", "", "name", "X", "timezone", "", "hours", "someday 8-9").want(t, 422, "is no weekday")
	b.post("/settings/response", "first-urgent", "-7").want(t, 422, `value="-7"`)
	b.post("/settings/users/staff@example.com", "name", "S. Brook", "role", "boss").want(t, 422, `value="S. Brook"`)
	b.post("/settings/users", "email", "not an address", "role", "staff").want(t, 422, "not an address", "Write an e-mail address")
	b.post("/settings/users", "email", "staff@example.com", "role", "staff").want(t, 422, "Somebody has this address already.")
	b.post("/settings/tokens", "name", "a b", "scope", "read").want(t, 422, "a b")
	b.post("/settings/users/owner@example.com/disabled", "disabled", "1").want(t, 422, "This is the last owner")
	got, err := s.st.Settings().Load(t.Context())
	if err != nil || len(got.Locations) != 2 || len(got.Hours[time.Monday]) != 1 {
		t.Fatalf("something was saved: %+v %v", got, err)
	}
}

var secretText = regexp.MustCompile(`<code class="secret">([^<]+)</code>`)

func TestInviteAndLockOut(t *testing.T) {
	s := newSite(t, func(d *web.Deps) { d.PublicURL = "" })
	owner := s.as("owner")
	p := owner.post("/settings/users", "email", "New@Example.com", "name", "Nia", "role", "staff", "location", "North").want(t, 200, "works once", "new@example.com")
	link := secretText.FindStringSubmatch(p.body)[1]
	owner.get("/settings").want(t, 200, "no password yet", "!"+link)
	nia := s.browser()
	nia.get(link).want(t, 200, "new@example.com")
	nia.post("/set-password", "key", strings.TrimPrefix(link, "/set-password?key="), "password", password).leadsTo(t, "/triage")
	nia.get("/triage").want(t, 200, "Maria Keller", "!Anonymous reviewer")
	owner.post("/settings/users/new@example.com", "name", "Nia Orr", "role", "manager", "timezone", "Europe/Dublin").leadsTo(t, "/settings#people")
	nia.get("/triage").want(t, 303)
	owner.post("/settings/users/other@example.com/disabled", "disabled", "1").leadsTo(t, "/settings#people")
	owner.get("/settings").want(t, 200, "locked out", "Undo")
	s.browser().post("/login", "email", "other@example.com", "password", password).want(t, 401)
	owner.post("/settings/users/other@example.com/disabled", "disabled", "").leadsTo(t, "/settings#people")
	s.as("other")
}

func TestTokens(t *testing.T) {
	s := newSite(t)
	owner := s.as("owner")
	p := owner.post("/settings/tokens", "name", "till", "scope", "read").want(t, 200, "not shown again")
	secret := secretText.FindStringSubmatch(p.body)[1]
	owner.get("/settings").want(t, 200, "till", "!"+secret)
	b := s.browser()
	b.get("/v1/cases", "Authorization", "Bearer "+secret).want(t, 200)
	owner.post("/settings/tokens/till/revoke").leadsTo(t, "/settings#tokens")
	b.get("/v1/cases", "Authorization", "Bearer "+secret).want(t, 401)
}

func TestTestMailAndDigestPreview(t *testing.T) {
	sent := ""
	s := newSite(t, func(d *web.Deps) {
		d.SendTestMail = func(_ context.Context, to string) error {
			if sent != "" {
				return errors.New("connection refused")
			}
			sent = to
			return nil
		}
	})
	b := s.as("owner")
	b.post("/settings/test-mail").leadsTo(t, "/settings#digest")
	b.get("/settings").want(t, 200, "A test mail went to owner@example.com.")
	b.post("/settings/test-mail").leadsTo(t, "/settings#digest")
	b.get("/settings").want(t, 200, "was not sent: connection refused")
	if p := b.get("/settings/digest-preview").want(t, 200, "Maria Keller"); !strings.Contains(p.header.Get("Content-Security-Policy"), "sandbox") {
		t.Fatalf("policy %s", p.header.Get("Content-Security-Policy"))
	}
	none := newSite(t).as("owner")
	none.post("/settings/test-mail").leadsTo(t, "/settings#digest")
	none.get("/settings").want(t, 200, "No mail server is set up")
}

func TestDemoSignsInWithOneClick(t *testing.T) {
	var s *site
	s = newSite(t, func(d *web.Deps) {
		d.Demo = &web.DemoHooks{SignIn: func(ctx context.Context, r schemas.Role) (string, error) {
			return s.auth.StartSession(ctx, string(r)+"@example.com")
		}}
	})
	b := s.browser()
	b.get("/login").want(t, 200, "Sign in as staff", "Sign in as manager", "Sign in as owner")
	b.post("/demo/sign-in", "role", "owner").leadsTo(t, "/triage")
	b.get("/settings").want(t, 200)
	b.post("/demo/sign-in", "role", "king").want(t, 404)
	newSite(t).browser().post("/demo/sign-in", "role", "owner").want(t, 404)
}
