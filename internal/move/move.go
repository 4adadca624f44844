package move

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// Options of a move.
type Options struct {
	Now      func() time.Time
	Progress Progress // nil = none
}

// Report is what a move did.
type Report struct {
	ID      string  `json:"id"`
	To      string  `json:"to"`
	Already bool    `json:"already"` // there was nothing to do
	Shelves []Line  `json:"shelves"`
	Copied  int64   `json:"copied"` // rows of all shelves
	Seconds float64 `json:"seconds"`
}

// ErrDiffers: after the copy the two sides were not equal. The source is in use
// as before.
var ErrDiffers = errors.New("the copy is not equal to the source; nothing was switched over")

// ErrBusy: the source's log is not worked off.
var ErrBusy = errors.New("the log is not worked off")

type mover struct {
	from, to Side
	now      func() time.Time
	progress Progress
	mark     Mark // the target's
}

// Plan says whether the move can be made, without changing anything: the target
// must be empty, or hold a part of this very move. drain tells that the source
// is live, so that its log has to be worked off first. done tells that there is
// nothing to do.
func Plan(ctx context.Context, from, to Side) (source Mark, drain, done bool, err error) {
	if source, err = from.State.Mark(ctx); err != nil {
		return source, false, false, err
	}
	target, err := to.State.Mark(ctx)
	if err != nil {
		return source, false, false, err
	}
	same := source.ID != "" && source.ID == target.ID
	switch source.Condition {
	case Receiving:
		return source, false, false, source.Usable(from.What, from.Name, to.What)
	case Moved:
		switch {
		case same && target.Condition == Receiving:
			return source, false, false, nil
		case same && target.Condition == Live:
			return source, false, true, nil
		}
		return source, false, false, fmt.Errorf("%s moved to %s, and %s know nothing of it: is this the configuration it was moved with?", from.What, source.To, to.Where)
	}
	switch {
	case target.Condition == Receiving && !same:
		return source, false, false, fmt.Errorf("%s hold a part of another move; empty them first", to.Where)
	case target.Condition == Moved && !same:
		return source, false, false, fmt.Errorf("%s held another business, which has moved to %s; empty them first", to.Where, target.To)
	case target.Condition == Live:
		return source, false, false, fmt.Errorf("%s are in use with data of their own; both sides cannot become one", to.Where)
	}
	return source, true, false, nil
}

// Run moves everything from one side to the other, or goes on with a move that
// was cut off, and verifies it. When it returns nil the target is in use and the
// source refuses all writes. On an error the source is in use as before, or, if
// it was marked moved already, neither is until the move is run again.
func Run(ctx context.Context, from, to Side, opt Options) (Report, error) {
	m := &mover{from: from, to: to, now: opt.Now, progress: opt.Progress}
	if m.progress == nil {
		m.progress = quiet{}
	}
	began := m.now()
	source, live, done, err := Plan(ctx, from, to)
	if err != nil || done {
		return Report{ID: source.ID, To: to.Name, Already: done, Shelves: []Line{}}, err
	}
	r := Report{To: to.Name}
	if live {
		err = m.start(ctx, &source)
		if err == nil {
			err = from.State.Freeze(ctx, func(ctx context.Context) (Mark, error) {
				if err := m.idle(ctx); err != nil {
					return Mark{}, err
				}
				r.Shelves, err = m.copy(ctx)
				return Mark{ID: source.ID, Condition: Moved, At: m.now(), To: to.Where}, err
			})
		}
	} else if m.mark, err = to.State.Mark(ctx); err == nil {
		r.Shelves, err = m.copy(ctx) // was verified before; now once more
	}
	m.progress.Done()
	r.ID, r.Seconds = source.ID, m.now().Sub(began).Seconds()
	for _, l := range r.Shelves {
		r.Copied += l.Copied
	}
	if err != nil {
		return r, err
	}
	return r, to.State.SetMark(ctx, Mark{ID: source.ID, Condition: Live, At: m.now()})
}

// start gives the business its id and makes the target one that is filled.
func (m *mover) start(ctx context.Context, source *Mark) error {
	if err := m.idle(ctx); err != nil {
		return err
	}
	target, err := m.to.State.Mark(ctx)
	if err != nil {
		return err
	}
	if target.Condition == "" {
		if n, err := m.to.History.CountEvents(ctx); err != nil || n > 0 {
			return errors.Join(err, emptied("events", n))
		}
	}
	if source.ID == "" {
		*source = Mark{ID: rand.Text(), Condition: Live, At: m.now()}
		if err := m.from.State.SetMark(ctx, *source); err != nil {
			return err
		}
	}
	if m.mark = target; target.Condition != Receiving {
		m.mark = Mark{ID: source.ID, Condition: Receiving, At: m.now()}
		return m.to.State.Receive(ctx, m.mark, target.Condition == "")
	}
	return nil
}

func emptied(shelf string, n int64) error {
	if n == 0 {
		return nil
	}
	return &NotEmptyError{Shelf: shelf, Rows: n}
}

// idle answers nil when both logs hold nothing that is still to be done.
func (m *mover) idle(ctx context.Context) error {
	unpublished, err := m.from.State.Unpublished(ctx)
	if err != nil {
		return err
	}
	if unpublished > 0 {
		return fmt.Errorf("%w: %d events of %s were accepted and are not in the log yet; try again in a minute", ErrBusy, unpublished, m.from.What)
	}
	for _, s := range []Side{m.from, m.to} {
		n, err := s.Waiting(ctx)
		if err != nil {
			return fmt.Errorf("ask for the lag of %s: %w", s.What, err)
		}
		if n > 0 {
			return fmt.Errorf("%w: %d entries wait in the log of %s; stop every process but this one, run redalert run --drain there, and try again", ErrBusy, n, s.What)
		}
	}
	return nil
}

// copy brings everything over and verifies it.
func (m *mover) copy(ctx context.Context) ([]Line, error) {
	var lines []Line
	for _, s := range Shelves() {
		l, err := m.shelf(ctx, s)
		if err != nil {
			return lines, err
		}
		lines = append(lines, l)
	}
	history, err := m.history(ctx)
	lines = append(lines, history...)
	if err == nil && !equal(lines) {
		err = ErrDiffers
	}
	return lines, err
}
