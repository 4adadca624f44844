package sqlite

import (
	"context"
	"testing"

	"redalert/internal/storetest"
)

// openAlerting opens a file; its Reopen opens the same one again without the
// first having been closed, as after a SIGKILL.
func openAlerting(t *testing.T) storetest.Alerting { return alertingOf(t, open(t)) }

func alertingOf(t *testing.T, d *DB) storetest.Alerting {
	return storetest.Alerting{
		Cases: d.Cases(), Lists: d.Lists(), Outbox: d.Outbox(), Schedule: d.Schedule(), Settings: d.Settings(), Fits: d, Lessons: d.Lessons(), Identities: d,
		Reopen: func(t *testing.T) storetest.Alerting { return alertingOf(t, reopen(t, d)) },
	}
}

func reopen(t *testing.T, d *DB) *DB {
	t.Helper()
	again, err := Open(context.Background(), d.Path())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { again.Close() })
	return again
}

func openAuth(t *testing.T) storetest.Auth { return authOf(open(t)) }

func authOf(d *DB) storetest.Auth {
	return storetest.Auth{
		Users: d.Users(), Sessions: d.Sessions(), Tokens: d.Tokens(), People: d.People(),
		Reopen: func(t *testing.T) storetest.Auth { return authOf(reopen(t, d)) },
	}
}

func TestCases(t *testing.T)     { storetest.Cases(t, openAlerting) }
func TestCaseLists(t *testing.T) { storetest.CaseLists(t, openAlerting) }
func TestOutbox(t *testing.T)    { storetest.Outbox(t, openAlerting) }
func TestSchedule(t *testing.T)  { storetest.Schedule(t, openAlerting) }
func TestSettings(t *testing.T)  { storetest.Settings(t, openAlerting) }
func TestFits(t *testing.T)      { storetest.Fits(t, openAlerting) }
func TestLessons(t *testing.T)   { storetest.Lessons(t, openAlerting) }
func TestUsers(t *testing.T)     { storetest.Users(t, openAuth) }
func TestSessions(t *testing.T)  { storetest.Sessions(t, openAuth) }
func TestTokens(t *testing.T)    { storetest.Tokens(t, openAuth) }
