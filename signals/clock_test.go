package signals_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"redalert/internal/memstore"
	"redalert/schemas"
	"redalert/signals"
)

// trade is a business whose clock is looked at: memory stores, a scorer, and a
// time that only the test moves.
type trade struct {
	*faulty
	clock  *signals.Clock
	worker *signals.Worker
	n      int
	facts  known // nil = those of the store
	cared  map[string]bool
}

func (b *trade) config() signals.ClockConfig {
	c := signals.ClockConfig{
		Rounds: b.Store, Context: b.Store, Records: b.Store, Aliases: b.Store, Publisher: b.Store, Schedule: b.Schedule(), Fits: b.Store,
		Business: schemas.Business{Currency: "EUR", Timezone: berlin},
		AnswerDue: func(context.Context) (func(time.Time, string, schemas.Priority) (time.Time, bool), error) {
			return func(from time.Time, _ string, _ schemas.Priority) (time.Time, bool) {
				return from.Add(24 * time.Hour), true
			}, nil
		},
		CaredFor: func(_ context.Context, m schemas.Event) (bool, error) { return b.cared[m.ID], nil },
	}
	if b.facts != nil {
		c.Context, c.Fits = b.facts, nil
	}
	return c
}

var berlin = func() *time.Location {
	z, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	return z
}()

func newTrade(fast bool) *trade {
	b := &trade{faulty: &faulty{Store: memstore.New()}, cared: map[string]bool{}}
	if fast {
		b.facts = known{}
	}
	b.clock, b.worker = signals.NewClock(b.config()), newWorker(b.faulty, says(0.1))
	return b
}

// order places an order; its number is answered.
func (b *trade) order(t testing.TB, customer string, at time.Time) string {
	b.n++
	ref := fmt.Sprint("o", b.n)
	ev := numbered(event(t, schemas.OrderPlaced, schemas.Order{OrderRef: ref, Total: eur(9000), Location: "North"}), ref, customer, at)
	ev.OrderRef, ev.Location, ev.LocalDate = ref, "North", at.Format(time.DateOnly)
	if b.facts == nil {
		publish(t, b.faulty, ev)
		return ref
	}
	// The many orders of a simulation are stored as they are: the scorer is not
	// what is looked at.
	if _, err := b.Store.Store(context.Background(), []schemas.Scored{{Event: ev, Verdict: schemas.Verdict{EventID: ev.ID}}}); err != nil {
		t.Fatal(err)
	}
	b.facts[customer] = append(b.facts[customer], schemas.OrderFact{EventID: ref, OrderRef: ref, Type: schemas.OrderPlaced, OccurredAt: at, Total: 9000, Location: "North"})
	return ref
}

// tick asks the clock and lets the scorer work off what it raised.
func (b *trade) tick(t testing.TB, at time.Time) int {
	t.Helper()
	n, err := b.clock.Due(context.Background(), at)
	if err != nil {
		t.Fatal(err)
	}
	drain(t, b.worker)
	return n
}

