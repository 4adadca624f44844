package kafka

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"redalert/schemas"
)

// fill publishes n events, in calls of 2,000.
func fill(t testing.TB, l *Log, n int) {
	for chunk := range slices.Chunk(events("e", n, 1000), 2000) {
		publish(t, l, chunk)
	}
}

// TestMemoryIsBoundedWhateverTheLag: 200,000 events wait; whoever reads them
// keeps no more than the configured buffer, and reads on only after commits.
func TestMemoryIsBoundedWhateverTheLag(t *testing.T) {
	const n, read, limit = 200_000, 30_000, 1 << 20
	cfg := config(real(t))
	cfg.Partitions, cfg.BufferBytes = 3, limit
	l := open(t, cfg)
	fillFast(t, l, n)
	if lag := lagOf(t, l, "g"); lag != n {
		t.Fatalf("lag %d", lag)
	}
	reader := second(t, l, nil)
	c := reader.Consumer("g")
	fetchSome(t, c, 500)
	eventually(t, "the buffer is half full", 10*time.Second, func() bool { return statsOf(t, reader, "g").Buffered > limit/2 })
	before, fetched := heap(), statsOf(t, reader, "g").Fetched
	for range 20 { // nobody commits: nothing more is read
		fetchSome(t, c, 500)
	}
	if st := statsOf(t, reader, "g"); st.Fetched > fetched+limit/400 || st.Buffered > limit {
		t.Fatalf("reading goes on without a commit: %+v, %d before", st, fetched)
	}
	began := time.Now()
	for seen := 0; seen < read; {
		b := fetchSome(t, c, 500)
		if err := b.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		seen += len(b.Events)
	}
	st := statsOf(t, reader, "g")
	if st.MostBuffered > limit {
		t.Fatalf("%d bytes were buffered, more than %d", st.MostBuffered, limit)
	}
	if grown := heap() - before; grown > 8<<20 {
		t.Fatalf("the heap has grown by %d bytes", grown)
	}
	t.Logf("%d events in %v, at most %d of %d bytes buffered", read, time.Since(began).Round(time.Millisecond), st.MostBuffered, limit)
}

// heap answers the bytes in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// fillFast writes n messages that differ by key only: encoding 200,000 events
// would take longer than all else here.
func fillFast(t testing.TB, l *Log, n int) {
	value, err := event("e000000", "customer-0").MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for from := 0; from < n; from += 5000 {
		msgs := make([]kafkago.Message, 5000)
		for i := range msgs {
			msgs[i] = kafkago.Message{Topic: l.cfg.Prefix + TopicFeedback, Key: []byte(fmt.Sprint("customer-", (from+i)%1000)), Value: value}
		}
		if err := l.write(t.Context(), "fill", msgs); err != nil {
			t.Fatal(err)
		}
	}
}

// BenchmarkFetch compares our consumer, decoding and committing every 500
// events, with the library's plainest loops over the same log, which discard
// what they read.
func BenchmarkFetch(b *testing.B) {
	const n = 50_000
	cfg := config(real(b))
	l := open(b, cfg)
	fill(b, l, n)
	value, err := event("e000000", "customer-0").MarshalJSON()
	if err != nil {
		b.Fatal(err)
	}
	rate := func(b *testing.B) {
		b.SetBytes(int64(len(value) * n))
		b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
	}
	b.Run("ours", func(b *testing.B) {
		for range b.N {
			o := second(b, l, nil)
			c := o.Consumer(newPrefix())
			for seen := 0; seen < n; {
				batch := fetchSome(b, c, 500)
				if err := batch.Commit(b.Context()); err != nil {
					b.Fatal(err)
				}
				seen += len(batch.Events)
			}
			o.Close()
		}
		rate(b)
	})
	b.Run("decoding alone", func(b *testing.B) {
		for range b.N * n {
			var e schemas.Event
			if err := e.UnmarshalJSON(value); err != nil {
				b.Fatal(err)
			}
		}
		rate(b)
	})
	b.Run("library reader, discarding", func(b *testing.B) {
		for range b.N {
			r := kafkago.NewReader(kafkago.ReaderConfig{Brokers: cfg.Brokers, Topic: cfg.Prefix + TopicFeedback, MinBytes: 1, MaxBytes: 10 << 20, MaxWait: 100 * time.Millisecond})
			for range n {
				if _, err := r.ReadMessage(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			r.Close()
		}
		rate(b)
	})
	b.Run("library group reader, committing every 500", func(b *testing.B) {
		for range b.N {
			r := naiveReader(l, kafkago.ReaderConfig{GroupID: newPrefix(), MinBytes: 1, MaxBytes: 10 << 20})
			for i := range n {
				m, err := r.FetchMessage(b.Context())
				if err == nil && i%500 == 499 {
					err = r.CommitMessages(b.Context(), m)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			r.Close()
		}
		rate(b)
	})
}

func BenchmarkPublish(b *testing.B) {
	l := open(b, config(real(b)))
	batch := events("e", 500, 100)
	b.Run("500 events a call", func(b *testing.B) {
		for range b.N {
			publish(b, l, batch)
		}
		b.ReportMetric(500*float64(b.N)/b.Elapsed().Seconds(), "events/s")
	})
	b.Run("one event a call, 64 calls at once", func(b *testing.B) {
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				publish(b, l, batch[:1])
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	})
}
