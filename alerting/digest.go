package alerting

import (
	"context"
	"log/slog"
	"time"
)

// DigestsConfig is what Digests needs.
type DigestsConfig struct {
	Desk     *Desk
	Lists    CaseLists
	Schedule Schedule
	Outbox   Outbox
	Log      *slog.Logger
}

// Digests writes the daily mail to managers and owners.
type Digests struct{ cfg DigestsConfig }

// NewDigests builds Digests.
func NewDigests(cfg DigestsConfig) *Digests { return &Digests{cfg: cfg} }

// Preview composes the digest that person would get at an instant, without
// queueing it.
func (d *Digests) Preview(ctx context.Context, person Person, at time.Time) (Mail, error) {
	return Mail{}, nil
}
