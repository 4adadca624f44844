package kafka

import (
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"redalert/ingest"
	"redalert/schemas"
)

// answerFetches makes the cluster answer fetches with no records and the given
// error code for as long as on holds.
func answerFetches(c *kfake.Cluster, on *atomic.Bool, code int16) {
	c.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if !on.Load() {
			return nil, nil, false
		}
		return fetchAnswer(r, func(p *kmsg.FetchResponseTopicPartition) { p.ErrorCode, p.HighWatermark = code, 100 }), nil, true
	})
}

// fetchAnswer answers a fetch with the same for every partition.
func fetchAnswer(r kmsg.Request, fill func(*kmsg.FetchResponseTopicPartition)) kmsg.Response {
	req := r.(*kmsg.FetchRequest)
	res := req.ResponseKind().(*kmsg.FetchResponse)
	for _, t := range req.Topics {
		rt := kmsg.NewFetchResponseTopic()
		rt.Topic, rt.TopicID = t.Topic, t.TopicID
		for _, p := range t.Partitions {
			rp := kmsg.NewFetchResponseTopicPartition()
			rp.Partition = p.Partition
			fill(&rp)
			rt.Partitions = append(rt.Partitions, rp)
		}
		res.Topics = append(res.Topics, rt)
	}
	time.Sleep(5 * time.Millisecond) // a broker would wait too
	return res
}

func TestTrap_StallIsNoticed(t *testing.T) {
	c := fake(t)
	var said captured
	cfg := config(c.ListenAddrs()[0])
	cfg.StallTimeout, cfg.Log = 400*time.Millisecond, said.log()
	l := open(t, cfg)
	publish(t, l, events("e", 5, 1))
	var on atomic.Bool
	on.Store(true)
	answerFetches(c, &on, 0)

	naive := naiveReader(l, kafkago.ReaderConfig{})
	defer naive.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := naive.FetchMessage(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the library has changed: a reader that gets nothing says %v", err)
	}

	go func() {
		for statsOf(t, l, "g").Rebuilds == 0 && t.Context().Err() == nil {
			time.Sleep(5 * time.Millisecond)
		}
		on.Store(false)
	}()
	if b := fetchSome(t, l.Consumer("g"), 10); len(b.Events) != 5 {
		t.Fatalf("%d events after the stall", len(b.Events))
	}
	if !said.has("nothing is fetched; the member is rebuilt") {
		t.Fatal("no alarm was raised")
	}
}

func TestStallForGood(t *testing.T) {
	c := fake(t)
	cfg := config(c.ListenAddrs()[0])
	cfg.StallTimeout = 200 * time.Millisecond
	l := open(t, cfg)
	publish(t, l, events("e", 5, 1))
	var on atomic.Bool
	on.Store(true)
	answerFetches(c, &on, 0)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := l.Consumer("g").Fetch(ctx, 1); !errors.Is(err, ErrStalled) || errors.Is(err, ingest.ErrUnavailable) {
		t.Fatalf("Fetch: %v, want ErrStalled", err)
	}
	if st := statsOf(t, l, "g"); st.Rebuilds != stallsAllowed {
		t.Fatalf("%d rebuilds, want %d", st.Rebuilds, stallsAllowed)
	}
	// A group that has read everything does not stall.
	on.Store(false)
	idle := second(t, l, func(c *Config) { c.StallTimeout = 100 * time.Millisecond })
	drain(t, idle.Consumer("idle"), 5)
	ctx, cancel = context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := idle.Consumer("idle").Fetch(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Fetch at the end of the log: %v", err)
	}
	if st := statsOf(t, idle, "idle"); st.Rebuilds != 0 {
		t.Fatalf("%d rebuilds of a group with nothing to read", st.Rebuilds)
	}
}

