// Package ingest takes foreign input in: collectors read sources, the Door
// normalises, deduplicates and publishes what they read, and what cannot be
// taken in goes to quarantine with its reason and raw bytes.
//
// It does not score, and it knows nothing of cases.
package ingest

import (
	"context"
	"encoding/json"
	"time"

	"redalert/schemas"
)

// Item is one raw thing a door read, before normalisation.
type Item struct {
	Source     string            // configured name of the collector, hook or import
	Type       schemas.EventType //
	NativeID   string            // the source's own id; never a line number
	Revision   string            // the source's own version; "" lets the Door derive one for …changed types
	OccurredAt time.Time         // zero: data.occurred_at, else now
	ThreadID   string            // "" = none
	Data       json.RawMessage   // as sent; the content hash is taken over it
	// ContentHash stands for the hash over Data where the collector knows better
	// when two deliveries are the same: a mail's id holds the hash of its body
	// already, and its data changes with how we trim it. "" = over Data.
	ContentHash string
	Raw         []byte // the bytes to keep; nil = none kept (a posted event keeps its envelope)
	RawSHA256   string // set instead of Raw when a collector stored the blob itself
	Replay      string // how Raw is read again from quarantine, see schemas.Quarantined
	Locator     string // where it stood: file:line, UID, index
	// Broken, if set, says why the collector itself could not read the item: it
	// goes to quarantine with this code and reason.
	Broken *Broken

	read *readData // what ReadCloudEvent has read of Data already; nil = nothing
}

// Broken is why an item cannot be taken in.
type Broken struct {
	Code   string // schemas.Q…
	Reason string // what was wrong, where, what to do
}

func (b *Broken) Error() string { return b.Code + ": " + b.Reason }

// Status is what became of an item at the door.
type Status string

// Every status.
const (
	Accepted     Status = "accepted"
	Duplicate    Status = "duplicate"
	InQuarantine Status = "quarantined"
)

// Result answers one item. EventID is "" for items without a readable id.
type Result struct {
	EventID      string
	Status       Status
	Code         string // of a quarantined item
	Reason       string
	QuarantineID string
}

// Acceptor is what collectors hand items to; *Door is the one there is. Accept
// answers each item in order. On an error nothing of the call may be
// acknowledged to the source; a retry is harmless.
type Acceptor interface {
	Accept(ctx context.Context, items []Item) ([]Result, error)
}

// Delivery is what a Collector read in one go. Ack is called when every item
// is durable (accepted, duplicate or in quarantine) and moves the source's
// cursor; without it the source delivers the same again.
type Delivery struct {
	Items []Item
	Ack   func(context.Context) error
	// Newest is the source's time of the newest item known to be waiting
	// there, zero when nothing waits; it gives the lag.
	Newest time.Time
}

// Collector reads one source. Read blocks until there is something, the next
// poll is over (it then answers an empty Delivery: the source is alive and has
// nothing), or ctx ends. An error is temporary: the runner reports it, waits
// with growing pauses and calls Read again, which reconnects by itself.
// Collectors are used by one goroutine.
type Collector interface {
	Name() string
	Kind() string // imap, review …
	Read(ctx context.Context) (Delivery, error)
	Close() error
}
