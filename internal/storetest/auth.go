package storetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"redalert/alerting"
	"redalert/internal/auth"
	"redalert/schemas"
)

// Auth is an empty store behind the ports of auth, and People over its users.
// Reopen is as in Alerting.
type Auth struct {
	Users    auth.Users
	Sessions auth.Sessions
	Tokens   auth.Tokens
	People   alerting.People
	Reopen   func(t *testing.T) Auth
}

func aUser(email string) auth.User {
	return auth.User{Email: email, Name: "Ana K.", Role: schemas.RoleManager, Locations: []string{"North", "East"},
		Timezone: "Europe/Berlin", PasswordHash: "$argon2id$x", CreatedAt: day}
}

// Users is the conformance suite of auth.Users and of alerting.People.
func Users(t *testing.T, open func(t *testing.T) Auth) {
	s := open(t)
	ctx := t.Context()
	ana, ben := aUser("ana@example.com"), aUser("ben@example.com")
	for _, u := range []auth.User{ben, ana} {
		if err := s.Users.CreateUser(ctx, u); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Users.CreateUser(ctx, ana); !errors.Is(err, auth.ErrExists) {
		t.Fatalf("created twice: %v", err)
	}
	if _, err := s.Users.User(ctx, "nobody@example.com"); !errors.Is(err, auth.ErrNotFound) {
		t.Fatalf("unknown: %v", err)
	}
	if err := s.Users.UpdateUser(ctx, aUser("nobody@example.com")); !errors.Is(err, auth.ErrNotFound) {
		t.Fatalf("update of an unknown: %v", err)
	}
	ben.Disabled, ben.Locations, ben.Role, ben.PasswordHash, ben.Name, ben.Timezone = true, nil, schemas.RoleOwner, "", "Ben", ""
	if err := s.Users.UpdateUser(ctx, ben); err != nil {
		t.Fatal(err)
	}
	if s.Reopen != nil {
		s = s.Reopen(t)
	}
	all, err := s.Users.Users(ctx)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "users", all, []auth.User{ana, ben})
	one, err := s.Users.User(ctx, "ben@example.com")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "one", one, ben)
	staff, err := s.People.Staff(ctx)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "staff", staff, []alerting.Person{{Email: ana.Email, Name: ana.Name, Role: ana.Role, Locations: ana.Locations, Timezone: ana.Timezone}})
}

// Sessions is the conformance suite of auth.Sessions.
func Sessions(t *testing.T, open func(t *testing.T) Auth) {
	s := open(t)
	ctx := t.Context()
	add := func(hash, email string, expires time.Time) auth.Session {
		n := auth.Session{Hash: hash, Email: email, Purpose: "set_password", CreatedAt: day, ExpiresAt: expires}
		if err := s.Sessions.CreateSession(ctx, n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	gone := func(hash string) {
		t.Helper()
		if _, err := s.Sessions.Session(ctx, hash); !errors.Is(err, auth.ErrNotFound) {
			t.Fatalf("session %s: %v", hash, err)
		}
	}
	one := add("h1", "ana@example.com", day.Add(time.Hour))
	add("h2", "ana@example.com", day.Add(time.Hour))
	add("h3", "ben@example.com", day.Add(time.Hour))
	add("h4", "ben@example.com", day)
	got, err := s.Sessions.Session(ctx, "h1")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "session", got, one)
	var wg sync.WaitGroup
	var wins atomic.Int32
	for range 8 {
		wg.Go(func() {
			switch n, err := s.Sessions.TakeSession(context.Background(), "h1"); {
			case err == nil && n.Email == one.Email:
				wins.Add(1)
			case !errors.Is(err, auth.ErrNotFound):
				t.Errorf("take: %+v %v", n, err)
			}
		})
	}
	if wg.Wait(); wins.Load() != 1 {
		t.Fatalf("%d took it", wins.Load())
	}
	gone("h1")
	if err := s.Sessions.DeleteExpired(ctx, day); err != nil {
		t.Fatal(err)
	}
	gone("h4")
	if err := s.Sessions.DeleteSessionsOf(ctx, "ana@example.com"); err != nil {
		t.Fatal(err)
	}
	gone("h2")
	if _, err := s.Sessions.Session(ctx, "h3"); err != nil {
		t.Fatalf("h3: %v", err)
	}
	for range 2 {
		if err := s.Sessions.DeleteSession(ctx, "h3"); err != nil {
			t.Fatal(err)
		}
	}
	gone("h3")
}

// Tokens is the conformance suite of auth.Tokens.
func Tokens(t *testing.T, open func(t *testing.T) Auth) {
	s := open(t)
	ctx := t.Context()
	one := auth.Token{Name: "till", Hash: "h1", Scope: auth.ScopeIngest, Source: "shop", CreatedAt: day}
	two := auth.Token{Name: "board", Hash: "h2", Scope: auth.ScopeRead, CreatedAt: day}
	for _, n := range []auth.Token{one, two} {
		if err := s.Tokens.CreateToken(ctx, n); err != nil {
			t.Fatal(err)
		}
	}
	again := one
	again.Hash = "h3"
	if err := s.Tokens.CreateToken(ctx, again); !errors.Is(err, auth.ErrExists) {
		t.Fatalf("name in use: %v", err)
	}
	got, err := s.Tokens.Token(ctx, "h1")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "token", got, one)
	if _, err := s.Tokens.Token(ctx, "h3"); !errors.Is(err, auth.ErrNotFound) {
		t.Fatalf("unknown: %v", err)
	}
	if err := s.Tokens.RevokeToken(ctx, "nope", day); !errors.Is(err, auth.ErrNotFound) {
		t.Fatalf("revoke an unknown: %v", err)
	}
	for _, at := range []time.Time{day, day.Add(time.Hour)} {
		if err := s.Tokens.RevokeToken(ctx, "till", at); err != nil {
			t.Fatal(err)
		}
	}
	if s.Reopen != nil {
		s = s.Reopen(t)
	}
	revoked := one
	revoked.RevokedAt = &day
	all, err := s.Tokens.Tokens(ctx)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "tokens", all, []auth.Token{two, revoked})
	if err := s.Tokens.CreateToken(ctx, again); err != nil {
		t.Fatalf("a revoked name anew: %v", err)
	}
	if got, err := s.Tokens.Token(ctx, "h3"); err != nil || got.RevokedAt != nil {
		t.Fatalf("the new one: %+v %v", got, err)
	}
	if got, err := s.Tokens.Token(ctx, "h1"); err == nil && got.RevokedAt == nil {
		t.Fatal("the revoked secret works again")
	}
}
