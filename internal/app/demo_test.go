package app

import (
	"testing"
	"time"

	"redalert/internal/auth"
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
