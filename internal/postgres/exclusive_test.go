package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"
)

// runner runs one name under Exclusive until its context ends and tells how
// often, and whether ever beside another.
type runner struct {
	now, most, starts atomic.Int32
	began             chan struct{}
}

func (r *runner) run(ctx context.Context) error {
	r.starts.Add(1)
	if n := r.now.Add(1); n > r.most.Load() {
		r.most.Store(n)
	}
	defer r.now.Add(-1)
	r.began <- struct{}{}
	<-ctx.Done()
	return nil
}

func within30[T any](t *testing.T, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(30 * time.Second):
		t.Fatal("not within 30 s: " + what)
		panic("unreachable")
	}
}

// TestExclusive: of two processes one runs; when it stops, or its connection is
// gone, the other does; another name is another matter.
func TestExclusive(t *testing.T) {
	url := emptyURL(t)
	process := func() *DB {
		d, err := Open(t.Context(), Config{URL: url, MaxConns: 3, turnEvery: 5 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		return d
	}
	a, b := process(), process()
	r := &runner{began: make(chan struct{}, 10)}
	start := func(d *DB, name string, r *runner) (stop func(), ended <-chan error) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- d.Exclusive(ctx, name, r.run) }()
		return cancel, done
	}
	stopA, endedA := start(a, "collect:care", r)
	within30(t, "the first runs", r.began)
	stopB, endedB := start(b, "collect:care", r)
	other := &runner{began: make(chan struct{}, 1)}
	stopOther, endedOther := start(b, "collect:shop", other)
	within30(t, "another name runs beside it", other.began)
	stopA()
	if err := within30(t, "the first ends", endedA); err != nil {
		t.Error(err)
	}
	within30(t, "the second takes over", r.began)
	stopA, endedA = start(a, "collect:care", r)
	if _, err := a.exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`); err != nil {
		t.Fatal(err)
	}
	within30(t, "whoever comes first takes over a lost turn", r.began)
	stopA()
	stopB()
	stopOther()
	for what, ended := range map[string]<-chan error{"a": endedA, "b": endedB, "other": endedOther} {
		if err := within30(t, what+" ends", ended); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if r.most.Load() > 2 || r.starts.Load() < 3 {
		t.Errorf("%d at once at most, %d starts", r.most.Load(), r.starts.Load())
	}
}

// TestExclusiveAnswersWhatItsWorkAnswers: an error is the caller's.
func TestExclusiveAnswersWhatItsWorkAnswers(t *testing.T) {
	want := errors.New("broken")
	if err := open(t).Exclusive(t.Context(), "x", func(context.Context) error { return want }); !errors.Is(err, want) {
		t.Errorf("answered %v", err)
	}
}

// TestTurnsLeaveThePoolAlone: however many turns a process holds, its other
// calls have all of its connections.
func TestTurnsLeaveThePoolAlone(t *testing.T) {
	d, err := Open(t.Context(), Config{URL: emptyURL(t), MaxConns: 3, turnEvery: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	r := &runner{began: make(chan struct{}, 4)}
	ended := make(chan error, 4)
	for i := range cap(ended) {
		go func() { ended <- d.Exclusive(ctx, fmt.Sprint("collect:", i), r.run) }()
	}
	for range cap(ended) {
		within30(t, "four turns are held at once", r.began)
	}
	ask, done := context.WithTimeout(t.Context(), 20*time.Second)
	defer done()
	answers := make(chan error, 3)
	for range cap(answers) { // all at once, each on a connection of its own
		go func() { _, err := d.exec(ask, "SELECT pg_sleep(0.2)"); answers <- err }()
	}
	for range cap(answers) {
		if err := <-answers; err != nil {
			t.Errorf("a call beside four turns: %v", err)
		}
	}
	if n := count(t, d, "pg_locks WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"); n != 4 {
		t.Errorf("%d turns are held", n)
	}
	cancel()
	for range cap(ended) {
		if err := within30(t, "it ends", ended); err != nil {
			t.Error(err)
		}
	}
	free := make(chan error, 1)
	go func() { free <- d.Exclusive(t.Context(), "collect:0", func(context.Context) error { return nil }) }()
	if err := within30(t, "the turn is free again", free); err != nil {
		t.Error(err)
	}
}
