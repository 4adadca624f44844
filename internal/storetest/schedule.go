package storetest

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"redalert/schemas"
)

func begin(t *testing.T, s Alerting, key string, now time.Time) bool {
	t.Helper()
	ok, err := s.Schedule.Begin(t.Context(), "digest", key, now, lease)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// Schedule is the conformance suite of alerting.Schedule.
func Schedule(t *testing.T, open func(t *testing.T) Alerting) {
	t.Run("once", func(t *testing.T) {
		s := open(t)
		if !begin(t, s, "2026-03-02", day) || begin(t, s, "2026-03-02", day.Add(lease-time.Millisecond)) {
			t.Fatal("want the first to begin and the second refused while leased")
		}
		if !begin(t, s, "2026-03-03", day) {
			t.Fatal("another key waits for the first")
		}
		if err := s.Schedule.Done(t.Context(), "digest", "2026-03-02", day); err != nil {
			t.Fatal(err)
		}
		if begin(t, s, "2026-03-02", day.Add(48*time.Hour)) {
			t.Fatal("a job that is done ran again")
		}
		last, err := s.Schedule.LastDone(t.Context(), "digest")
		if err != nil || last != "2026-03-02" {
			t.Fatalf("last done %q, %v", last, err)
		}
		if last, err := s.Schedule.LastDone(t.Context(), "other"); err != nil || last != "" {
			t.Fatalf("last done of a job never run: %q, %v", last, err)
		}
	})
	t.Run("a crashed run is taken over", func(t *testing.T) {
		s := open(t)
		begin(t, s, "2026-03-02", day)
		if s.Reopen != nil {
			s = s.Reopen(t)
		}
		if begin(t, s, "2026-03-02", day.Add(time.Second)) {
			t.Fatal("the lease was forgotten")
		}
		if !begin(t, s, "2026-03-02", day.Add(lease)) {
			t.Fatal("not taken over")
		}
	})
	t.Run("one of many begins", func(t *testing.T) {
		s := open(t)
		var wg sync.WaitGroup
		var wins atomic.Int32
		for range 8 {
			wg.Go(func() {
				if ok, err := s.Schedule.Begin(context.Background(), "digest", "k", day, lease); err != nil {
					t.Errorf("begin: %v", err)
				} else if ok {
					wins.Add(1)
				}
			})
		}
		wg.Wait()
		if wins.Load() != 1 {
			t.Fatalf("%d began", wins.Load())
		}
	})
}

// Settings is the conformance suite of alerting.SettingsStore.
func Settings(t *testing.T, open func(t *testing.T) Alerting) {
	s := open(t)
	got, err := s.Settings.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "before the first save", got, schemas.DefaultSettings())
	got.Locations = []schemas.Location{{Name: "North", Timezone: "Europe/Berlin"}}
	got.Holidays = []string{"2026-12-25"}
	got.Digest.Weekdays = []time.Weekday{time.Monday}
	got.Response.FirstResponse[schemas.PriorityUrgent] = 30
	if err := s.Settings.Save(t.Context(), got); err != nil {
		t.Fatal(err)
	}
	got.Response.FirstResponse[schemas.PriorityUrgent] = 99 // what was saved is a copy
	if s.Reopen != nil {
		s = s.Reopen(t)
	}
	saved, err := s.Settings.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got.Response.FirstResponse[schemas.PriorityUrgent] = 30
	same(t, "saved", saved, got)
}
