package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"redalert/ingest"
	"redalert/schemas"
	"redalert/signals"
)

// RescoreOptions choose what is scored again. Since (inclusive) and Until
// (exclusive) bound the time of collection; zero does not.
type RescoreOptions struct {
	Since, Until time.Time
	Apply        bool                                    // false only looks
	Step         func(done int, share float64, now bool) // progress, share 0–1 of the time gone through; may be nil
}

// RescoreReport is what would change, or has changed.
type RescoreReport struct {
	Applied  bool             `json:"applied"`
	Model    string           `json:"model_version"`
	Resumed  int              `json:"resumed"` // events that an earlier run of the same kind had done
	Events   int              `json:"events"`  // looked at now
	Changed  int              `json:"changed"` // verdicts that differ, be it by the version alone
	Failed   int              `json:"failed"`  // the scorer fails on them; their verdicts stand
	Moves    []RescoreMove    `json:"moves"`
	Examples []RescoreExample `json:"examples"` // of changed levels, 20 at most
}

// RescoreMove counts events of one source that go from a level to another.
type RescoreMove struct {
	Source string        `json:"source"`
	From   schemas.Level `json:"from"`
	To     schemas.Level `json:"to"`
	N      int           `json:"n"`
}

// RescoreExample is one event whose level changes.
type RescoreExample struct {
	EventID     string             `json:"event_id"`
	Source      string             `json:"source"`
	OccurredAt  time.Time          `json:"occurred_at"`
	From        schemas.Level      `json:"from"`
	To          schemas.Level      `json:"to"`
	Was         float64            `json:"was"` // probability
	Now         float64            `json:"now"`
	WasVersion  string             `json:"was_version"`
	Text        string             `json:"text"` // of what was written, the first 120 characters
	SeverityNow schemas.Severity   `json:"severity"`
	Flagged     *schemas.FlaggedBy `json:"flagged_by"`
	Categories  []schemas.Category `json:"categories"`
}

const (
	rescorePage     = 500
	rescoreExamples = 20
	rescoreCursor   = "rescore" // its place among the cursors
)

// Rescore scores history again with the model that scores now. Without Apply it
// writes nothing. With Apply it can be ended at any time: the same call again
// goes on where it stopped, if model and range are still the same. Cases, mails
// and orders are not touched.
func (a *App) Rescore(ctx context.Context, opt RescoreOptions) (report RescoreReport, err error) {
	run := func(ctx context.Context) error {
		var err error
		report, err = a.rescore(ctx, opt)
		return err
	}
	if opt.Apply {
		err = a.Stores.Exclusive(ctx, rescoreCursor, run)
	} else {
		err = run(ctx)
	}
	return report, err
}

func (a *App) rescore(ctx context.Context, opt RescoreOptions) (RescoreReport, error) {
	model, err := a.Follower.Current(ctx)
	if err != nil {
		return RescoreReport{}, err
	}
	s := &a.Stores
	r := signals.NewRescorer(signals.WorkerConfig{History: s.History, Context: s.Context, Model: model, Business: a.Business, Now: a.Now, Log: a.Log})
	report := RescoreReport{Applied: opt.Apply, Model: model.Version(), Moves: []RescoreMove{}, Examples: []RescoreExample{}}
	at := rescoreState{Model: report.Model, Since: opt.Since, Until: opt.Until}
	if opt.Apply {
		if at, err = a.resumeRescore(ctx, at); err != nil {
			return report, err
		}
	}
	report.Resumed = at.Done
	moves := map[RescoreMove]int{}
	q := schemas.ListQuery{Since: opt.Since, Until: opt.Until, Cursor: at.Cursor, Limit: rescorePage}
	var first time.Time
	for {
		page, err := s.History.Events(ctx, q)
		if err != nil {
			return report, err
		}
		if err := a.rescoreEvents(ctx, r, page.Items, opt.Apply, &report, moves); err != nil {
			return report, err
		}
		if n := len(page.Items); n > 0 {
			if first.IsZero() {
				first = page.Items[0].CollectedAt
			}
			opt.step(report.Events, share(first, page.Items[n-1].CollectedAt, cmp.Or(opt.Until, a.Now())), page.Next == "")
		}
		at.Cursor, at.Done = page.Next, at.Done+len(page.Items)
		if opt.Apply {
			if err := a.saveRescore(ctx, at); err != nil {
				return report, err
			}
		}
		if q.Cursor = page.Next; page.Next == "" {
			break
		}
	}
	for m, n := range moves {
		m.N = n
		report.Moves = append(report.Moves, m)
	}
	slices.SortFunc(report.Moves, func(a, b RescoreMove) int {
		return cmp.Or(strings.Compare(a.Source, b.Source), strings.Compare(string(a.From), string(b.From)), strings.Compare(string(a.To), string(b.To)))
	})
	return report, nil
}

