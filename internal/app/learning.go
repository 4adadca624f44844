package app

import (
	"context"
	"errors"
	"time"

	"redalert/internal/teach"
	"redalert/schemas"
)

// wireLearning joins what staff decide with what scores.
func (a *App) wireLearning() {
	s := &a.Stores
	a.Teacher = teach.New(teach.Config{Lessons: s.Lessons, Lists: s.Lists, Records: s.Records, Model: a.Model, Now: a.Now, Log: a.Log})
	a.Follower = &teach.Follower{Lessons: s.Lessons, Model: a.Model, Log: a.Log}
}

const (
	learnJob   = "learn"
	learnHour  = 3 // of the night, in business time
	learnLease = 30 * time.Minute
)

// learnNightly fits a layer once each night; a night that was missed is made up
// for at the next chance.
func (a *App) learnNightly(ctx context.Context, now time.Time) error {
	local := now.In(a.zone())
	if local.Hour() < learnHour {
		return nil
	}
	key := local.Format(time.DateOnly)
	begun, err := a.Stores.Schedule.Begin(ctx, learnJob, key, now, learnLease)
	if err != nil || !begun {
		return err
	}
	if _, err := a.Teacher.Fit(ctx, schemas.SystemActor); err != nil {
		return err
	}
	return a.Stores.Schedule.Done(ctx, learnJob, key, now)
}

func (a *App) zone() *time.Location {
	if a.Business.Timezone == nil {
		return time.UTC
	}
	return a.Business.Timezone
}

// Learn fits a layer now; see teach.Teacher.Fit. It gives up after a minute.
func (a *App) Learn(ctx context.Context, by string) (schemas.Layer, error) {
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	l, err := a.Teacher.Fit(limited, by)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return l, errors.New("learning takes longer than a minute; it is done every night at three all the same")
	}
	return l, err
}
