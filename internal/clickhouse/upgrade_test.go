package clickhouse

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"redalert/internal/servertest"
	"redalert/schemas"
	"redalert/signals"
)

// earlierData is what a business of some months has: mail, some of it red, orders
// of a customer under two ids, one of them changed and one with a tip, and of a
// customer who came less and less.
func earlierData() (scored []schemas.Scored, people *aliasTable) {
	scored = mails("m", 6)
	scored[3].Verdict.Red, scored[3].Verdict.Level = true, schemas.LevelRed
	tipped := placed("2", "present", 70, noon.AddDate(0, 1, 0))
	tipped.Event.Data = []byte(`{"order_ref":"2","total":{"amount":70,"currency":"EUR"},"tip":{"amount":7,"currency":"EUR"}}`)
	changed := placed("2", "present", 0, noon.AddDate(0, 1, 1))
	changed.Event.ID, changed.Event.Type, changed.Verdict.EventID = "changed 2", schemas.OrderChanged, "changed 2"
	changed.Event.Data = []byte(`{"order_ref":"2","total":{"amount":50,"currency":"EUR"},"previous_total":{"amount":70,"currency":"EUR"},"caused_by":"us"}`)
	scored = append(scored, placed("1", "earlier", 500, noon), tipped, changed)
	for i, days := range []int{0, 10, 20, 30, 70} {
		scored = append(scored, placed(fmt.Sprint("x", i), "other", 100, noon.AddDate(0, 0, days)))
	}
	people = &aliasTable{}
	people.set("earlier", "present")
	return scored, people
}

// rival stores a second verdict for an event, as another scorer did at once.
func rival(t *testing.T, d *DB) {
	t.Helper()
	cols := slices.DeleteFunc(slices.Clone(eventsTable.columns), func(c string) bool { return c == "scored_at" || c == "verdict" })
	exec(t, d, "INSERT INTO events (scored_at, verdict, "+strings.Join(cols, ", ")+") SELECT scored_at + INTERVAL 1 HOUR, replace(verdict, '0.25', '0.5'), "+
		strings.Join(cols, ", ")+" FROM events WHERE event_id = 'm00000'")
}

// copyRows fills a database with what another holds, as far as its tables and
// their columns are there, and answers the tables.
func copyRows(t *testing.T, to, from *DB) (there []table) {
	t.Helper()
	for _, tb := range tables {
		var cols []string
		if err := to.conn.QueryRow(t.Context(), "SELECT groupArray(name) FROM system.columns WHERE database = currentDatabase() AND table = {table:String} AND default_kind = ''",
			driver.Named("table", tb.name)).Scan(&cols); err != nil {
			t.Fatal(err)
		}
		if len(cols) == 0 {
			continue
		}
		list := strings.Join(cols, ", ")
		exec(t, to, "INSERT INTO "+tb.name+" ("+list+") SELECT "+list+" FROM "+quoted(from.c.Database)+"."+tb.name)
		there = append(there, tb)
	}
	return there
}

// rowsIn counts the rows of a table that stand.
func rowsIn(t *testing.T, d *DB, tb table) uint64 {
	t.Helper()
	if tb.name == claimsTable.name { // nothing replaces a claim
		return count(t, d, tb.name)
	}
	return count(t, d, tb.name+" FINAL")
}

// told is what a database answers, as text; without tips where those may not be
// known.
func told(t *testing.T, d *DB, tips bool) string {
	t.Helper()
	var out []string
	add := func(what string, v any, err error) {
		t.Helper()
		text, jerr := json.Marshal(v)
		if err != nil || jerr != nil {
			t.Fatalf("%s: %v %v", what, err, jerr)
		}
		out = append(out, what+": "+string(text))
	}
	ids := []string{"earlier", "present", "other", "nobody"}
	totals, err := d.Totals(t.Context(), ids)
	add("totals", totals, err)
	facts, err := d.OrderFacts(t.Context(), ids)
	for _, fs := range facts {
		for i := range fs {
			if !tips {
				fs[i].Tip = nil
			}
		}
	}
	add("facts", facts, err)
	orders, err := d.CustomerOrders(t.Context(), "present")
	add("orders", orders, err)
	value, n, err := d.RevenueP90(t.Context(), noon.AddDate(0, 3, 0))
	add("p90", []int64{value, int64(n)}, err)
	for _, kind := range []string{signals.TrendAlerts, signals.TrendChurn} {
		tr, err := d.Trend(t.Context(), kind, schemas.TrendQuery{From: "2026-01-01", To: "2027-01-01", Today: "2026-12-01", Period: schemas.PeriodMonth})
		add("trend of "+kind, tr, err)
	}
	return strings.Join(out, "\n")
}

