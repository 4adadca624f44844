package alerting

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"redalert/schemas"
)

// find answers the event's customer, canonical, and every case of theirs: by
// all their ids, and by the thread for as long as it belonged to nobody.
func (w *Worker) find(ctx context.Context, n schemas.Notice) (string, []schemas.Case, error) {
	d := w.cfg.Desk
	keys := []string{n.Event.CaseKey()}
	customer := ""
	if n.Event.CustomerID != "" {
		ids, err := d.cfg.Identities.Keys(ctx, n.Event.CustomerID)
		if err != nil {
			return "", nil, fmt.Errorf("customer of the event: %w", err)
		}
		customer = n.Event.CustomerID
		if len(ids) > 0 {
			customer = ids[0]
		}
		keys = append(ids, n.Event.CustomerID)
		if n.Event.ThreadID != "" {
			keys = append(keys, "thread:"+n.Event.ThreadID)
		}
	}
	cases, err := d.cfg.Cases.ByKeys(ctx, keys)
	if err != nil {
		return "", nil, fmt.Errorf("cases of the customer: %w", err)
	}
	cases, err = w.named(ctx, n, cases)
	return customer, cases, err
}

// named adds the case a reply names itself.
func (w *Worker) named(ctx context.Context, n schemas.Notice, cases []schemas.Case) ([]schemas.Case, error) {
	if n.Kind != schemas.NoticeReply {
		return cases, nil
	}
	r, err := n.Event.Reply()
	if err != nil || r.CaseID == "" || slices.ContainsFunc(cases, func(c schemas.Case) bool { return c.ID == r.CaseID }) {
		return cases, nil
	}
	c, err := w.cfg.Desk.cfg.Cases.Case(ctx, r.CaseID)
	switch {
	case errors.Is(err, ErrNotFound):
		return cases, nil
	case err != nil:
		return nil, fmt.Errorf("case %s: %w", r.CaseID, err)
	case c.State.Open() && len(openOnes(cases)) == 0:
		return append(cases, c), nil
	}
	return cases, nil
}

func openOnes(cases []schemas.Case) []schemas.Case {
	var out []schemas.Case
	for _, c := range cases {
		if c.State.Open() {
			out = append(out, c)
		}
	}
	return out
}

func (w *Worker) fileRed(ctx context.Context, n schemas.Notice, customer string, open *schemas.Case, cases []schemas.Case) error {
	d := w.cfg.Desk
	var e *edit
	var err error
	switch last := reopenable(n.Event, cases); {
	case open != nil:
		if slices.Contains(open.EventIDs, n.Event.ID) {
			return nil
		}
		if e, err = d.edit(ctx, schemas.System(), *open); err != nil {
			return err
		}
		joinCase(e, n, customer)
	case last != nil:
		if e, err = d.edit(ctx, schemas.System(), *last); err != nil {
			return err
		}
		reopenCase(e, n, customer)
	default:
		s, err := d.cfg.Settings.Load(ctx)
		if err != nil {
			return fmt.Errorf("load settings: %w", err)
		}
		e = openCase(n, customer, instant(d.cfg.Now()), s, d.cfg.Business)
	}
	_, err = d.store(ctx, e)
	return err
}

// reopenable is the case closed last, if that was at most 14 days before the
// event was collected. Merged cases never come back.
func reopenable(ev schemas.Event, cases []schemas.Case) *schemas.Case {
	var last *schemas.Case
	for i := range cases {
		c := &cases[i]
		if c.State.Open() || c.ClosedAt == nil || c.MergedInto != "" {
			continue
		}
		if last == nil || c.ClosedAt.After(*last.ClosedAt) {
			last = c
		}
	}
	if last == nil || slices.Contains(last.EventIDs, ev.ID) || ev.CollectedAt.Sub(*last.ClosedAt) > reopenWithin {
		return nil
	}
	return last
}

// fileWord files a message or a reply into the open case's story, unless it
// stands in one already or is older than the story: an answer given before the
// complaint does not answer it.
func (w *Worker) fileWord(ctx context.Context, n schemas.Notice, customer string, open schemas.Case, cases []schemas.Case) error {
	d := w.cfg.Desk
	seen, err := w.mentioned(ctx, n.Event.ID, cases)
	if err != nil || seen {
		return err
	}
	e, err := d.edit(ctx, schemas.System(), open)
	if err != nil {
		return err
	}
	if n.Event.OccurredAt.Before(e.begun()) {
		return nil
	}
	if n.Kind == schemas.NoticeMessage {
		addMessage(e, n, customer)
	} else if !addReply(e, n) {
		return nil
	}
	_, err = d.store(ctx, e)
	return err
}

// mentioned reports whether an audit entry of these cases, or of cases merged
// into them, tells of the event.
func (w *Worker) mentioned(ctx context.Context, eventID string, cases []schemas.Case) (bool, error) {
	var todo []string
	done := map[string]bool{}
	for _, c := range cases {
		todo = append(todo, c.ID)
	}
	for len(todo) > 0 {
		id := todo[0]
		todo = todo[1:]
		if done[id] {
			continue
		}
		done[id] = true
		past, err := w.cfg.Desk.cfg.Cases.Audit(ctx, id)
		if err != nil {
			return false, fmt.Errorf("audit of case %s: %w", id, err)
		}
		for _, ev := range past {
			if ev.EventID == eventID {
				return true, nil
			}
			if from := detailString(ev, "case_id"); from != "" {
				todo = append(todo, from)
			}
		}
	}
	return false, nil
}

// unite answers the one open case of a customer, merging younger ones into the
// oldest where an alias has joined two customers. nil when there is none.
func (d *Desk) unite(ctx context.Context, open []schemas.Case) (*schemas.Case, error) {
	if len(open) == 0 {
		return nil, nil
	}
	slices.SortFunc(open, func(a, b schemas.Case) int {
		return cmp.Or(a.OpenedAt.Compare(b.OpenedAt), cmp.Compare(a.Number, b.Number))
	})
	oldest := open[0]
	for _, younger := range open[1:] {
		from, err := d.edit(ctx, schemas.System(), younger)
		if err != nil {
			return nil, err
		}
		into, err := d.edit(ctx, schemas.System(), oldest)
		if err != nil {
			return nil, err
		}
		into.now = from.now
		mergeInto(into, from, "both cases are of the same customer")
		cs, err := d.store(ctx, from, into)
		if err != nil {
			return nil, err
		}
		oldest = cs[1]
	}
	return &oldest, nil
}
