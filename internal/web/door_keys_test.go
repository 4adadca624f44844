package web

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"redalert/ingest"
)

// twoProcesses serve the doors over one store. rest is what the second does
// between two looks at a key that the first works on.
func twoProcesses(t *testing.T, rest func(context.Context, time.Duration) error) (one, two *doorSite) {
	t.Helper()
	one = newDoorSite(t)
	two = serveDoors(t, one.store)
	one.doors.Apart, two.doors.Apart = true, true
	two.doors.rest = rest
	return one, two
}

// stopFirst keeps the first request that takes events in from going on until
// the answered function is called; at tells that it is there.
func stopFirst(t *testing.T, s *doorStore) (at <-chan struct{}, goOn func()) {
	t.Helper()
	there, on := make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	s.reserving = func() {
		if first.CompareAndSwap(false, true) {
			close(there)
			<-on
		}
	}
	goOn = sync.OnceFunc(func() { close(on) })
	t.Cleanup(goOn)
	return there, goOn
}

func TestIdempotencyKeyOverProcesses_OtherBody(t *testing.T) {
	one, two := twoProcesses(t, nil)
	at, goOn := stopFirst(t, one.store)
	first := make(chan answer, 1)
	go func() { first <- one.post(t, survey("1", "late"), "Idempotency-Key", "k") }()
	<-at
	other := two.post(t, survey("2", "late"), "Idempotency-Key", "k") // while the first is not done
	goOn()
	if a := <-first; a.status != 202 || a.Results[0].Status != ingest.Accepted {
		t.Errorf("first: %d %s", a.status, a.body)
	}
	again := two.post(t, survey("2", "late"), "Idempotency-Key", "k")
	for _, a := range []answer{other, again} {
		if a.status != 409 || a.Code != "idempotency_key_reused" {
			t.Errorf("other body: %d %s", a.status, a.body)
		}
	}
	if n := len(one.store.logged); n != 1 {
		t.Errorf("%d events in the log", n)
	}
}

func TestIdempotencyKeyOverProcesses_SameBody(t *testing.T) {
	var looks atomic.Int32
	looked, answered := make(chan struct{}), make(chan struct{})
	one, two := twoProcesses(t, func(context.Context, time.Duration) error {
		if looks.Add(1) == 1 {
			close(looked)
			<-answered
		}
		return nil
	})
	at, goOn := stopFirst(t, one.store)
	first, second := make(chan answer, 1), make(chan answer, 1)
	go func() { first <- one.post(t, survey("1", "late"), "Idempotency-Key", "k") }()
	<-at
	go func() { second <- two.post(t, survey("1", "late"), "Idempotency-Key", "k") }()
	select {
	case <-looked: // the second waits for the first
	case a := <-second:
		t.Fatalf("the second did not wait: %d %s", a.status, a.body)
	}
	goOn()
	a := <-first
	close(answered)
	b := <-second
	if a.status != 202 || a.Results[0].Status != ingest.Accepted || b.status != 202 || b.body != a.body {
		t.Errorf("%d %s, the other %d %s", a.status, a.body, b.status, b.body)
	}
	if n := one.store.accepts.Load(); n != 1 {
		t.Errorf("%d requests reached the door", n)
	}
}

