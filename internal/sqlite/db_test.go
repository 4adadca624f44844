package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	driver "modernc.org/sqlite"
)

func open(t *testing.T) *DB {
	t.Helper()
	d, err := Open(context.Background(), filepath.Join(t.TempDir(), "r.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestSynchronousFullAndWAL(t *testing.T) {
	d := open(t)
	var sync, mode string
	err := d.Write(context.Background(), func(tx *Tx) error {
		return errors.Join(tx.QueryRow("PRAGMA synchronous").Scan(&sync), tx.QueryRow("PRAGMA journal_mode").Scan(&mode))
	})
	if err != nil || sync != "2" || mode != "wal" {
		t.Fatalf("synchronous=%s (want 2 = FULL), journal_mode=%s (want wal), err %v", sync, mode, err)
	}
}

func TestGroupCommitUndoesOnlyTheFailedWrite(t *testing.T) {
	d := open(t)
	boom := errors.New("boom")
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			err := d.Write(context.Background(), func(tx *Tx) error {
				if _, err := tx.Exec("INSERT INTO meta VALUES (?, 'x')", fmt.Sprint(i)); err != nil {
					return err
				}
				switch i % 10 {
				case 3:
					return boom
				case 7:
					panic("bang")
				}
				return nil
			})
			if (i%10 == 3) != errors.Is(err, boom) || (i%10 == 7) != (err != nil && !errors.Is(err, boom)) {
				t.Errorf("write %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	var n int
	if err := d.Read().QueryRow("SELECT count(*) FROM meta WHERE value='x'").Scan(&n); err != nil || n != 80 {
		t.Fatalf("%d rows, err %v; want 80", n, err)
	}
}

func TestNewerFileIsRefused(t *testing.T) {
	d := open(t)
	if err := d.Write(context.Background(), func(tx *Tx) error {
		_, err := tx.Exec("PRAGMA user_version = 9999")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	path := d.Path()
	d.Close()
	if _, err := Open(context.Background(), path); !errors.Is(err, ErrNewer) {
		t.Fatalf("got %v, want ErrNewer", err)
	}
}

func TestWriteAfterClose(t *testing.T) {
	d := open(t)
	d.Close()
	if err := d.Write(context.Background(), func(*Tx) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Fatalf("got %v, want ErrClosed", err)
	}
}

// TestFirstWriteOfAGroup has no savepoint: alone, failing half-way, it leaves
// nothing behind and the next write works.
func TestFirstWriteOfAGroup(t *testing.T) {
	d := open(t)
	boom := errors.New("boom")
	insert := func(key string) func(*Tx) error {
		return func(tx *Tx) error {
			return insertRows(tx, "INSERT INTO meta (key, value)", "", [][]any{{key, "1"}, {"taken", "2"}, {key + "'", "3"}})
		}
	}
	if err := d.Write(t.Context(), insert("a")); err != nil {
		t.Fatal(err)
	}
	if err := d.Write(t.Context(), insert("b")); err == nil { // "taken" is
		t.Error("a row was inserted twice")
	}
	if err := d.Write(t.Context(), func(tx *Tx) error {
		_, err := tx.Exec("INSERT INTO meta VALUES ('c', '1')")
		return errors.Join(err, boom)
	}); !errors.Is(err, boom) {
		t.Errorf("answered %v", err)
	}
	if err := d.Write(t.Context(), func(*Tx) error { panic("bang") }); err == nil {
		t.Error("a panic was no error")
	}
	if err := d.Write(t.Context(), func(tx *Tx) error { _, err := tx.Exec("INSERT INTO meta VALUES ('d', '1')"); return err }); err != nil {
		t.Fatal(err)
	}
	var keys string
	if err := d.Read().QueryRow("SELECT group_concat(key, ' ' ORDER BY key) FROM meta WHERE key IN ('a', 'a''', 'taken', 'b', 'b''', 'c', 'd')").Scan(&keys); err != nil || keys != "a a' d taken" {
		t.Errorf("kept %q, %v", keys, err)
	}
}

func TestFdatasync(t *testing.T) {
	if runtime.GOOS == "linux" && !driver.FdatasyncEnabled() {
		t.Error("commits wait for fsync")
	}
}
