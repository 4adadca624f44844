package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"os"
)

// Backup writes a consistent copy of the file to dst while everything goes on
// (VACUUM INTO); dst must not exist. The copy is complete and on disk when it
// returns nil, and removed again when it fails.
func (d *DB) Backup(ctx context.Context, dst string) error {
	if _, err := os.Lstat(dst); err == nil {
		return fmt.Errorf("backup to %s: there is a file already; name another or remove it", dst)
	}
	// A connection of its own: query_only forbids VACUUM INTO, and the writer
	// must not stand still for as long as this takes.
	src, err := sql.Open("sqlite", dsn(d.path, "deferred"))
	if err != nil {
		return fmt.Errorf("backup of %s: %w", d.path, err)
	}
	defer src.Close()
	if _, err := src.ExecContext(ctx, "VACUUM INTO ?", dst); err != nil {
		os.Remove(dst)
		return fmt.Errorf("backup of %s to %s: %w", d.path, dst, err)
	}
	f, err := os.OpenFile(dst, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("backup to %s: %w", dst, err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("backup to %s: %w", dst, err)
	}
	return nil
}

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
