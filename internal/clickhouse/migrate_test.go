package clickhouse

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"redalert/ingest"
	"redalert/internal/servertest"
	"redalert/schemas"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// mail is an event with a verdict that says how sure it is.
func mail(id string, probability float64) schemas.Scored {
	return schemas.Scored{
		Event: schemas.Event{ID: id, Source: "desk", Type: schemas.EmailReceived, NativeID: id, OccurredAt: noon, CollectedAt: noon.Add(time.Hour),
			LocalDate: "2026-03-02", CustomerID: "c", Data: json.RawMessage(`{"value_text":"x"}`)},
		Verdict: schemas.Verdict{EventID: id, Level: schemas.LevelNone, Severity: schemas.SeverityNone, Probability: probability, ScoredAt: noon.Add(2 * time.Hour)},
	}
}

func mails(prefix string, n int) (out []schemas.Scored) {
	for i := range n {
		out = append(out, mail(fmt.Sprintf("%s%05d", prefix, i), 0.25))
	}
	return out
}

// placed is an order of some money.
func placed(ref, customer string, total int64, at time.Time) schemas.Scored {
	s := mail("placed "+ref, 0.25)
	s.Event.Type, s.Event.OrderRef, s.Event.CustomerID = schemas.OrderPlaced, ref, customer
	s.Event.OccurredAt, s.Event.LocalDate = at, at.Format(time.DateOnly)
	s.Event.Data = fmt.Appendf(nil, `{"order_ref":%q,"total":{"amount":%d,"currency":"EUR"}}`, ref, total)
	return s
}

func mustStore(t testing.TB, d *DB, scored ...schemas.Scored) []schemas.Verdict {
	t.Helper()
	vs, err := d.Store(t.Context(), scored)
	if err != nil {
		t.Fatal(err)
	}
	return vs
}

func exec(t testing.TB, d *DB, statement string, args ...any) {
	t.Helper()
	if err := d.conn.Exec(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

func count(t testing.TB, d *DB, of string) (n uint64) {
	t.Helper()
	if err := d.conn.QueryRow(t.Context(), "SELECT count() FROM "+of).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestMigrateCutOffAndAtOnce: a migration that stopped in the middle, and several
// processes that migrate at once, end at the newest schema.
func TestMigrateCutOffAndAtOnce(t *testing.T) {
	d := created(t, database(t, servertest.ClickHouse(t)))
	known, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	exec(t, d, known[1].statements[0]) // done, but not noted
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := d.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if _, err := d.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	d := open(t)
	if version, err := d.Check(t.Context()); err != nil || !recent(version) {
		t.Fatalf("doctor: version %s, %v", version, err)
	}
	exec(t, d, "INSERT INTO schema_versions VALUES (9999, 'tomorrow', now())")
	if err := d.Migrate(t.Context()); !errors.Is(err, ErrNewer) {
		t.Errorf("Migrate: %v, want ErrNewer", err)
	}
	if _, err := d.Check(t.Context()); !errors.Is(err, ErrNewer) {
		t.Errorf("Check: %v, want ErrNewer", err)
	}
}

// TestTTL: history is kept for as long as configured, and for good without;
// events of orders are always.
func TestTTL(t *testing.T) {
	c := database(t, servertest.ClickHouse(t))
	ttl := func(d *DB, table string) string {
		t.Helper()
		var engine string
		if err := d.conn.QueryRow(t.Context(), "SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = {name:String}", driver.Named("name", table)).Scan(&engine); err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(engine, " TTL ")
		return after
	}
	for _, keep := range []time.Duration{0, 30 * 24 * time.Hour, 60 * 24 * time.Hour, 0} {
		c.TTL = keep
		d := connect(t, c)
		for table := range kept {
			keep := keep
			if table == "order_events" {
				keep = 0
			}
			got, want := ttl(d, table), fmt.Sprintf("toIntervalSecond(%d)", int64(keep.Seconds()))
			if keep == 0 && got != "" || keep > 0 && !strings.Contains(got, want) {
				t.Errorf("%s kept for %s: TTL %q", table, keep, got)
			}
		}
	}
	c.TTL = 30 * 24 * time.Hour
	d := connect(t, c)
	old, young := mail("old", 0), mail("young", 0)
	old.Event.OccurredAt = time.Now().Add(-31 * 24 * time.Hour)
	young.Event.OccurredAt = time.Now()
	mustStore(t, d, old, young)
	exec(t, d, "OPTIMIZE TABLE events FINAL")
	if n := count(t, d, "events"); n != 1 {
		t.Errorf("%d events are left, want the young one", n)
	}
}

// TestCheckSaysWhatToDo: doctor's words name the cause.
func TestCheckSaysWhatToDo(t *testing.T) {
	empty := created(t, database(t, servertest.ClickHouse(t)))
	if _, err := empty.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "has no history yet; run redalert migrate") {
		t.Errorf("no tables: %v", err)
	}
	d := open(t)
	exec(t, d, "DROP TABLE orders SYNC")
	if _, err := d.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "may not read "+d.c.Database+".orders") {
		t.Errorf("a table that is not there: %v", err)
	}
	for version, want := range map[string]bool{"25.8.1.1": true, "26.7.2.1": true, "25.7.9.9": false, "24.12.1": false, "x": false, "": false} {
		if recent(version) != want {
			t.Errorf("version %q: %v", version, !want)
		}
	}
	away, err := Open(t.Context(), Config{Addr: "127.0.0.1:1", Database: "x", Password: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	defer away.Close()
	err = away.Ping(t.Context())
	if !errors.Is(err, ingest.ErrUnavailable) || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("nobody there: %v", err)
	}
	if _, err := Open(t.Context(), Config{Addr: "x:1"}); err == nil {
		t.Error("opened without a database")
	}
}