// TestUpgradeFromEverySchema: what a database of an earlier version holds is there
// at the newest, and answers as if it had been stored there; verdicts that stood
// go on standing, also when parts of before and after merge.
func TestUpgradeFromEverySchema(t *testing.T) {
	known, err := migrations()
	if err != nil || len(known) < 2 {
		t.Fatalf("%d migrations, %v", len(known), err)
	}
	scored, people := earlierData()
	c := database(t, servertest.ClickHouse(t))
	c.Aliases = people
	newest := connect(t, c)
	mustStore(t, newest, scored...)
	want := map[bool]string{true: told(t, newest, true), false: told(t, newest, false)}
	if !strings.Contains(want[true], `"Tip":7`) || want[true] == want[false] || !strings.Contains(want[true], `"Revenue":550`) {
		t.Fatalf("there is no tip or no alias in what is told:\n%s", want[true])
	}
	exec(t, newest, "INSERT INTO claims VALUES ('m00000', '{}', now64(3))")
	for from := 1; from < len(known); from++ {
		t.Run(known[from-1].name, func(t *testing.T) {
			d, there := upgraded(t, people, known[:from], newest)
			for _, tb := range there {
				if n, want := rowsIn(t, d, tb), rowsIn(t, newest, tb); n != want || n == 0 {
					t.Errorf("%d rows of %s, want %d", n, tb.name, want)
				}
			}
			tips := from >= 6 // the step that keeps them
			if from > 1 {     // orders are kept
				checkTold(t, d, tips, want)
			}
			checkReplay(t, d, scored)
			for _, tb := range []table{eventsTable, orderEventsTable, ordersTable} {
				exec(t, d, "OPTIMIZE TABLE "+tb.name+" FINAL")
			}
			checkTold(t, d, tips, want)
			checkReplay(t, d, scored)
		})
	}
}

// upgraded makes a database of an earlier version, fills the tables it has with
// what the newest holds, and brings it to the newest.
func upgraded(t *testing.T, people *aliasTable, earlier []migration, newest *DB) (d *DB, there []table) {
	t.Helper()
	c := database(t, servertest.ClickHouse(t))
	c.Aliases = people
	d = created(t, c)
	if err := d.migrate(t.Context(), earlier); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Check(t.Context()); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("schema %d of ", len(earlier))) {
		t.Errorf("doctor before: %v", err)
	}
	there = copyRows(t, d, newest)
	rival(t, d)
	for range 2 {
		if err := d.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want, err := newest.schema(t.Context())
	if v, verr := d.schema(t.Context()); err != nil || verr != nil || v != want {
		t.Fatalf("schema %d, %v %v; want %d", v, err, verr, want)
	}
	return d, there
}

func checkTold(t *testing.T, d *DB, tips bool, want map[bool]string) {
	t.Helper()
	if got := told(t, d, tips); got != want[tips] {
		t.Errorf("it tells\n%s\nwant\n%s", got, want[tips])
	}
}

// checkReplay stores the events again, with other verdicts: those of before stand.
func checkReplay(t *testing.T, d *DB, scored []schemas.Scored) {
	t.Helper()
	again := slices.Clone(scored)
	for i := range again {
		again[i].Verdict.Probability = 0.75
		again[i].Verdict.ScoredAt = again[i].Verdict.ScoredAt.Add(-24 * time.Hour)
	}
	for i, v := range mustStore(t, d, again...) {
		if v.Probability != 0.25 {
			t.Errorf("%s: probability %v, want that of the first verdict", scored[i].Event.ID, v.Probability)
		}
	}
	if n, want := count(t, d, "events FINAL"), uint64(len(scored)); n != want {
		t.Errorf("%d events after a replay, want %d", n, want)
	}
}
