package sqlite

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

func TestBackupAndRestore(t *testing.T) {
	ctx := context.Background()
	d := open(t)
	if err := d.Write(ctx, func(tx *Tx) error {
		_, err := tx.Exec("INSERT INTO meta VALUES ('k', 'v')")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	copyOf, back := filepath.Join(dir, "backup.db"), filepath.Join(dir, "back.db")
	if err := d.Backup(ctx, copyOf); err != nil {
		t.Fatal(err)
	}
	if err := d.Check(ctx); err != nil {
		t.Fatal(err)
	}
	if err := Restore(ctx, copyOf, back); err != nil {
		t.Fatal(err)
	}
	r, err := Open(ctx, back)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var v string
	if err := r.Read().QueryRow("SELECT value FROM meta WHERE key='k'").Scan(&v); err != nil || v != "v" {
		t.Errorf("restored %q, %v", v, err)
	}
}

func TestRestoreRefusesWhatIsNoBackup(t *testing.T) {
	dir := t.TempDir()
	junk, dst := filepath.Join(dir, "junk"), filepath.Join(dir, "dst.db")
	if err := os.WriteFile(junk, []byte("this is no database, but it is long enough to look like a file of some kind"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Restore(context.Background(), junk, dst); err == nil {
		t.Error("junk was restored")
	}
	if left, _ := filepath.Glob(dst + "*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
