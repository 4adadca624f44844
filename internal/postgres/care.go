package postgres

import (
	"context"
	"time"

	"redalert/ingest"
)

const pruneChunk = 5000

// Prune removes what has served its time: answers under an Idempotency-Key
// older than a day (never younger, whatever before is), and sessions that
// expired before the given time. Receipts live as long as history, and
// notifications are a log: both stay. It answers how many rows it removed,
// works in short transactions, and may run on several machines at once.
func (d *DB) Prune(ctx context.Context, before time.Time) (removed int64, err error) {
	day := d.now().Add(-ingest.AnswersFor)
	if day.Before(before) {
		before = day
	}
	for _, sql := range []string{
		"DELETE FROM answers WHERE (scope, key) IN (SELECT scope, key FROM answers WHERE at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
		"DELETE FROM sessions WHERE hash IN (SELECT hash FROM sessions WHERE expires_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
	} {
		for n := int64(pruneChunk); n == pruneChunk; removed += n {
			if n, err = d.exec(ctx, sql, ms(before), pruneChunk); err != nil {
				return removed, unavailable("prune", err)
			}
		}
	}
	return removed, nil
}

// Counts tells how much the store holds, for doctor and metrics. It scans
// indexes, so it is not for every request.
type Counts struct {
	Customers, QuarantineOpen, Blobs, Receipts, ReceiptsPending, Cases int64
}

// Counts counts; see Counts.
func (d *DB) Counts(ctx context.Context) (Counts, error) {
	c, err := first(ctx, d, nil, func(r row) (c Counts, err error) {
		err = r.Scan(&c.Customers, &c.QuarantineOpen, &c.Blobs, &c.Receipts, &c.ReceiptsPending, &c.Cases)
		return c, err
	}, `SELECT (SELECT count(*) FROM customers), (SELECT count(*) FROM quarantine WHERE state = 'open'), (SELECT count(*) FROM blobs),
		(SELECT count(*) FROM receipts), (SELECT count(*) FROM receipts_pending), (SELECT count(*) FROM cases)`)
	return c, unavailable("count records", err)
}
