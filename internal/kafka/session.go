package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

// entryOverhead is what an entry costs beside its value, roughly.
const entryOverhead = 96

// maxBatchBytes bounds the values of one batch, so that 500 events of the
// largest size do not fill the memory. A batch holds at least one.
const maxBatchBytes = 16 << 20

// entry is one message read and not yet committed.
type entry struct {
	offset int64
	value  []byte
	trace  string // W3C trace context of its header; "" = none
	broken bool   // dealt with by Broken; it is passed over
}

func (e *entry) size() int { return len(e.value) + entryOverhead }

// partition is one partition that is ours for a session. m.mu guards it.
type partition struct {
	id        int
	entries   []*entry // from committed on, rising
	bytes     int
	committed int64     // the next offset that is not committed; below 0: none is
	next      int64     // the next offset to read, behind all entries; below 0: from the start of the log
	read      time.Time // when something was last read in this session; zero for never
}

// session is one assignment: the partitions that are ours until the group's
// next generation. Everything a batch may do ends with it.
type session struct {
	m      *member
	gen    *kafkago.Generation
	parts  []*partition // by id
	turn   int          // which partition is first in the next batch
	cuts   int          // times a log was cut; batches of before are stale
	began  time.Time
	ended  bool          // m.mu guards it
	commit chan struct{} // holds one token: the right to commit
}

func newSession(m *member, gen *kafkago.Generation) *session {
	s := &session{m: m, gen: gen, began: m.cfg.Now(), commit: make(chan struct{}, 1)}
	s.commit <- struct{}{}
	for _, a := range gen.Assignments[m.topic] {
		s.parts = append(s.parts, &partition{id: a.ID, committed: a.Offset, next: a.Offset})
	}
	slices.SortFunc(s.parts, func(a, b *partition) int { return a.id - b.id })
	return s
}

// ref is one entry of a batch.
type ref struct {
	part  *partition
	entry *entry
}

// batch is what one Fetch takes: entries, and the offsets that commit them.
type batch struct {
	s    *session
	cuts int // of the session when it was taken
	refs []ref
	upto map[int]int64
}

// take answers the oldest entries, one from each partition in turn. It removes
// nothing. Of a partition whose entries are all in the batch, it commits whatever
// was read: what lies between the last of them and next is no event, or lost. The
// caller holds m.mu.
func (s *session) take(limit int) *batch {
	b := &batch{s: s, cuts: s.cuts, upto: map[int]int64{}}
	size, open := 0, len(s.parts)
	at := make([]int, len(s.parts))
	for i := s.turn; open > 0 && len(b.refs) < limit && size < maxBatchBytes; i++ {
		k := i % len(s.parts)
		p := s.parts[k]
		if at[k] >= len(p.entries) {
			if at[k] == len(p.entries) {
				open--
				at[k]++
			}
			continue
		}
		e := p.entries[at[k]]
		at[k]++
		b.upto[p.id] = e.offset + 1
		if !e.broken {
			b.refs = append(b.refs, ref{p, e})
			size += len(e.value)
		}
	}
	for k, p := range s.parts {
		if at[k] >= len(p.entries) && p.next > p.committed {
			b.upto[p.id] = p.next
		}
	}
	return b
}

func (b *batch) empty() bool { return len(b.upto) == 0 }

// commit makes the group move on to behind the batch. A commit that is behind
// what is committed already changes nothing. It answers ErrStale, and changes
// nothing, once the batch's assignment has ended or a log was cut: its offsets
// mean other events then. When ctx ends first the commit may still be made.
func (b *batch) commit(ctx context.Context) error {
	s := b.s
	s.m.touch(false)
	select {
	case <-s.commit:
	case <-ctx.Done():
		return fmt.Errorf("commit %s: %w", s.m.id, ctx.Err())
	}
	offsets, err := b.ahead()
	if err != nil || len(offsets) == 0 {
		s.commit <- struct{}{}
		return err
	}
	done := make(chan error, 1)
	go func() { // the library's call takes no context; it has a timeout
		err := s.gen.CommitOffsets(map[string]map[int]int64{s.m.topic: offsets})
		done <- b.committed(offsets, err)
		s.commit <- struct{}{}
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("commit %s: %w", s.m.id, ctx.Err())
	}
}

// ahead keeps the offsets that go beyond what is committed.
func (b *batch) ahead() (map[int]int64, error) {
	s := b.s
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if s.ended || s.cuts != b.cuts {
		return nil, fmt.Errorf("commit %s: %w", s.m.id, ErrStale)
	}
	offsets := map[int]int64{}
	for _, p := range s.parts {
		if to, ok := b.upto[p.id]; ok && to > p.committed {
			offsets[p.id] = to
		}
	}
	return offsets, nil
}

// committed takes the broker's answer to a commit. Where a log was cut meanwhile,
// the next commit sets the group's offset right.
func (b *batch) committed(offsets map[int]int64, err error) error {
	s := b.s
	if err != nil && fenced(err) {
		s.end()
	}
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	switch {
	case err != nil && s.ended:
		return fmt.Errorf("commit %s: %w: %w", s.m.id, ErrStale, err)
	case err != nil:
		return unavailable("commit "+s.m.id, err)
	case s.cuts != b.cuts:
		return fmt.Errorf("commit %s: %w", s.m.id, ErrStale)
	}
	for _, p := range s.parts {
		if to, ok := offsets[p.id]; ok {
			s.m.stats.Committed += p.drop(to)
		}
	}
	s.turn++
	s.m.wake.all()
	return nil
}

// drop lets go of what is committed and answers how many entries that was.
func (p *partition) drop(to int64) int64 {
	n := 0
	for n < len(p.entries) && p.entries[n].offset < to {
		p.bytes -= p.entries[n].size()
		n++
	}
	p.entries = slices.Delete(p.entries, 0, n)
	p.committed = to
	return int64(n)
}

// fenced reports whether the coordinator refused a member because the group has
// gone on without it.
func fenced(err error) bool {
	return errors.Is(err, kafkago.IllegalGeneration) || errors.Is(err, kafkago.UnknownMemberId) ||
		errors.Is(err, kafkago.RebalanceInProgress) || errors.Is(err, kafkago.FencedInstanceID)
}

// end takes the partitions away: nothing of this session is handed out or
// committed any more.
func (s *session) end() {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.ended = true
	for _, p := range s.parts {
		p.entries, p.bytes = nil, 0
	}
	if s.m.session == s {
		s.m.session = nil
	}
	s.m.wake.all()
}

// run reads the partitions until ctx ends with the generation. It stays until a
// commit on its way is answered: the group still takes it, and the library
// closes the connection when we return.
func (s *session) run(ctx context.Context, n *connections) {
	var wg sync.WaitGroup
	for _, p := range s.parts {
		wg.Go(func() { s.read(ctx, n, p) })
	}
	<-ctx.Done()
	s.end()
	wg.Wait()
	<-s.commit
	s.commit <- struct{}{}
}
