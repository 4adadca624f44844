package memstore

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"redalert/ingest"
	"redalert/schemas"
	"redalert/signals"
)

var (
	_ ingest.Threads     = (*Store)(nil)
	_ ingest.Answers     = (*Store)(nil)
	_ ingest.Statuses    = (*Store)(nil)
	_ signals.Quarantine = quarantine{}
)

// Cursors keeps where each source has been read to.
func (s *Store) Cursors() ingest.Cursors { return cursors{&s.doors} }

type cursors struct{ d *doors }

func (c cursors) Load(_ context.Context, source string) (string, error) {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	v, ok := c.d.cursors[source]
	if !ok {
		return "", ingest.ErrNotFound
	}
	return v, nil
}

func (c cursors) Save(ctx context.Context, source, cursor string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	c.d.cursors[source] = cursor
	return nil
}

// Blobs keeps raw bytes by content.
func (s *Store) Blobs() ingest.Blobs { return blobs{&s.doors} }

type blobs struct{ d *doors }

func (b blobs) Put(ctx context.Context, raws [][]byte) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.d.mu.Lock()
	defer b.d.mu.Unlock()
	sums := make([]string, len(raws))
	for i, raw := range raws {
		sum := sha256.Sum256(raw)
		sums[i] = hex.EncodeToString(sum[:])
		b.d.blobs[sums[i]] = bytes.Clone(raw)
	}
	return sums, nil
}

func (b blobs) Get(_ context.Context, sum string) ([]byte, error) {
	b.d.mu.Lock()
	defer b.d.mu.Unlock()
	raw, ok := b.d.blobs[sum]
	if !ok {
		return nil, ingest.ErrNotFound
	}
	return bytes.Clone(raw), nil
}

// Quarantine keeps what could not be taken in.
func (s *Store) Quarantine() ingest.Quarantine { return quarantine{&s.doors} }

type quarantine struct{ d *doors }

func (q quarantine) Put(ctx context.Context, items []schemas.Quarantined) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	q.d.mu.Lock()
	defer q.d.mu.Unlock()
	for _, it := range items {
		it.State = cmp.Or(it.State, schemas.QuarantineOpen)
		it.At = it.At.UTC().Truncate(time.Millisecond)
		old, ok := q.d.quarantine[it.ID]
		if ok && old.State == schemas.QuarantineOpen {
			continue
		}
		if ok {
			old.State, old.At, old.Reason = it.State, it.At, it.Reason
			it = old
		}
		q.d.quarantine[it.ID] = it
	}
	return nil
}

func (q quarantine) Get(_ context.Context, id string) (schemas.Quarantined, error) {
	q.d.mu.Lock()
	defer q.d.mu.Unlock()
	it, ok := q.d.quarantine[id]
	if !ok {
		return it, ingest.ErrNotFound
	}
	return it, nil
}

func (q quarantine) List(_ context.Context, state schemas.QuarantineState, lq schemas.ListQuery) (schemas.Page[schemas.Quarantined], error) {
	q.d.mu.Lock()
	items := slices.Collect(maps.Values(q.d.quarantine))
	q.d.mu.Unlock()
	items = slices.DeleteFunc(items, func(it schemas.Quarantined) bool { return state != "" && it.State != state })
	return list(items, lq, func(it schemas.Quarantined) row { return row{at: it.At, id: it.ID} })
}

func (q quarantine) SetState(ctx context.Context, id string, state schemas.QuarantineState, _ time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	q.d.mu.Lock()
	defer q.d.mu.Unlock()
	it, ok := q.d.quarantine[id]
	if !ok {
		return ingest.ErrNotFound
	}
	it.State = state
	q.d.quarantine[id] = it
	return nil
}

// Thread finds or founds the thread of a mail; see ingest.ThreadOf.
func (s *Store) Thread(_ context.Context, messageID string, references []string) (string, error) {
	names := ingest.ThreadNames(messageID, references)
	if len(names) == 0 {
		return "", nil
	}
	s.doors.mu.Lock()
	defer s.doors.mu.Unlock()
	thread := ingest.ThreadOf(messageID, names, func(m string) (string, bool) { t, ok := s.doors.threads[m]; return t, ok })
	for _, m := range names {
		if _, ok := s.doors.threads[m]; !ok {
			s.doors.threads[m] = thread
		}
	}
	return thread, nil
}

