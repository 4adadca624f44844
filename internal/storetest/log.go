package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"redalert/schemas"
)

// atOnce runs fn n times at once and waits.
func atOnce(n int, fn func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			fn(i)
		})
	}
	close(start)
	wg.Wait()
}

// fetchWithin bounds how long a test waits for a log to answer.
const fetchWithin = 20 * time.Second

func fetch(t *testing.T, s Pipeline, group string, max int) ([]schemas.Event, func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), fetchWithin)
	defer cancel()
	b, err := s.Consumer(group).Fetch(ctx, max)
	must(t, "Fetch", err)
	return b.Events, func() {
		t.Helper()
		must(t, "Commit", b.Commit(t.Context()))
	}
}

func lag(t *testing.T, s Pipeline, group string, want int64) {
	t.Helper()
	n, err := s.Consumer(group).Lag(t.Context())
	must(t, "Lag", err)
	if n != want {
		t.Fatalf("lag of %s is %d, want %d", group, n, want)
	}
}

// Log: what was published is read by every group, in order, at least once, and
// again until it is committed.
func Log(t *testing.T, open func(t *testing.T) Pipeline) {
	suite{
		{"in order, whole", false, logOrder},
		{"again until committed", false, logAgain},
		{"a late commit of an old batch takes nothing back", false, logStaleCommit},
		{"groups are apart", false, logGroups},
		{"fetch waits", false, logWaits},
		{"fetch ends with its context", false, func(t *testing.T, s Pipeline) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := s.Consumer("g").Fetch(ctx, 1); !errors.Is(err, context.Canceled) {
				t.Fatalf("Fetch: %v, want context.Canceled", err)
			}
		}},
		{"published twice is read twice", false, func(t *testing.T, s Pipeline) {
			must(t, "Publish", s.Publisher.Publish(t.Context(), someEvents("e", 0, 1)))
			must(t, "Publish", s.Publisher.Publish(t.Context(), someEvents("e", 0, 1)))
			events, _ := fetch(t, s, "g", 10)
			same(t, "events", eventIDs(events), []string{"e000", "e000"})
		}},
		{"publishing nothing", false, func(t *testing.T, s Pipeline) {
			must(t, "Publish", s.Publisher.Publish(t.Context(), nil))
			must(t, "PublishAlerts", s.Alerts.PublishAlerts(t.Context(), nil))
			lag(t, s, "g", 0)
		}},
		{"many writers", false, logManyWriters},
		{"crash", true, logCrash},
	}.run(t, open)
}

func logOrder(t *testing.T, s Pipeline) {
	want := someEvents("e", 0, 150)
	must(t, "Publish", s.Publisher.Publish(t.Context(), want[:100]))
	must(t, "Publish", s.Publisher.Publish(t.Context(), want[100:]))
	lag(t, s, "g", 150)
	var got []schemas.Event
	for len(got) < len(want) {
		events, commit := fetch(t, s, "g", 40)
		if len(events) > 40 {
			t.Fatalf("%d events, asked for 40", len(events))
		}
		got = append(got, events...)
		commit()
		lag(t, s, "g", int64(len(want)-len(got)))
	}
	same(t, "events", got, want)
}

func logAgain(t *testing.T, s Pipeline) {
	must(t, "Publish", s.Publisher.Publish(t.Context(), someEvents("e", 0, 5)))
	for range 3 {
		events, _ := fetch(t, s, "g", 2)
		same(t, "events", eventIDs(events), ids("e", 0, 2))
	}
	_, commit := fetch(t, s, "g", 3)
	commit()
	events, _ := fetch(t, s, "g", 100)
	same(t, "events", eventIDs(events), ids("e", 3, 5))
}

func logStaleCommit(t *testing.T, s Pipeline) {
	must(t, "Publish", s.Publisher.Publish(t.Context(), someEvents("e", 0, 5)))
	_, stale := fetch(t, s, "g", 1)
	_, commit := fetch(t, s, "g", 4)
	commit()
	stale()
	events, _ := fetch(t, s, "g", 100)
	same(t, "events", eventIDs(events), ids("e", 4, 5))
}

