package signals

import (
	"errors"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"redalert/schemas"
)

// score gives every event its verdict; an event that makes the scorer panic
// goes to quarantine instead, and the others go on.
func (w *Worker) score(events []schemas.Event, known *overlay, m TextModel) ([]schemas.Scored, []schemas.Quarantined) {
	start := w.c.Now()
	at := start.UTC().Truncate(time.Millisecond)
	verdicts, errs := w.verdicts(events, known, m)
	w.size = nextSize(w.size, len(events), w.c.Now().Sub(start), w.c.Batch)
	scored := make([]schemas.Scored, 0, len(events))
	var bad []schemas.Quarantined
	for i, ev := range events {
		if errs[i] != nil {
			// No text of the customer here: the panic is ours, its value is not logged.
			w.c.Log.Error("the scorer failed on an event; it is in quarantine", "event", ev.ID, "type", ev.Type)
			bad = append(bad, quarantined(ev, schemas.QScorer, errs[i].Error(), at))
			continue
		}
		verdicts[i].ScoredAt = at
		scored = append(scored, schemas.Scored{Event: ev, Verdict: verdicts[i]})
	}
	return scored, bad
}

// scoredAlone is how many events one goroutine takes at a time: reading a text
// takes a hundred times as long as starting it.
const scoredAlone = 16

// verdicts scores events side by side, on all processors; known is only read.
func (w *Worker) verdicts(events []schemas.Event, known *overlay, m TextModel) ([]schemas.Verdict, []error) {
	vs, errs := make([]schemas.Verdict, len(events)), make([]error, len(events))
	var next atomic.Int64
	work := func() {
		for {
			from := int(next.Add(scoredAlone)) - scoredAlone
			if from >= len(events) {
				return
			}
			for i := from; i < min(from+scoredAlone, len(events)); i++ {
				vs[i], errs[i] = w.scoreOne(events[i], known, m)
			}
		}
	}
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (len(events)+scoredAlone-1)/scoredAlone) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
	return vs, errs
}

var errPanic = errors.New("the scorer failed on this event")

func (w *Worker) scoreOne(ev schemas.Event, known *overlay, m TextModel) (v schemas.Verdict, err error) {
	defer func() {
		if r := recover(); r != nil {
			w.c.Log.Debug("panic in the scorer", "event", ev.ID, "panic", r, "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	var c CustomerContext
	c.Currency = w.c.Business.Currency
	if usesFacts(ev) {
		c = NewContext(known.facts(ev.CustomerID), ev, w.c.Business.Currency)
	}
	return Score(ev, c, m), nil
}

// Scoring one batch should take about so long: an order takes microseconds, a
// text a fiftieth of a second, and whoever waits behind a thousand texts waits
// for all of them, as does a stop.
const (
	scoringAtMost = 2 * time.Second
	smallestBatch = 64
	firstBatch    = 64 // before anything is known
)

// nextSize is how many events the next batch may have, after one of n events
// took so long to score: as many as would have fitted, at most twice as many as
// before.
func nextSize(size, n int, took time.Duration, most int) int {
	switch {
	case took > scoringAtMost:
		fit := int(int64(n) * int64(scoringAtMost) / int64(took))
		return min(max(fit, smallestBatch), size, most)
	case n >= size && took < scoringAtMost/4:
		return min(2*size, most)
	}
	return size
}