// Claim takes a key; see ingest.Answers.
func (s *Store) Claim(ctx context.Context, scope, key string, c ingest.Claim) (ingest.KeyState, ingest.Answer, error) {
	if err := ctx.Err(); err != nil {
		return 0, ingest.Answer{}, err
	}
	s.doors.mu.Lock()
	defer s.doors.mu.Unlock()
	name := [2]string{scope, key}
	c.At, c.Until = c.At.UTC().Truncate(time.Millisecond), c.Until.UTC().Truncate(time.Millisecond)
	if k, there := s.doors.answers[name]; there {
		switch state := c.Meets(k); state {
		case ingest.KeyClaimed:
		case ingest.KeyAnswered:
			return state, k.Answer, nil
		default:
			return state, ingest.Answer{}, nil
		}
	}
	s.doors.answers[name] = ingest.Keyed{Answer: ingest.Answer{BodySHA256: c.BodySHA256, At: c.At}, Holder: c.Holder, Until: c.Until}
	return ingest.KeyClaimed, ingest.Answer{}, nil
}

// Finish keeps the answer to a claimed request; see ingest.Answers.
func (s *Store) Finish(ctx context.Context, scope, key string, a ingest.Answer) (ingest.Answer, error) {
	if err := ctx.Err(); err != nil {
		return ingest.Answer{}, err
	}
	s.doors.mu.Lock()
	defer s.doors.mu.Unlock()
	name := [2]string{scope, key}
	a.At = a.At.UTC().Truncate(time.Millisecond)
	a.Response = append([]byte{}, a.Response...)
	k, there := s.doors.answers[name]
	switch {
	case !there || a.Settles(k):
		k = ingest.Keyed{Answer: a}
		s.doors.answers[name] = k
	case k.Answer.BodySHA256 != a.BodySHA256:
		return ingest.Answer{}, ingest.ErrKeyLost
	}
	return k.Answer, nil
}

// Release gives a claim back; see ingest.Answers.
func (s *Store) Release(ctx context.Context, scope, key, holder string, forget bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.doors.mu.Lock()
	defer s.doors.mu.Unlock()
	name := [2]string{scope, key}
	k, there := s.doors.answers[name]
	switch {
	case !there || k.Answer.Status != 0 || k.Holder != holder:
	case forget:
		delete(s.doors.answers, name)
	default:
		k.Until = time.Time{}
		s.doors.answers[name] = k
	}
	return nil
}

// Report merges how a collector is doing into what is known.
func (s *Store) Report(ctx context.Context, c schemas.CollectorStatus) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.doors.mu.Lock()
	defer s.doors.mu.Unlock()
	have := s.doors.collectors[c.Name]
	have.Name = c.Name
	have.Kind = cmp.Or(c.Kind, have.Kind)
	have.QuietAfter = cmp.Or(c.QuietAfter, have.QuietAfter)
	if c.LastSuccess != nil {
		have.LastSuccess, have.LastError = instant(c.LastSuccess), ""
	}
	have.LastError = cmp.Or(c.LastError, have.LastError)
	if c.LastErrorAt != nil {
		have.LastErrorAt = instant(c.LastErrorAt)
	}
	if c.LagSeconds != nil {
		lag := *c.LagSeconds
		have.LagSeconds = &lag
	}
	have.Accepted += c.Accepted
	have.Quarantined += c.Quarantined
	s.doors.collectors[c.Name] = have
	return nil
}

func instant(t *time.Time) *time.Time {
	v := t.UTC().Truncate(time.Millisecond)
	return &v
}

// Collectors lists every collector that ever reported, by name.
func (s *Store) Collectors(context.Context) ([]schemas.CollectorStatus, error) {
	s.doors.mu.Lock()
	defer s.doors.mu.Unlock()
	out := make([]schemas.CollectorStatus, 0, len(s.doors.collectors))
	for _, name := range slices.Sorted(maps.Keys(s.doors.collectors)) {
		out = append(out, s.doors.collectors[name])
	}
	return out, nil
}
