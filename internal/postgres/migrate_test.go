package postgres

import (
	"cmp"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"redalert/ingest"
	"redalert/internal/servertest"
	"redalert/schemas"
)

// rowsOf puts one row into each table of a schema's version, by the version
// that brought it. TestUpgradeFromEverySchema wants one in every table.
var rowsOf = map[int][]string{
	1: {"INSERT INTO meta VALUES ('made_by', 'v1')"},
	2: {
		"INSERT INTO receipts VALUES ('e1', 'h')", "INSERT INTO receipts_pending (event_id, event) VALUES ('e1', '{}')",
		"INSERT INTO cursors VALUES ('imap', 'uid 7')",
		"INSERT INTO quarantine VALUES ('q1', 'shop', 'invalid', 'no date', 'a.csv:7', 1, '', 'open', 1, '')",
		"INSERT INTO blobs VALUES ('\\x00', 'a')", "INSERT INTO threads VALUES ('<a>', '<a>')",
		"INSERT INTO customers VALUES ('c1', 'Ann', 1, '', 1, '', 1, '', 1, false, 1, 'ann', '')",
		"INSERT INTO customer_keys VALUES ('ref', 'C1', 'c1')", "INSERT INTO customer_aliases VALUES ('c0', 'c1', 1)",
		"INSERT INTO answers VALUES ('a', 'k', '', 202, '', 1)", "INSERT INTO collectors VALUES ('imap', '', 1, '', 1, 1, 1, 1, 1)",
	},
	3: {
		"INSERT INTO cases SELECT 'k1', 1, 'c1', 'c1', 'new', true, 1, 1, '', '', '', 0, '', '', 0, 0, 0, 0, '', '{}'",
		"INSERT INTO case_alerts VALUES ('e1', 'k1', 1, true, '')", "INSERT INTO clock_jobs VALUES ('digest', 'd', 1, 1)",
		"INSERT INTO case_events VALUES ('k1', 1, 1, '', '{}')", "INSERT INTO settings VALUES (1, '{}')",
		"INSERT INTO notifications VALUES ('n1', 'k1', 1, 'assigned', '', 'ann@example.com', 'mail', '<n1>', 'queued', false, 0, 1, 1, 0, '', 'e1', 'x')",
	},
	4: {
		"INSERT INTO users VALUES ('ann@example.com', 'Ann', 'manager', '{north,south}', 'UTC', 'h', false, 1)",
		"INSERT INTO sessions VALUES ('h', 'ann@example.com', '', 1, 2)", "INSERT INTO tokens VALUES ('h', 'shop', 'ingest', 'shop', 1, NULL)",
	},
	6: {"INSERT INTO learned VALUES ('churn', 7, '{\"a\":1}')"},
	7: {
		"INSERT INTO marks VALUES ('e1', 1, '{}')", "INSERT INTO layers VALUES (1, '{}')", "INSERT INTO layer_uses VALUES (1, '{}')",
	},
}

// renamed says what tables are called now.
var renamed = map[string]string{"learned": "fits"}

// keptRow is a row that an upgrade must keep.
type keptRow struct {
	table string // as it is called now
	doc   string // the row as JSON
}

// filled brings a database to a version and puts a row into each of its tables.
func filled(t *testing.T, d *DB, ms []schemas.Migration) (rows []keptRow) {
	t.Helper()
	has := map[string]bool{"schema_migrations": true} // the steps themselves
	for v, m := range ms {
		if _, err := d.step(t.Context(), ms[:v+1]); err != nil {
			t.Fatal(m.Name, err)
		}
		for _, insert := range rowsOf[v+1] {
			if _, err := d.exec(t.Context(), insert); err != nil {
				t.Fatal(insert, err)
			}
			table := strings.Fields(insert)[2]
			doc, err := first(t.Context(), d, nil, value[string], "SELECT to_jsonb(x)::text FROM "+table+" x")
			if err != nil {
				t.Fatal(insert, err)
			}
			now := cmp.Or(renamed[table], table)
			rows, has[table], has[now] = append(rows, keptRow{now, doc}), true, true
		}
	}
	tables, err := query(t.Context(), d, value[string], "SELECT table_name::text FROM information_schema.tables WHERE table_schema = current_schema()")
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		if !has[table] {
			t.Errorf("schema %d: no row is put into %s", len(ms), table)
		}
	}
	return rows
}

// TestUpgradeFromEverySchema: a database of each version, with content, comes
// to the newest and keeps every row, with what it held.
func TestUpgradeFromEverySchema(t *testing.T) {
	ms, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	for from := range len(ms) {
		cfg := Config{URL: servertest.Postgres(t).Database(t, "")}
		d, err := connect(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		rows := filled(t, d, ms[:from])
		if _, err := Open(t.Context(), cfg); !errors.Is(err, ErrOlder) {
			t.Fatalf("schema %d opens: %v, want ErrOlder", from, err)
		}
		for _, steps := range []int{len(ms) - from, 0} { // the second time there is nothing left to do
			if n, err := Migrate(t.Context(), cfg); err != nil || n != steps {
				t.Fatalf("from %d: %d steps, %v; want %d", from, n, err, steps)
			}
		}
		again := openURL(t, cfg.URL)
		for _, r := range rows {
			n := count(t, again, r.table)
			same, err := first(t.Context(), again, nil, value[int], "SELECT count(*) FROM "+r.table+" x WHERE to_jsonb(x) @> $1::jsonb", r.doc)
			if n != 1 || same != 1 || err != nil {
				t.Errorf("from %d: %d rows of %s, %d of them with %s, %v", from, n, r.table, same, r.doc, err)
			}
		}
	}
}

// TestUpgradeOfADatabaseWithFitsAlready: for a while step 6 made the table under
// the name it has now.
func TestUpgradeOfADatabaseWithFitsAlready(t *testing.T) {
	ms, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{URL: servertest.Postgres(t).Database(t, "")}
	d, err := connect(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	for v := range 7 {
		if _, err := d.step(t.Context(), ms[:v+1]); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range []string{"ALTER TABLE learned RENAME TO fits", "INSERT INTO fits VALUES ('churn', 7, '{}')"} {
		if _, err := d.exec(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Migrate(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if n := count(t, openURL(t, cfg.URL), "fits WHERE name = 'churn' AND at = 7"); n != 1 {
		t.Errorf("%d fits", n)
	}
}

// TestRolesMigrateAtOnce: several processes start on an empty database; each
// step is taken once.
func TestRolesMigrateAtOnce(t *testing.T) {
	cfg := Config{URL: servertest.Postgres(t).Database(t, "")}
	ms, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	var steps atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			n, err := Migrate(t.Context(), cfg)
			if err != nil {
				t.Error(err)
			}
			steps.Add(int64(n))
		})
	}
	wg.Wait()
	if steps.Load() != int64(len(ms)) {
		t.Fatalf("%d steps were taken, there are %d", steps.Load(), len(ms))
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	cfg := Config{URL: emptyURL(t)}
	d := openURL(t, cfg.URL)
	if _, err := d.exec(t.Context(), "INSERT INTO schema_migrations (version, name) VALUES (9999, 'later')"); err != nil {
		t.Fatal(err)
	}
	_, oerr := Open(t.Context(), cfg)
	_, merr := Migrate(t.Context(), cfg)
	for what, err := range map[string]error{"Open": oerr, "Migrate": merr, "Check": Check(t.Context(), cfg)} {
		if !errors.Is(err, ErrNewer) || errors.Is(err, ingest.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrNewer", what, err)
		}
	}
}
