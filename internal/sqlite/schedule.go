package sqlite

import (
	"context"
	"fmt"
	"time"

	"redalert/alerting"
)

// Schedule is the alerting.Schedule over this file.
func (d *DB) Schedule() alerting.Schedule { return schedule{d} }

type schedule struct{ d *DB }

// Begin implements alerting.Schedule.
func (s schedule) Begin(ctx context.Context, job, key string, now time.Time, lease time.Duration) (bool, error) {
	var got bool
	err := s.d.Write(ctx, func(tx *Tx) error {
		res, err := tx.Exec(`INSERT INTO clock_jobs (job, key, lease_until) VALUES (?1, ?2, ?3)
		  ON CONFLICT (job, key) DO UPDATE SET lease_until = ?3 WHERE done_at IS NULL AND lease_until <= ?4`,
			job, key, now.Add(lease).UnixMilli(), now.UnixMilli())
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		got = n > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("begin job %s %s: %w", job, key, err)
	}
	return got, nil
}

// Done implements alerting.Schedule.
func (s schedule) Done(ctx context.Context, job, key string, now time.Time) error {
	err := s.d.Write(ctx, func(tx *Tx) error {
		_, err := tx.Exec(`INSERT INTO clock_jobs (job, key, lease_until, done_at) VALUES (?1, ?2, 0, ?3)
		  ON CONFLICT (job, key) DO UPDATE SET done_at = coalesce(done_at, ?3)`, job, key, now.UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("job %s %s done: %w", job, key, err)
	}
	return nil
}

// LastDone implements alerting.Schedule.
func (s schedule) LastDone(ctx context.Context, job string) (string, error) {
	var key string
	err := s.d.read.QueryRowContext(ctx, "SELECT coalesce(max(key), '') FROM clock_jobs WHERE job = ? AND done_at IS NOT NULL", job).Scan(&key)
	if err != nil {
		return "", fmt.Errorf("last run of job %s: %w", job, err)
	}
	return key, nil
}
