package ingest

import (
	"context"
	"log/slog"
	"time"

	"redalert/schemas"
)

// DoorConfig is what a Door needs. Statuses and Identities may be nil; Now nil
// is time.Now, Log nil discards.
type DoorConfig struct {
	Business   schemas.Business
	Receipts   Receipts
	Publisher  Publisher
	Quarantine Quarantine
	Blobs      Blobs
	Identities Identities
	Statuses   Statuses
	// KindOf names the kind of a source for its status (webhook, imap …); nil
	// or "" leaves it to the way the item is replayed.
	KindOf func(source string) string
	Now    func() time.Time
	Log    *slog.Logger
}

// Decoder reads the raw bytes of a quarantined item again.
type Decoder func(raw []byte, q schemas.Quarantined) ([]Item, error)

// Door is the only way in.
type Door struct{ c DoorConfig }

// NewDoor makes a Door.
func NewDoor(c DoorConfig) *Door { return &Door{c: c} }

// Accept takes items in.
func (d *Door) Accept(ctx context.Context, items []Item) ([]Result, error) {
	return nil, ErrUnavailable
}

// Recover publishes pending receipts.
func (d *Door) Recover(ctx context.Context) (int, error) { return 0, ErrUnavailable }

// RegisterReplay teaches the Door to read a kind of raw bytes again.
func (d *Door) RegisterReplay(kind string, decode Decoder) {}

// ReplayQuarantined tries a quarantined item again.
func (d *Door) ReplayQuarantined(ctx context.Context, id string) (Result, error) {
	return Result{}, ErrUnavailable
}

// ReadCloudEvent reads one structured-mode CloudEvent.
func ReadCloudEvent(raw []byte) (Item, error) { return Item{}, ErrUnavailable }

// RunnerConfig is what RunCollector needs.
type RunnerConfig struct {
	Statuses Statuses
	Now      func() time.Time
	Log      *slog.Logger
	Wait     func(ctx context.Context, d time.Duration) error
}

// RunCollector runs a collector until ctx ends.
func RunCollector(ctx context.Context, c Collector, to Acceptor, cfg RunnerConfig) error {
	return ErrUnavailable
}
