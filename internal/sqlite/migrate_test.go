package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

// fileAt makes a file that a program of an earlier schema has left behind, with
// rows in it.
func fileAt(t *testing.T, version int, rows ...string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "r.db")
	db, err := sql.Open("sqlite", dsn(path, "immediate"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ms, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range ms[:version] {
		if err := apply(t.Context(), db, m); err != nil {
			t.Fatal(m.Name, err)
		}
	}
	for _, r := range rows {
		if _, err := db.ExecContext(t.Context(), r); err != nil {
			t.Fatal(r, err)
		}
	}
	return path
}

// TestUpgradeFromEverySchema: a file of each version comes to the newest.
func TestUpgradeFromEverySchema(t *testing.T) {
	ms, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	for from := range len(ms) + 1 {
		d, err := Open(t.Context(), fileAt(t, from))
		if err != nil {
			t.Fatalf("from %d: %v", from, err)
		}
		for _, s := range []string{"fits", "marks", "receipts", "cases", "users"} {
			var n int
			if err := d.Read().QueryRow("SELECT count(*) FROM " + s).Scan(&n); err != nil || n != 0 {
				t.Errorf("from %d: %d rows of %s, %v", from, n, s, err)
			}
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestUpgradeKeepsFits: what was learnt is there after the upgrade, whether the
// file's table has the name that step 6 gives it or, as for a while, today's;
// and it can be learnt anew.
func TestUpgradeKeepsFits(t *testing.T) {
	const doc = `{"a":1.5}`
	put := fmt.Sprintf("INSERT INTO learned VALUES ('churn', 1000, '%s'), ('other', 2000, '{}')", doc)
	mark := "INSERT INTO meta VALUES ('made_by', 'an earlier version')"
	for name, path := range map[string]string{
		"at schema 6":            fileAt(t, 6, put, mark),
		"at schema 7":            fileAt(t, 7, put, mark),
		"at schema 7, as fits":   fileAt(t, 7, put, mark, "ALTER TABLE learned RENAME TO fits"),
		"at schema 6, as fits":   fileAt(t, 6, put, mark, "ALTER TABLE learned RENAME TO fits"),
		"at schema 7, moved off": fileAt(t, 7, put, mark, "CREATE TRIGGER move_fence_learned_insert BEFORE INSERT ON learned BEGIN SELECT RAISE(ABORT, 'moved'); END"),
	} {
		d, err := Open(t.Context(), path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := d.LoadFit(t.Context(), "churn"); err != nil || string(got) != doc {
			t.Errorf("%s: the fit is %s, %v", name, got, err)
		}
		var at, tables int
		var by string
		if err := d.Read().QueryRow("SELECT (SELECT at FROM fits WHERE name = 'other'), (SELECT value FROM meta WHERE key = 'made_by'), "+
			"(SELECT count(*) FROM sqlite_schema WHERE name = 'learned')").Scan(&at, &by, &tables); err != nil || at != 2000 || by != "an earlier version" || tables != 0 {
			t.Errorf("%s: at %d, by %q, %d tables of the old name, %v", name, at, by, tables, err)
		}
		if err := d.SaveFit(context.Background(), "churn", []byte(`{}`), time.UnixMilli(3000)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}
