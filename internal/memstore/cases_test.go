package memstore

import (
	"testing"

	"redalert/internal/storetest"
)

func openAlerting(*testing.T) storetest.Alerting {
	s := New()
	return storetest.Alerting{Cases: s.Cases(), Lists: s.Lists(), Outbox: s.Outbox(), Schedule: s.Schedule(), Settings: s.Settings(), Fits: s, Lessons: s.Lessons(), Identities: s}
}

func openAuth(*testing.T) storetest.Auth {
	s := New()
	return storetest.Auth{Users: s.Users(), Sessions: s.Sessions(), Tokens: s.Tokens(), People: s.People()}
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
