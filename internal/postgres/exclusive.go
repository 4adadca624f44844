package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	turnEvery = 5 * time.Second  // how often those who wait ask for their turn, and the holder looks whether it still has it
	turnWait  = 10 * time.Second // how long the server may take to say so
)

func (c Config) askEvery() time.Duration {
	if c.turnEvery > 0 {
		return c.turnEvery
	}
	return turnEvery
}

// Exclusive runs fn while no other process on this database runs one of the
// same name: it waits for its turn, and starts anew when the turn was lost. The
// turn is a lock of a connection of its own, beside those of Config.MaxConns,
// which the server gives up when the process dies. fn's context ends when the connection is lost; for up to 15 s
// another process may then run beside it, so fn must not depend on being alone
// for more than good manners. It answers what fn answers, or nil when ctx ends
// while waiting.
func (d *DB) Exclusive(ctx context.Context, name string, fn func(context.Context) error) error {
	for {
		held, err := d.turn(ctx, name, fn)
		if held && !errors.Is(err, errTurnLost) {
			return err
		}
		if err != nil && ctx.Err() == nil {
			d.log.Warn("waiting for the turn to run "+name, "error", unavailable("take the turn", err))
		}
		timer := time.NewTimer(d.cfg.askEvery())
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

var errTurnLost = errors.New("the connection that held the turn is gone")

// turn runs fn if the lock is free. held is false when it was not.
func (d *DB) turn(ctx context.Context, name string, fn func(context.Context) error) (held bool, err error) {
	conn, err := d.pool.Acquire(ctx)
	if err != nil {
		return false, err
	}
	if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock(hashtext('redalert turn'), hashtext($1))", name).Scan(&held); err != nil || !held {
		conn.Release()
		return false, err
	}
	own := conn.Hijack() // for as long as fn runs; the pool is for calls
	ctx, cancel := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		watch(ctx, own, d.cfg.askEvery(), cancel)
	}()
	err = fn(ctx)
	lost := errors.Is(context.Cause(ctx), errTurnLost)
	cancel(nil)
	<-watched
	// Ending the connection is what surely gives the lock back.
	end, done := context.WithTimeout(context.WithoutCancel(ctx), turnWait)
	defer done()
	_ = own.Close(end)
	if lost {
		return true, errTurnLost
	}
	return true, err
}

// watch ends the turn when its connection no longer answers.
func watch(ctx context.Context, conn *pgx.Conn, every time.Duration, lose context.CancelCauseFunc) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			ask, done := context.WithTimeout(context.WithoutCancel(ctx), turnWait)
			err := conn.Ping(ask)
			done()
			if err != nil {
				lose(errTurnLost)
				return
			}
		}
	}
}
