package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"redalert/internal/memstore"
	"redalert/internal/servertest"
	"redalert/internal/storetest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	servertest.StopClickHouse()
	os.Exit(code)
}

// database answers the configuration of a database of the test's own on a
// server, which Migrate creates.
func database(t testing.TB, s *servertest.ClickHouseServer) Config {
	t.Helper()
	return databaseAs(t, s, "", "")
}

func databaseAs(t testing.TB, s *servertest.ClickHouseServer, user, password string) Config {
	t.Helper()
	c := Config{Addr: s.Addr, User: user, Password: password, Database: fmt.Sprintf("redalert_test_%016x", rand.Uint64())}
	t.Cleanup(func() {
		conn, err := driver.Open(&driver.Options{Addr: []string{s.Addr}, Auth: driver.Auth{Username: user, Password: password}})
		if err == nil {
			err = errors.Join(conn.Exec(context.Background(), "DROP DATABASE IF EXISTS "+quoted(c.Database)+" SYNC"), conn.Close())
		}
		if err != nil {
			t.Logf("a database is left behind: %v", err)
		}
	})
	return c
}

// created opens a database that is there and holds nothing, as an administrator
// may have left it.
func created(t testing.TB, c Config) *DB {
	t.Helper()
	d, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	if err := d.createDatabase(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

// connect opens a database, ready for use.
func connect(t testing.TB, c Config) *DB {
	t.Helper()
	d, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	if err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

func open(t testing.TB) *DB { return connect(t, database(t, servertest.ClickHouse(t))) }

// pipelineOf puts history beside a memory store for everything else.
func pipelineOf(d *DB, s *memstore.Store) storetest.Pipeline {
	return storetest.Pipeline{
		Publisher: s, Receipts: s, Cursors: s.Cursors(), Quarantine: s.Quarantine(), Blobs: s.Blobs(), Identities: s, Threads: s, Answers: s, Statuses: s,
		Consumer: s.Consumer, Alerts: s, AlertReader: s.AlertReader, History: d, Records: d, Context: d, Rounds: d, People: s,
		Reopen: func(t *testing.T) storetest.Pipeline { return pipelineOf(connect(t, d.c), s) },
	}
}

func openPipeline(t *testing.T) storetest.Pipeline {
	s := memstore.New()
	c := database(t, servertest.ClickHouse(t))
	c.Aliases = s
	return pipelineOf(connect(t, c), s)
}

func TestHistory(t *testing.T) { storetest.History(t, openPipeline) }
func TestOrders(t *testing.T)  { storetest.Orders(t, openPipeline) }
func TestRounds(t *testing.T)  { storetest.Rounds(t, openPipeline) }
func TestTrends(t *testing.T)  { storetest.Trends(t, openPipeline) }

func TestTrendsAsInMemory(t *testing.T) {
	s := memstore.New()
	storetest.SameTrends(t, openPipeline(t), storetest.Pipeline{History: s, Identities: s, People: s})
}
