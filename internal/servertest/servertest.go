// Package servertest starts real servers on a bare machine, without Docker,
// for tests only. Each server lies in one temporary folder, listens on a free
// loopback port, and ends with the test that started it; an address given by
// the environment is used instead where there is one:
//
//	REDALERT_TEST_KAFKA       host:port of a Kafka broker (plain text; it has to allow
//	                          sessions of half a second: group.min.session.timeout.ms=500)
//	REDALERT_TEST_CLICKHOUSE  host:port of a ClickHouse server (native protocol)
//	REDALERT_TEST_CLICKHOUSE_COMMAND
//	                          a program that becomes one when it is called with
//	                          --listen 127.0.0.1:PORT --data DIR; tests that kill
//	                          the server need it
//	REDALERT_TEST_POSTGRES    connection URL of a PostgreSQL that may create databases
//
// A server that is not to be had skips the test loudly; under CI=true the test
// fails instead, so that a lane never disappears unseen.
package servertest

import (
	"net"
	"os"
	"testing"
)

// missing skips the test, or fails it under CI=true.
func missing(t testing.TB, advice string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(advice)
	}
	t.Skip("SKIPPED: " + advice)
}

// freePort answers a loopback port that nothing listens on just now.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
