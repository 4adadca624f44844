package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"redalert/schemas"
)

// ErrNewer: the file was written by a newer program.
var ErrNewer = errors.New("the data file was written by a newer version of redalert; use that version, or restore a backup")

func migrations() ([]schemas.Migration, error) { return schemas.Migrations(schemas.SQLite, "sqlite") }

// migrate brings the file to the newest schema, one transaction a migration.
// PRAGMA user_version holds the number of the last one applied.
func migrate(ctx context.Context, db *sql.DB) error {
	ms, err := migrations()
	if err != nil {
		return err
	}
	var have int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&have); err != nil {
		return err
	}
	if have > len(ms) {
		return fmt.Errorf("schema %d, this program knows %d: %w", have, len(ms), ErrNewer)
	}
	for _, m := range ms[have:] {
		if err := apply(ctx, db, m); err != nil {
			return fmt.Errorf("migration %s: %w", m.Name, err)
		}
	}
	return nil
}

func apply(ctx context.Context, db *sql.DB, m schemas.Migration) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var have int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&have); err != nil {
		return err
	}
	if have >= m.Version { // another process was quicker
		return nil
	}
	if _, err := tx.ExecContext(ctx, m.SQL); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", m.Version)); err != nil {
		return err
	}
	return tx.Commit()
}
