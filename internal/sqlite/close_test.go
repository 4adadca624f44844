package sqlite_test

import (
	"os"
	"path/filepath"
	"testing"

	"redalert/internal/sqlite"
)

// Whoever copies the one file after a clean stop copies everything.
func TestClose_LeavesOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "redalert.db")
	db, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Write(t.Context(), func(tx *sqlite.Tx) error {
		_, err := tx.Exec("INSERT INTO meta VALUES ('k', 'v')")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := db.Read().QueryRow("SELECT count(*) FROM sqlite_schema").Scan(&n); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tail := range []string{"-wal", "-shm"} {
		if _, err := os.Stat(path + tail); err == nil {
			t.Errorf("%s is left after a clean stop", path+tail)
		}
	}
}
