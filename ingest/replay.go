package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"redalert/schemas"
)

// Ways to read quarantined bytes again that the Door knows by itself.
const (
	ReplayCloudEvent = "cloudevent" // a posted CloudEvent
	ReplayEvent      = "event"      // an Event of ours, already accepted: it goes to the log again
)

// ErrNotOpen is returned for a quarantined item that was replayed or dropped
// already.
var ErrNotOpen = errors.New("not open in quarantine")

// ErrNoReplay is returned when an item cannot be replayed: its bytes were not
// kept, or nothing here can read them.
var ErrNoReplay = errors.New("cannot be replayed")

// Decoder reads the raw bytes of a quarantined item again. An error leaves the
// item in quarantine as it is.
type Decoder func(raw []byte, q schemas.Quarantined) ([]Item, error)

// RegisterReplay teaches the Door to read a kind of raw bytes again. kind is
// the Replay of items, or the part of it before a colon ("row" reads
// "row:cdnow"). The Door sets Source and Locator of what decode answers from
// the quarantined item where they are empty.
func (d *Door) RegisterReplay(kind string, decode Decoder) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.decoder[kind] = decode
}

func (d *Door) decoderOf(kind string) (Decoder, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if f, ok := d.decoder[kind]; ok {
		return f, true
	}
	family, _, _ := strings.Cut(kind, ":")
	f, ok := d.decoder[family]
	return f, ok
}

// ReplayQuarantined tries an open item again, after a fix of the program, the
// rates or the configuration. Accepted (or known already), it becomes
// replayed; failed again, it stays open, or its row is closed in favour of a
// new one when the reason is another. Of several items in one row the first
// that failed is answered, else the first.
//
// Errors: ErrNotFound, ErrNotOpen, ErrNoReplay, ErrUnavailable.
func (d *Door) ReplayQuarantined(ctx context.Context, id string) (Result, error) {
	q, err := d.c.Quarantine.Get(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return Result{}, fmt.Errorf("quarantined item %s: %w", id, ErrNotFound)
	} else if err != nil {
		return Result{}, unavailable("quarantine", err)
	}
	if q.State != schemas.QuarantineOpen {
		return Result{}, fmt.Errorf("quarantined item %s is %s: %w", id, q.State, ErrNotOpen)
	}
	if q.RawSHA256 == "" {
		return Result{}, fmt.Errorf("quarantined item %s: its bytes were not kept: %w", id, ErrNoReplay)
	}
	raw, err := d.c.Blobs.Get(ctx, q.RawSHA256)
	if errors.Is(err, ErrNotFound) {
		return Result{}, fmt.Errorf("quarantined item %s: its bytes %s are gone: %w", id, q.RawSHA256, ErrNoReplay)
	} else if err != nil {
		return Result{}, unavailable("raw bytes", err)
	}
	res, err := d.again(ctx, q, raw)
	if err != nil {
		return Result{}, err
	}
	if res.QuarantineID == id {
		return res, nil
	}
	if err := d.c.Quarantine.SetState(ctx, id, schemas.QuarantineReplayed, d.c.Now().UTC()); err != nil {
		return Result{}, unavailable("quarantine", err)
	}
	return res, nil
}

func (d *Door) again(ctx context.Context, q schemas.Quarantined, raw []byte) (Result, error) {
	if q.Replay == ReplayEvent {
		return d.publishAgain(ctx, q, raw)
	}
	decode, ok := d.decoderOf(q.Replay)
	if !ok {
		return Result{}, fmt.Errorf("quarantined item %s: nothing here reads %q again: %w", q.ID, q.Replay, ErrNoReplay)
	}
	items, err := decode(raw, q)
	if err != nil {
		return Result{}, fmt.Errorf("quarantined item %s: %w: %w", q.ID, ErrNoReplay, err)
	}
	if len(items) == 0 {
		return Result{}, fmt.Errorf("quarantined item %s: there is nothing in its bytes: %w", q.ID, ErrNoReplay)
	}
	for i := range items {
		it := &items[i]
		if it.Source == "" {
			it.Source = q.Source
		}
		if it.Locator == "" {
			it.Locator = q.Locator
		}
		if it.Raw == nil && it.RawSHA256 == "" {
			it.RawSHA256, it.Replay = q.RawSHA256, q.Replay
		}
	}
	results, err := d.Accept(ctx, items)
	if err != nil {
		return Result{}, err
	}
	for _, r := range results {
		if r.Status == InQuarantine {
			return r, nil
		}
	}
	return results[0], nil
}

// publishAgain gives an accepted event to the readers of the log once more.
func (d *Door) publishAgain(ctx context.Context, q schemas.Quarantined, raw []byte) (Result, error) {
	var e schemas.Event
	if err := json.Unmarshal(raw, &e); err != nil || e.ID == "" {
		return Result{}, fmt.Errorf("quarantined item %s: its bytes are no event of ours: %w", q.ID, ErrNoReplay)
	}
	if err := d.c.Publisher.Publish(ctx, []schemas.Event{e}); err != nil {
		return Result{}, unavailable("log", err)
	}
	return Result{EventID: e.ID, Status: Accepted}, nil
}

func replayCloudEvent(raw []byte, q schemas.Quarantined) ([]Item, error) {
	it, err := ReadCloudEvent(raw)
	var broken *Broken
	if err != nil && !errors.As(err, &broken) {
		return nil, err
	}
	return []Item{it}, nil
}
