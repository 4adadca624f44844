package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"redalert/ingest"
	"redalert/internal/memstore"
	"redalert/schemas"
)

// lossy stands between one Log and its brokers and loses answers: the broker
// has done what was asked, and nobody is told; the connection ends.
type lossy struct {
	t *testing.T

	mu     sync.Mutex
	fronts map[string]string // address of a broker → ours in front of it
	key    int16             // of the requests that are counted
	every  int               // the answer to every nth is lost; 0 = none
	count  int
	lost   int
}

// dial connects to a broker through a listener of ours.
func (p *lossy) dial(ctx context.Context, network, address string) (net.Conn, error) {
	front, err := p.front(address)
	if err != nil {
		return nil, err
	}
	return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, network, front)
}

func (p *lossy) front(address string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if front, ok := p.fronts[address]; ok {
		return front, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	p.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c, address)
		}
	}()
	if p.fronts == nil {
		p.fronts = map[string]string{}
	}
	p.fronts[address] = l.Addr().String()
	return p.fronts[address], nil
}

// lose has the answer to every nth request of a kind lost from now on.
func (p *lossy) lose(key kmsg.Key, every int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.key, p.every, p.count = key.Int16(), every, 0
}

// losses tells how many answers were lost.
func (p *lossy) losses() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
}

// counts tells whether the answer to a request of this kind is to be lost.
func (p *lossy) counts(key int16) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.every == 0 || key != p.key {
		return false
	}
	p.count++
	return p.count%p.every == 0
}

// serve copies requests and answers; an answer to be lost is read from the
// broker to its end, which is then as sure of it as if we had it.
func (p *lossy) serve(client net.Conn, address string) {
	defer client.Close()
	broker, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer broker.Close()
	var doomed sync.Map // correlation ids whose answers are lost
	go func() {
		defer broker.Close()
		for {
			f, err := frame(client)
			if err != nil || len(f) < 12 {
				return
			}
			if p.counts(int16(binary.BigEndian.Uint16(f[4:]))) {
				doomed.Store(binary.BigEndian.Uint32(f[8:]), true)
			}
			if _, err := broker.Write(f); err != nil {
				return
			}
		}
	}()
	for {
		f, err := frame(broker)
		if err != nil || len(f) < 8 {
			return
		}
		if _, ok := doomed.Load(binary.BigEndian.Uint32(f[4:])); ok {
			p.mu.Lock()
			p.lost++
			p.mu.Unlock()
			return
		}
		if _, err := client.Write(f); err != nil {
			return
		}
	}
}

// frame reads one request or answer, its length before it.
func frame(from io.Reader) ([]byte, error) {
	f := make([]byte, 4)
	if _, err := io.ReadFull(from, f); err != nil {
		return nil, err
	}
	f = append(f, make([]byte, binary.BigEndian.Uint32(f))...)
	_, err := io.ReadFull(from, f[4:])
	return f, err
}

// through opens a log whose traffic goes through a lossy proxy, and a second
// one beside it whose traffic does not.
func through(t *testing.T, addr string, partitions int) (p *lossy, l, plain *Log) {
	t.Helper()
	p = &lossy{t: t}
	cfg := config(addr)
	cfg.Partitions, cfg.dial = partitions, p.dial
	l = open(t, cfg)
	return p, l, second(t, l, nil)
}

