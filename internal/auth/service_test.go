package auth_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"redalert/internal/auth"
	"redalert/internal/memstore"
	"redalert/schemas"
)

const password = "correct horse battery"

type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func setup(t *testing.T) (*auth.Service, *memstore.Store, *clock) {
	t.Helper()
	c := &clock{t: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	st := memstore.New()
	return auth.New(auth.Config{Users: st.Users(), Sessions: st.Sessions(), Tokens: st.Tokens(), Now: c.now}), st, c
}

func withUser(t *testing.T, s *auth.Service, email string, role schemas.Role) {
	t.Helper()
	if err := s.AddUser(t.Context(), auth.User{Email: email, Role: role, Locations: []string{"North"}}, password); err != nil {
		t.Fatal(err)
	}
}

func login(t *testing.T, s *auth.Service, email string) string {
	t.Helper()
	secret, _, err := s.Login(t.Context(), email, password)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func wantNoSession(t *testing.T, s *auth.Service, secret string) {
	t.Helper()
	if _, err := s.Authenticate(t.Context(), secret); !errors.Is(err, auth.ErrNoSession) {
		t.Fatalf("Authenticate: %v, want ErrNoSession", err)
	}
}

func TestLoginAndSession(t *testing.T) {
	s, st, c := setup(t)
	withUser(t, s, "Ana@Example.com ", schemas.RoleManager)
	secret := login(t, s, " ANA@example.com")
	u, err := s.Authenticate(t.Context(), secret)
	if err != nil || u.Email != "ana@example.com" || u.Actor().Role != schemas.RoleManager || !u.Actor().Sees("North") || u.Actor().Sees("East") {
		t.Fatalf("%+v %v", u, err)
	}
	if _, err := st.Sessions().Session(t.Context(), secret); !errors.Is(err, auth.ErrNotFound) {
		t.Fatal("the secret itself is stored")
	}
	if again := login(t, s, "ana@example.com"); again == secret || len(again) < 43 {
		t.Fatalf("secrets %q and %q", secret, again)
	}
	c.add(auth.SessionFor - time.Second)
	if _, err := s.Authenticate(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	c.add(time.Second)
	wantNoSession(t, s, secret)
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestWrongLoginsLookAlike(t *testing.T) {
	s, _, _ := setup(t)
	ctx := t.Context()
	withUser(t, s, "ana@example.com", schemas.RoleStaff)
	withUser(t, s, "ben@example.com", schemas.RoleStaff)
	if err := s.Disable(ctx, "ben@example.com"); err != nil {
		t.Fatal(err)
	}
	if err := s.AddUser(ctx, auth.User{Email: "new@example.com", Role: schemas.RoleStaff}, ""); err != nil {
		t.Fatal(err)
	}
	for name, try := range map[string][2]string{
		"wrong password": {"ana@example.com", "wrong horse battery"},
		"unknown":        {"eve@example.com", password},
		"disabled":       {"ben@example.com", password},
		"invited":        {"new@example.com", ""},
		"huge password":  {"ana@example.com", strings.Repeat("x", 1<<20)},
	} {
		if _, _, err := s.Login(ctx, try[0], try[1]); err != auth.ErrBadLogin {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSessionsEndWithRights(t *testing.T) {
	for name, change := range map[string]func(*auth.Service, context.Context, string) error{
		"role": func(s *auth.Service, c context.Context, e string) error {
			return s.SetRole(c, e, schemas.RoleStaff, nil)
		},
		"locations": func(s *auth.Service, c context.Context, e string) error {
			return s.SetRole(c, e, schemas.RoleManager, nil)
		},
		"disabled": func(s *auth.Service, c context.Context, e string) error { return s.Disable(c, e) },
		"password": func(s *auth.Service, c context.Context, e string) error {
			return s.SetPassword(c, e, "another long password")
		},
		"link": func(s *auth.Service, c context.Context, e string) error {
			_, err := s.SetPasswordLink(c, e)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, _, _ := setup(t)
			withUser(t, s, "ana@example.com", schemas.RoleManager)
			secret := login(t, s, "ana@example.com")
			if err := change(s, t.Context(), "ana@example.com"); err != nil {
				t.Fatal(err)
			}
			wantNoSession(t, s, secret)
		})
	}
	s, _, _ := setup(t)
	withUser(t, s, "ana@example.com", schemas.RoleManager)
	secret := login(t, s, "ana@example.com")
	if err := s.SetProfile(t.Context(), "ana@example.com", "Ana", "Europe/Berlin"); err != nil {
		t.Fatal(err)
	}
	if u, err := s.Authenticate(t.Context(), secret); err != nil || u.Name != "Ana" {
		t.Fatalf("after a change of name: %+v %v", u, err)
	}
	if err := s.Logout(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	wantNoSession(t, s, secret)
}

func TestFirstOwner(t *testing.T) {
	s, _, c := setup(t)
	ctx := t.Context()
	first, ok, err := s.FirstOwnerLink(ctx)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	link, _, _ := s.FirstOwnerLink(ctx)
	claim := func(secret, pw string) error {
		_, err := s.ClaimFirstOwner(ctx, secret, "owner@example.com", "Olga", pw)
		return err
	}
	if err := claim(first, password); !errors.Is(err, auth.ErrBadLink) {
		t.Fatalf("the earlier link: %v", err)
	}
	var invalid *auth.Invalid
	if err := claim(link, "short"); !errors.As(err, &invalid) || invalid.Field != "password" {
		t.Fatalf("bad password: %v", err)
	}
	c.add(auth.FirstOwnerFor - time.Second)
	session, err := s.ClaimFirstOwner(ctx, link, "Owner@example.com", "Olga", password)
	if err != nil {
		t.Fatal(err)
	}
	if u, err := s.Authenticate(ctx, session); err != nil || u.Role != schemas.RoleOwner || len(u.Locations) != 0 {
		t.Fatalf("%+v %v", u, err)
	}
	if err := claim(link, password); !errors.Is(err, auth.ErrBadLink) {
		t.Fatalf("used twice: %v", err)
	}
	if _, ok, err := s.FirstOwnerLink(ctx); ok || err != nil {
		t.Fatalf("a link while there is an owner: %v %v", ok, err)
	}
	if err := s.Disable(ctx, "owner@example.com"); !errors.Is(err, auth.ErrLastOwner) {
		t.Fatalf("disable the last owner: %v", err)
	}
	if err := s.SetRole(ctx, "owner@example.com", schemas.RoleStaff, nil); !errors.Is(err, auth.ErrLastOwner) {
		t.Fatalf("demote the last owner: %v", err)
	}
}

func TestLinksExpireAndAreNotSessions(t *testing.T) {
	s, _, c := setup(t)
	ctx := t.Context()
	link, _, _ := s.FirstOwnerLink(ctx)
	wantNoSession(t, s, link)
	c.add(auth.FirstOwnerFor)
	if _, err := s.ClaimFirstOwner(ctx, link, "o@example.com", "", password); !errors.Is(err, auth.ErrBadLink) {
		t.Fatalf("after 15 minutes: %v", err)
	}
	if err := s.AddUser(ctx, auth.User{Email: "new@example.com", Role: schemas.RoleStaff}, ""); err != nil {
		t.Fatal(err)
	}
	link, err := s.SetPasswordLink(ctx, "new@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.ClaimPassword(ctx, link, "new@example.com"); err == nil {
		t.Fatal("the address as password")
	}
	if _, err := s.ClaimFirstOwner(ctx, link, "o@example.com", "", password); !errors.Is(err, auth.ErrBadLink) {
		t.Fatalf("a set-password link as first-owner link: %v", err)
	}
	session, err := s.ClaimPassword(ctx, link, password)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.ClaimPassword(ctx, link, password); !errors.Is(err, auth.ErrBadLink) {
		t.Fatalf("used twice: %v", err)
	}
	if _, err := s.Link(ctx, session, auth.PurposeSetPassword); !errors.Is(err, auth.ErrBadLink) {
		t.Fatalf("a session as a link: %v", err)
	}
	login(t, s, "new@example.com")
}

func TestTokens(t *testing.T) {
	s, _, _ := setup(t)
	ctx := t.Context()
	secret, err := s.NewToken(ctx, "till", auth.ScopeIngest, "shop")
	if err != nil || !strings.HasPrefix(secret, auth.TokenPrefix) {
		t.Fatalf("%q %v", secret, err)
	}
	tok, err := s.TokenBySecret(ctx, secret)
	if err != nil || tok.Source != "shop" || strings.Contains(tok.Hash, secret) || tok.Actor().Email != "till@token.invalid" {
		t.Fatalf("%+v %v", tok, err)
	}
	if _, err := s.NewToken(ctx, "till", auth.ScopeRead, ""); !errors.Is(err, auth.ErrExists) {
		t.Fatalf("name in use: %v", err)
	}
	for _, bad := range []struct{ name, scope, source string }{{"", "read", ""}, {"a b", "read", ""}, {"x", "all", ""}, {"x", "read", "shop"}} {
		var invalid *auth.Invalid
		if _, err := s.NewToken(ctx, bad.name, auth.Scope(bad.scope), bad.source); !errors.As(err, &invalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if err := s.RevokeToken(ctx, "till"); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{secret, "", "ra_x", "x"} {
		if _, err := s.TokenBySecret(ctx, secret); !errors.Is(err, auth.ErrBadToken) {
			t.Errorf("%q: %v", secret, err)
		}
	}
	if !auth.ScopeTriage.Covers(auth.ScopeRead) || auth.ScopeRead.Covers(auth.ScopeTriage) || auth.ScopeTriage.Covers(auth.ScopeIngest) {
		t.Error("scopes")
	}
}

func TestUsersAreChecked(t *testing.T) {
	s, _, _ := setup(t)
	for field, u := range map[string]auth.User{
		"email":    {Email: "not an address", Role: schemas.RoleStaff},
		"role":     {Email: "a@example.com", Role: "boss"},
		"name":     {Email: "a@example.com", Role: schemas.RoleStaff, Name: "a\r\nBcc: b@example.com"},
		"timezone": {Email: "a@example.com", Role: schemas.RoleStaff, Timezone: "Mars/Base"},
	} {
		var invalid *auth.Invalid
		if err := s.AddUser(t.Context(), u, password); !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	withUser(t, s, "a@example.com", schemas.RoleStaff)
	if err := s.AddUser(t.Context(), auth.User{Email: "A@example.com", Role: schemas.RoleStaff}, password); !errors.Is(err, auth.ErrExists) {
		t.Errorf("twice: %v", err)
	}
	if err := s.SetPassword(t.Context(), "nobody@example.com", password); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
}

// TestFault_14: a flood of logins is throttled before anything is hashed;
// somebody else at the same address is not touched, nor is the person at
// another address.
func TestFault_14_LoginFlood(t *testing.T) {
	s, _, c := setup(t)
	withUser(t, s, "ana@example.com", schemas.RoleStaff)
	withUser(t, s, "ben@example.com", schemas.RoleStaff)
	here := auth.WithAddress(t.Context(), "192.0.2.1")
	throttled, wrong := 0, 0
	for range 1000 {
		_, _, err := s.Login(here, "ana@example.com", "wrong password")
		var th *auth.ErrThrottled
		switch {
		case errors.As(err, &th) && th.RetryAfter > 0 && th.RetryAfter <= time.Minute:
			throttled++
		case errors.Is(err, auth.ErrBadLogin):
			wrong++
		default:
			t.Fatal(err)
		}
	}
	if wrong > 10 || throttled < 990 {
		t.Fatalf("%d tried, %d throttled", wrong, throttled)
	}
	if _, _, err := s.Login(here, "ben@example.com", password); err != nil {
		t.Fatalf("a colleague at the same address: %v", err)
	}
	if _, _, err := s.Login(auth.WithAddress(t.Context(), "192.0.2.2"), "ana@example.com", password); err != nil {
		t.Fatalf("the person at another address: %v", err)
	}
	c.add(time.Minute)
	if _, _, err := s.Login(here, "ana@example.com", password); err != nil {
		t.Fatalf("a minute later: %v", err)
	}
}

func TestGoodLoginsAreNotThrottled(t *testing.T) {
	s, _, _ := setup(t)
	withUser(t, s, "ana@example.com", schemas.RoleStaff)
	for i := range 12 {
		if _, _, err := s.Login(t.Context(), "ana@example.com", password); err != nil {
			t.Fatalf("login %d: %v", i, err)
		}
	}
}

func TestManyNamesFromOneAddress(t *testing.T) {
	s, _, _ := setup(t)
	ctx, cancel := context.WithCancel(auth.WithAddress(t.Context(), "192.0.2.1"))
	cancel() // hashing is refused at once: only the throttle is measured
	throttled := 0
	for i := range 1000 {
		_, _, err := s.Login(ctx, fmt.Sprintf("p%d@example.com", i), "guess")
		if th := (*auth.ErrThrottled)(nil); errors.As(err, &th) {
			throttled++
		}
	}
	if throttled < 850 {
		t.Fatalf("%d of 1000 throttled", throttled)
	}
}
