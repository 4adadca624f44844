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
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// Ports that servers are started on lie below those the kernel gives to
// connections (from 32768 on Linux, 49152 elsewhere): a client that dials a
// killed server again and again would otherwise now and then be given that very
// port for its own end, and take it.
const firstPort, lastPort = 20000, 32000

// freePort answers a loopback port that nothing listens on just now.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", firstPort+rand.IntN(lastPort-firstPort)))
		if err != nil {
			continue
		}
		defer l.Close()
		return l.Addr().(*net.TCPAddr).Port
	}
	t.Fatalf("no free port between %d and %d", firstPort, lastPort)
	return 0
}
