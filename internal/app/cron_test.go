package app

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
)

// runs lists when a schedule fires from one instant until another.
func runs(s cron.Schedule, from, until time.Time) (at []time.Time) {
	for t := s.Next(from); t.Before(until); t = s.Next(t) {
		at = append(at, t)
	}
	return at
}

// TestTrap_CronSkipsAndDoublesAtClockChanges: a job at a local time of day is
// lost in spring and runs twice in autumn; a minute's tick in UTC, which is all
// that ours asks of cron, does neither. What is due by local time is decided by
// alerting.Clock, see its tests.
func TestTrap_CronSkipsAndDoublesAtClockChanges(t *testing.T) {
	for _, tt := range []struct {
		name, spec, day string
		naive           int
	}{
		{"spring", "CRON_TZ=Europe/Berlin 30 2 * * *", "2026-03-29", 0},
		{"autumn", "CRON_TZ=America/New_York 30 1 * * *", "2026-11-01", 2},
	} {
		naive, err := cron.ParseStandard(tt.spec)
		if err != nil {
			t.Fatal(err)
		}
		day, err := time.Parse(time.DateOnly, tt.day)
		if err != nil {
			t.Fatal(err)
		}
		from, until := day, day.AddDate(0, 0, 1).Add(4*time.Hour) // the local day lies within
		local := naive.(*cron.SpecSchedule).Location
		n := 0
		for _, at := range runs(naive, from, until) {
			if at.In(local).Format(time.DateOnly) == tt.day {
				n++
			}
		}
		if n != tt.naive {
			t.Errorf("%s: the naive job runs %d times on %s, the trap was %d: is this test still needed?", tt.name, n, tt.day, tt.naive)
		}
		ours := newCron(cron.DiscardLogger)
		id, err := ours.AddFunc("* * * * *", func() {})
		if err != nil {
			t.Fatal(err)
		}
		ticks := runs(inUTC{ours.Entry(id).Schedule, ours.Location()}, from, from.AddDate(0, 0, 1))
		if len(ticks) != 24*60-1 {
			t.Errorf("%s: %d ticks between two midnights in UTC", tt.name, len(ticks))
		}
	}
}

// inUTC asks a schedule as the runner does, in the runner's time zone.
type inUTC struct {
	cron.Schedule
	zone *time.Location
}

func (s inUTC) Next(t time.Time) time.Time { return s.Schedule.Next(t.In(s.zone)) }

// TestTrap_CronPanicStopsTheJob: with Recover outside SkipIfStillRunning one
// panic leaves the job marked as running for good; the chain of ours goes on.
func TestTrap_CronPanicStopsTheJob(t *testing.T) {
	log := cronLog{slog.New(slog.DiscardHandler)}
	count := func(wrap func(cron.Job) cron.Job) int {
		n := 0
		job := wrap(cron.FuncJob(func() {
			if n++; n == 1 {
				panic("the first time")
			}
		}))
		for range 3 {
			job.Run()
		}
		return n
	}
	naive := count(cron.NewChain(cron.Recover(log), cron.SkipIfStillRunning(log)).Then)
	ours := count(func(j cron.Job) cron.Job {
		c := newCron(log)
		return c.Entry(c.Schedule(cron.Every(time.Hour), j)).WrappedJob
	})
	if got := []int{naive, ours}; !slices.Equal(got, []int{1, 3}) {
		t.Errorf("runs of three, naive and ours: %v; want 1 and 3", got)
	}
}