func TestFetchErrorsPass(t *testing.T) {
	for _, code := range []*kerr.Error{kerr.NotLeaderForPartition, kerr.UnknownTopicOrPartition, kerr.KafkaStorageError, kerr.UnknownServerError} {
		t.Run(code.Message, func(t *testing.T) {
			c := fake(t)
			l := open(t, config(c.ListenAddrs()[0]))
			publish(t, l, events("e", 5, 1))
			var on atomic.Bool
			on.Store(true)
			answerFetches(c, &on, code.Code)
			go func() {
				for statsOf(t, l, "g").Trouble == "" && t.Context().Err() == nil {
					time.Sleep(5 * time.Millisecond)
				}
				on.Store(false)
			}()
			if b := fetchSome(t, l.Consumer("g"), 10); len(b.Events) != 5 {
				t.Fatalf("%d events", len(b.Events))
			}
		})
	}
}

func TestProduceErrorsPass(t *testing.T) {
	c := fake(t)
	l := open(t, config(c.ListenAddrs()[0]))
	publish(t, l, events("a", 1, 1))
	var acks atomic.Int64
	refuseProduce(c, &acks, kerr.NotEnoughReplicas.Code)
	err := l.Publish(t.Context(), events("e", 2, 1))
	if !errors.Is(err, ingest.ErrUnavailable) || !errors.Is(err, kafkago.NotEnoughReplicas) || !strings.Contains(err.Error(), "min.insync.replicas") {
		t.Fatalf("Publish: %v", err)
	}
	if n := lagOf(t, l, "g"); n != 1 {
		t.Fatalf("%d events in the log, want 1", n)
	}
}

