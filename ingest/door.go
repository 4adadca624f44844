package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"redalert/schemas"
)

// DoorConfig is what a Door needs. Statuses and Identities may be nil: nothing
// is then reported, and no customer found. Now nil is time.Now, Log nil
// discards.
type DoorConfig struct {
	Business   schemas.Business
	Receipts   Receipts
	Publisher  Publisher
	Quarantine Quarantine
	Blobs      Blobs
	Identities Identities
	Statuses   Statuses
	// Intake, where the store offers it, is used instead of Blobs, Receipts and
	// Publisher to take events in; Recover and replays use those still.
	Intake Intake
	// KindOf names the kind of a source for its status (webhook, imap …); nil
	// or "" leaves it to the way the item is replayed.
	KindOf func(source string) string
	// Trace answers the trace that a call belongs to, for its events to carry;
	// nil = none.
	Trace func(ctx context.Context) string
	// Duplicate is told of each event that had been accepted before, for
	// metrics; nil tells nobody.
	Duplicate func(source string)
	Now       func() time.Time
	Log       *slog.Logger
}

// Door is the only way in: it normalises items, keeps their raw bytes, gives
// them their ids, makes acceptance idempotent, publishes what is new and puts
// the rest into quarantine with its reason. It does not score.
//
// A Door is safe for concurrent use.
type Door struct {
	c       DoorConfig
	log     *slog.Logger
	rates   exchange
	queue   queue
	reports reports

	mu      sync.RWMutex
	decoder map[string]Decoder
}

// NewDoor makes a Door that reads posted events (Replay "cloudevent") and
// published ones (Replay "event") again; see RegisterReplay for others.
func NewDoor(c DoorConfig) *Door {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Door{
		c: c, log: c.Log, rates: newExchange(c.Business),
		decoder: map[string]Decoder{ReplayCloudEvent: replayCloudEvent},
	}
}

// unavailable wraps what a store answered.
func unavailable(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, what, err)
}

// Accept takes items in and answers each in order. When it returns without an
// error every item is durable: published, known already, or in quarantine. On
// an error, which wraps ErrUnavailable, nothing may be acknowledged to the
// source; a retry is harmless, since every id is derived from the item.
//
// One bad item, also one the Door itself fails on, never keeps the others out.
// Calls that come at the same time share their way through the stores, see
// queue; keep each to about a thousand items. Accept does not return before it
// has let go of the items.
func (d *Door) Accept(ctx context.Context, items []Item) ([]Result, error) {
	if len(items) == 0 {
		return nil, nil
	}
	w := newWork(ctx, items, d.c.Now())
	if d.c.Trace != nil {
		w.trace = d.c.Trace(ctx)
	}
	d.prepareAll(w)
	if err := d.queue.pass(w, d.through, d.tellInTime); err != nil {
		return nil, err
	}
	return w.results, nil
}

// take brings one batch through the stores. early reports that it failed
// before anything was promised to anybody: its parts may be tried alone.
func (d *Door) take(ctx context.Context, w *work) (early bool, err error) {
	publish, err := d.store(ctx, w)
	if err != nil {
		return true, err
	}
	if err := d.quarantine(ctx, w); err != nil {
		return false, err
	}
	if err := d.publish(ctx, publish); err != nil {
		return false, err
	}
	d.note(w)
	return false, nil
}

// store keeps the raw bytes, finds the customers and reserves the events, and
// answers which remain to be published. An Intake does first and last at once.
func (d *Door) store(ctx context.Context, w *work) ([]schemas.Event, error) {
	raws, at := d.raw(w)
	if d.c.Intake == nil {
		if err := d.keep(ctx, w, raws, at); err != nil {
			return nil, err
		}
		if err := d.resolve(ctx, w); err != nil {
			return nil, err
		}
		return d.reserve(ctx, w, d.c.Receipts.Reserve)
	}
	for k, i := range at {
		sum := sha256.Sum256(raws[k])
		w.raws[i] = hex.EncodeToString(sum[:])
	}
	if err := d.resolve(ctx, w); err != nil {
		return nil, err
	}
	return d.reserve(ctx, w, func(ctx context.Context, receipts []Receipt) ([]Reservation, error) {
		return d.c.Intake.TakeIn(ctx, raws, receipts)
	})
}

// raw collects the raw bytes of every item, and whose they are. What the Door
// puts into quarantine without bytes of its own keeps its data in an envelope,
// so that it can be replayed; what a collector broke off keeps what the
// collector kept.
func (d *Door) raw(w *work) (raws [][]byte, at []int) {
	for i := range w.items {
		it := &w.items[i]
		raw := it.Raw
		if len(raw) == 0 && it.RawSHA256 == "" && it.Broken == nil && w.prep[i].broken != nil {
			raw = envelopeOf(it)
		}
		if w.raws[i] = it.RawSHA256; len(raw) > 0 {
			raws, at = append(raws, raw), append(at, i)
		}
	}
	return raws, at
}

// keep stores raw bytes.
func (d *Door) keep(ctx context.Context, w *work, raws [][]byte, at []int) error {
	if len(raws) == 0 {
		return nil
	}
	sums, err := d.c.Blobs.Put(ctx, raws)
	if err == nil && len(sums) != len(raws) {
		err = errAnswers
	}
	if err != nil {
		return unavailable("raw bytes", err)
	}
	for k, i := range at {
		w.raws[i] = sums[k]
	}
	return nil
}

var errAnswers = errors.New("the store answered another number of things than it was asked for")

