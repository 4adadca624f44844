package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"redalert/ingest"
)

// compactAway makes the cluster answer fetches as a broker does once compaction
// has thrown the last records of a batch away: the batch still reaches to the
// offset where it ended, but holds only the first of its records.
func compactAway(c *kfake.Cluster, values [][]byte, end int64) {
	var records []byte
	for i, v := range values {
		r := kmsg.Record{OffsetDelta: int32(i), Value: v}
		r.Length = int32(len(r.AppendTo(nil)) - 1) // what follows the length, which is one byte so far
		records = r.AppendTo(records)
	}
	b := kmsg.RecordBatch{Magic: 2, LastOffsetDelta: int32(end - 1), ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: int32(len(values)), Records: records}
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[8:], uint32(len(raw)-12))
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	c.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		return fetchAnswer(r, func(p *kmsg.FetchResponseTopicPartition) {
			p.HighWatermark, p.LastStableOffset, p.RecordBatches = end, end, raw
		}), nil, true
	})
}

// TestTrap_CompactedTopicsHang: where compaction has thrown away the end of a
// batch, the library's reader asks for the next offset and gets the same batch
// for ever, without a word. Our topics are never compacted (Migrate and Check
// refuse one that is); if one became so while we read, the stall is noticed and
// said, and in the end the process ends itself.
func TestTrap_CompactedTopicsHang(t *testing.T) {
	c := fake(t)
	var said captured
	cfg := config(c.ListenAddrs()[0])
	cfg.StallTimeout, cfg.Log = 300*time.Millisecond, said.log()
	l := open(t, cfg)
	all := events("e", 10, 1)
	publish(t, l, all)
	var kept [][]byte
	for _, e := range all[:5] {
		value, err := e.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, value)
	}
	compactAway(c, kept, int64(len(all)))

	naive := naiveReader(l, kafkago.ReaderConfig{})
	defer naive.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	n := 0
	for ; ctx.Err() == nil; n++ {
		if _, err := naive.FetchMessage(ctx); err != nil {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("the library has changed: after %d messages it says %v", n, err)
			}
			break
		}
	}
	if n != len(kept) || naive.Stats().Errors != 0 {
		t.Fatalf("the library has changed: %d messages, %d errors, where %d messages and silence are expected", n, naive.Stats().Errors, len(kept))
	}

	consumer := l.Consumer("g")
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	b, err := consumer.Fetch(ctx, 100)
	if err != nil || len(b.Events) != len(kept) {
		t.Fatalf("%d events, %v", len(b.Events), err)
	}
	if err := b.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := consumer.Fetch(ctx, 100); !errors.Is(err, ErrStalled) || errors.Is(err, ingest.ErrUnavailable) {
		t.Fatalf("Fetch: %v, want ErrStalled", err)
	}
	if !said.has("nothing is fetched; the member is rebuilt") {
		t.Fatal("no alarm was raised")
	}
}
