package app

import (
	"testing"
	"time"

	"redalert/internal/auth"
	"redalert/internal/config"
	"redalert/internal/demo"
	"redalert/schemas"
)

// TestSignInOutlivesTheStory: whoever signs in while the demo tells its past is
// still signed in when it has come to the present.
func TestSignInOutlivesTheStory(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	told := now.AddDate(0, -14, 0)
	a, err := New(t.Context(), testConfig(t), Options{Now: func() time.Time { return told }, Real: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := a.Auth.AddUser(t.Context(), auth.User{Email: "owner@shop.example", Role: schemas.RoleOwner}, ""); err != nil {
		t.Fatal(err)
	}
	secret, err := a.Auth.StartSession(t.Context(), "owner@shop.example")
	if err != nil {
		t.Fatal(err)
	}
	told = now
	if err := a.Auth.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if u, err := a.Auth.Authenticate(t.Context(), secret); err != nil || u.Email != "owner@shop.example" {
		t.Errorf("signed out by the story: %v", err)
	}
}

// TestSeedOnALaterDayAddsNothing: the story depends on the day it is told, and
// its events have running numbers; told again a day later it is the same.
func TestSeedOnALaterDayAddsNothing(t *testing.T) {
	cfg := testConfig(t)
	cfg.Business = config.Business{Name: demo.Name, Timezone: demo.Timezone, Currency: demo.Currency}
	now := time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	opt := DemoOptions{Now: func() time.Time { return now }, Say: func(string, ...any) {},
		write: func(seed uint64, now time.Time) *demo.Story { // its end alone: all of it takes long
			s := demo.Write(seed, now)
			s.Items = s.Items[len(s.Items)-300:]
			return s
		}}
	first, err := SeedDemo(t.Context(), cfg, opt)
	if err != nil || first != 300 {
		t.Fatalf("%d events at first, %v", first, err)
	}
	now = now.Add(25 * time.Hour)
	if again, err := SeedDemo(t.Context(), cfg, opt); err != nil || again != 0 {
		t.Errorf("%d events a day later, %v", again, err)
	}
	a := newApp(t, cfg)
	if page, err := a.Stores.Quarantine.List(t.Context(), "", schemas.ListQuery{Limit: 3}); err != nil || len(page.Items) > 0 {
		t.Errorf("in quarantine: %+v, %v", page.Items, err)
	}
	if text, err := a.Stores.Cursors.Load(t.Context(), seedCursor); err != nil || text != "2026-03-02T09:30:00Z" {
		t.Errorf("the story ends at %q, %v", text, err)
	}
}