// TestIdempotencyKeyOverProcesses_AtOnce: unstaged, many times. Who finds the
// other at work rests until that one is answered.
func TestIdempotencyKeyOverProcesses_AtOnce(t *testing.T) {
	var answered atomic.Pointer[chan struct{}]
	rest := func(context.Context, time.Duration) error {
		<-*answered.Load()
		return nil
	}
	one, two := twoProcesses(t, rest)
	one.doors.rest = rest
	for i := range 20 {
		done := make(chan struct{})
		answered.Store(&done)
		first := sync.OnceFunc(func() { close(done) })
		id := string(rune('A' + i))
		var same, other [2]answer
		var wg sync.WaitGroup
		for k, s := range []*doorSite{one, two} {
			wg.Go(func() {
				same[k] = s.post(t, survey(id, "late"), "Idempotency-Key", "same "+id)
				first()
			})
			wg.Go(func() { other[k] = s.post(t, survey(id+[]string{"x", "y"}[k], "late"), "Idempotency-Key", "other "+id) })
		}
		wg.Wait()
		if same[0].status != 202 || same[0].Results[0].Status != ingest.Accepted || same[1].status != 202 || same[0].body != same[1].body {
			t.Errorf("same body: %d %s, the other %d %s", same[0].status, same[0].body, same[1].status, same[1].body)
		}
		if s := other[0].status + other[1].status; s != 202+409 {
			t.Errorf("two bodies: %d %s, the other %d %s", other[0].status, other[0].body, other[1].status, other[1].body)
		}
	}
}

// TestIdempotencyKeyOverProcesses_Killed: the key of a process that died stays
// with its body, and goes to whoever sends that again when its lease is over.
func TestIdempotencyKeyOverProcesses_Killed(t *testing.T) {
	var rested time.Duration
	one, two := twoProcesses(t, func(_ context.Context, d time.Duration) error {
		rested += d
		return nil
	})
	one.store.dieAtPublish.Store(true)
	r, err := http.NewRequest(http.MethodPost, one.URL+"/v1/events", strings.NewReader(survey("1", "late")))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Authorization": {"Bearer any"}, "Content-Type": {typeEvent}, "Idempotency-Key": {"k"}}
	if res, err := http.DefaultClient.Do(r); err == nil {
		res.Body.Close()
		t.Fatal("answered", res.Status)
	}
	one.store.dieAtPublish.Store(false)
	early := two.post(t, survey("1", "late"), "Idempotency-Key", "k")
	if early.status != 503 || early.Code != "in_progress" || early.header.Get("Retry-After") == "" || rested < keyLease {
		t.Errorf("early: %d %v %s after %v", early.status, early.header, early.body, rested)
	}
	one.store.ahead.Store(int64(keyLease))
	if a := two.post(t, survey("2", "late"), "Idempotency-Key", "k"); a.status != 409 {
		t.Errorf("other body: %d %s", a.status, a.body)
	}
	late := two.post(t, survey("1", "late"), "Idempotency-Key", "k")
	if again := two.post(t, survey("1", "late"), "Idempotency-Key", "k"); late.status != 202 || again.body != late.body || len(one.store.logged) != 1 {
		t.Errorf("late: %d %s, again %s, log %v", late.status, late.body, again.body, one.store.logged)
	}
}

// TestIdempotencyKeyOfWhatWasNotTaken: a refused request frees its key; one
// that failed on the way binds it to its body, and nobody waits.
func TestIdempotencyKeyOfWhatWasNotTaken(t *testing.T) {
	one, two := twoProcesses(t, func(context.Context, time.Duration) error { return errors.New("nobody is at work") })
	key := []string{"Idempotency-Key", "k"}
	if a := one.post(t, `{"id":`, key...); a.status != 400 {
		t.Errorf("unreadable: %d %s", a.status, a.body)
	}
	one.store.logDown.Store(true)
	for _, s := range []*doorSite{two, one} {
		if a := s.post(t, survey("1", "late"), key...); a.status != 503 || a.Code != "unavailable" {
			t.Errorf("log down: %d %s", a.status, a.body)
		}
	}
	one.store.logDown.Store(false)
	if a := one.post(t, survey("2", "late"), key...); a.status != 409 {
		t.Errorf("other body: %d %s", a.status, a.body)
	}
	if a := two.post(t, survey("1", "late"), key...); a.status != 202 {
		t.Errorf("same body: %d %s", a.status, a.body)
	}
}

func TestKeyLocksAreLeft(t *testing.T) {
	var k keyLocks
	unlock, err := k.lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := k.lock(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("lock of a sender who has gone: %v", err)
	}
	unlock()
	if len(k.held) != 0 {
		t.Errorf("left behind: %v", k.held)
	}
}
