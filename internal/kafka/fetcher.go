package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"redalert/ingest"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

const (
	longPoll      = time.Second // how long a broker may wait for something new
	largestFetch  = 4 << 20
	smallestFetch = 64 << 10
	firstBackoff  = 100 * time.Millisecond
	longestBack   = 2 * time.Second
)

// read reads one partition into its buffer for as long as it is ours. A full
// buffer stops it.
func (s *session) read(ctx context.Context, n *connections, p *partition) {
	pause := firstBackoff
	for {
		room := s.room(ctx, p)
		if room == 0 {
			return
		}
		err := s.readOnce(ctx, n, p, room)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			pause = firstBackoff
			continue
		}
		s.m.troubled(fmt.Sprintf("read partition %d", p.id), err)
		if ingest.Sleep(ctx, pause) != nil {
			return
		}
		pause = min(2*pause, longestBack)
	}
}

// share is what one partition may keep: all of a member's partitions together
// stay within Config.BufferBytes, but for one message each.
func (s *session) share() int { return s.m.cfg.BufferBytes / max(1, len(s.parts)) }

// request is how much a broker is asked for at once.
func (s *session) request() int { return min(max(s.share()/3, smallestFetch), largestFetch) }

// room waits until a request fits into the partition's share, and answers how
// much is free; 0 when ctx ended.
func (s *session) room(ctx context.Context, p *partition) int {
	for ctx.Err() == nil {
		s.m.mu.Lock()
		free, empty := s.share()-p.bytes, p.bytes == 0
		woken := s.m.wake.wait()
		s.m.mu.Unlock()
		if empty || free >= s.request() {
			return max(free, 1)
		}
		select {
		case <-ctx.Done():
		case <-woken:
		}
	}
	return 0
}

func (s *session) readOnce(ctx context.Context, n *connections, p *partition, room int) error {
	if p.next < 0 {
		return s.locate(ctx, n, p)
	}
	ctx, cancel := context.WithTimeout(ctx, longPoll+callTimeout)
	defer cancel()
	res, err := n.client.Fetch(ctx, &kafkago.FetchRequest{
		Topic: s.m.topic, Partition: p.id, Offset: p.next, MinBytes: 1, MaxWait: longPoll,
		MaxBytes: int64(s.request()),
	})
	if err != nil {
		return err
	}
	if errors.Is(res.Error, kafkago.OffsetOutOfRange) {
		return s.locate(ctx, n, p)
	}
	if res.Error != nil {
		return res.Error
	}
	entries, next, err := s.decode(res.Records, p, room)
	s.keep(p, entries, next)
	return err
}

// locate finds where to read when the offset is not in the log: at the first
// read of all that is its start; else retention has passed us, or the log was cut.
// Of those the group is told by a commit, so that they are counted once: next is
// then ahead of committed, and take makes a batch of that, without events if there
// are none.
func (s *session) locate(ctx context.Context, n *connections, p *partition) error {
	ends, err := n.ends(ctx, s.m.topic, []int{p.id})
	if err != nil {
		return err
	}
	first, last := ends[p.id].FirstOffset, ends[p.id].LastOffset
	cut := p.next > last
	switch {
	case cut:
		s.m.cfg.Log.Error("ALARM: the log was cut or made anew: the group had read beyond its end, and starts again at its first event",
			"topic", s.m.topic, "group", s.m.group, "partition", p.id, "offset", p.next, "end", last)
	case p.next >= first: // it is there by now
		return kafkago.OffsetOutOfRange
	case p.next >= 0:
		s.m.gap(p.id, p.next, first)
	}
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	switch {
	case cut:
		p.entries, p.bytes, p.committed = nil, 0, first-1
		s.cuts++
	case p.next < 0:
		p.committed = first
	}
	p.next = first
	s.m.wake.all()
	return nil
}

// decode copies out the records that there is room for, at least one. The next
// offset to read is behind them, and behind control records of transactions,
// which are no events.
func (s *session) decode(records kafkago.RecordReader, p *partition, room int) (entries []*entry, next int64, err error) {
	next = p.next
	for _, r := range flatten(records) {
		_, control := r.(*protocol.ControlBatch)
		for {
			rec, err := r.ReadRecord()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return entries, next, fmt.Errorf("offset %d: %w", next, err)
			}
			value, err := contents(rec)
			if err != nil {
				return entries, next, fmt.Errorf("offset %d: %w", rec.Offset, err)
			}
			if rec.Offset < next {
				continue // a broker answers whole batches
			}
			e := &entry{offset: rec.Offset, value: value, trace: traceOf(rec.Headers)}
			if room -= e.size(); room < 0 && len(entries) > 0 {
				return entries, next, nil
			}
			if rec.Offset > next {
				s.m.gap(p.id, next, rec.Offset)
			}
			next = rec.Offset + 1
			if !control {
				entries = append(entries, e)
			}
		}
	}
	return entries, next, nil
}

func traceOf(headers []kafkago.Header) string {
	for _, h := range headers {
		if h.Key == traceHeader {
			return string(h.Value)
		}
	}
	return ""
}

func flatten(r kafkago.RecordReader) []kafkago.RecordReader {
	if s, ok := r.(*protocol.RecordStream); ok {
		return s.Records
	}
	return []kafkago.RecordReader{r}
}

// contents copies a record's value and gives its memory back to the library.
func contents(rec *kafkago.Record) ([]byte, error) {
	if rec.Key != nil {
		defer rec.Key.Close()
	}
	if rec.Value == nil {
		return nil, nil
	}
	defer rec.Value.Close()
	return kafkago.ReadAll(rec.Value)
}

// keep puts entries into the buffer and wakes who waits for them.
func (s *session) keep(p *partition, entries []*entry, next int64) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if s.ended || next == p.next {
		return
	}
	p.next = next
	p.read = s.m.cfg.Now()
	for _, e := range entries {
		p.bytes += e.size()
	}
	p.entries = append(p.entries, entries...)
	s.m.stats.Fetched += int64(len(entries))
	buffered := int64(0)
	for _, q := range s.parts {
		buffered += int64(q.bytes)
	}
	s.m.stats.MostBuffered = max(s.m.stats.MostBuffered, buffered)
	s.m.wake.all()
}
