package sqlite

import "context"

// Counts tells how much the store holds, for doctor and metrics. It scans
// indexes, so it is not for every request.
type Counts struct {
	Events, Orders, Customers, QuarantineOpen, Blobs, ReceiptsPending int64
	// LogEntries and AlertEntries count what the logs still hold, read or not.
	LogEntries, AlertEntries int64
}

// Counts counts; see Counts.
func (d *DB) Counts(ctx context.Context) (c Counts, err error) {
	err = d.read.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM orders), (SELECT count(*) FROM customers),
		(SELECT count(*) FROM quarantine WHERE state = 'open'), (SELECT count(*) FROM blobs), (SELECT count(*) FROM receipts WHERE published = 0),
		(SELECT count(*) FROM feedback_log), (SELECT count(*) FROM alerts_log)`).
		Scan(&c.Events, &c.Orders, &c.Customers, &c.QuarantineOpen, &c.Blobs, &c.ReceiptsPending, &c.LogEntries, &c.AlertEntries)
	return c, unavailable("count records", err)
}
