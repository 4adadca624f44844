package postgres

import (
	"context"

	"redalert/ingest"
	"redalert/schemas"
)

var _ ingest.Statuses = (*DB)(nil)

// Report merges how a collector is doing into what is known; see
// ingest.Statuses. A report with both a success and an error leaves the error
// standing. An empty kind and a zero QuietAfter change nothing. Counts are
// added with every call: a report repeated after a lost answer counts twice.
func (d *DB) Report(ctx context.Context, s schemas.CollectorStatus) error {
	_, err := d.exec(ctx, `INSERT INTO collectors AS c (name, kind, last_success, last_error, last_error_at, lag_seconds, accepted, quarantined, quiet_after)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (name) DO UPDATE SET
			kind          = CASE excluded.kind WHEN '' THEN c.kind ELSE excluded.kind END,
			last_success  = coalesce(excluded.last_success, c.last_success),
			last_error    = CASE WHEN excluded.last_error <> '' OR excluded.last_success IS NOT NULL THEN excluded.last_error ELSE c.last_error END,
			last_error_at = coalesce(excluded.last_error_at, c.last_error_at),
			lag_seconds   = coalesce(excluded.lag_seconds, c.lag_seconds),
			accepted      = c.accepted + excluded.accepted,
			quarantined   = c.quarantined + excluded.quarantined,
			quiet_after   = CASE excluded.quiet_after WHEN 0 THEN c.quiet_after ELSE excluded.quiet_after END`,
		s.Name, s.Kind, nullMS(s.LastSuccess), s.LastError, nullMS(s.LastErrorAt), s.LagSeconds, s.Accepted, s.Quarantined, s.QuietAfter)
	return unavailable("report of collector "+s.Name, err)
}

// Collectors lists every collector that ever reported, by name.
func (d *DB) Collectors(ctx context.Context) ([]schemas.CollectorStatus, error) {
	out, err := query(ctx, d, func(r row) (s schemas.CollectorStatus, err error) {
		var success, failed *int64
		err = r.Scan(&s.Name, &s.Kind, &success, &s.LastError, &failed, &s.LagSeconds, &s.Accepted, &s.Quarantined, &s.QuietAfter)
		s.LastSuccess, s.LastErrorAt = fromNullMS(success), fromNullMS(failed)
		return s, err
	}, `SELECT name, kind, last_success, last_error, last_error_at, lag_seconds, accepted, quarantined, quiet_after FROM collectors ORDER BY name`)
	if out == nil {
		out = []schemas.CollectorStatus{}
	}
	return out, unavailable("list collectors", err)
}
