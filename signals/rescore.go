package signals

import (
	"bytes"
	"context"
	"time"

	"redalert/schemas"
)

// Rescorer scores events of history anew, as a Worker would today: with today's
// model, and with every order history knows that came before the event. It
// raises no notice, so no case and no mail come of it.
type Rescorer struct{ w *Worker }

// NewRescorer needs History, Context, Model, Business and Now of a
// worker's configuration.
func NewRescorer(c WorkerConfig) *Rescorer { return &Rescorer{NewWorker(c)} }

// Rescored is an event whose verdict would be another one today.
type Rescored struct {
	Event    schemas.Event
	From, To schemas.Verdict
}

// Again answers, for events of history with their standing verdicts, those
// whose verdict differs: in anything but the time it was made, the model's
// version included. failed counts events that the scorer fails on; their
// verdicts stand.
func (r *Rescorer) Again(ctx context.Context, standing []schemas.Scored) (changed []Rescored, failed int, err error) {
	events := make([]schemas.Event, len(standing))
	for i, s := range standing {
		events[i] = s.Event
	}
	known := newOverlay(r.w.c.Context, events)
	if err := known.load(ctx, needsFacts(events)); err != nil {
		return nil, 0, err
	}
	at := r.w.c.Now().UTC().Truncate(time.Millisecond)
	verdicts, errs := r.w.verdicts(events, known, r.w.c.Model)
	for i, s := range standing {
		if errs[i] != nil {
			failed++
			continue
		}
		same, err := sameVerdict(s.Verdict, verdicts[i])
		if err != nil {
			return nil, failed, err
		}
		if !same {
			v := verdicts[i]
			v.ScoredAt = at
			changed = append(changed, Rescored{s.Event, s.Verdict, v})
		}
	}
	return changed, failed, nil
}

func sameVerdict(a, b schemas.Verdict) (bool, error) {
	a.ScoredAt, b.ScoredAt, a.EventID = time.Time{}, time.Time{}, b.EventID
	x, err := a.AppendJSON(nil)
	if err != nil {
		return false, err
	}
	y, err := b.AppendJSON(nil)
	return bytes.Equal(x, y), err
}

// Apply puts the new verdicts in the place of the standing ones.
func (r *Rescorer) Apply(ctx context.Context, changed []Rescored) error {
	scored := make([]schemas.Scored, len(changed))
	for i, c := range changed {
		scored[i] = schemas.Scored{Event: c.Event, Verdict: c.To}
	}
	return r.w.c.History.Rescore(ctx, scored)
}
