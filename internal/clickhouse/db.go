// Package clickhouse keeps history in ClickHouse: the adapter behind the ports
// History, Records and Context of signals in a scaled deployment.
//
// Every insert is idempotent: rows of one key replace each other, so that a
// call whose answer was lost may simply be made again. The first verdict
// stored stands, also when two processes store the same event at once. Orders
// are folded from all their events after each insert, never incremented.
//
// It does not retry, schedule or delete anything by itself; a failure that may
// pass is ingest.ErrUnavailable, and the stages come again.
package clickhouse

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"redalert/schemas"
	"redalert/signals"
)

var (
	_ signals.History = (*DB)(nil)
	_ signals.Records = (*DB)(nil)
	_ signals.Context = (*DB)(nil)
)

// Aliases is where customer ids given out before are mapped to the present
// ones: the customers store. AliasesSince answers aliases changed after version,
// which is 0 or a next answered before, and the version to ask from the next
// time; it may not answer all at once, and is asked until it answers none. No row
// with a version up to next may turn up later. It is asked before every query, so
// an answer of "nothing new" must be cheap.
type Aliases interface {
	AliasesSince(ctx context.Context, version int64) (rows []schemas.Alias, next int64, err error)
}

// Config says which server, and how. Addr and Database are required.
type Config struct {
	Addr     string // host:port of the native protocol
	Database string // Migrate creates it where there is none
	User     string // "" = default
	Password string
	TLS      *tls.Config   // nil = plain text
	TTL      time.Duration // how long events and orders are kept after something happened, 0 = for good; events of orders always are. Set by Migrate
	Aliases  Aliases       // nil = no customer has aliases
	Now      func() time.Time
	Log      *slog.Logger

	settings driver.Settings // of the connection, for tests
	dial     func(ctx context.Context, addr string) (net.Conn, error)
}

const (
	dialTimeout = 5 * time.Second
	readTimeout = 2 * time.Minute // between two packets; the server reports progress meanwhile
	maxConns    = 16
)

// DB is history on one server. Its methods may be called concurrently, and by
// several processes on the same database.
type DB struct {
	c       Config
	conn    driver.Conn
	aliases aliases
	flight  flight
	writer  uint64 // where the numbers begin that mark rows by the call that wrote them
	calls   atomic.Uint64
	hooks   hooks
}

// hooks are moments that tests hold or watch.
type hooks struct {
	beforeInsert, beforeSend func(table string)
	beforeSettle             func()
}

// Open checks the configuration and connects to nothing: a server that is down
// makes the calls fail, with ingest.ErrUnavailable, not the start. Call Migrate
// once before use; Check says whether that was done.
func Open(_ context.Context, c Config) (*DB, error) {
	if c.Addr == "" || c.Database == "" {
		return nil, errors.New("clickhouse: address and database are required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	settings := driver.Settings{
		"session_timezone": "UTC",
		"join_use_nulls":   0,
		"async_insert":     0,
		// An index may pass over a row's newer version; this looks it up.
		"use_skip_indexes_if_final":            1,
		"use_skip_indexes_if_final_exact_mode": 1,
		// All rows of one key lie in one partition.
		"do_not_merge_across_partitions_select_final": 1,
	}
	for k, v := range c.settings {
		settings[k] = v
	}
	conn, err := c.connect(c.Database, settings)
	if err != nil {
		return nil, err
	}
	d := &DB{c: c, conn: conn, aliases: aliases{asking: make(chan struct{}, 1)}, writer: rand.Uint64()}
	d.aliases.done()
	return d, nil
}

// connect prepares connections to a database of the server; none is opened yet.
func (c *Config) connect(database string, settings driver.Settings) (driver.Conn, error) {
	conn, err := driver.Open(&driver.Options{
		Addr: []string{c.Addr}, Auth: driver.Auth{Database: database, Username: c.User, Password: c.Password}, TLS: c.TLS,
		DialContext: c.dial, DialTimeout: dialTimeout, ReadTimeout: readTimeout, MaxOpenConns: maxConns, MaxIdleConns: maxConns,
		Compression: &driver.Compression{Method: driver.CompressionLZ4}, Settings: settings,
	})
	if err != nil {
		return nil, fmt.Errorf("clickhouse at %s: %w", c.Addr, err)
	}
	return conn, nil
}

// Ping reports whether the server answers.
func (d *DB) Ping(ctx context.Context) error {
	return unavailable("clickhouse at "+d.c.Addr, d.conn.Ping(ctx))
}

// Close ends the connections.
func (d *DB) Close() error { return d.conn.Close() }