func TestBrokenValue(t *testing.T) {
	addr := fake(t).ListenAddrs()[0]
	var got []BrokenMessage
	refuse := true
	cfg := config(addr)
	cfg.Broken = func(_ context.Context, m BrokenMessage) error {
		if refuse {
			return errors.New("no room for it")
		}
		got = append(got, m)
		return nil
	}
	l := open(t, cfg)
	raw := func(values ...string) {
		for _, v := range values {
			err := l.write(t.Context(), "test", []kafkago.Message{{Topic: cfg.Prefix + TopicFeedback, Key: []byte("k"), Value: []byte(v)}})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	raw("not JSON", "{}", "")
	publish(t, l, events("e", 2, 1))
	raw(`{"id":"x","time":"yesterday"}`)

	c := l.Consumer("g")
	if _, err := c.Fetch(t.Context(), 10); err == nil || !strings.Contains(err.Error(), "no room for it") {
		t.Fatalf("Fetch of what could not be put aside: %v", err)
	}
	refuse = false
	for range 2 {
		b := fetchSome(t, c, 10)
		if len(b.Events) != 2 || b.Events[0].ID != "e000000" {
			t.Fatalf("events %v", b.Events)
		}
	}
	if len(got) != 4 || string(got[0].Value) != "not JSON" || got[0].Offset != 0 || got[3].Offset != 5 || got[3].Err == nil || got[0].Topic != cfg.Prefix+"feedback" {
		t.Fatalf("put aside: %+v, want each of 4 once", got)
	}
	if err := fetchSome(t, c, 10).Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	raw("broken alone")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	go func() {
		for lagOf(t, l, "g") > 0 && ctx.Err() == nil { // committed without any event
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
	}()
	if b, err := c.Fetch(ctx, 10); !errors.Is(err, context.Canceled) {
		t.Fatalf("Fetch of nothing but a broken value: %v, %v", b.Events, err)
	}
}

func TestSizes(t *testing.T) {
	brokers(t, func(t *testing.T, addr string) {
		l := open(t, config(addr))
		large := event("large", "c")
		large.Data = []byte(`{"text":"` + strings.Repeat("x", schemas.MaxEventBytes-500) + `"}`)
		publish(t, l, []schemas.Event{large, large, large, large, large, large})
		notice := schemas.Notice{Kind: schemas.NoticeRed, Event: large}
		for range 2000 {
			notice.Verdict.Reasons = append(notice.Verdict.Reasons, schemas.Reason{Code: "phrase", Message: strings.Repeat("y", 100)})
		}
		if err := l.PublishAlerts(t.Context(), []schemas.Notice{notice}); err != nil {
			t.Fatal(err)
		}
		if b := fetchSome(t, l.Consumer("g"), 1); string(b.Events[0].Data) != string(large.Data) {
			t.Fatal("the event came back otherwise")
		}
		large.Data = []byte(`{"text":"` + strings.Repeat("x", maxValue) + `"}`)
		err := l.Publish(t.Context(), []schemas.Event{event("e", "c"), large})
		if !errors.Is(err, ErrTooLarge) || errors.Is(err, ingest.ErrUnavailable) {
			t.Fatalf("Publish of what no topic takes: %v", err)
		}
		if n := lagOf(t, l, "g"); n != 6 {
			t.Fatalf("lag %d, want 6: nothing of a batch that cannot be written", n)
		}
	})
}

// hole accepts connections and never answers.
func hole(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
		}
	}()
	return ln.Addr().String()
}

func TestEverythingEndsWithItsContext(t *testing.T) {
	c := config(hole(t))
	c.SASL = &SASL{Mechanism: Plain, User: "u", Password: "p"}
	l, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func(context.Context) error{
		"Publish":     func(ctx context.Context) error { return l.Publish(ctx, events("e", 1, 1)) },
		"Fetch":       func(ctx context.Context) error { _, err := l.Consumer("g").Fetch(ctx, 1); return err },
		"FetchAlerts": func(ctx context.Context) error { _, err := l.AlertReader("g").FetchAlerts(ctx, 1); return err },
		"Lag":         func(ctx context.Context) error { _, err := l.Consumer("g").Lag(ctx); return err },
		"Migrate":     l.Migrate,
		"Check":       l.Check,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		began := time.Now()
		err := call(ctx)
		cancel()
		if took := time.Since(began); err == nil || took > 2*time.Second {
			t.Errorf("%s ended after %v with %v", name, took, err)
		}
	}
	began := time.Now()
	if err := l.Close(); err != nil {
		t.Log(err)
	}
	if took := time.Since(began); took > closeWithin+time.Second {
		t.Errorf("Close took %v", took)
	}
	if err := l.Publish(t.Context(), events("e", 1, 1)); !errors.Is(err, ErrClosed) || !errors.Is(err, ingest.ErrUnavailable) {
		t.Errorf("Publish after Close: %v", err)
	}
	if _, err := l.Consumer("g").Fetch(t.Context(), 1); !errors.Is(err, ErrClosed) {
		t.Errorf("Fetch after Close: %v", err)
	}
}

func TestPendingIsBounded(t *testing.T) {
	c := config(hole(t))
	c.PublishTimeout = 20 * time.Millisecond
	l, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	began, value := time.Now(), make([]byte, maxValue)
	for range 2 * pendingBytes / maxValue {
		err := l.write(t.Context(), "test", []kafkago.Message{{Topic: c.Prefix + TopicFeedback, Value: value}})
		if !errors.Is(err, ingest.ErrUnavailable) || !strings.Contains(err.Error(), "not acknowledged within") {
			t.Fatalf("write: %v", err)
		}
	}
	if l.pending.TryAcquire(2*maxValue) && time.Since(began) < dialTimeout {
		t.Fatal("what nobody waits for any more does not count as pending")
	}
}

func TestFetchSaysThatBrokersAreDown(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	var skew atomic.Int64
	c := config(ln.Addr().String())
	c.Now = func() time.Time { return time.Now().Add(time.Duration(skew.Load())) }
	l, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for statsOf(t, l, "g").Trouble == "" && t.Context().Err() == nil {
			time.Sleep(5 * time.Millisecond)
		}
		skew.Store(int64(downPatience + time.Second))
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := l.Consumer("g").Fetch(ctx, 1); !errors.Is(err, ingest.ErrUnavailable) || !strings.Contains(err.Error(), "is the broker running?") {
		t.Fatalf("Fetch: %v", err)
	}
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	addr := fake(t).ListenAddrs()[0]
	l := open(t, config(addr))
	publish(t, l, events("e", 5, 1))
	l.Close()
	before := runtime.NumGoroutine()
	for range 5 {
		o := second(t, l, nil)
		publish(t, o, events("f", 1, 1))
		fetchSome(t, o.Consumer("g"), 1)
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "goroutines end with the log", 10*time.Second, func() bool { return runtime.NumGoroutine() <= before+2 })
}
