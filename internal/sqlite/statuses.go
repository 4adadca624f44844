package sqlite

import (
	"context"
	"database/sql"

	"redalert/ingest"
	"redalert/schemas"
)

var _ ingest.Statuses = (*DB)(nil)

// Report merges how a collector is doing into what is known; see
// ingest.Statuses. A report with both a success and an error leaves the error
// standing. An empty kind and a zero QuietAfter change nothing.
func (d *DB) Report(ctx context.Context, s schemas.CollectorStatus) error {
	var lag any
	if s.LagSeconds != nil {
		lag = *s.LagSeconds
	}
	return unavailable("report of collector "+s.Name, d.Write(ctx, func(tx *Tx) error {
		_, err := tx.Exec(`INSERT INTO collectors (name, kind, last_success, last_error, last_error_at, lag_seconds, accepted, quarantined, quiet_after)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (name) DO UPDATE SET
				kind          = CASE excluded.kind WHEN '' THEN kind ELSE excluded.kind END,
				last_success  = coalesce(excluded.last_success, last_success),
				last_error    = CASE WHEN excluded.last_error <> '' OR excluded.last_success IS NOT NULL THEN excluded.last_error ELSE last_error END,
				last_error_at = coalesce(excluded.last_error_at, last_error_at),
				lag_seconds   = coalesce(excluded.lag_seconds, lag_seconds),
				accepted      = accepted + excluded.accepted,
				quarantined   = quarantined + excluded.quarantined,
				quiet_after   = CASE excluded.quiet_after WHEN 0 THEN quiet_after ELSE excluded.quiet_after END`,
			s.Name, s.Kind, nullMS(s.LastSuccess), s.LastError, nullMS(s.LastErrorAt), lag, s.Accepted, s.Quarantined, s.QuietAfter)
		return err
	}))
}

// Collectors lists every collector that ever reported, by name.
func (d *DB) Collectors(ctx context.Context) ([]schemas.CollectorStatus, error) {
	out := []schemas.CollectorStatus{}
	rows, err := d.read.QueryContext(ctx, `SELECT name, kind, last_success, last_error, last_error_at, lag_seconds, accepted, quarantined, quiet_after
		FROM collectors ORDER BY name`)
	err = each(rows, err, func(r *sql.Rows) error {
		var s schemas.CollectorStatus
		var success, failed sql.NullInt64
		if err := r.Scan(&s.Name, &s.Kind, &success, &s.LastError, &failed, &s.LagSeconds, &s.Accepted, &s.Quarantined, &s.QuietAfter); err != nil {
			return err
		}
		s.LastSuccess, s.LastErrorAt = fromNullMS(success), fromNullMS(failed)
		out = append(out, s)
		return nil
	})
	return out, unavailable("list collectors", err)
}