func logGroups(t *testing.T, s Pipeline) {
	must(t, "Publish", s.Publisher.Publish(t.Context(), someEvents("e", 0, 2)))
	_, commit := fetch(t, s, "one", 2)
	commit()
	lag(t, s, "one", 0)
	lag(t, s, "two", 2)
	events, _ := fetch(t, s, "two", 2)
	same(t, "events", eventIDs(events), ids("e", 0, 2))
	if n, err := s.AlertReader("one").AlertLag(t.Context()); err != nil || n != 0 {
		t.Fatalf("the alerts log has %d entries (%v); events do not belong there", n, err)
	}
}

func logWaits(t *testing.T, s Pipeline) {
	got := make(chan []schemas.Event, 1)
	go func() {
		events, _ := fetch(t, s, "g", 10)
		got <- events
	}()
	must(t, "Publish", s.Publisher.Publish(t.Context(), someEvents("e", 0, 1)))
	same(t, "events", eventIDs(<-got), ids("e", 0, 1))
}

func logManyWriters(t *testing.T, s Pipeline) {
	atOnce(10, func(i int) {
		for k := range 5 {
			if err := s.Publisher.Publish(context.WithoutCancel(t.Context()), someEvents("e", i*10+k*2, i*10+k*2+2)); err != nil {
				t.Errorf("Publish: %v", err)
			}
		}
	})
	seen := map[string]int{}
	for len(seen) < 100 {
		events, commit := fetch(t, s, "g", 7)
		for _, e := range events {
			seen[e.ID]++
		}
		commit()
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s was read %d times, though each batch was committed", id, n)
		}
	}
	lag(t, s, "g", 0)
}

func logCrash(t *testing.T, s Pipeline) {
	must(t, "Publish", s.Publisher.Publish(t.Context(), someEvents("e", 0, 5)))
	_, commit := fetch(t, s, "g", 2)
	commit()
	fetch(t, s, "g", 2) // fetched, not committed
	s = s.Reopen(t)
	lag(t, s, "g", 3)
	events, commit := fetch(t, s, "g", 10)
	same(t, "events", events, someEvents("e", 0, 5)[2:])
	commit()
	s = s.Reopen(t)
	lag(t, s, "g", 0)
	must(t, "Publish", s.Publisher.Publish(t.Context(), someEvents("f", 0, 1)))
	events, _ = fetch(t, s, "g", 10)
	same(t, "events", eventIDs(events), ids("f", 0, 1))
}

// AlertLog: as Log, for notices.
func AlertLog(t *testing.T, open func(t *testing.T) Pipeline) {
	notices := func(from, to int) []schemas.Notice {
		var out []schemas.Notice
		for _, e := range someEvents("n", from, to) {
			out = append(out, schemas.Notice{Kind: schemas.NoticeRed, Event: e, Verdict: aVerdict(e.ID, schemas.CatLate), Priority: schemas.PriorityHigh,
				ValueAtRisk: schemas.Money{Amount: 4200, Currency: "EUR"}, Mistake: true})
		}
		return out
	}
	read := func(t *testing.T, s Pipeline, max int) ([]schemas.Notice, func(context.Context) error) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), fetchWithin)
		defer cancel()
		b, err := s.AlertReader("cases").FetchAlerts(ctx, max)
		must(t, "FetchAlerts", err)
		return b.Notices, b.Commit
	}
	suite{
		{"in order, whole, again until committed", false, func(t *testing.T, s Pipeline) {
			must(t, "PublishAlerts", s.Alerts.PublishAlerts(t.Context(), notices(0, 3)))
			for range 2 {
				got, _ := read(t, s, 10)
				same(t, "notices", got, notices(0, 3))
			}
			got, commit := read(t, s, 2)
			same(t, "notices", got, notices(0, 2))
			must(t, "Commit", commit(t.Context()))
			got, _ = read(t, s, 2)
			same(t, "notices", got, notices(2, 3))
			if n, err := s.AlertReader("cases").AlertLag(t.Context()); err != nil || n != 1 {
				t.Fatalf("lag %d, %v; want 1", n, err)
			}
			lag(t, s, "cases", 0)
		}},
		{"crash", true, func(t *testing.T, s Pipeline) {
			must(t, "PublishAlerts", s.Alerts.PublishAlerts(t.Context(), notices(0, 3)))
			_, commit := read(t, s, 1)
			must(t, "Commit", commit(t.Context()))
			read(t, s, 1)
			got, _ := read(t, s.Reopen(t), 10)
			same(t, "notices", got, notices(1, 3))
		}},
	}.run(t, open)
}
