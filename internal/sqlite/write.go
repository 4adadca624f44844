package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
)

// ErrClosed is returned by writes after Close.
var ErrClosed = errors.New("sqlite: store is closed")

// maxGroup bounds how many writes share one commit, and so how long the first
// of them waits.
const maxGroup = 256

type job struct {
	ctx context.Context
	fn  func(*Tx) error
	err error
	end chan struct{}
}

// Write runs fn in a transaction and returns when it is durable. Writes that
// wait at the same time share one commit (group commit), each but the first
// within a savepoint of its own: one that fails undoes only itself. fn must be quick,
// must not block on anything but the database, and may run only once.
func (d *DB) Write(ctx context.Context, fn func(tx *Tx) error) error {
	j := &job{ctx: ctx, fn: fn, end: make(chan struct{})}
	select {
	case d.jobs <- j:
	case <-d.quit:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-j.end:
		return j.err
	case <-d.done:
		select {
		case <-j.end:
			return j.err
		default:
			return ErrClosed
		}
	}
}

func (d *DB) writer() {
	defer close(d.done)
	for {
		select {
		case j := <-d.jobs:
			d.commitGroup(j)
		case <-d.quit:
			for {
				select {
				case j := <-d.jobs:
					d.commitGroup(j)
				default:
					return
				}
			}
		}
	}
}

// commitGroup runs first and whatever else is waiting in one transaction.
func (d *DB) commitGroup(first *job) {
	if _, err := d.tx.Exec("BEGIN IMMEDIATE"); err != nil {
		first.finish(fmt.Errorf("begin: %w", err))
		return
	}
	if err := d.runFirst(first); err != nil {
		_, rerr := d.tx.Exec("ROLLBACK")
		first.finish(errors.Join(err, rerr))
		return
	}
	group := []*job{first}
fill:
	for len(group) < maxGroup {
		select {
		case j := <-d.jobs:
			group = append(group, j)
			j.err = d.runJob(j)
		default:
			break fill
		}
	}
	_, err := d.tx.Exec("COMMIT")
	if err != nil {
		_, rerr := d.tx.Exec("ROLLBACK")
		err = fmt.Errorf("commit: %w", errors.Join(err, rerr))
	}
	for _, j := range group {
		if j.err == nil {
			j.err = err
		}
		close(j.end)
	}
}

func (j *job) finish(err error) {
	j.err = err
	close(j.end)
}

// runFirst runs the first job of a transaction. It needs no savepoint, which
// would copy every page it changes: when it fails, nothing else is undone.
func (d *DB) runFirst(j *job) (err error) {
	if err := j.ctx.Err(); err != nil {
		return err
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a write: %v", p)
		}
	}()
	return j.fn(d.tx)
}

func (d *DB) runJob(j *job) (err error) {
	if err := j.ctx.Err(); err != nil {
		return err
	}
	if _, err := d.tx.Exec("SAVEPOINT job"); err != nil {
		return fmt.Errorf("savepoint: %w", err)
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a write: %v", p)
		}
		if err != nil {
			_, rerr := d.tx.Exec("ROLLBACK TO job")
			err = errors.Join(err, rerr)
		}
		if _, rerr := d.tx.Exec("RELEASE job"); rerr != nil {
			err = errors.Join(err, rerr)
		}
	}()
	return j.fn(d.tx)
}

// Tx is a transaction of the one writing connection. It prepares each query
// text once and keeps it. It is for the function given to DB.Write alone.
type Tx struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

// maxStmts bounds the statements kept; texts beyond it are prepared each time.
const maxStmts = 400

func (t *Tx) stmt(query string) (*sql.Stmt, bool) {
	if s, ok := t.stmts[query]; ok {
		return s, true
	}
	if len(t.stmts) >= maxStmts {
		return nil, false
	}
	s, err := t.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, false
	}
	t.stmts[query] = s
	return s, true
}

// close gives the statements back before the connection: database/sql does not
// close those of a single connection, and SQLite keeps the write-ahead log
// while one is left.
func (t *Tx) close() error {
	var errs []error
	for _, s := range t.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, t.conn.Close())...)
}

// Exec runs one statement.
func (t *Tx) Exec(query string, args ...any) (sql.Result, error) {
	if s, ok := t.stmt(query); ok {
		return s.Exec(args...)
	}
	return t.conn.ExecContext(context.Background(), query, args...)
}

// Query runs a query; the caller closes the rows before the next statement.
func (t *Tx) Query(query string, args ...any) (*sql.Rows, error) {
	if s, ok := t.stmt(query); ok {
		return s.Query(args...)
	}
	return t.conn.QueryContext(context.Background(), query, args...)
}

// QueryRow runs a query for at most one row.
func (t *Tx) QueryRow(query string, args ...any) *sql.Row {
	if s, ok := t.stmt(query); ok {
		return s.QueryRow(args...)
	}
	return t.conn.QueryRowContext(context.Background(), query, args...)
}

// broadcast wakes everybody who waits for the log to grow.
type broadcast struct {
	mu sync.Mutex
	ch chan struct{}
}

func newBroadcast() *broadcast { return &broadcast{ch: make(chan struct{})} }

// Wait answers a channel that closes at the next Wake.
func (b *broadcast) Wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ch
}

// Wake closes the channel everybody waits on.
func (b *broadcast) Wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.ch)
	b.ch = make(chan struct{})
}
