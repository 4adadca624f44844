package postgres

import (
	"testing"

	"redalert/internal/memstore"
	"redalert/internal/storetest"
)

// openAlerting opens a database; its Reopen opens the same one again without
// the first having been closed, as after a SIGKILL.
func openAlerting(t *testing.T) storetest.Alerting { return alertingOf(open(t)) }

func alertingOf(d *DB) storetest.Alerting {
	return storetest.Alerting{
		Cases: d.Cases(), Lists: d.Lists(), Outbox: d.Outbox(), Schedule: d.Schedule(), Settings: d.Settings(), Fits: d, Lessons: d.Lessons(), Identities: d,
		Reopen: func(t *testing.T) storetest.Alerting { return alertingOf(reopen(t, d)) },
	}
}

func openAuth(t *testing.T) storetest.Auth { return authOf(open(t)) }

func authOf(d *DB) storetest.Auth {
	return storetest.Auth{
		Users: d.Users(), Sessions: d.Sessions(), Tokens: d.Tokens(), People: d.People(),
		Reopen: func(t *testing.T) storetest.Auth { return authOf(reopen(t, d)) },
	}
}

// openPipeline has the log in memory: only the ports of this package are in
// PostgreSQL. A reopened one keeps the log, as Kafka would.
func openPipeline(t *testing.T) storetest.Pipeline { return pipelineOf(open(t), memstore.New()) }

func pipelineOf(d *DB, log *memstore.Store) storetest.Pipeline {
	return storetest.Pipeline{
		Publisher: log, Consumer: log.Consumer, Alerts: log, AlertReader: log.AlertReader,
		Receipts: d, Cursors: d.Cursors(), Quarantine: d.Quarantine(), Blobs: d.Blobs(), Identities: d, Threads: d, Answers: d, Statuses: d, People: d,
		Reopen: func(t *testing.T) storetest.Pipeline { return pipelineOf(reopen(t, d), log) },
	}
}

func TestCases(t *testing.T)      { storetest.Cases(t, openAlerting) }
func TestCaseLists(t *testing.T)  { storetest.CaseLists(t, openAlerting) }
func TestOutbox(t *testing.T)     { storetest.Outbox(t, openAlerting) }
func TestSchedule(t *testing.T)   { storetest.Schedule(t, openAlerting) }
func TestSettings(t *testing.T)   { storetest.Settings(t, openAlerting) }
func TestFits(t *testing.T)       { storetest.Fits(t, openAlerting) }
func TestLessons(t *testing.T)    { storetest.Lessons(t, openAlerting) }
func TestUsers(t *testing.T)      { storetest.Users(t, openAuth) }
func TestSessions(t *testing.T)   { storetest.Sessions(t, openAuth) }
func TestTokens(t *testing.T)     { storetest.Tokens(t, openAuth) }
func TestReceipts(t *testing.T)   { storetest.Receipts(t, openPipeline) }
func TestCursors(t *testing.T)    { storetest.Cursors(t, openPipeline) }
func TestQuarantine(t *testing.T) { storetest.Quarantine(t, openPipeline) }
func TestBlobs(t *testing.T)      { storetest.Blobs(t, openPipeline) }
func TestIdentities(t *testing.T) { storetest.Identities(t, openPipeline) }
func TestThreads(t *testing.T)    { storetest.Threads(t, openPipeline) }
func TestAnswers(t *testing.T)    { storetest.Answers(t, openPipeline) }
func TestStatuses(t *testing.T)   { storetest.Statuses(t, openPipeline) }
