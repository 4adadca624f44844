package clickhouse

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"redalert/ingest"
	"redalert/internal/servertest"
)

// TestMigrateCreatesTheDatabase: on a server that has none of the name, also
// when several processes migrate at once and when the name needs quotes; with
// the database there it is left as it is.
func TestMigrateCreatesTheDatabase(t *testing.T) {
	c := database(t, servertest.ClickHouse(t))
	c.Database = fmt.Sprintf("redalert-test %016x", rand.Uint64())
	d, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "there is no database "+c.Database) {
		t.Fatalf("doctor before: %v", err)
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := d.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	defer exec(t, d, "DROP DATABASE "+quoted(c.Database)+" SYNC")
	if _, err := d.Check(t.Context()); err != nil {
		t.Fatalf("doctor after: %v", err)
	}
	mustStore(t, d, mails("m", 2)...)
	if err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := count(t, d, "events FINAL"); n != 2 {
		t.Errorf("%d events, want 2", n)
	}
}

// TestMigrateMayNotCreate: who has no right to create it is told what to do, and
// nothing says that trying again would help.
func TestMigrateMayNotCreate(t *testing.T) {
	c := database(t, servertest.ClickHouse(t))
	c.settings = driver.Settings{"readonly": 2}
	d, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	told := func(err error, user string) {
		t.Helper()
		for _, want := range []string{"there is no database " + c.Database, `user "` + user + `" may not create it`,
			"CREATE DATABASE `" + c.Database + "`", "GRANT " + rights + " ON `" + c.Database + "`.*", "redalert migrate"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v does not say %q", err, want)
			}
		}
		if errors.Is(err, ingest.ErrUnavailable) {
			t.Error("it may pass by itself, it says")
		}
	}
	told(d.Migrate(t.Context()), "default")
	d.c.User = "history"
	told(unavailable("migrate history", d.notCreated(&driver.Exception{Code: 497, Message: "Not enough privileges"})), "history")
}

func TestQuoted(t *testing.T) {
	for name, want := range map[string]string{"redalert": "`redalert`", "a-b c": "`a-b c`", "a`b": "`a\\`b`", `a\b`: "`a\\\\b`"} {
		if got := quoted(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// TestUsersFileGrantsThem: the user of the deployment may do what migrate does,
// creating the database included.
func TestUsersFileGrantsThem(t *testing.T) {
	file, err := os.ReadFile("../../deploy/clickhouse/users.xml")
	if err != nil {
		t.Fatal(err)
	}
	if want := "<query>GRANT " + rights + " ON redalert.*</query>"; !strings.Contains(string(file), want) {
		t.Errorf("users.xml lacks %s", want)
	}
}
