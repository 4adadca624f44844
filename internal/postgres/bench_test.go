package postgres

import (
	"fmt"
	"testing"

	"redalert/ingest"
	"redalert/internal/servertest"
	"redalert/schemas"
)

func benchOpen(b *testing.B) *DB {
	b.Helper()
	cfg := Config{URL: servertest.Postgres(b).Database(b, "")}
	if _, err := Migrate(b.Context(), cfg); err != nil {
		b.Fatal(err)
	}
	d, err := Open(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Close() })
	return d
}

// BenchmarkAccept is what a door asks of PostgreSQL for 500 events: customers,
// receipts, marks.
func BenchmarkAccept(b *testing.B) {
	d := benchOpen(b)
	n := 0
	for b.Loop() {
		var sightings []schemas.Sighting
		var receipts []ingest.Receipt
		var ids []string
		for range 500 {
			n++
			sightings = append(sightings, schemas.Sighting{Customer: schemas.CustomerRef{Ref: fmt.Sprint(n % 4000)}, Location: "North", At: noon})
			receipts, ids = append(receipts, receiptOf(fmt.Sprint(n))), append(ids, fmt.Sprint(n))
		}
		if _, err := d.Resolve(b.Context(), sightings); err != nil {
			b.Fatal(err)
		}
		if _, err := d.Reserve(b.Context(), receipts); err != nil {
			b.Fatal(err)
		}
		if err := d.MarkPublished(b.Context(), ids); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkOpenCases opens cases one by one.
func BenchmarkOpenCases(b *testing.B) {
	d := benchOpen(b)
	n := 0
	for b.Loop() {
		n++
		if _, err := d.Cases().Apply(b.Context(), opening(fmt.Sprint(n))); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "cases/s")
}
