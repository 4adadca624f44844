package kafka

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"redalert/ingest"
)

// The tests below show what the library does when it is used as its examples
// use it, and that we do not.

func naiveReader(l *Log, c kafkago.ReaderConfig) *kafkago.Reader {
	c.Brokers, c.Topic = l.cfg.Brokers, l.cfg.Prefix+TopicFeedback
	if c.GroupID == "" {
		c.GroupID = "naive"
	}
	c.StartOffset = kafkago.FirstOffset
	c.MaxWait = 100 * time.Millisecond
	c.HeartbeatInterval, c.SessionTimeout, c.RebalanceTimeout = 100*time.Millisecond, time.Second, time.Second
	c.JoinGroupBackoff = 100 * time.Millisecond
	return kafkago.NewReader(c)
}

// refuseProduce makes the cluster refuse all that is written and notes the
// acknowledgements asked for.
func refuseProduce(c *kfake.Cluster, acks *atomic.Int64, code int16) {
	c.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req := r.(*kmsg.ProduceRequest)
		acks.Store(int64(req.Acks))
		if req.Acks == 0 {
			return nil, nil, true // no answer is due
		}
		res := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, t := range req.Topics {
			rt := kmsg.NewProduceResponseTopic()
			rt.Topic, rt.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				rp := kmsg.NewProduceResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p.Partition, code
				rt.Partitions = append(rt.Partitions, rp)
			}
			res.Topics = append(res.Topics, rt)
		}
		return res, nil, true
	})
}

func TestTrap_WriterZeroValue(t *testing.T) {
	c := fake(t)
	l := open(t, config(c.ListenAddrs()[0]))
	var acks atomic.Int64
	refuseProduce(c, &acks, kerr.KafkaStorageError.Code)

	naive := &kafkago.Writer{Addr: kafkago.TCP(l.cfg.Brokers...), Topic: l.cfg.Prefix + TopicFeedback}
	defer naive.Close()
	began := time.Now()
	if err := naive.WriteMessages(t.Context(), kafkago.Message{Value: []byte("{}")}); err != nil {
		t.Fatalf("the library has changed: its zero value says %v of a message that was refused", err)
	}
	if took := time.Since(began); took < 900*time.Millisecond {
		t.Fatalf("the library has changed: its zero value waits %v", took)
	}
	if acks.Load() != 0 {
		t.Fatalf("the library has changed: its zero value asks for acks=%d", acks.Load())
	}

	err := l.Publish(t.Context(), events("e", 1, 1))
	if !errors.Is(err, ingest.ErrUnavailable) {
		t.Fatalf("Publish of what was refused: %v", err)
	}
	if acks.Load() != -1 {
		t.Fatalf("Publish asks for acks=%d, want all (-1)", acks.Load())
	}
}

func TestPublishDoesNotWaitForABatchToFill(t *testing.T) {
	l := open(t, config(fake(t).ListenAddrs()[0]))
	publish(t, l, events("e", 1, 1)) // connects
	began := time.Now()
	publish(t, l, events("f", 1, 1))
	if took := time.Since(began); took > 500*time.Millisecond {
		t.Fatalf("one event took %v", took)
	}
}

