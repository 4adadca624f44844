// Package teach lets the people who work the queue teach the scorer: it gathers
// what staff decided, fits a layer for this business (package signals/learn),
// stores it, and says which one scores. It touches no verdict that was made.
package teach

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"redalert/alerting"
	"redalert/schemas"
	"redalert/signals"
	"redalert/signals/learn"
)

// Config is what a Teacher needs; all but Log.
type Config struct {
	Lessons alerting.Lessons
	Lists   alerting.CaseLists
	Records signals.Records
	Model   signals.TextModel // as it ships
	Now     func() time.Time
	Log     *slog.Logger // nil = silent
}

// Teacher fits layers. It is safe for concurrent use; one fit of a process runs
// at a time.
type Teacher struct {
	c  Config
	mu sync.Mutex
}

// New makes a teacher; it starts nothing.
func New(c Config) *Teacher {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Teacher{c: c}
}

// maxDecisions is how many of the newest decisions are learned from: reading a
// message takes a fiftieth of a second, and what staff decided years ago says
// little of today.
const maxDecisions = 3000

// pageSize of listings.
const pageSize = 1000

// Fit learns from every decision there is and stores the layer, unless there are
// too few decisions (the layer it answers then has number 0 and says so in
// Report.Why) or nothing new was decided since the newest layer, which is
// answered. A layer that was better on held-back decisions scores from then on;
// one that was not gives way to the shipped model. What a person pinned stays.
func (t *Teacher) Fit(ctx context.Context, by string) (schemas.Layer, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	examples, marks, err := t.decisions(ctx)
	if err != nil {
		return schemas.Layer{}, fmt.Errorf("learn from decisions: %w", err)
	}
	l := learn.Fit(examples)
	l.Base, l.At, l.By, l.Report.Marks = t.c.Model.Version(), t.c.Now().UTC().Truncate(time.Millisecond), by, marks
	if !checked(l.Report) {
		return l, nil
	}
	all, err := t.c.Lessons.Layers(ctx)
	if err != nil {
		return schemas.Layer{}, err
	}
	if len(all) > 0 && all[0].Base == l.Base && all[0].Report.Digest == l.Report.Digest {
		return all[0], nil
	}
	if l, err = t.c.Lessons.AddLayer(ctx, l); err != nil {
		return schemas.Layer{}, err
	}
	t.c.Log.Info("learned from decisions of staff", "layer", learn.Version(l.Base, l.Number), "decisions", l.Report.Decisions, "better", l.Report.Accepted)
	return l, t.adopt(ctx, l)
}

// checked reports whether there were decisions enough to hold some back.
func checked(r schemas.LayerReport) bool { return r.Shipped != schemas.LayerScores{} }

// adopt decides which layer scores now that l is there.
func (t *Teacher) adopt(ctx context.Context, l schemas.Layer) error {
	uses, err := t.c.Lessons.LayerUses(ctx, 1)
	if err != nil {
		return err
	}
	var now schemas.LayerUse
	if len(uses) > 0 {
		now = uses[0]
	}
	number := 0
	if l.Report.Accepted {
		number = l.Number
	}
	if now.Pinned || now.Number == number {
		return nil
	}
	return t.c.Lessons.UseLayer(ctx, schemas.LayerUse{Number: number, By: l.By, At: l.At})
}

// decisions are the marks about events that the text alone decides, with what
// the shipped model says of them, and how many marks there are in all.
func (t *Teacher) decisions(ctx context.Context) ([]learn.Example, int, error) {
	marks, err := t.marks(ctx)
	if err != nil {
		return nil, 0, err
	}
	all := len(marks)
	slices.SortFunc(marks, func(a, b schemas.Mark) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.EventID, b.EventID)) })
	red := make(map[string]bool, len(marks))
	ids := make([]string, len(marks))
	for i, m := range marks {
		red[m.EventID], ids[i] = m.Red, m.EventID
	}
	var out []learn.Example
	for batch := range slices.Chunk(ids, 500) {
		scored, err := t.c.Records.Scored(ctx, batch)
		if err != nil {
			return nil, 0, err
		}
		xs, err := t.read(ctx, scored)
		if err != nil {
			return nil, 0, err
		}
		for _, x := range xs {
			x.Red = red[x.EventID]
			out = append(out, x)
		}
		if len(out) >= maxDecisions {
			break
		}
	}
	return out[:min(len(out), maxDecisions)], all, nil
}

