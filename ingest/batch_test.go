package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"redalert/ingest"
	"redalert/schemas"
)

// crowded is a store whose first call to Resolve waits until it is let go, so
// that other calls gather behind it. Resolve fails on the customer "poison",
// and panics on "panic".
type crowded struct {
	*faulty
	once  sync.Once
	letGo chan struct{}
}

func (c *crowded) Resolve(ctx context.Context, s []schemas.Sighting) ([]string, error) {
	c.once.Do(func() { <-c.letGo })
	for _, x := range s {
		switch x.Customer.Ref {
		case "poison":
			return nil, errDown
		case "panic":
			panic("the store broke")
		}
	}
	return c.faulty.Resolve(ctx, s)
}

func (c *crowded) door() *ingest.Door {
	return ingest.NewDoor(ingest.DoorConfig{
		Business: schemas.Business{Name: "Test", Timezone: time.UTC, Currency: "EUR"},
		Receipts: c, Publisher: c, Quarantine: c.Quarantine(), Blobs: faultyBlobs{c.Blobs(), c.faulty},
		Identities: c, Statuses: c, Now: func() time.Time { return clock },
	})
}

type answer struct {
	results []ingest.Result
	err     error
}

// crowd sends one call, and while that is held up one for each ref; it answers
// theirs after the first was let go.
func crowd(t *testing.T, refs ...string) (*crowded, []answer) {
	t.Helper()
	c := &crowded{faulty: newStore(), letGo: make(chan struct{})}
	d := c.door()
	t.Cleanup(func() { d.Close() })
	var wg sync.WaitGroup
	call := func(ref string) (a answer) {
		defer func() {
			if p := recover(); p != nil {
				a.err = fmt.Errorf("panic: %v", p)
			}
		}()
		a.results, a.err = d.Accept(t.Context(), []ingest.Item{order(ref, `{"order_ref":"`+ref+`","customer":{"ref":"`+ref+`"},`+total+`}`), order("bad "+ref, `{}`)})
		return a
	}
	wg.Go(func() { call("first") })
	synctest.Wait()
	answers := make([]answer, len(refs))
	for i, ref := range refs {
		wg.Go(func() { answers[i] = call(ref) })
		synctest.Wait() // in this order
	}
	close(c.letGo)
	wg.Wait()
	return c, answers
}

func (a answer) ok() bool {
	return a.err == nil && len(a.results) == 2 && a.results[0].Status == ingest.Accepted && a.results[1].Status == ingest.InQuarantine
}

func TestCallsAtOnceShareTheStores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var refs []string
		for i := range 40 {
			refs = append(refs, fmt.Sprint(i))
		}
		c, answers := crowd(t, refs...)
		for i, a := range answers {
			if !a.ok() || a.results[0].EventID != ingest.EventID("shop", schemas.OrderPlaced, refs[i], "") {
				t.Errorf("%d: %+v", i, a)
			}
		}
		for _, port := range []string{"blobs", "resolve", "reserve", "publish", "mark"} {
			if c.calls[port] != 2 {
				t.Errorf("%s: %d calls for 41 requests", port, c.calls[port])
			}
		}
		if len(c.logged) != 41 {
			t.Errorf("%d events in the log", len(c.logged))
		}
	})
}

// TestOneCallTheStoreChokesOn fails alone.
func TestOneCallTheStoreChokesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, answers := crowd(t, "1", "poison", "2", "3")
		for i, a := range answers {
			if i == 1 {
				if !errors.Is(a.err, ingest.ErrUnavailable) || a.results != nil {
					t.Errorf("the poison: %+v", a)
				}
			} else if !a.ok() {
				t.Errorf("%d: %+v", i, a)
			}
		}
		if len(c.logged) != 4 {
			t.Errorf("%d events in the log", len(c.logged))
		}
	})
}

// TestStoreDownInACrowd: it is not asked once for each request.
func TestStoreDownInACrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, answers := crowd(t, "poison", "poison", "1", "2")
		for i, a := range answers {
			if !errors.Is(a.err, errDown) || !errors.Is(a.err, ingest.ErrUnavailable) || a.results != nil {
				t.Errorf("%d: %+v", i, a)
			}
		}
	})
}

func TestLeaderBreaksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, answers := crowd(t, "panic", "1", "2")
		if a := answers[0]; a.err == nil || !strings.Contains(a.err.Error(), "panic: the store broke") {
			t.Errorf("the leader: %+v", a)
		}
		for _, a := range answers[1:] {
			if !errors.Is(a.err, ingest.ErrUnavailable) {
				t.Errorf("%+v", a)
			}
		}
	})
}

func TestCallGivesUpWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &crowded{faulty: newStore(), letGo: make(chan struct{})}
		d := c.door()
		defer d.Close()
		var wg sync.WaitGroup
		item := func(id string) []ingest.Item {
			return []ingest.Item{order(id, `{"order_ref":"x","customer":{"ref":"1"},`+total+`}`)}
		}
		wg.Go(func() { d.Accept(context.Background(), item("A")) })
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		go func() {
			_, err := d.Accept(ctx, item("B"))
			gone <- err
		}()
		var stayed error
		wg.Go(func() { _, stayed = d.Accept(context.Background(), item("C")) })
		synctest.Wait()
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) || !errors.Is(err, ingest.ErrUnavailable) {
			t.Error(err)
		}
		close(c.letGo)
		wg.Wait()
		if stayed != nil || len(c.logged) != 2 {
			t.Error(stayed, len(c.logged))
		}
	})
}

// TestStatusesOfABusySource: at once after a pause, else once a second, and
// never forgotten.
func TestStatusesOfABusySource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newStore()
		d := f.door(nil)
		n := 0
		send := func(want int64) {
			t.Helper()
			n++
			accept(t, d, order(fmt.Sprint(n), `{"order_ref":"A",`+total+`}`))
			synctest.Wait()
			st, err := f.Collectors(t.Context())
			if err != nil || len(st) != 1 || st[0].Accepted != want {
				t.Errorf("call %d: %+v %v, want %d", n, st, err, want)
			}
		}
		send(1)
		send(1)
		send(1)
		time.Sleep(time.Second)
		synctest.Wait()
		send(3)
		time.Sleep(2 * time.Second)
		send(5)
		send(5)
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if st, _ := f.Collectors(t.Context()); st[0].Accepted != 6 {
			t.Errorf("after Close: %+v", st)
		}
		if f.calls["report"] != 5 {
			t.Errorf("%d reports", f.calls["report"])
		}
	})
}
