package importer

import (
	"context"
	"runtime"
	"testing"

	"redalert/ingest"
	"redalert/internal/lane"
)

// nothing accepts everything and keeps nothing.
type nothing struct{ door }

func (*nothing) Accept(_ context.Context, items []ingest.Item) ([]ingest.Result, error) {
	out := make([]ingest.Result, len(items))
	for i := range out {
		out[i].Status = ingest.Accepted
	}
	return out, nil
}

func bench(b *testing.B, o Options, rows int64) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		d := &nothing{door{cursors: map[string]string{}}}
		rep, err := Run(b.Context(), o, Ports{Acceptor: d, Cursors: d})
		if err != nil {
			b.Fatal(err)
		}
		if rep.Read != rows {
			b.Fatalf("%+v", rep)
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(m.Sys>>20), "MiB-sys")
}

// What reading, bringing together and mapping cost, without a store.
func BenchmarkOnlineRetail(b *testing.B) {
	bench(b, options(Orders, "online-retail", lane.Data(b, retailFile)), 245_903)
}

func BenchmarkCDNOW(b *testing.B) {
	bench(b, options(Orders, "cdnow", lane.Data(b, "orders/CDNOW_master.txt")), 69_659)
}

func BenchmarkLounge(b *testing.B) {
	bench(b, options(Reviews, "lounge-reviews", lane.Data(b, "shapes/reviews_lounge.csv")), 2264)
}
