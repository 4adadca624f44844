package sqlite

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"redalert/schemas"
)

const (
	benchEvents = 12000
	benchLines  = 20 // a line count near that of Online Retail: 245,903 in 12,000 invoices
)

func benchBatches() [][]schemas.Event {
	var all [][]schemas.Event
	for i := 0; i < benchEvents; i += 500 {
		var batch []schemas.Event
		for k := i; k < i+500; k++ {
			batch = append(batch, orderEvent(k, benchLines))
		}
		all = append(all, batch)
	}
	return all
}

// BenchmarkRawLines is the peer: the same order lines inserted as rows, in one
// transaction.
func BenchmarkRawLines(b *testing.B) {
	batches := benchBatches()
	for b.Loop() {
		db, err := sql.Open("sqlite", dsn(filepath.Join(b.TempDir(), "raw.db"), "immediate"))
		if err != nil {
			b.Fatal(err)
		}
		db.SetMaxOpenConns(1)
		if _, err := db.Exec("CREATE TABLE lines (invoice TEXT, sku TEXT, description TEXT, quantity INTEGER, at TEXT, price INTEGER, customer TEXT, country TEXT)"); err != nil {
			b.Fatal(err)
		}
		tx, err := db.Begin()
		if err != nil {
			b.Fatal(err)
		}
		st, err := tx.Prepare("INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
		if err != nil {
			b.Fatal(err)
		}
		for _, batch := range batches {
			for _, e := range batch {
				for range benchLines {
					if _, err := st.Exec(e.OrderRef, "85123", "WHITE HANGING HEART T-LIGHT HOLDER", 6, "2010-12-01 08:26", 255, e.CustomerID, e.Location); err != nil {
						b.Fatal(err)
					}
				}
			}
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
		db.Close()
	}
	b.ReportMetric(float64(benchEvents*benchLines)*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}

// BenchmarkAccept is what a door asks of the store for the same lines as
// events: customers, receipts, log.
func BenchmarkAccept(b *testing.B) {
	batches := benchBatches()
	for b.Loop() {
		d := benchOpen(b)
		for _, batch := range batches {
			sightings := make([]schemas.Sighting, len(batch))
			for i, e := range batch {
				sightings[i] = schemas.Sighting{Customer: schemas.CustomerRef{Ref: e.CustomerID}, Location: e.Location, At: e.OccurredAt}
			}
			if _, err := d.Resolve(b.Context(), sightings); err != nil {
				b.Fatal(err)
			}
			if err := accept(b.Context(), d, batch); err != nil {
				b.Fatal(err)
			}
		}
		d.Close()
	}
	b.ReportMetric(float64(benchEvents*benchLines)*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}

// BenchmarkHistory reads the log and stores it, in batches of 500.
func BenchmarkHistory(b *testing.B) {
	batches := benchBatches()
	for b.Loop() {
		b.StopTimer()
		d := benchOpen(b)
		for _, batch := range batches {
			if err := accept(b.Context(), d, batch); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
		for n := 0; n < benchEvents; {
			batch, err := d.Consumer("score").Fetch(b.Context(), 500)
			if err != nil {
				b.Fatal(err)
			}
			scored := make([]schemas.Scored, len(batch.Events))
			for i, e := range batch.Events {
				scored[i] = schemas.Scored{Event: e, Verdict: schemas.Verdict{Level: schemas.LevelNone, ScoredAt: noon}}
			}
			if _, err := d.Store(b.Context(), scored); err != nil {
				b.Fatal(err)
			}
			if err := batch.Commit(b.Context()); err != nil {
				b.Fatal(err)
			}
			n += len(scored)
		}
		b.StopTimer()
		start := time.Now()
		if _, _, err := d.RevenueP90(b.Context(), noon.AddDate(0, 0, 9)); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(start).Microseconds()), "µs/p90")
		d.Close()
		b.StartTimer()
	}
	b.ReportMetric(float64(benchEvents)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func benchOpen(b *testing.B) *DB {
	b.Helper()
	d, err := Open(context.Background(), filepath.Join(b.TempDir(), "r.db"))
	if err != nil {
		b.Fatal(err)
	}
	return d
}
