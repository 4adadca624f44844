package app

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"redalert/schemas"
	"redalert/signals"
)

const kioskText = "I waited and waited and in the end I just left."

// store scores messages of two sources into history, as a scorer would.
func storeMessages(t *testing.T, a *App, each int) {
	t.Helper()
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	var scored []schemas.Scored
	for i := range each {
		for _, source := range []string{"kiosk", "desk"} {
			ev, err := messageEvent([]byte(kioskText))
			if err != nil {
				t.Fatal(err)
			}
			ev.ID, ev.Source = fmt.Sprintf("%s-%04d", source, i), source
			ev.OccurredAt = at.Add(time.Duration(i) * time.Second)
			ev.CollectedAt, ev.LocalDate = ev.OccurredAt, "2026-03-02"
			v := signals.Score(ev, signals.CustomerContext{}, a.Model)
			v.ScoredAt = at
			scored = append(scored, schemas.Scored{Event: ev, Verdict: v})
		}
	}
	if _, err := a.Stores.History.Store(t.Context(), scored); err != nil {
		t.Fatal(err)
	}
}

func judge(t *testing.T, a *App, each int) {
	t.Helper()
	for i := range each {
		for source, red := range map[string]bool{"kiosk": false, "desk": true} {
			m := schemas.Mark{EventID: fmt.Sprintf("%s-%04d", source, i), Red: red, Cause: schemas.MarkSaid, By: "ana@example.com", At: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)}
			if err := a.Stores.Lessons.Mark(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestLearnsOnceANight: at three in business time, once, and again only the next
// night.
func TestLearnsOnceANight(t *testing.T) {
	cfg := testConfig(t)
	a := newApp(t, cfg)
	storeMessages(t, a, 20)
	judge(t, a, 20)
	night := time.Date(2026, 3, 3, 2, 59, 0, 0, a.zone())
	layers := func(at time.Time, want int) {
		t.Helper()
		if err := a.learnNightly(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		all, err := a.Stores.Lessons.Layers(t.Context())
		if err != nil || len(all) != want {
			t.Fatalf("%v: %d layers, %v; want %d", at, len(all), err, want)
		}
	}
	layers(night, 0)
	layers(night.Add(time.Minute), 1)
	if m, err := a.Follower.Current(t.Context()); err != nil || m.Version() != a.Model.Version()+"+own-1" {
		t.Errorf("%v %v", m, err)
	}
	if err := a.Stores.Lessons.Mark(t.Context(), schemas.Mark{EventID: "kiosk-0000", Red: true, At: night}); err != nil {
		t.Fatal(err)
	}
	layers(night.Add(2*time.Hour), 1)
	layers(night.AddDate(0, 0, 1).Add(time.Hour), 2)
}

// TestRescoreGoesOn: a run that is ended in the middle writes what it has done,
// and the next goes on from there; another range or model begins anew.
func TestRescoreGoesOn(t *testing.T) {
	a := newApp(t, testConfig(t))
	const each = rescorePage // two pages in all
	storeMessages(t, a, each)
	judge(t, a, 20)
	if _, err := a.Learn(t.Context(), "ana@example.com"); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	_, err := a.Rescore(ctx, RescoreOptions{Apply: true, Step: func(int, float64, bool) { stop() }})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("ended with %v", err)
	}
	dry, err := a.Rescore(t.Context(), RescoreOptions{})
	if err != nil || dry.Events != 2*each || dry.Changed != each || dry.Resumed != 0 {
		t.Fatalf("%v %+v", err, dry)
	}
	// The first page was written, its cursor was not: it is looked at again, and
	// nothing of it changes.
	r, err := a.Rescore(t.Context(), RescoreOptions{Apply: true})
	if err != nil || r.Changed != each || r.Resumed+r.Events != 2*each {
		t.Fatalf("%v %+v", err, r)
	}
	if again, err := a.Rescore(t.Context(), RescoreOptions{Apply: true}); err != nil || again.Changed != 0 || again.Resumed != 0 || again.Events != 2*each {
		t.Fatalf("%v %+v", err, again)
	}
	at := rescoreState{Model: r.Model, Cursor: "c", Done: 7}
	if err := a.saveRescore(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		want rescoreState
		done int
	}{
		{"the same", rescoreState{Model: r.Model}, 7}, {"another model", rescoreState{Model: "x"}, 0},
		{"another range", rescoreState{Model: r.Model, Since: time.Unix(1, 0)}, 0},
	} {
		if got, err := a.resumeRescore(t.Context(), tt.want); err != nil || got.Done != tt.done {
			t.Errorf("%s: %+v %v", tt.name, got, err)
		}
	}
	if err := a.Stores.Cursors.Save(t.Context(), rescoreCursor, "?"); err != nil {
		t.Fatal(err)
	}
	if got, err := a.resumeRescore(t.Context(), rescoreState{Model: "x"}); err != nil || got.Done != 0 || got.Model != "x" {
		t.Errorf("what cannot be read: %+v %v", got, err)
	}
}

func TestShare(t *testing.T) {
	at := time.Unix(1000, 0)
	for _, tt := range []struct {
		at, end time.Time
		want    float64
	}{{at, at.Add(10), 0}, {at.Add(5), at.Add(10), 0.5}, {at.Add(20), at.Add(10), 1}, {at, at, 1}, {at, at.Add(-1), 1}} {
		if got := share(at, tt.at, tt.end); got != tt.want {
			t.Errorf("%v of %v: %v", tt.at, tt.end, got)
		}
	}
}
