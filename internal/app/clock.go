package app

import (
	"context"
	"errors"
	"time"

	"redalert/signals"
)

// clockConfig joins what the clock of signals needs of history, and what alerting
// knows of cases and opening hours: neither stage knows the other.
func (a *App) clockConfig() signals.ClockConfig {
	s := &a.Stores
	c := signals.ClockConfig{
		Rounds: s.Rounds, Context: s.Context, Records: s.Records, Aliases: s.Identities, Publisher: s.Signals,
		Schedule: s.Schedule, Fits: s.Fits, Business: a.Business, AnswerDue: a.Desk.AnswerDue, CaredFor: a.Desk.CaredFor,
		Behind: a.behind, OpenCasesFor: time.Duration(a.Config.Alerting.OpenCasesFor), Log: a.Log,
	}
	if !a.Config.Alerting.Unanswered {
		c.AnswerDue, c.CaredFor = nil, nil
	}
	return c
}

// fewBehind is how many events of the log may wait for a scorer while the clock
// looks at history: under load there are always some.
const fewBehind = 1000

// behind reports that history lags: an order or an answer may still be in the
// log.
func (a *App) behind(ctx context.Context) (bool, error) {
	lag, err := a.Stores.Consumer(scoreGroup).Lag(ctx)
	return lag > fewBehind, err
}

// raiseSignals works off what the log holds, runs the clock of signals, and works
// off what it raised. Over stores that other processes serve too it leaves the log
// to them.
func (a *App) raiseSignals(ctx context.Context, clock *signals.Clock, now time.Time) error {
	if a.Stores.Apart {
		_, err := clock.Due(ctx, now)
		return err
	}
	if err := a.settleLog(ctx); err != nil {
		return err
	}
	n, err := clock.Due(ctx, now)
	if n > 0 {
		err = errors.Join(err, a.settleLog(ctx))
	}
	return err
}
