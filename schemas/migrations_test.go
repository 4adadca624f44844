package schemas

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

func TestMigrationsInOrder(t *testing.T) {
	ms, err := Migrations(fstest.MapFS{"sql/x/0002_b.sql": {Data: []byte("two")}, "sql/x/0001_a.sql": {Data: []byte("one")}, "sql/y/0001_c.sql": {}}, "x")
	if err != nil || len(ms) != 2 || ms[0] != (Migration{1, "0001_a.sql", "one"}) || ms[1] != (Migration{2, "0002_b.sql", "two"}) {
		t.Errorf("%v, %v", ms, err)
	}
	for _, name := range []string{"0002_gap.sql", "a.sql", "0001.sql"} {
		if _, err := Migrations(fstest.MapFS{"sql/x/" + name: {}}, "x"); err == nil || !strings.Contains(err.Error(), "want number 0001") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for store, files := range map[string]fs.FS{"sqlite": SQLite, "postgres": Postgres, "clickhouse": ClickHouse} {
		if ms, err := Migrations(files, store); err != nil || len(ms) == 0 {
			t.Errorf("%s: %d steps, %v", store, len(ms), err)
		}
	}
}
