package postgres

import (
	"context"
	"errors"
	"fmt"

	"redalert/schemas"
)

// Locks that are held to the end of a transaction, by name.
const (
	lockMigrate    = "redalert migrate"
	lockIdentities = "redalert identities" // whoever learns something about customers
	lockThreads    = "redalert threads"
	lockOpening    = "redalert opening" // whoever opens or reopens a case
)

// takeLock is the statement that takes a lock; its argument is the name. Locks
// are the database's own, so that two of ours on one server are apart.
const takeLock = "SELECT pg_advisory_xact_lock(hashtext($1))"

func migrations() ([]schemas.Migration, error) {
	return schemas.Migrations(schemas.Postgres, "postgres")
}

// Migrate brings the database to this program's schema and answers how many
// steps that took; 0 means that there was nothing to do. Each step is one
// transaction under a lock, so several processes may call it at once. A newer
// schema is ErrNewer. What is committed stays when a later step fails.
func Migrate(ctx context.Context, cfg Config) (steps int, err error) {
	ms, err := migrations()
	if err != nil {
		return 0, err
	}
	d, err := connect(ctx, cfg)
	if err != nil {
		return 0, err
	}
	defer d.Close()
	d.limit = 0 // a step over much data takes what it takes
	if err := d.checkServer(ctx); err != nil {
		return 0, err
	}
	for {
		m, err := d.step(ctx, ms)
		if err != nil || m.Version == 0 {
			return steps, err
		}
		steps++
		d.log.Info("migrated the database", "step", m.Name)
	}
}

const createVersions = `CREATE TABLE IF NOT EXISTS schema_migrations (
	version    bigint PRIMARY KEY,
	name       text COLLATE "C" NOT NULL,
	applied_at timestamptz NOT NULL DEFAULT now()
)`

// step applies the next migration; the zero one when there is none. A big one
// may run for long, so the usual limits do not hold.
func (d *DB) step(ctx context.Context, ms []schemas.Migration) (m schemas.Migration, err error) {
	err = d.retry(ctx, func(ctx context.Context) error {
		return d.inTx(ctx, "begin isolation level read committed read write", func(ctx context.Context, tx querier) error {
			m = schemas.Migration{}
			if _, err := tx.exec(ctx, takeLock, lockMigrate); err != nil {
				return err
			}
			if _, err := tx.exec(ctx, createVersions); err != nil {
				return err
			}
			have, err := one(ctx, tx, value[int], "SELECT coalesce(max(version), 0) FROM schema_migrations")
			if err != nil || have == len(ms) {
				return err
			}
			if have > len(ms) {
				return newer(have, len(ms))
			}
			m = ms[have]
			if _, err := tx.exec(ctx, m.SQL); err != nil {
				return fmt.Errorf("%s: %w", m.Name, err)
			}
			_, err = tx.exec(ctx, "INSERT INTO schema_migrations (version, name) VALUES ($1, $2)", m.Version, m.Name)
			return err
		})
	})
	return m, unavailable("migrate the database", err)
}

func newer(have, know int) error {
	return fmt.Errorf("schema %d, this program knows %d: %w", have, know, ErrNewer)
}

// checkSchema compares the database's schema with this program's.
func (d *DB) checkSchema(ctx context.Context) error {
	ms, err := migrations()
	if err != nil {
		return err
	}
	have, err := d.schemaVersion(ctx)
	switch {
	case err != nil:
		return unavailable("look at the database's schema", err)
	case have > len(ms):
		return newer(have, len(ms))
	case have < len(ms):
		return fmt.Errorf("schema %d, this program needs %d: %w", have, len(ms), ErrOlder)
	}
	return nil
}

// schemaVersion is the number of the last migration applied; 0 in an empty
// database.
func (d *DB) schemaVersion(ctx context.Context) (int, error) {
	there, err := first(ctx, d, nil, value[bool], "SELECT to_regclass('schema_migrations') IS NOT NULL")
	if err != nil || !there {
		return 0, err
	}
	v, err := first(ctx, d, nil, value[int], "SELECT coalesce(max(version), 0) FROM schema_migrations")
	if isCode(err, "42501") {
		return 0, errors.New("this user may not read the tables: grant it the schema, or use the user that ran redalert migrate")
	}
	return v, err
}
