package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
)

// Backup writes a consistent copy of the file to dst, readable by its owner
// alone, while everything goes on (VACUUM INTO); dst must not exist. The copy
// is of the moment it began, complete and on disk when it returns nil, and
// removed again when it fails.
func (d *DB) Backup(ctx context.Context, dst string) error {
	out, err := os.OpenFile(dst, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) // VACUUM INTO takes an empty file
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("backup to %s: there is a file already; name another or remove it: %w", dst, err)
	}
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := errors.Join(d.copyInto(ctx, dst), out.Sync(), out.Close()); err != nil {
		return errors.Join(fmt.Errorf("backup of %s to %s: %w", d.path, dst, err), os.Remove(dst))
	}
	return nil
}

// copyInto uses a connection of its own: the readers' may not VACUUM, and the
// writer must not stand still for as long as this takes.
func (d *DB) copyInto(ctx context.Context, dst string) error {
	src, err := sql.Open("sqlite", dsn(d.path, "deferred"))
	if err != nil {
		return err
	}
	_, err = src.ExecContext(ctx, "VACUUM INTO ?", dst)
	return errors.Join(err, src.Close())
}