// resolve finds customers and completes the events.
func (d *Door) resolve(ctx context.Context, w *work) error {
	var sightings []schemas.Sighting
	var at []int
	for i := range w.prep {
		if p := &w.prep[i]; p.broken == nil && p.customer.Known() {
			sightings = append(sightings, schemas.Sighting{Customer: p.customer, Location: p.event.Location, At: p.event.OccurredAt})
			at = append(at, i)
		}
	}
	ids := make([]string, len(w.prep))
	if len(sightings) > 0 && d.c.Identities != nil {
		found, err := d.c.Identities.Resolve(ctx, sightings)
		if err == nil && len(found) != len(sightings) {
			err = errAnswers
		}
		if err != nil {
			return unavailable("customers", err)
		}
		for k, i := range at {
			ids[i] = found[k]
		}
	}
	for i := range w.prep {
		if p := &w.prep[i]; p.broken == nil {
			p.broken = d.finish(p, ids[i], w.raws[i])
		}
	}
	return nil
}

// reserve settles which events are new, and answers what must be published: the
// new ones, and those an earlier attempt left pending. An Intake has published
// them already.
func (d *Door) reserve(ctx context.Context, w *work, ask func(context.Context, []Receipt) ([]Reservation, error)) ([]schemas.Event, error) {
	var receipts []Receipt
	var at []int
	for i := range w.prep {
		if p := &w.prep[i]; p.broken == nil {
			receipts, at = append(receipts, Receipt{ContentHash: p.hash, Event: p.event}), append(at, i)
		}
	}
	if len(receipts) == 0 && d.c.Intake == nil {
		return nil, nil
	}
	found, err := ask(ctx, receipts)
	if err == nil && len(found) != len(receipts) {
		err = errAnswers
	}
	if err != nil {
		return nil, unavailable("receipts", err)
	}
	publish := make([]schemas.Event, 0, len(receipts))
	seen := make(map[string]bool, len(receipts))
	for k, i := range at {
		p, r := &w.prep[i], found[k]
		w.results[i] = Result{EventID: p.event.ID, Status: Duplicate}
		switch {
		case r.Outcome == ReceiptConflict:
			p.broken = &Broken{schemas.QConflict, fmt.Sprintf("source %q has sent other content under the id %q before; send a change under a …changed type, or another thing under an id of its own", clip(p.event.Source), clip(p.event.NativeID))}
			continue
		case r.Outcome == ReceiptNew:
			w.results[i].Status = Accepted
		}
		if r.Published {
			continue
		}
		e := p.event
		if r.Outcome == ReceiptDuplicate && r.Stored.ID != "" {
			e = r.Stored
		}
		if !seen[e.ID] {
			seen[e.ID] = true
			publish = append(publish, e)
		}
	}
	return publish, nil
}

// quarantine keeps what could not be taken in.
func (d *Door) quarantine(ctx context.Context, w *work) error {
	var late [][]byte
	var lateAt []int
	for i := range w.prep { // found out only after the raw bytes were kept
		if w.prep[i].broken != nil && w.raws[i] == "" && w.items[i].Broken == nil {
			late, lateAt = append(late, envelopeOf(&w.items[i])), append(lateAt, i)
		}
	}
	if err := d.keep(ctx, w, late, lateAt); err != nil {
		return err
	}
	var rows []schemas.Quarantined
	for i := range w.prep {
		if b := w.prep[i].broken; b != nil {
			q := d.row(&w.items[i], b, w.raws[i], w.now)
			w.results[i] = Result{EventID: w.prep[i].event.ID, Status: InQuarantine, Code: b.Code, Reason: b.Reason, QuarantineID: q.ID}
			rows = append(rows, q)
		}
	}
	if len(rows) == 0 {
		return nil
	}
	if err := d.c.Quarantine.Put(ctx, rows); err != nil {
		return unavailable("quarantine", err)
	}
	return nil
}

func (d *Door) row(it *Item, b *Broken, raw string, now time.Time) schemas.Quarantined {
	replay := it.Replay
	if len(it.Raw) == 0 && it.RawSHA256 == "" && raw != "" { // the Door's envelope
		replay = ReplayCloudEvent
	}
	return schemas.Quarantined{
		ID: quarantineID(it.Source, it.Locator, b.Code, raw), Source: it.Source, Code: b.Code, Reason: b.Reason,
		Locator: it.Locator, At: now.UTC().Truncate(time.Millisecond), RawSHA256: raw,
		State: schemas.QuarantineOpen, Replay: replay,
	}
}

// publish makes events durable in the log and marks them.
func (d *Door) publish(ctx context.Context, events []schemas.Event) error {
	if len(events) == 0 {
		return nil
	}
	if err := d.c.Publisher.Publish(ctx, events); err != nil {
		return unavailable("log", err)
	}
	ids := make([]string, len(events))
	for i := range events {
		ids[i] = events[i].ID
	}
	if err := d.c.Receipts.MarkPublished(ctx, ids); err != nil {
		return unavailable("receipts", err)
	}
	return nil
}

// recoverBatch is how many pending events Recover publishes at once.
const recoverBatch = 500

// Recover publishes the events that a crash left reserved but not marked, and
// answers how many. Call it at start, before the doors open.
func (d *Door) Recover(ctx context.Context) (int, error) {
	total := 0
	for {
		pending, err := d.c.Receipts.Pending(ctx, recoverBatch)
		if err != nil {
			return total, unavailable("receipts", err)
		}
		if len(pending) == 0 {
			return total, nil
		}
		if err := d.publish(ctx, pending); err != nil {
			return total, err
		}
		total += len(pending)
	}
}