func (o RescoreOptions) step(done int, share float64, last bool) {
	if o.Step != nil {
		o.Step(done, share, last)
	}
}

// share is how much of the time from first to end lies before at.
func share(first, at, end time.Time) float64 {
	all := end.Sub(first)
	if all <= 0 {
		return 1
	}
	return min(max(float64(at.Sub(first))/float64(all), 0), 1)
}

func (a *App) rescoreEvents(ctx context.Context, r *signals.Rescorer, events []schemas.Event, apply bool, report *RescoreReport, moves map[RescoreMove]int) error {
	if len(events) == 0 {
		return nil
	}
	ids := make([]string, len(events))
	for i, e := range events {
		ids[i] = e.ID
	}
	standing, err := a.Stores.Records.Scored(ctx, ids)
	if err != nil {
		return err
	}
	changed, failed, err := r.Again(ctx, standing)
	if err != nil {
		return err
	}
	if apply {
		if err := r.Apply(ctx, changed); err != nil {
			return err
		}
	}
	report.Events, report.Failed, report.Changed = report.Events+len(events), report.Failed+failed, report.Changed+len(changed)
	for _, c := range changed {
		moves[RescoreMove{Source: c.Event.Source, From: c.From.Level, To: c.To.Level}]++
		if c.From.Level != c.To.Level && len(report.Examples) < rescoreExamples {
			report.Examples = append(report.Examples, exampleOf(c))
		}
	}
	return nil
}

func exampleOf(c signals.Rescored) RescoreExample {
	x := RescoreExample{EventID: c.Event.ID, Source: c.Event.Source, OccurredAt: c.Event.OccurredAt, From: c.From.Level, To: c.To.Level, Was: c.From.Probability,
		Now: c.To.Probability, WasVersion: c.From.ModelVersion, SeverityNow: c.To.Severity, Flagged: c.To.FlaggedBy, Categories: c.To.Categories}
	if f, err := c.Event.Feedback(); err == nil {
		x.Text = strings.Join(strings.Fields(f.ValueText), " ")
		if t := []rune(x.Text); len(t) > 120 {
			x.Text = string(t[:120]) + "…"
		}
	}
	return x
}

// rescoreState is how far an applying run has got.
type rescoreState struct {
	Model  string    `json:"model"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"`
	Cursor string    `json:"cursor"` // "" = done, or not begun
	Done   int       `json:"done"`
}

// resumeRescore answers where a run of the same model and range stopped.
func (a *App) resumeRescore(ctx context.Context, want rescoreState) (rescoreState, error) {
	text, err := a.Stores.Cursors.Load(ctx, rescoreCursor)
	if errors.Is(err, ingest.ErrNotFound) {
		return want, nil
	}
	var was rescoreState
	if err != nil || json.Unmarshal([]byte(text), &was) != nil { // what cannot be read begins anew
		return want, err
	}
	if was.Model != want.Model || !was.Since.Equal(want.Since) || !was.Until.Equal(want.Until) || was.Cursor == "" {
		return want, nil
	}
	return was, nil
}

func (a *App) saveRescore(ctx context.Context, at rescoreState) error {
	if at.Cursor == "" {
		at.Done = 0
	}
	text, err := json.Marshal(at)
	if err != nil {
		return fmt.Errorf("rescore: %w", err)
	}
	return a.Stores.Cursors.Save(ctx, rescoreCursor, string(text))
}
