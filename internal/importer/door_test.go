package importer

import (
	"database/sql"
	"errors"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"redalert/ingest"
	"redalert/ingest/email"
	"redalert/ingest/file"
	"redalert/internal/lane"
	"redalert/internal/sqlite"
	"redalert/schemas"
)

// store is the embedded store behind the real Door.
func store(t testing.TB, b schemas.Business) (*sqlite.DB, Ports) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "redalert.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	mails := email.Decoder{Threads: db}
	return db, Ports{Acceptor: realDoor(db, b), Cursors: db.Cursors(), Identities: db,
		MailItem: func(source string, raw []byte, mailbox string) (ingest.Item, error) {
			return mails.ItemIn(t.Context(), source, raw, mailbox, noon)
		}}
}

func realDoor(db *sqlite.DB, b schemas.Business) *ingest.Door {
	return ingest.NewDoor(ingest.DoorConfig{Business: b, Receipts: db, Publisher: db, Quarantine: db.Quarantine(), Blobs: db.Blobs(),
		Identities: db, Statuses: db})
}

// Every file gets through the real Door into the real store, and a second
// time adds nothing.
func TestRealThroughTheDoor(t *testing.T) {
	for _, c := range []struct {
		kind         Kind
		preset, path string
		currency     string
		want         Report
	}{
		{Orders, "online-retail", retailFile, "GBP", Report{Read: 245_903, Events: 12_037, Accepted: 12_037, Adjustments: 758}},
		{Orders, "cdnow", "orders/CDNOW_master.txt", "USD", Report{Read: 69_659, Events: 69_659, Accepted: 69_659}},
		{Reviews, "lounge-reviews", "shapes/reviews_lounge.csv", "EUR", Report{Read: 2264, Events: 2264, Accepted: 2264}},
		{Surveys, "google-forms", "shapes/survey_google_forms_export.csv", "EUR", Report{Read: 190, Events: 1524, Accepted: 1524}},
		{Mail, MailText, "mail/zapier", "EUR", Report{Read: 25, Events: 25, Accepted: 25}},
	} {
		if raced && c.want.Read > 10_000 {
			continue
		}
		o := options(c.kind, c.preset, lane.Data(t, c.path))
		o.Business.Currency = c.currency
		_, ports := store(t, o.Business)
		rep, err := Run(t.Context(), o, ports)
		if err != nil || rep != c.want {
			t.Errorf("%s: %+v %v, want %+v", c.path, rep, err, c.want)
			continue
		}
		again := c.want
		again.Accepted, again.Duplicate = 0, c.want.Accepted
		if rep, err = Run(t.Context(), o, ports); err != nil || rep != again {
			t.Errorf("%s again: %+v %v", c.path, rep, err)
		}
	}
}

// A row that was set aside because no rate was configured gets in by replay
// once there is one.
func TestReplayThroughTheDoor(t *testing.T) {
	o := options(Orders, "", write(t, "f.csv", "order,date,total,currency\nA1,2026-01-05,10.00,USD\nA2,2026-01-05,10.00,GBP\nA3,2026-01-05,NaN,GBP\n"))
	db, ports := store(t, o.Business)
	rep, err := Run(t.Context(), o, ports)
	if want := (Report{Read: 3, Events: 2, Accepted: 1, Quarantined: 2}); err != nil || rep != want {
		t.Fatalf("%+v %v, want %+v", rep, err, want)
	}
	page, err := db.Quarantine().List(t.Context(), schemas.QuarantineOpen, schemas.ListQuery{})
	if err != nil || len(page.Items) != 2 {
		t.Fatalf("%+v %v", page.Items, err)
	}
	id := ""
	for _, q := range page.Items {
		if raw, err := db.Blobs().Get(t.Context(), q.RawSHA256); err != nil || !strings.HasPrefix(string(raw), "order,date,total,currency\nA") {
			t.Errorf("%s keeps %q: %v", q.Locator, raw, err)
		}
		if q.Code == schemas.QCurrency && q.Locator == "f.csv:2" {
			id = q.ID
		}
	}
	o.Business.Rates = map[string]string{"USD": "0.80"}
	door := realDoor(db, o.Business)
	door.RegisterReplay("row", Decoder(o.Business, o.Now))
	if res, err := door.ReplayQuarantined(t.Context(), id); err != nil || res.Status != ingest.Accepted {
		t.Errorf("%+v %v", res, err)
	}
}

// BenchmarkOnlineRetailStored imports into the embedded store; compare its
// rows/s with BenchmarkRawInserts in the same run (goal: at least half).
func BenchmarkOnlineRetailStored(b *testing.B) {
	o := options(Orders, "online-retail", lane.Data(b, retailFile))
	for b.Loop() {
		_, ports := store(b, o.Business)
		if rep, err := Run(b.Context(), o, ports); err != nil || rep.Accepted != 12_037 {
			b.Fatalf("%+v %v", rep, err)
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(245_903*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(m.Sys>>20), "MiB-sys")
}

// BenchmarkRawInserts is the peer: the same lines read and inserted as rows,
// one durable transaction for each thousand.
func BenchmarkRawInserts(b *testing.B) {
	path := lane.Data(b, retailFile)
	for b.Loop() {
		if n := rawInserts(b, path); n != 245_903 {
			b.Fatalf("%d lines", n)
		}
	}
	b.ReportMetric(245_903*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func rawInserts(b *testing.B, path string) (n int) {
	b.Helper()
	db, err := sql.Open("sqlite", filepath.Join(b.TempDir(), "raw.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	must(b, err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	_, err = db.Exec("CREATE TABLE lines (invoice TEXT, sku TEXT, description TEXT, quantity TEXT, at TEXT, price TEXT, customer TEXT, country TEXT)")
	must(b, err)
	f, err := file.Open(path)
	must(b, err)
	defer f.Close()
	rows := file.NewCSV(f, ',')
	_, err = rows.Next()
	must(b, err)
	for done := false; !done; {
		tx, err := db.Begin()
		must(b, err)
		st, err := tx.Prepare("INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
		must(b, err)
		for range 1000 {
			row, err := rows.Next()
			if done = errors.Is(err, io.EOF); done {
				break
			}
			must(b, err)
			v := make([]any, len(row.Fields))
			for i, field := range row.Fields {
				v[i] = string(field)
			}
			_, err = st.Exec(v...)
			must(b, err)
			n++
		}
		must(b, tx.Commit())
	}
	return n
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