// read asks the shipped model about messages, on all processors.
func (t *Teacher) read(ctx context.Context, scored []schemas.Scored) ([]learn.Example, error) {
	xs, ok := make([]learn.Example, len(scored)), make([]bool, len(scored))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, s := range scored {
		g.Go(func() (err error) {
			defer func() {
				if recover() != nil { // such an event stands in quarantine; it teaches nothing
					ok[i] = false
				}
			}()
			if err := ctx.Err(); err != nil {
				return err
			}
			xs[i], ok[i] = signals.Lesson(s.Event, t.c.Model)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var out []learn.Example
	for i, x := range xs {
		if ok[i] && x.P >= schemas.ReviewThreshold {
			out = append(out, x)
		}
	}
	return out, nil
}

// marks are what was said, and what follows from closed cases.
func (t *Teacher) marks(ctx context.Context) ([]schemas.Mark, error) {
	said, err := everything(ctx, t.c.Lessons.Marks)
	if err != nil {
		return nil, err
	}
	var derived []schemas.Mark
	cases, err := everything(ctx, t.c.Lists.List)
	if err != nil {
		return nil, err
	}
	for _, c := range cases {
		derived = append(derived, learn.FromCase(c)...)
	}
	var out []schemas.Mark
	for _, m := range learn.Join(said, derived) {
		out = append(out, m)
	}
	return out, nil
}

func everything[T any](ctx context.Context, list func(context.Context, schemas.ListQuery) (schemas.Page[T], error)) ([]T, error) {
	var out []T
	for q := (schemas.ListQuery{Limit: pageSize}); ; {
		p, err := list(ctx, q)
		if err != nil {
			return nil, err
		}
		out = append(out, p.Items...)
		if q.Cursor = p.Next; p.Next == "" {
			return out, nil
		}
	}
}

// Follower answers the model that scores now: the shipped one with the layer in
// use. It is safe for concurrent use.
type Follower struct {
	Lessons alerting.Lessons
	Model   signals.TextModel // as it ships
	Log     *slog.Logger      // nil = silent

	mu      sync.Mutex
	loaded  bool
	failing bool
	number  int
	current signals.TextModel
}

// lookFor bounds the look for a new layer: scoring does not wait for it.
const lookFor = 2 * time.Second

// Current looks which layer is in use, one small question to the store, and
// loads it when it is another than last time. While the store is out of reach
// the last one goes on scoring; if none was ever seen, that is an error.
func (f *Follower) Current(ctx context.Context) (signals.TextModel, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	look, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	err := f.look(look)
	switch {
	case err == nil:
		f.failing = false
	case !f.loaded || ctx.Err() != nil:
		return nil, fmt.Errorf("which layer scores: %w", err)
	case !f.failing && f.Log != nil:
		f.failing = true
		f.Log.Warn("what was learned last goes on scoring; the store does not say whether there is something newer", "error", err)
	}
	return f.current, nil
}

func (f *Follower) look(ctx context.Context) error {
	uses, err := f.Lessons.LayerUses(ctx, 1)
	if err != nil {
		return err
	}
	number := 0
	if len(uses) > 0 {
		number = uses[0].Number
	}
	if f.loaded && number == f.number {
		return nil
	}
	var l *schemas.Layer
	if number > 0 {
		found, err := f.Lessons.Layer(ctx, number)
		switch {
		case errors.Is(err, alerting.ErrNotFound): // removed by hand: as shipped
		case err != nil:
			return err
		default:
			l = &found
		}
	}
	f.current, f.number, f.loaded = signals.Teach(f.Model, l), number, true
	return nil
}
