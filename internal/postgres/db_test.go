package postgres

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"redalert/ingest"
	"redalert/internal/servertest"
)

// emptyURL is the URL of a database of its own for this test, migrated.
func emptyURL(t *testing.T) string {
	t.Helper()
	return migratedOn(t, servertest.Postgres(t))
}

func migratedOn(t *testing.T, s *servertest.PostgresServer) string {
	t.Helper()
	return s.Database(t, template(t, s))
}

func template(t *testing.T, s *servertest.PostgresServer) string {
	t.Helper()
	return s.Template(t, "migrated", func(url string) error {
		_, err := Migrate(context.Background(), Config{URL: url})
		return err
	})
}

func openURL(t *testing.T, url string) *DB {
	t.Helper()
	d, err := Open(context.Background(), Config{URL: url, MaxConns: 6})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// open opens an empty database that an earlier test may have used. Tests that
// change a database itself take one of their own, with emptyURL.
func open(t *testing.T) *DB {
	t.Helper()
	s := servertest.Postgres(t)
	return openURL(t, s.Reused(t, template(t, s), empty))
}

// empty removes every row but the schema's version.
func empty(url string) error {
	ctx := context.Background()
	d, err := connect(ctx, Config{URL: url})
	if err != nil {
		return err
	}
	defer d.Close()
	_, err = d.exec(ctx, `DO $$ DECLARE t text; BEGIN
		SET LOCAL session_replication_role = replica; -- no order of foreign keys
		FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_migrations' LOOP
			EXECUTE 'DELETE FROM ' || t;
		END LOOP; END $$`)
	return err
}

// reopen opens the database of d once more, as another process does.
func reopen(t *testing.T, d *DB) *DB {
	t.Helper()
	return openURL(t, d.cfg.URL)
}

func count(t *testing.T, d *DB, from string) int {
	t.Helper()
	n, err := first(t.Context(), d, nil, value[int], "SELECT count(*) FROM "+from)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestEveryTextSortsByItsBytes: a column that forgets COLLATE "C" would list in
// another order than the embedded store and Go.
func TestEveryTextSortsByItsBytes(t *testing.T) {
	d := open(t)
	wrong, err := query(t.Context(), d, value[string], `SELECT c.relname || '.' || a.attname FROM pg_attribute a
		JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_collation l ON l.oid = a.attcollation
		WHERE n.nspname = 'public' AND c.relkind IN ('r', 'i') AND l.collname <> 'C'`)
	if err != nil || len(wrong) > 0 {
		t.Fatalf("%v sort by a language, %v", wrong, err)
	}
	if n := count(t, d, "pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relname = 'cases' AND a.attcollation <> 0"); n < 5 {
		t.Fatalf("the test looks at %d columns of cases", n)
	}
}

func TestClosedStore(t *testing.T) {
	d := open(t)
	d.Close()
	if _, err := d.Pending(t.Context(), 1); !errors.Is(err, ingest.ErrUnavailable) {
		t.Errorf("read: %v, want ErrUnavailable", err)
	}
	if err := d.MarkPublished(t.Context(), []string{"a"}); !errors.Is(err, ingest.ErrUnavailable) {
		t.Errorf("write: %v, want ErrUnavailable", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := open(t).Pending(ctx, 1); !errors.Is(err, context.Canceled) || errors.Is(err, ingest.ErrUnavailable) {
		t.Errorf("%v, want context.Canceled alone", err)
	}
}

// with changes the URL of a database.
func with(t *testing.T, raw string, change func(u *url.URL)) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	change(u)
	return u.String()
}

// TestCheckSaysWhatIsWrong: doctor's words, and no password in any of them.
func TestCheckSaysWhatIsWrong(t *testing.T) {
	s := servertest.Postgres(t)
	good := emptyURL(t)
	const secret = "s3cret-and-wr0ng"
	if err := Check(t.Context(), Config{URL: good}); err != nil {
		t.Fatal(err)
	}
	for want, raw := range map[string]string{
		"refuses user":                  with(t, good, func(u *url.URL) { u.User = url.UserPassword("redalert", secret) }),
		`there is no database "nowhere`: with(t, good, func(u *url.URL) { u.Path = "/nowhere" }),
		`host "nohost.invalid" is not`:  with(t, good, func(u *url.URL) { u.User = url.UserPassword("redalert", secret); u.Host = "nohost.invalid:5432" }),
		"is it running":                 with(t, good, func(u *url.URL) { u.User = url.UserPassword("redalert", secret); u.Host = "127.0.0.1:1" }),
		"speaks no TLS":                 with(t, good, func(u *url.URL) { u.RawQuery = "sslmode=require" }),
		"URL cannot be read":            "postgres://redalert:" + secret + "@:%zz/x",
		"run redalert migrate":          s.Database(t, ""),
	} {
		err := Check(t.Context(), Config{URL: raw})
		_, oerr := Open(t.Context(), Config{URL: raw})
		if err == nil || oerr == nil || !strings.Contains(err.Error(), want) || !strings.Contains(oerr.Error(), want) {
			t.Errorf("want %q, got %v; Open: %v", want, err, oerr)
			continue
		}
		if text := err.Error() + oerr.Error(); strings.Contains(text, secret) || strings.Contains(text, "%zz") {
			t.Errorf("the password is in %q", text)
		}
		if can := want != "URL cannot be read" && want != "run redalert migrate"; can != errors.Is(err, ingest.ErrUnavailable) {
			t.Errorf("%q is ErrUnavailable: %v", want, !can)
		}
	}
	if _, err := Open(t.Context(), Config{}); err == nil {
		t.Error("no URL: no error")
	}
}

func TestCheckRefusesALossyServer(t *testing.T) {
	url := emptyURL(t)
	d := openURL(t, url)
	if _, err := d.exec(t.Context(), "DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET synchronous_commit = off'; END $$"); err != nil {
		t.Fatal(err)
	}
	if err := Check(t.Context(), Config{URL: url}); err == nil || !strings.Contains(err.Error(), "synchronous_commit off") {
		t.Errorf("synchronous_commit is off: %v", err)
	}
	latin := servertest.Postgres(t)
	latin.Exec(t, "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
	t.Cleanup(func() { latin.Exec(t, "DROP DATABASE latin WITH (FORCE)") })
	if err := Check(t.Context(), Config{URL: latin.URL(t, "latin")}); err == nil || !strings.Contains(err.Error(), "ENCODING 'UTF8'") {
		t.Errorf("a database that is not UTF-8: %v", err)
	}
}

func TestCheckNeedsWrites(t *testing.T) {
	url := emptyURL(t)
	d := openURL(t, url)
	for _, sql := range []string{
		"DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET default_transaction_read_only = on'; END $$",
	} {
		if _, err := d.exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	again := openURL(t, url)
	if err := again.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "takes no writes") {
		t.Errorf("read-only: %v", err)
	}
	if err := again.Ping(t.Context()); !errors.Is(err, ingest.ErrUnavailable) {
		t.Errorf("ping: %v", err)
	}
	if err := d.Ping(t.Context()); err != nil {
		t.Errorf("ping where writes go: %v", err)
	}
}
