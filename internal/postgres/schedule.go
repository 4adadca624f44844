package postgres

import (
	"context"
	"time"

	"redalert/alerting"
)

// Schedule is the alerting.Schedule over this database.
func (d *DB) Schedule() alerting.Schedule { return schedule{d} }

type schedule struct{ d *DB }

// Begin implements alerting.Schedule.
func (s schedule) Begin(ctx context.Context, job, key string, now time.Time, lease time.Duration) (bool, error) {
	n, err := s.d.exec(ctx, `INSERT INTO clock_jobs AS j (job, key, lease_until) VALUES ($1, $2, $3)
		ON CONFLICT (job, key) DO UPDATE SET lease_until = excluded.lease_until WHERE j.done_at IS NULL AND j.lease_until <= $4`,
		job, key, now.Add(lease).UnixMilli(), now.UnixMilli())
	return n > 0, unavailable("begin job "+job+" "+key, err)
}

// Done implements alerting.Schedule.
func (s schedule) Done(ctx context.Context, job, key string, now time.Time) error {
	_, err := s.d.exec(ctx, `INSERT INTO clock_jobs AS j (job, key, lease_until, done_at) VALUES ($1, $2, 0, $3)
		ON CONFLICT (job, key) DO UPDATE SET done_at = coalesce(j.done_at, excluded.done_at)`, job, key, now.UnixMilli())
	return unavailable("job "+job+" "+key+" done", err)
}

// LastDone implements alerting.Schedule.
func (s schedule) LastDone(ctx context.Context, job string) (string, error) {
	key, err := first(ctx, s.d, nil, value[string], "SELECT coalesce(max(key), '') FROM clock_jobs WHERE job = $1 AND done_at IS NOT NULL", job)
	return key, unavailable("last run of job "+job, err)
}
