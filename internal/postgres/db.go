// Package postgres keeps the state of the scaled deployment in PostgreSQL (13
// or later): receipts, cursors, quarantine, blobs and customers for the doors;
// cases, outbox, schedule and settings for alerting; users, sessions and tokens
// for auth. The log and history are elsewhere (Kafka, ClickHouse).
//
// Any number of processes may use one database at once. What a port calls one
// step is one transaction; collisions with others are tried again inside.
// Answers, orders and cursors are those of the embedded store, byte for byte.
//
// A failure that may pass by itself (server down, restarting, full, busy, or
// silent: a call without a deadline has a minute) wraps ingest.ErrUnavailable,
// whatever the port; when the server is back the next call works. If the answer to a commit is lost, the caller cannot know
// whether it took effect: calls may be repeated, and then change nothing.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"redalert/ingest"
)

// Config says where the database is and how it is used.
type Config struct {
	// URL is postgres://user:password@host:port/database?sslmode=verify-full, or
	// the keyword form of libpq. It is never logged and stands in no error.
	URL      string
	MaxConns int              // connections at once, beside one for each Exclusive that has its turn; 0 = what the URL's pool_max_conns says, else 10
	Now      func() time.Time // nil = time.Now; used by Prune alone
	Log      *slog.Logger     // nil = silent
	// PendingAge keeps Pending from listing what was reserved less than this
	// ago, by the server's clock: another instance is about to publish it. 0
	// lists all. Whoever sets it asks for pending events now and then, not only
	// at start.
	PendingAge time.Duration

	turnEvery time.Duration // 0 = 5 s; tests look more often
	lockWait  time.Duration // 0 = 15 s; tests wait less for a lock
}

const (
	defaultMaxConns       = 10
	defaultConnectTimeout = 10 * time.Second
)

var errClosed = errors.New("postgres: store is closed")

// DB is an open database. Its methods may be called concurrently.
type DB struct {
	cfg      Config
	pool     *pgxpool.Pool
	maxConns int
	limit    time.Duration // of a call without a deadline; 0 = none
	where    string
	log      *slog.Logger
	now      func() time.Time
	closed   atomic.Bool
}

// Open connects and looks at the schema; it changes nothing. An older schema
// is ErrOlder (run Migrate), a newer one ErrNewer; a server that cannot be
// reached wraps ingest.ErrUnavailable.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	d, err := connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	err = d.checkServer(ctx)
	if err == nil {
		err = d.checkSchema(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// connect makes the pool and proves that it can connect.
func connect(ctx context.Context, cfg Config) (*DB, error) {
	pc, err := poolConfig(cfg)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	c := pc.ConnConfig
	d := &DB{cfg: cfg, pool: pool, maxConns: int(pc.MaxConns), limit: callLimit, log: cfg.Log, now: cfg.Now,
		where: (&url.URL{Scheme: "postgres", Host: net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))), Path: "/" + c.Database}).String()}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if d.now == nil {
		d.now = time.Now
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, inWords(err, c)
	}
	return d, nil
}

// poolConfig reads the URL. The driver's own error may quote it, so it is not
// wrapped.
func poolConfig(cfg Config) (*pgxpool.Config, error) {
	pc, err := pgxpool.ParseConfig(cfg.URL)
	if cfg.URL == "" || err != nil {
		return nil, errors.New("postgres: the connection URL cannot be read: want postgres://user:password@host:5432/database?sslmode=verify-full, with special characters of the password written as %XX; a certificate file it names must exist")
	}
	switch {
	case cfg.MaxConns > 0:
		pc.MaxConns = int32(cfg.MaxConns)
	case !strings.Contains(cfg.URL, "pool_max_conns"):
		pc.MaxConns = defaultMaxConns
	}
	if !strings.Contains(cfg.URL, "connect_timeout") {
		pc.ConnConfig.ConnectTimeout = defaultConnectTimeout
	}
	p := pc.ConnConfig.RuntimeParams
	if p["application_name"] == "" {
		p["application_name"] = "redalert"
	}
	p["client_encoding"], p["timezone"] = "UTF8", "UTC"
	pc.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, noticeDeath)
		return err
	}
	return pc, nil
}

// noticeDeath lets the server find out within a minute that one of ours is
// gone without a word, in the middle of a request too, and let go of its locks;
// by default that takes two hours. A pooler between may see to it itself.
const noticeDeath = "set tcp_keepalives_idle = 30; set tcp_keepalives_interval = 10; set tcp_keepalives_count = 3"

// Where names the server and database for people, without user and password.
func (d *DB) Where() string { return d.where }

// Ping fails while nothing can be written: the server is down, or a standby.
func (d *DB) Ping(ctx context.Context) error {
	readOnly, err := first(ctx, d, nil, value[string], "SELECT current_setting('transaction_read_only')")
	if err == nil && readOnly != "off" {
		return fmt.Errorf("ping: %w: the server takes no writes now (a standby?)", ingest.ErrUnavailable)
	}
	return unavailable("ping", err)
}

// Close ends every connection, when what is under way is done.
func (d *DB) Close() error {
	d.closed.Store(true)
	d.pool.Close()
	return nil
}
