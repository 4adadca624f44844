package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// maxTries bounds how often a transaction that collided with another one
// (serialization failure, deadlock) is run.
const maxTries = 10

// callLimit bounds a call whose caller has set no deadline: a server that has
// gone without a word (cable cut, machine frozen) is unavailable then.
const callLimit = time.Minute

func (d *DB) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok || d.limit <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, d.limit)
}

// beginWrite starts a transaction that waits for nobody longer than SQLite
// waits for a busy file, and whose locks do not outlive a process that stands
// still in the middle of it.
func (c Config) beginWrite() string {
	wait := lockWait
	if c.lockWait > 0 {
		wait = c.lockWait
	}
	return fmt.Sprintf("begin isolation level read committed read write; set local lock_timeout = '%dms'; set local idle_in_transaction_session_timeout = '60s'", wait.Milliseconds())
}

const lockWait = 15 * time.Second

// beginRead starts a transaction that sees one moment.
const beginRead = "begin isolation level repeatable read read only"

// querier is the pool or a transaction; every text goes through stored and row.
type querier struct {
	q interface {
		Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
		Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
		SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
	}
}

func (q querier) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	tag, err := q.q.Exec(ctx, sql, stored(args)...)
	return tag.RowsAffected(), err
}

// batch is several statements that travel together; outside a transaction they
// are one.
type batch struct{ pgx.Batch }

// add queues a statement; affected, if not nil, is told how many rows it changed.
func (b *batch) add(affected func(n int64) error, sql string, args ...any) {
	q := b.Queue(sql, stored(args)...)
	if affected != nil {
		q.Exec(func(tag pgconn.CommandTag) error { return affected(tag.RowsAffected()) })
	}
}

// addRows queues a query whose rows go to each.
func (b *batch) addRows(each func(row) error, sql string, args ...any) {
	b.Queue(sql, stored(args)...).Query(func(rows pgx.Rows) error { return forEach(rows, nil, each) })
}

// send runs a batch; the first error, of a statement or of a callback, ends it.
func (q querier) send(ctx context.Context, b *batch) error {
	if b.Len() == 0 {
		return nil
	}
	return q.q.SendBatch(ctx, &b.Batch).Close()
}

func forEach(rows pgx.Rows, err error, each func(row) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(row{rows}); err != nil {
			return err
		}
	}
	return rows.Err()
}

// all reads every row of a query.
func all[T any](ctx context.Context, q querier, scan func(row) (T, error), sql string, args ...any) ([]T, error) {
	var out []T
	rows, err := q.q.Query(ctx, sql, stored(args)...)
	err = forEach(rows, err, func(r row) error {
		v, err := scan(r)
		out = append(out, v)
		return err
	})
	return out, err
}

// one reads the first row of a query; pgx.ErrNoRows when there is none.
func one[T any](ctx context.Context, q querier, scan func(row) (T, error), sql string, args ...any) (T, error) {
	list, err := all(ctx, q, scan, sql, args...)
	if err == nil && len(list) == 0 {
		err = pgx.ErrNoRows
	}
	if err != nil {
		var none T
		return none, err
	}
	return list[0], nil
}

// value scans a row of one column.
func value[T any](r row) (v T, err error) {
	err = r.Scan(&v)
	return v, err
}

// read runs queries, once more when a connection turns out to be dead: after a
// restart of the server the pool may hold a few. fn may run several times.
func (d *DB) read(ctx context.Context, fn func(ctx context.Context, q querier) error) error {
	ctx, cancel := d.limited(ctx)
	defer cancel()
	var err error
	for range d.maxConns + 1 {
		if d.closed.Load() {
			return errClosed
		}
		if err = fn(ctx, querier{d.pool}); !broken(err) && !again(err) || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// query is read of all rows of one query.
func query[T any](ctx context.Context, d *DB, scan func(row) (T, error), sql string, args ...any) (out []T, err error) {
	err = d.read(ctx, func(ctx context.Context, q querier) (err error) {
		out, err = all(ctx, q, scan, sql, args...)
		return err
	})
	return out, err
}

// first is read of the first row of one query; none when there is none.
func first[T any](ctx context.Context, d *DB, none error, scan func(row) (T, error), sql string, args ...any) (v T, err error) {
	err = d.read(ctx, func(ctx context.Context, q querier) (err error) {
		v, err = one(ctx, q, scan, sql, args...)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		err = none
	}
	return v, err
}

// exec runs one statement, which is a transaction of its own.
func (d *DB) exec(ctx context.Context, sql string, args ...any) (n int64, err error) {
	err = d.retry(ctx, func(ctx context.Context) (err error) {
		n, err = querier{d.pool}.exec(ctx, sql, args...)
		return err
	})
	return n, err
}

// send runs a batch as one transaction. build may run several times.
func (d *DB) send(ctx context.Context, build func(b *batch)) error {
	return d.retry(ctx, func(ctx context.Context) error {
		var b batch
		build(&b)
		return querier{d.pool}.send(ctx, &b)
	})
}

// write runs fn in a transaction and returns when it is durable. fn may run
// several times, each time on a clean slate.
func (d *DB) write(ctx context.Context, fn func(ctx context.Context, tx querier) error) error {
	return d.retry(ctx, func(ctx context.Context) error { return d.inTx(ctx, d.cfg.beginWrite(), fn) })
}

// snapshot runs queries that must see one moment.
func (d *DB) snapshot(ctx context.Context, fn func(ctx context.Context, tx querier) error) error {
	return d.retry(ctx, func(ctx context.Context) error { return d.inTx(ctx, beginRead, fn) })
}

// retry runs what collided with another transaction again, a little later.
func (d *DB) retry(ctx context.Context, fn func(ctx context.Context) error) error {
	ctx, cancel := d.limited(ctx)
	defer cancel()
	for try := 1; ; try++ {
		if d.closed.Load() {
			return errClosed
		}
		err := fn(ctx)
		if !again(err) || try == maxTries {
			return err
		}
		d.log.Debug("a transaction collided with another one", "try", try, "error", err)
		timer := time.NewTimer(time.Duration(rand.Int64N(int64(try) * int64(10*time.Millisecond))))
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
	}
}

func (d *DB) inTx(ctx context.Context, begin string, fn func(ctx context.Context, tx querier) error) error {
	tx, err := d.begin(ctx, begin)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx) // after a commit it does nothing
	if err := fn(ctx, querier{tx}); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// begin tries other connections when one turns out to be dead: nothing has
// happened yet.
func (d *DB) begin(ctx context.Context, how string) (tx pgx.Tx, err error) {
	for range d.maxConns + 1 {
		if tx, err = d.pool.BeginTx(ctx, pgx.TxOptions{BeginQuery: how}); err == nil || !broken(err) || ctx.Err() != nil {
			return tx, err
		}
	}
	return nil, err
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }
