// Package sqlite keeps everything in one SQLite file: the embedded adapter
// behind every port of ingest, signals, alerting and auth.
//
// Durability: WAL with synchronous=FULL, so a commit is on disk when it
// returns. There is one writing connection per process; concurrent writes of
// one process share a commit (see DB.Write). Several processes may open the
// same file (a running server and an import): they take turns.
//
// It does not retry, schedule or decide anything; that is the stages' work.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"sync"

	driver "modernc.org/sqlite" // driver "sqlite"
)

// A commit waits for fdatasync instead of fsync, as SQLite does wherever its C
// build finds that call: the data and the size of the file are on disk when it
// returns, the time of its last change need not be. Where the system has no
// fdatasync nothing changes.
func init() { _, _ = driver.Fdatasync(true) }

// readers is how many read at the same time.
const readers = 4

// DB is one open file. Its methods may be called concurrently.
type DB struct {
	path  string
	read  *sql.DB
	write *sql.DB

	jobs chan *job
	done chan struct{}
	stop sync.Once
	quit chan struct{}

	tx *Tx // of the one writing connection; used by writer alone

	prepared sync.Map // query text → *sql.Stmt of read

	wake *broadcast
}

// Open opens or creates the file and migrates it. A file written by a newer
// program is refused with ErrNewer.
func Open(ctx context.Context, path string) (*DB, error) {
	write, err := sql.Open("sqlite", dsn(path, "immediate"))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	write.SetMaxOpenConns(1)
	if err := migrate(ctx, write); err != nil {
		write.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	conn, err := write.Conn(ctx)
	if err != nil {
		write.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	read, err := sql.Open("sqlite", dsn(path, "deferred")+"&_pragma=query_only(1)")
	if err != nil {
		write.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers) // opening one reads the whole schema
	d := &DB{
		path: path, read: read, write: write,
		jobs: make(chan *job, 1024), done: make(chan struct{}), quit: make(chan struct{}),
		tx: &Tx{conn: conn, stmts: map[string]*sql.Stmt{}}, wake: newBroadcast(),
	}
	go d.writer()
	return d, nil
}

// dsn names the pragmas each connection gets. _txlock=immediate: a deferred
// transaction that turns to writing would get SQLITE_BUSY despite the timeout.
// A checkpoint every 8,000 pages (32 MiB) instead of 1,000 writes pages that
// change often an eighth as many times.
func dsn(path, txlock string) string {
	q := url.Values{}
	q.Set("_txlock", txlock)
	for _, p := range []string{"busy_timeout(15000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "temp_store(2)", "cache_size(-8000)", "wal_autocheckpoint(8000)"} {
		q.Add("_pragma", p)
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// Read is the pool of read-only connections. Keep reads short: a long one
// keeps the write-ahead log from being checkpointed.
func (d *DB) Read() *sql.DB { return d.read }

// Path is the file's name.
func (d *DB) Path() string { return d.path }

// Close waits for writes under way, then closes the file. The last to close it
// brings the write-ahead log into it: whoever copies the one file then has all.
func (d *DB) Close() error {
	d.stop.Do(func() { close(d.quit) })
	<-d.done
	return errors.Join(d.read.Close(), d.tx.close(), d.write.Close())
}