// TestFault_38: two partitions; the second member takes one of them over while
// the first works on a batch.
func TestFault_38_NaiveReaderRewindsTheOther(t *testing.T) {
	brokers(t, func(t *testing.T, addr string) {
		cfg := config(addr)
		cfg.Partitions = 2
		l := open(t, cfg)
		publish(t, l, events("e", 40, 20))
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()

		a := naiveReader(l, kafkago.ReaderConfig{})
		defer a.Close()
		early := map[int]kafkago.Message{}
		for len(early) < 2 {
			m, err := a.FetchMessage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := early[m.Partition]; !ok {
				early[m.Partition] = m
			}
		}
		b := naiveReader(l, kafkago.ReaderConfig{})
		defer b.Close()
		last, err := b.FetchMessage(ctx)
		for err == nil && last.Offset+1 < last.HighWaterMark {
			last, err = b.FetchMessage(ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := b.CommitMessages(ctx, last); err != nil {
			t.Fatal(err)
		}
		stale := early[last.Partition]
		if err := a.CommitMessages(ctx, stale); err != nil {
			t.Fatalf("the library has changed: a stale commit answers %v", err)
		}
		done, err := l.conns.committed(ctx, l.cfg.Prefix+TopicFeedback, "naive", []int{last.Partition})
		if err != nil {
			t.Fatal(err)
		}
		if done[last.Partition] != stale.Offset+1 {
			t.Fatalf("the library has changed: offset %d after the stale commit of %d", done[last.Partition], stale.Offset)
		}
	})
}

func TestFault_38_RebalanceInMidBatch(t *testing.T) {
	brokers(t, func(t *testing.T, addr string) {
		cfg := config(addr)
		cfg.Partitions = 2
		a := open(t, cfg)
		publish(t, a, events("e", 40, 20))
		b := second(t, a, nil)

		early := fetchSome(t, a.Consumer("g"), 2)
		go func() { // joins, and takes one partition over
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			b.Consumer("g").Fetch(ctx, 1)
		}()
		eventually(t, "each has one partition", 20*time.Second, func() bool {
			return statsOf(t, a, "g").Assigned == 1 && statsOf(t, b, "g").Assigned == 1
		})
		if err := early.Commit(t.Context()); !errors.Is(err, ErrStale) {
			t.Fatalf("commit of a batch from before the rebalance: %v, want ErrStale", err)
		}
		if n := lagOf(t, a, "g"); n != 40 {
			t.Fatalf("lag %d after a stale commit, want 40", n)
		}
		seen := map[string]int{}
		for _, l := range []*Log{a, b} {
			c := l.Consumer("g")
			eventually(t, "its partition is read", 20*time.Second, func() bool { return statsOf(t, l, "g").Buffered > 0 })
			for statsOf(t, l, "g").Buffered > 0 {
				batch := fetchSome(t, c, 7)
				if err := batch.Commit(t.Context()); err != nil {
					t.Fatal(err)
				}
				for _, e := range batch.Events {
					seen[e.ID]++
				}
			}
		}
		if len(seen) != 40 {
			t.Fatalf("%d of 40 events were read", len(seen))
		}
		if n := lagOf(t, a, "g"); n != 0 {
			t.Fatalf("lag %d at the end", n)
		}
	})
}

func TestTrap_CoordinatorNotAvailableAtStart(t *testing.T) {
	c := fake(t)
	l := open(t, config(c.ListenAddrs()[0]))
	publish(t, l, events("e", 3, 1))
	var refused atomic.Int64
	c.ControlKey(int16(kmsg.FindCoordinator), func(r kmsg.Request) (kmsg.Response, error, bool) {
		if refused.Add(1) > 3 {
			return nil, nil, false
		}
		c.KeepControl()
		req := r.(*kmsg.FindCoordinatorRequest)
		res := req.ResponseKind().(*kmsg.FindCoordinatorResponse)
		res.ErrorCode, res.NodeID = kerr.CoordinatorNotAvailable.Code, -1
		for _, k := range req.CoordinatorKeys {
			rk := kmsg.NewFindCoordinatorResponseCoordinator()
			rk.Key, rk.ErrorCode, rk.NodeID = k, kerr.CoordinatorNotAvailable.Code, -1
			res.Coordinators = append(res.Coordinators, rk)
		}
		return res, nil, true
	})
	naive, err := kafkago.NewConsumerGroup(kafkago.ConsumerGroupConfig{ID: "naive", Brokers: l.cfg.Brokers, Topics: []string{l.cfg.Prefix + TopicFeedback}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := naive.Next(t.Context()); !errors.Is(err, kafkago.GroupCoordinatorNotAvailable) {
		t.Fatalf("the library has changed: Next answers %v", err)
	}
	naive.Close()
	if b := fetchSome(t, l.Consumer("g"), 10); len(b.Events) != 3 {
		t.Fatalf("%d events", len(b.Events))
	}
	refused.Store(0)
	if n := lagOf(t, l, "g"); n != 3 {
		t.Fatalf("lag %d, want 3", n)
	}
}

func TestTrap_HeartbeatsGoOnWhileProcessingHangs(t *testing.T) {
	var said captured
	cfg := config(fake(t).ListenAddrs()[0])
	cfg.SessionTimeout, cfg.ProgressTimeout = 500*time.Millisecond, 700*time.Millisecond
	cfg.Partitions, cfg.Log = 2, said.log()
	l := open(t, cfg)
	publish(t, l, events("e", 40, 20))

	hangs := naiveReader(l, kafkago.ReaderConfig{})
	defer hangs.Close()
	if _, err := hangs.FetchMessage(t.Context()); err != nil {
		t.Fatal(err)
	}
	waits := naiveReader(l, kafkago.ReaderConfig{})
	defer waits.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second) // three sessions long
	defer cancel()
	got, err := 0, error(nil)
	for ; err == nil; got++ {
		_, err = waits.FetchMessage(ctx)
	}
	if got--; got == 0 || got >= 40 || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the library has changed: the second reader got %d of 40, %v", got, err)
	}

	stuck := fetchSome(t, l.Consumer("g"), 40) // and nothing more is heard of it
	other := second(t, l, nil)
	if seen := drain(t, other.Consumer("g"), 40); len(seen) != 40 {
		t.Fatalf("the other got %d events", len(seen))
	}
	if st := statsOf(t, l, "g"); !said.has("worked on for too long") || st.Hangs != 1 {
		t.Fatalf("no alarm was raised: %+v", st)
	}
	if err := stuck.Commit(t.Context()); !errors.Is(err, ErrStale) {
		t.Fatalf("the commit of the batch that hung: %v, want ErrStale", err)
	}
	publish(t, l, events("f", 1, 1))
	other.Close() // the one that hung comes back
	if b := fetchSome(t, l.Consumer("g"), 5); len(b.Events) != 1 {
		t.Fatalf("%d events after coming back", len(b.Events))
	}
}

func TestTrap_JoiningCreatesTopics(t *testing.T) {
	cfg := config(real(t))
	l, err := Open(t.Context(), cfg) // and no Migrate
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	topic := l.cfg.Prefix + TopicFeedback
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if _, err := l.Consumer("g").Fetch(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Fetch from a missing topic: %v", err)
	}
	if st := statsOf(t, l, "g"); !strings.Contains(st.Trouble, "redalert migrate") {
		t.Fatalf("trouble %q does not say what to do", st.Trouble)
	}
	if topicExists(t, l, topic) {
		t.Fatal("Fetch made the broker create the topic")
	}
	naive := naiveReader(l, kafkago.ReaderConfig{})
	defer naive.Close()
	eventually(t, "the library has changed: its reader no longer creates topics", 10*time.Second, func() bool { return topicExists(t, l, topic) })
}

func topicExists(t *testing.T, l *Log, topic string) bool {
	n, err := connect(&l.cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer n.close()
	_, err = n.partitions(t.Context(), topic)
	return err == nil
}

// deleteRecords does what retention does: it moves the log's start.
func deleteRecords(t *testing.T, addr, topic string, upto int64) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	req := kmsg.NewPtrDeleteRecordsRequest()
	rt := kmsg.NewDeleteRecordsRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewDeleteRecordsRequestTopicPartition()
	rp.Partition, rp.Offset = 0, upto
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	req.TimeoutMillis = 5000
	res, err := req.RequestWith(t.Context(), cl)
	if err == nil {
		err = kerr.ErrorForCode(res.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestFault_40_RetentionPassedTheOffset(t *testing.T) {
	brokers(t, func(t *testing.T, addr string) {
		var said captured
		cfg := config(addr)
		cfg.Log = said.log()
		l := open(t, cfg)
		topic := cfg.Prefix + TopicFeedback
		publish(t, l, events("e", 20, 3))
		first := fetchSome(t, l.Consumer("g"), 5)
		if err := first.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.Close()
		naive := naiveReader(l, kafkago.ReaderConfig{})
		m, err := naive.FetchMessage(t.Context())
		if err == nil {
			err = naive.CommitMessages(t.Context(), m)
		}
		if err != nil {
			t.Fatal(err)
		}
		naive.Close()

		deleteRecords(t, addr, topic, 12)
		naive = naiveReader(l, kafkago.ReaderConfig{})
		defer naive.Close()
		if m, err := naive.FetchMessage(t.Context()); err != nil || m.Offset != 12 {
			t.Fatalf("the library has changed: it answers offset %d, %v where events are lost", m.Offset, err)
		}
		l = second(t, l, nil)
		if n := lagOf(t, l, "g"); n != 8 {
			t.Fatalf("lag %d, want the 8 that are there", n)
		}
		b := fetchSome(t, l.Consumer("g"), 100)
		if len(b.Events) != 8 || b.Events[0].ID != "e000012" {
			t.Fatalf("%d events from %s on", len(b.Events), b.Events[0].ID)
		}
		if st := statsOf(t, l, "g"); st.Gaps != 1 || st.Lost != 7 {
			t.Fatalf("stats %+v, want one gap of 7", st)
		}
		if !said.has("ALARM", "lost=7") {
			t.Fatal("no alarm was logged")
		}
	})
}
