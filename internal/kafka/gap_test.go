package kafka

import (
	"context"
	"errors"
	"maps"
	"sync/atomic"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

// committedAt waits until the group has committed so far in partition 0. Fetch is
// called meanwhile, as a worker does; there is nothing to read.
func committedAt(t *testing.T, l *Log, want int64) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	idle := make(chan struct{})
	go func() {
		defer close(idle)
		if b, err := l.Consumer("g").Fetch(ctx, 10); !errors.Is(err, context.Canceled) {
			t.Errorf("Fetch where nothing is left: %d events, %v", len(b.Events), err)
		}
	}()
	eventually(t, "the group's offset is behind the gap", 30*time.Second, func() bool { return committedBy(t, l, "g")[0] == want })
	cancel()
	<-idle
}

// TestFault_40_RetentionLeftNothing: what retention took is lost once, not again
// at every session until the next event.
func TestFault_40_RetentionLeftNothing(t *testing.T) {
	brokers(t, func(t *testing.T, addr string) {
		l := open(t, config(addr))
		publish(t, l, events("e", 20, 3))
		b := fetchSome(t, l.Consumer("g"), 5)
		if err := b.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.Close()
		deleteRecords(t, addr, l.cfg.Prefix+TopicFeedback, 20)

		first := second(t, l, nil)
		committedAt(t, first, 20)
		if st := statsOf(t, first, "g"); st.Gaps != 1 || st.Lost != 15 {
			t.Errorf("the first session: %d gaps, %d lost; want one of 15", st.Gaps, st.Lost)
		}
		first.Close()
		var said captured
		next := second(t, l, func(c *Config) { c.Log = said.log() })
		publish(t, next, events("new", 3, 1))
		if b := fetchSome(t, next.Consumer("g"), 10); len(b.Events) != 3 || b.Events[0].ID != "new000000" {
			t.Errorf("%d events after the gap", len(b.Events))
		} else if err := b.Commit(t.Context()); err != nil {
			t.Error(err)
		}
		if st := statsOf(t, next, "g"); st.Gaps != 0 || st.Lost != 0 || said.has("ALARM") {
			t.Errorf("the next session counts %d gaps and %d lost again", st.Gaps, st.Lost)
		}
		if n := lagOf(t, next, "g"); n != 0 {
			t.Errorf("lag %d at the end", n)
		}
	})
}

// TestGapBehindABatch: retention passes while a batch is worked on. The batch
// commits no more than itself, and the gap is committed after it.
func TestGapBehindABatch(t *testing.T) {
	c := fake(t)
	cfg := config(c.ListenAddrs()[0])
	l := open(t, cfg)
	publish(t, l, events("e", 5, 1))
	b := fetchSome(t, l.Consumer("g"), 5)
	var held atomic.Bool
	held.Store(true)
	answerFetches(c, &held, 0)
	publish(t, l, events("lost", 15, 1))
	deleteRecords(t, cfg.Brokers[0], cfg.Prefix+TopicFeedback, 20)
	held.Store(false)
	eventually(t, "the gap is noticed", 30*time.Second, func() bool { return statsOf(t, l, "g").Lost == 15 })
	if at := committedBy(t, l, "g")[0]; at > 0 {
		t.Errorf("committed up to %d while the batch is worked on", at)
	}
	if err := b.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	committedAt(t, l, 20)
	if st := statsOf(t, l, "g"); st.Gaps != 1 || st.Committed != 5 {
		t.Errorf("%d gaps, %d committed", st.Gaps, st.Committed)
	}
}

// TestTakeCommitsNoMoreThanItHandsOut: a partition's offset goes beyond the
// entries of a batch only where none is left behind them.
func TestTakeCommitsNoMoreThanItHandsOut(t *testing.T) {
	at := func(offsets ...int64) (out []*entry) {
		for _, o := range offsets {
			out = append(out, &entry{offset: o})
		}
		return out
	}
	parts := func() []*partition {
		return []*partition{
			{id: 0, entries: at(5, 6, 7), committed: 5, next: 20}, // a gap behind its entries
			{id: 1, committed: 3, next: 9},                        // nothing but a gap
			{id: 2, committed: 4, next: 4},                        // nothing new
			{id: 3, committed: -2, next: -2},                      // nothing known yet
			{id: 4, entries: at(2), committed: 1, next: 3},        // a gap before its entry
		}
	}
	for limit, want := range map[int]map[int]int64{
		1: {0: 6, 1: 9}, 2: {0: 6, 1: 9, 4: 3}, 3: {0: 7, 1: 9, 4: 3}, 4: {0: 20, 1: 9, 4: 3}, 100: {0: 20, 1: 9, 4: 3},
	} {
		s := &session{parts: parts()}
		if b := s.take(limit); !maps.Equal(b.upto, want) || len(b.refs) != min(limit, 4) {
			t.Errorf("limit %d: %d entries, offsets %v, want %v", limit, len(b.refs), b.upto, want)
		}
	}
}

// TestCutWhileABatchIsWorkedOn: the topic is made anew meanwhile. The batch is of
// the log of before; its commit must not move the group beyond the new events.
func TestCutWhileABatchIsWorkedOn(t *testing.T) {
	var said captured
	c := fake(t)
	cfg := config(c.ListenAddrs()[0])
	cfg.Log = said.log()
	l := open(t, cfg)
	publish(t, l, events("old", 20, 1))
	b := fetchSome(t, l.Consumer("g"), 100)
	remake(t, l)
	eventually(t, "the cut is noticed", 30*time.Second, func() bool { return said.has("ALARM: the log was cut") })
	publish(t, second(t, l, nil), events("new", 5, 1))
	eventually(t, "the new events are read", 30*time.Second, func() bool { return statsOf(t, l, "g").Fetched == 25 })
	if err := b.Commit(t.Context()); !errors.Is(err, ErrStale) {
		t.Errorf("commit of a batch from before the cut: %v, want ErrStale", err)
	}
	if seen := drain(t, l.Consumer("g"), 5); seen["new000000"] == 0 {
		t.Errorf("read were %v", seen)
	}
	if at := committedBy(t, l, "g")[0]; at != 5 {
		t.Errorf("committed up to %d, want 5", at)
	}
}

// remake deletes the log of events and makes it anew, empty.
func remake(t *testing.T, l *Log) {
	t.Helper()
	name := l.cfg.Prefix + TopicFeedback
	res, err := l.conns.client.DeleteTopics(t.Context(), &kafkago.DeleteTopicsRequest{Topics: []string{name}})
	if err == nil {
		err = res.Errors[name]
	}
	if err != nil {
		t.Fatal(err)
	}
	mustMigrate(t, second(t, l, nil))
}