// raised lists the signals in history, of one type.
func (b *trade) raised(t testing.TB, of schemas.EventType) []schemas.Scored {
	t.Helper()
	p, err := b.Words(context.Background(), of, schemas.ListQuery{Limit: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	return p.Items
}

func morning(day int) time.Time { return time.Date(2026, 1, 1+day, 8, 0, 0, 0, time.UTC) }

func TestClockRaisesAnOverdueOrderOnce(t *testing.T) {
	b := newTrade(false)
	for i := range 6 {
		b.order(t, "ann", morning(28*i))
		b.order(t, "ben", morning(28*i+3)) // orders once more
	}
	drain(t, b.worker)
	raisedOn := 0
	for day := 140; day < 240; day++ {
		if day == 171 {
			b.order(t, "ben", morning(171))
			drain(t, b.worker)
		}
		if n := b.tick(t, morning(day)); n > 0 && raisedOn == 0 {
			raisedOn = day
		}
	}
	got := b.raised(t, schemas.OrderOverdue)
	if len(got) == 0 || got[0].Event.CustomerID != "ann" {
		t.Fatalf("raised %+v", got)
	}
	s, err := got[0].Event.Signal()
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("usually every 28 days, %d days since the last", raisedOn-140)
	v := got[0].Verdict
	if s.Detail != want || !v.Red || v.Severity != schemas.SeverityMedium || len(v.Reasons) != 1 || v.Reasons[0].Code != signals.CodeOverdue || v.Reasons[0].Message != want {
		t.Errorf("says %q, want %q; verdict %+v", s.Detail, want, v)
	}
	e := got[0].Event
	if e.ID != signals.SignalID("ann", schemas.OrderOverdue, s.Due) || e.Location != "North" || e.Source != signals.ClockSource ||
		e.LocalDate != s.Due || e.CollectedAt.Sub(e.OccurredAt) > 25*time.Hour || e.CollectedAt.Before(e.OccurredAt) {
		t.Errorf("event %+v", e)
	}
	// Ann once. Ben's order on day 171 made the next due another one; that
	// silence is found, too.
	byCustomer := map[string]int{}
	for _, x := range got {
		byCustomer[x.Event.CustomerID]++
	}
	if byCustomer["ann"] != 1 || byCustomer["ben"] > 1 {
		t.Errorf("raised %v", byCustomer)
	}
}

// TestClockRepeatsNothing: asked again, after the schedule was lost, by two at
// once, under another id of the customer — a signal is published and filed once.
func TestClockRepeatsNothing(t *testing.T) {
	b := newTrade(false)
	ids, err := b.Resolve(context.Background(), []schemas.Sighting{{Customer: schemas.CustomerRef{Email: "ann@mail.example"}, At: morning(0)}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		b.order(t, ids[0], morning(10*i))
	}
	drain(t, b.worker)
	late := morning(75)
	if n := b.tick(t, late); n != 1 {
		t.Fatalf("%d raised", n)
	}
	again := func(what string, c *signals.Clock) {
		t.Helper()
		if n, err := c.Due(context.Background(), late.Add(time.Minute)); n != 0 || err != nil {
			t.Errorf("%s: %d raised, %v", what, n, err)
		}
	}
	again("asked again", b.clock)
	lost := b.config()
	lost.Schedule = memstore.New().Schedule()
	again("the schedule is lost", signals.NewClock(lost))
	if _, err := b.Resolve(context.Background(), []schemas.Sighting{{Customer: schemas.CustomerRef{Email: "ann@mail.example", Ref: "C1"}, At: morning(76)}}); err != nil {
		t.Fatal(err)
	}
	lost.Schedule = memstore.New().Schedule()
	again("the customer has another id", signals.NewClock(lost))

	b = newTrade(false)
	for i := range 6 {
		b.order(t, "ann", morning(10*i))
	}
	drain(t, b.worker)
	var wg sync.WaitGroup
	for range 4 {
		c := b.config()
		c.Schedule = memstore.New().Schedule()
		wg.Go(func() {
			if _, err := signals.NewClock(c).Due(context.Background(), late); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	drain(t, b.worker)
	if got := b.raised(t, schemas.OrderOverdue); len(got) != 1 {
		t.Errorf("four at once: %d in history", len(got))
	}
}

// TestClockLeavesOldSilencesAlone: after a first import of years nobody who left
// long ago is a signal, and who left lately is.
func TestClockLeavesOldSilencesAlone(t *testing.T) {
	b := newTrade(false)
	for c := range 40 {
		last := 10 * c // days before the import that the customer came last
		for i := range 6 {
			b.order(t, fmt.Sprintf("c%02d", c), morning(2000-last-14*i))
		}
	}
	drain(t, b.worker)
	b.tick(t, morning(2000))
	got := b.raised(t, schemas.OrderOverdue)
	if len(got) == 0 || len(got) > 2 {
		t.Errorf("%d signals of 40 customers", len(got))
	}
	for _, x := range got {
		if age := x.Event.CollectedAt.Sub(x.Event.OccurredAt); age > 14*24*time.Hour {
			t.Errorf("was due %v before", age)
		}
	}
}

func TestClockSchedule(t *testing.T) {
	b := newTrade(false)
	begun := map[string][]string{}
	c := b.config()
	c.Schedule = noted{begun}
	clock := signals.NewClock(c)
	for _, at := range []string{"2026-03-28T23:30:00Z", "2026-03-29T01:30:00Z", "2026-03-29T03:59:00Z", "2026-03-29T04:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := clock.Due(context.Background(), now); err != nil {
			t.Fatal(err)
		}
	}
	for job, want := range map[string][]string{ // Berlin: summer time begins on 29 March at 1:00 UTC, ends on 25 October at 1:00
		"signals:overdue":    {"2026-03-28", "2026-03-28", "2026-03-28", "2026-03-29", "2026-10-24", "2026-10-24"},
		"signals:refit":      {"2026-03-28", "2026-03-29", "2026-03-29", "2026-03-29", "2026-10-24", "2026-10-24"},
		"signals:unanswered": {"2026-03-28T23", "2026-03-29T01", "2026-03-29T03", "2026-03-29T04", "2026-10-25T00", "2026-10-25T01"},
	} {
		if !slices.Equal(begun[job], want) {
			t.Errorf("%s: %v, want %v", job, begun[job], want)
		}
	}
}

// noted lets every run begin.
type noted struct{ begun map[string][]string }

func (n noted) Begin(_ context.Context, job, key string, _ time.Time, _ time.Duration) (bool, error) {
	n.begun[job] = append(n.begun[job], key)
	return true, nil
}
func (noted) Done(context.Context, string, string, time.Time) error { return nil }

func TestClockWaitsForHistoryAndTriesAgain(t *testing.T) {
	b := newTrade(false)
	for i := range 6 {
		b.order(t, "ann", morning(10*i))
	}
	drain(t, b.worker)
	behind, down := true, error(nil)
	c := b.config()
	c.Behind = func(context.Context) (bool, error) { return behind, nil }
	c.Publisher = publisher{b.Store, &down}
	clock := signals.NewClock(c)
	due := func(at time.Time) (int, error) { return clock.Due(context.Background(), at) }
	if n, err := due(morning(75)); n != 0 || err != nil {
		t.Fatalf("behind: %d, %v", n, err)
	}
	behind, down = false, errDown
	if n, err := due(morning(75)); n != 0 || !errors.Is(err, errDown) || !strings.Contains(err.Error(), "overdue") {
		t.Fatalf("log down: %d, %v", n, err)
	}
	down = nil
	if n, err := due(morning(75).Add(time.Minute)); n != 0 || err != nil {
		t.Fatalf("another holds the lease: %d, %v", n, err)
	}
	if n, err := due(morning(75).Add(16 * time.Minute)); n != 1 || err != nil {
		t.Fatalf("after the lease: %d, %v", n, err)
	}
}

type publisher struct {
	signals.EventPublisher
	down *error
}

func (p publisher) Publish(ctx context.Context, evs []schemas.Event) error {
	if *p.down != nil {
		return *p.down
	}
	return p.EventPublisher.Publish(ctx, evs)
}

// TestSignalIDs: whom, what and when make the id, and nothing else does.
func TestSignalIDs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) [2]string {
			s := rapid.StringMatching(`[a-c:0-9-]{0,6}`)
			return [2]string{s.Draw(t, name), s.Draw(t, name+" due")}
		}
		a, b := draw("a"), draw("b")
		same := signals.SignalID(a[0], schemas.Unanswered, a[1]) == signals.SignalID(b[0], schemas.Unanswered, b[1])
		if same != (a == b) {
			t.Fatalf("%q and %q: same id %v", a, b, same)
		}
		if signals.SignalID(a[0], schemas.OrderOverdue, a[1]) == signals.SignalID(a[0], schemas.Unanswered, a[1]) {
			t.Fatal("two types share an id")
		}
	})
	if got, want := signals.SignalID("c1", schemas.OrderOverdue, "2026-03-04"), "4241e5c4-b657-5228-8a6e-1749de50ee7d"; got != want {
		t.Errorf("the id changed: every signal would be raised anew: %s", got)
	}
}
