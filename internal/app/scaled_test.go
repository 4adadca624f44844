package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"redalert/internal/config"
	"redalert/internal/servertest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	servertest.StopShared()
	servertest.StopClickHouse()
	os.Exit(code)
}

// scaledConfig names the three servers, with topics, a database and a schema
// that nobody else uses, all of them created by Migrate.
func scaledConfig(t testing.TB, name string) config.Config {
	t.Helper()
	kafka, history, state := servertest.SharedKafka(t), servertest.ClickHouse(t), servertest.Postgres(t)
	cfg := config.Defaults()
	cfg.DataDir = t.TempDir()
	cfg.Kafka = &config.Kafka{Brokers: []string{kafka.Addr}, Prefix: name + ".", TLS: "none", Partitions: 4, Replication: 1}
	cfg.ClickHouse = &config.ClickHouse{Addr: history.Addr, Database: name, User: "default", TLS: "none"}
	cfg.Postgres = &config.Postgres{URL: config.Secret(state.Database(t, ""))}
	t.Cleanup(func() { dropDatabase(t, history.Addr, name) })
	if _, err := Migrate(t.Context(), cfg, Options{}); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func dropDatabase(t testing.TB, addr, name string) {
	conn, err := clickhouse.Open(&clickhouse.Options{Addr: []string{addr}})
	if err == nil {
		err = errors.Join(conn.Exec(context.Background(), "DROP DATABASE IF EXISTS "+name+" SYNC"), conn.Close())
	}
	if err != nil {
		t.Logf("a database is left behind: %v", err)
	}
}

func newScaled(t testing.TB, name string) *App {
	t.Helper()
	a, err := New(t.Context(), scaledConfig(t, name), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

var uniqueName = func() func() string {
	n := 0
	return func() string { n++; return fmt.Sprintf("bench_%d_%d", os.Getpid(), n) }
}()
