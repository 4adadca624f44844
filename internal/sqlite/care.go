package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// Ping writes nothing but takes the writing connection once: it fails while
// the file cannot be written (disk full, gone).
func (d *DB) Ping(ctx context.Context) error {
	return d.Write(ctx, func(tx *Tx) error {
		var n int
		return tx.QueryRow("SELECT count(*) FROM meta").Scan(&n)
	})
}

// Check reads the whole file and reports what SQLite finds broken in it.
func (d *DB) Check(ctx context.Context) error {
	var found string
	if err := d.read.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&found); err != nil {
		return fmt.Errorf("check %s: %w", d.path, err)
	}
	if found != "ok" {
		return fmt.Errorf("check %s: %s", d.path, found)
	}
	return nil
}

// Restore copies a backup to dst, which must not exist, after checking that it
// is sound and not from a newer version; dst is then migrated to this one.
func Restore(ctx context.Context, backup, dst string) error {
	src, err := os.Open(backup)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	defer src.Close()
	tmp := dst + ".restoring"
	if err := copyTo(tmp, src); err != nil {
		return errors.Join(fmt.Errorf("restore: %w", err), os.Remove(tmp))
	}
	d, err := Open(ctx, tmp)
	if err == nil {
		err = errors.Join(d.Check(ctx), d.Close())
	}
	if err != nil {
		return errors.Join(fmt.Errorf("restore: %s is no sound backup: %w", backup, err), os.Remove(tmp))
	}
	return os.Rename(tmp, dst)
}

func copyTo(name string, src io.Reader) error {
	out, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, src)
	return errors.Join(err, out.Sync(), out.Close())
}
