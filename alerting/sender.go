package alerting

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/mail"
	"time"

	"redalert/schemas"
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

func (u *Uncertain) Error() string {
	return "the mail may or may not have been sent: " + u.Err.Error()
}

// Unwrap answers the failure itself.
func (u *Uncertain) Unwrap() error { return u.Err }

// Retrying: 30 s, doubled each time, at most an hour, given up after about a
// day.
const (
	firstRetry  = 30 * time.Second
	slowestTry  = time.Hour
	maxAttempts = 30 // 7 doublings make the first hour, then hourly
	giveUpAfter = 24 * time.Hour
	leastTries  = 5 // a long outage of ours does not use up a mail's tries
)

// SenderConfig is what a Sender needs.
type SenderConfig struct {
	Outbox    Outbox
	Transport Transport // nil: nothing is sent, everything stays queued
	From      string    // envelope sender: "Name <address>" or a bare address
	Now       func() time.Time
	Log       *slog.Logger
	Lease     time.Duration // how long one batch may take; 0 = 5 minutes
	Every     time.Duration // pause of Run while the outbox is empty; 0 = 1 second, so that critical mail leaves at once
	Batch     int           // 0 = 20
	// Wake ends the pause of Run: something new is in the outbox. nil = the pause
	// alone; it is needed in any case, others may fill the same outbox.
	Wake <-chan struct{}
	// Wait pauses; nil = a timer.
	Wait func(ctx context.Context, d time.Duration) error
}

// Sender empties the outbox. To our own people it delivers at least once, each
// repeat with the same Message-ID; to customers at most once: what may have
// been sent is marked uncertain and left to a person. Several Senders on one
// outbox share the work.
type Sender struct{ cfg SenderConfig }

// NewSender builds a Sender.
func NewSender(cfg SenderConfig) *Sender {
	if cfg.Lease <= 0 {
		cfg.Lease = 5 * time.Minute
	}
	if cfg.Every <= 0 {
		cfg.Every = time.Second
	}
	if cfg.Batch <= 0 {
		cfg.Batch = 20
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Wait == nil {
		cfg.Wait = waitTimer
	}
	if a, err := mail.ParseAddress(cfg.From); err == nil {
		cfg.From = a.Address
	}
	cfg.Log = orSilent(cfg.Log)
	return &Sender{cfg: cfg}
}

// Run calls Step until ctx ends (it then answers nil), pausing while nothing
// is due, at most until Wake.
func (s *Sender) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		n, err := s.Step(ctx)
		if err != nil && ctx.Err() == nil {
			s.cfg.Log.Error("the outbox cannot be worked; trying again", "err", err)
		}
		if n > 0 && err == nil {
			continue
		}
		wake := s.cfg.Wake
		if err != nil {
			wake = nil // what fails is not tried faster because more comes in
		}
		if s.pause(ctx, wake) != nil {
			return nil
		}
	}
	return nil
}

// pause waits for Every, or until woken.
func (s *Sender) pause(ctx context.Context, wake <-chan struct{}) error {
	if wake == nil {
		return s.cfg.Wait(ctx, s.cfg.Every)
	}
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	over := make(chan error, 1)
	go func() { over <- s.cfg.Wait(waiting, s.cfg.Every) }()
	select {
	case err := <-over:
		return err
	case <-wake:
		return ctx.Err()
	}
}

// Drain calls Step until nothing is due any more.
func (s *Sender) Drain(ctx context.Context) error {
	for {
		if n, err := s.Step(ctx); err != nil || n == 0 {
			return err
		}
	}
}

// Step makes one attempt for each notification that is due, at most a batch,
// and answers how many it took. An error is the outbox's own; refusals by the
// mail server are stored with the notification.
func (s *Sender) Step(ctx context.Context) (n int, err error) {
	if s.cfg.Transport == nil {
		return 0, nil
	}
	due, err := s.cfg.Outbox.Take(ctx, s.cfg.Now().UTC(), s.cfg.Lease, s.cfg.Batch)
	if err != nil {
		return 0, fmt.Errorf("take from the outbox: %w", err)
	}
	for i, note := range due {
		note = s.attempt(ctx, note)
		// The outcome is stored even while stopping: a sent mail must not go again.
		if err := s.cfg.Outbox.Finish(context.WithoutCancel(ctx), note); err != nil {
			return i, fmt.Errorf("store the outcome of notification %s: %w", note.ID, err)
		}
	}
	return len(due), nil
}

// attempt sends one notification and answers it with its outcome.
func (s *Sender) attempt(ctx context.Context, n schemas.Notification) schemas.Notification {
	if ctx.Err() != nil { // stopping: nothing was tried
		n.State, n.NotBefore = schemas.NotificationQueued, s.cfg.Now().UTC()
		return n
	}
	retry, err := s.cfg.Transport.Send(ctx, s.cfg.From, n.Key.Recipient, n.Body)
	now := instant(s.cfg.Now())
	n.At = now
	var unsure *Uncertain
	switch {
	case err == nil:
		n.State, n.Error = schemas.NotificationSent, ""
		return n
	case n.ToCustomer && errors.As(err, &unsure):
		n.State = schemas.NotificationUncertain
	case (retry || errors.As(err, &unsure)) && !worn(n, now):
		n.State, n.NotBefore = schemas.NotificationQueued, now.Add(Backoff(n.Attempts))
	default:
		n.State = schemas.NotificationFailed
	}
	n.Error = err.Error()
	s.cfg.Log.Warn("a mail was not delivered", "notification", n.ID, "kind", n.Key.Kind, "state", n.State, "attempt", n.Attempts)
	s.cfg.Log.Debug("why a mail was not delivered", "notification", n.ID, "err", err)
	return n
}

// worn reports whether a notification has been tried long enough.
func worn(n schemas.Notification, now time.Time) bool {
	if n.Attempts >= maxAttempts {
		return true
	}
	m, err := mail.ReadMessage(bytes.NewReader(n.Body))
	if err != nil {
		return false
	}
	queued, err := m.Header.Date()
	return err == nil && n.Attempts >= leastTries && now.Sub(queued) >= giveUpAfter
}

// Backoff is the pause after the nth attempt, n from 1.
func Backoff(attempts int) time.Duration {
	d := firstRetry
	for i := 1; i < attempts && d < slowestTry; i++ {
		d *= 2
	}
	return min(d, slowestTry)
}