// TestAnswersToProduceAreLost: the broker has the messages and the writer is
// not told. What is published until it is acknowledged is all there, in order;
// what is there twice is the same under the same id, and history keeps one.
func TestAnswersToProduceAreLost(t *testing.T) {
	brokers(t, func(t *testing.T, addr string) {
		p, l, plain := through(t, addr, 2)
		publish(t, l, events("first", 1, 1)) // the topic's leaders are known
		p.lose(kmsg.Produce, 2)
		const batches, size = 12, 5
		all := append(events("first", 1, 1), events("e", batches*size, 3)...)
		for at := 1; at < len(all); at += size {
			for try := 0; ; try++ {
				err := l.Publish(t.Context(), all[at:at+size])
				if err == nil {
					break
				}
				if !errors.Is(err, ingest.ErrUnavailable) || try == 10 {
					t.Fatalf("attempt %d: %v, want ErrUnavailable until it is acknowledged", try, err)
				}
			}
		}
		if p.losses() < batches/3 {
			t.Fatalf("only %d answers were lost; the test proves little", p.losses())
		}
		history, c := memstore.New(), plain.Consumer("g")
		seen, order, total := map[string]string{}, map[string][]string{}, int64(0)
		for end := logEnd(t, plain); total < end; {
			b := fetchSome(t, c, 500)
			for _, e := range b.Events {
				raw, err := e.MarshalJSON()
				if err != nil {
					t.Fatal(err)
				}
				if before, ok := seen[e.ID]; ok && before != string(raw) {
					t.Errorf("%s is there in two forms: %s and %s", e.ID, before, raw)
				} else if !ok {
					order[e.CustomerID] = append(order[e.CustomerID], e.ID)
				}
				seen[e.ID] = string(raw)
				if _, err := history.Store(t.Context(), []schemas.Scored{{Event: e, Verdict: schemas.Verdict{EventID: e.ID}}}); err != nil {
					t.Fatal(err)
				}
			}
			total += int64(len(b.Events))
			if err := b.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for _, e := range all {
			if _, ok := seen[e.ID]; !ok {
				t.Errorf("%s is lost", e.ID)
			}
		}
		for who, ids := range order {
			if !slices.IsSorted(ids) && who != "customer-0" || who == "customer-0" && !slices.IsSorted(ids[1:]) {
				t.Errorf("the events of %s are out of order: %v", who, ids)
			}
		}
		if len(seen) != len(all) || total <= int64(len(all)) {
			t.Errorf("%d events in %d messages, want %d events and some of them twice", len(seen), total, len(all))
		}
		if kept, err := history.Events(t.Context(), schemas.ListQuery{Limit: 1000}); err != nil || len(kept.Items) != len(all) {
			t.Errorf("history keeps %d of %d events, %v", len(kept.Items), len(all), err)
		}
	})
}

// logEnd is how many messages the log of events holds.
func logEnd(t *testing.T, l *Log) int64 {
	t.Helper()
	return lagOf(t, l, "a group that has read nothing")
}

// committedBy answers how far a group has committed each partition, over
// connections that lose nothing.
func committedBy(t *testing.T, l *Log, group string) map[int]int64 {
	t.Helper()
	lags, err := l.PartitionLags(t.Context(), TopicFeedback, group)
	if err != nil {
		t.Fatal(err)
	}
	done := map[int]int64{}
	for _, p := range lags {
		done[p.Partition] = p.Committed
	}
	return done
}

// TestAnswersToCommitsAreLost: the group has moved on and the reader is not
// told. It reads on, from wherever it is told; nothing is left out, what comes
// again does so under the same id, and no partition's offset ever goes back.
func TestAnswersToCommitsAreLost(t *testing.T) {
	brokers(t, func(t *testing.T, addr string) {
		p, l, plain := through(t, addr, 2)
		const n = 60
		publish(t, plain, events("e", n, 7))
		c := l.Consumer("g")
		p.lose(kmsg.OffsetCommit, 2)
		seen, unsure, moved := map[string]int{}, 0, 0
		before := committedBy(t, plain, "g")
		for lagOf(t, plain, "g") > 0 {
			b := fetchSome(t, c, 5)
			for _, e := range b.Events {
				seen[e.ID]++
			}
			err := b.Commit(t.Context())
			if err != nil && !errors.Is(err, ingest.ErrUnavailable) && !errors.Is(err, ErrStale) {
				t.Fatalf("a commit whose answer is lost: %v", err)
			}
			after := committedBy(t, plain, "g")
			for part, at := range after {
				if at < before[part] {
					t.Fatalf("partition %d went back from %d to %d", part, before[part], at)
				}
			}
			if err != nil {
				unsure++
				if fmt.Sprint(after) != fmt.Sprint(before) {
					moved++
				}
			}
			before = after
		}
		if unsure < 2 || moved < 2 || p.losses() < 2 {
			t.Errorf("%d commits failed, of %d lost answers; %d took effect all the same: the test proves little", unsure, p.losses(), moved)
		}
		for _, e := range events("e", n, 7) {
			if seen[e.ID] == 0 {
				t.Errorf("%s was never delivered", e.ID)
			}
		}
		if len(seen) != n {
			t.Errorf("%d different events were delivered, want %d", len(seen), n)
		}
		var sum int64
		for _, at := range before {
			sum += max(at, 0)
		}
		if sum != n {
			t.Errorf("committed are %d of %d", sum, n)
		}
	})
}
