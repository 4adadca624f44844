package ingest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Limits of what shares a way through the stores. One call is never split.
const (
	maxBatchItems = MaxBatch
	maxBatchBytes = 8 << 20 // of raw bytes
)

// work is one Accept call on its way, or several of them joined.
type work struct {
	ctx     context.Context
	items   []Item
	prep    []prepared
	raws    []string // hex SHA-256 of each item's kept bytes
	results []Result
	now     time.Time
	trace   string // of the call

	turn chan struct{} // gets one value: the call is over, or its turn to lead
	over bool
	err  error
}

func newWork(ctx context.Context, items []Item, now time.Time) *work {
	return &work{
		ctx: ctx, items: items, prep: make([]prepared, len(items)), raws: make([]string, len(items)),
		results: make([]Result, len(items)), now: now, turn: make(chan struct{}, 1),
	}
}

func (d *Door) prepareAll(w *work) {
	for i := range w.items {
		w.prep[i] = d.prepare(&w.items[i], w.now)
		w.prep[i].event.Trace = w.trace
	}
}

func (w *work) bytes() (n int) {
	for i := range w.items {
		n += len(w.items[i].Raw)
	}
	return n
}

// join makes one work of several; results go back with split.
func join(ctx context.Context, batch []*work) *work {
	all := newWork(ctx, nil, batch[0].now)
	for _, w := range batch {
		all.items, all.prep = append(all.items, w.items...), append(all.prep, w.prep...)
	}
	all.raws, all.results = make([]string, len(all.items)), make([]Result, len(all.items))
	return all
}

func (w *work) split(batch []*work) {
	from := 0
	for _, part := range batch {
		from += copy(part.results, w.results[from:])
	}
}

// queue joins Accept calls that come at the same time into batches, so that
// they share the statements and commits of the stores: while one batch is on
// its way, the next gathers. A call that finds nobody on the way goes at once,
// alone; nothing waits for company.
//
// There is no goroutine behind it: the first call of a batch leads the others
// through, and then hands over to the first of those that have come meanwhile.
type queue struct {
	mu      sync.Mutex
	busy    bool
	waiting []*work
}

// pass takes w through, alone or with others. through is called by one
// goroutine at a time and sets the results and errors of a batch; after is
// called when they were answered. A call whose context ends while it waits gives
// up.
func (q *queue) pass(w *work, through func([]*work), after func()) error {
	if !q.first(w) {
		select {
		case <-w.turn:
		case <-w.ctx.Done():
			if q.leave(w) {
				return unavailable("the door", w.ctx.Err())
			}
			<-w.turn
		}
		if w.over {
			return w.err
		}
	}
	batch := q.gather(w)
	broke := true // through panics: the leader's alone
	defer func() {
		for _, f := range batch[1:] {
			if f.over = true; broke {
				f.err = unavailable("the door", errLeader)
			}
			f.turn <- struct{}{}
		}
		after()
		q.next()
	}()
	through(batch)
	broke = false
	return w.err
}

// first reports whether nobody is on the way; else w waits.
func (q *queue) first(w *work) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.busy {
		q.busy = true
		return true
	}
	q.waiting = append(q.waiting, w)
	return false
}

// leave reports whether w was still waiting, and is no longer.
func (q *queue) leave(w *work) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	at := slices.Index(q.waiting, w)
	if at < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, at, at+1)
	return true
}

// gather takes from those waiting what fits into one batch with w.
func (q *queue) gather(w *work) []*work {
	q.mu.Lock()
	defer q.mu.Unlock()
	batch := []*work{w}
	items, size := len(w.items), w.bytes()
	n := 0
	for ; n < len(q.waiting); n++ {
		next := q.waiting[n]
		items, size = items+len(next.items), size+next.bytes()
		if items > maxBatchItems || size > maxBatchBytes {
			break
		}
		batch = append(batch, next)
	}
	q.waiting = slices.Delete(q.waiting, 0, n)
	return batch
}

var errLeader = errors.New("the call that led this batch broke off")

// next lets the first of those waiting lead, or the queue fall idle.
func (q *queue) next() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.busy = false
		return
	}
	q.waiting[0].turn <- struct{}{}
	q.waiting = slices.Delete(q.waiting, 0, 1)
}

// together is a context that ends when all of the batch have gone away.
func together(batch []*work) (context.Context, func()) {
	if len(batch) == 1 {
		return batch[0].ctx, func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(batch[0].ctx))
	var here atomic.Int32
	here.Store(int32(len(batch)))
	stops := make([]func() bool, len(batch))
	for i, w := range batch {
		stops[i] = context.AfterFunc(w.ctx, func() {
			if here.Add(-1) == 0 {
				cancel()
			}
		})
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel()
	}
}

// through takes a batch through the stores. Where it fails before anything was
// promised, each call is tried alone, so that one the stores choke on does not
// take the others with it; two failures in a row are the stores' own, and end
// that.
func (d *Door) through(batch []*work) {
	ctx, release := together(batch)
	defer release()
	if len(batch) == 1 {
		_, batch[0].err = d.take(ctx, batch[0])
		return
	}
	all := join(ctx, batch)
	early, err := d.take(ctx, all)
	switch {
	case err == nil:
		all.split(batch)
	case early && ctx.Err() == nil:
		d.apart(batch)
	default:
		for _, w := range batch {
			w.err = err
		}
	}
}

func (d *Door) apart(batch []*work) {
	failed := 0
	var last error
	for _, w := range batch {
		if failed == 2 {
			w.err = last
			continue
		}
		d.prepareAll(w) // the first attempt has changed what was prepared
		if _, w.err = d.take(w.ctx, w); w.err == nil {
			failed = 0
			continue
		}
		failed, last = failed+1, w.err
	}
}
