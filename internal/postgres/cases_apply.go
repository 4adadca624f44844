package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"redalert/alerting"
	"redalert/schemas"
)

// Apply implements alerting.Cases: four round trips, whatever it is given.
// Cases that are changed are locked in order of their ids. Opening and
// reopening a case goes one after the other, on whatever machine, so that
// numbers have no gaps and a customer with two ids gets no second open case.
func (s caseStore) Apply(ctx context.Context, changes ...alerting.Change) ([]schemas.Case, error) {
	opens := slices.ContainsFunc(changes, func(ch alerting.Change) bool { return ch.Before == 0 })
	out, err := s.apply(ctx, changes, opens)
	if errors.Is(err, errReopens) {
		out, err = s.apply(ctx, changes, true)
	}
	if old := (*stale)(nil); errors.As(err, &old) {
		err = s.conflict(ctx, old)
	}
	if err != nil {
		return nil, unavailable("change cases", err)
	}
	return out, nil
}

// errReopens: a change reopens a case, which its version does not show. The
// lock comes before the cases' own, so all of it begins again.
var errReopens = errors.New("this reopens a case")

func (s caseStore) apply(ctx context.Context, changes []alerting.Change, locked bool) (out []schemas.Case, err error) {
	err = s.d.write(ctx, func(ctx context.Context, tx querier) error {
		a := applying{tx: tx, locked: locked, seq: map[string]int64{}, now: map[string]schemas.Case{}, mine: map[string]bool{}}
		for _, ch := range changes {
			a.mine[ch.Case.ID] = true
		}
		if err := a.load(ctx); err != nil {
			return err
		}
		for _, ch := range changes {
			if err := a.change(ctx, ch); err != nil {
				return err
			}
		}
		out = a.out
		return tx.send(ctx, &a.b)
	})
	return out, err
}

// applying is one attempt to store changes: what stands, as the changes so far
// have left it, and the statements still to be sent.
type applying struct {
	tx     querier
	locked bool // the lock of opening is held
	mine   map[string]bool
	now    map[string]schemas.Case
	seq    map[string]int64 // of the last audit entry
	number int64            // the highest given out
	b      batch
	out    []schemas.Case
}

// load locks and reads the cases that are changed.
func (a *applying) load(ctx context.Context) error {
	ids := slices.Sorted(maps.Keys(a.mine))
	var b batch
	if a.locked {
		b.add(nil, takeLock, lockOpening)
	}
	b.addRows(func(r row) error {
		c, err := scanDoc[schemas.Case](r)
		a.now[c.ID] = c
		return err
	}, "SELECT doc FROM cases WHERE id = ANY($1) ORDER BY id FOR UPDATE", ids)
	b.addRows(func(r row) error {
		var id string
		var seq int64
		err := r.Scan(&id, &seq)
		a.seq[id] = seq
		return err
	}, "SELECT case_id, max(seq) FROM case_events WHERE case_id = ANY($1) GROUP BY case_id", ids)
	b.addRows(func(r row) error { return r.Scan(&a.number) }, "SELECT coalesce(max(number), 0) FROM cases")
	return a.tx.send(ctx, &b)
}

// change queues one change, or refuses it. What only the statements themselves
// can tell is refused when they run.
func (a *applying) change(ctx context.Context, ch alerting.Change) error {
	c := ch.Case
	if ch.Filed != nil {
		a.file(*ch.Filed, c.ID, ch.OrderRef)
	}
	old, err := a.before(ch)
	if err != nil {
		return cmp.Or(a.tx.send(ctx, &a.b), err) // an event that is filed already is the better answer
	}
	c.Version = ch.Before + 1
	if ch.Before == 0 {
		a.number++
		c.Number = a.number
	} else {
		c.Number = old.Number
	}
	if opens := c.State.Open() && c.MergedInto == ""; opens && (ch.Before == 0 || !old.State.Open() || old.MergedInto != "") {
		if !a.locked {
			return errReopens
		}
		a.refuseSecondOpen(c)
	}
	if err := putCase(&a.b, c, ch.Before == 0); err != nil {
		return err
	}
	a.moveAlerts(c, old.EventIDs)
	if err := a.audit(c.ID, ch.Audit); err != nil {
		return err
	}
	enqueue(&a.b, ch.Notifications)
	a.now[c.ID] = c
	a.out = append(a.out, c)
	return nil
}

// stale is a change against an old version, or beside another open case; see
// conflict.
type stale struct {
	id      string
	version int64
}

func (s *stale) Error() string { return fmt.Sprintf("case %s has version %d", s.id, s.version) }

// before answers the case that a change was made against; the zero case when
// it opens one.
func (a *applying) before(ch alerting.Change) (schemas.Case, error) {
	old, there := a.now[ch.Case.ID]
	switch {
	case !there && ch.Before == 0:
		return schemas.Case{}, nil
	case !there:
		return old, fmt.Errorf("case %s: %w", ch.Case.ID, alerting.ErrNotFound)
	case old.Version != ch.Before:
		return old, &stale{old.ID, old.Version}
	}
	return old, nil
}

// conflict names who changed a case last.
func (s caseStore) conflict(ctx context.Context, old *stale) error {
	last, err := first(ctx, s.d, pgx.ErrNoRows, scanDoc[schemas.CaseEvent], "SELECT doc FROM case_events WHERE case_id = $1 ORDER BY seq DESC LIMIT 1", old.id)
	if errors.Is(err, pgx.ErrNoRows) {
		last, err = schemas.CaseEvent{Actor: schemas.SystemActor}, nil
	}
	if err != nil {
		return fmt.Errorf("last entry of case %s: %w", old.id, err)
	}
	return &alerting.Conflict{By: last.Actor, Version: old.version}
}

// file queues that an event is in a case; ErrAlreadyFiled when it is in one,
// or was too old for one, already.
func (a *applying) file(al schemas.Alert, caseID, orderRef string) {
	a.b.add(func(n int64) error {
		if n == 0 {
			return fmt.Errorf("event %s: %w", al.EventID, alerting.ErrAlreadyFiled)
		}
		return nil
	}, fileAlertSQL, al.EventID, caseID, ms(al.RaisedAt), al.OpenedCase, strings.ToLower(orderRef))
}

// refuseSecondOpen queues the question for another open case with the same
// key, or one that the alias table says is the same customer.
func (a *applying) refuseSecondOpen(c schemas.Case) {
	a.b.addRows(func(r row) error {
		var s stale
		if err := r.Scan(&s.id, &s.version); err != nil {
			return err
		}
		return &s
	}, sameCustomer+` SELECT id, version FROM cases WHERE key IN (SELECT k FROM same) AND open AND merged_into = '' AND id <> $2 LIMIT 1`,
		[]string{indexed(c.Key)}, c.ID)
}

// moveAlerts lets the alerts of events that came to a case from another one
// (merge, split) point at where they are now.
func (a *applying) moveAlerts(c schemas.Case, had []string) {
	came := slices.DeleteFunc(slices.Clone(c.EventIDs), func(id string) bool { return slices.Contains(had, id) })
	if c.MergedInto == "" && len(came) > 0 {
		a.b.add(nil, "UPDATE case_alerts SET case_id = $1 WHERE event_id = ANY($2) AND case_id IS NOT NULL AND case_id <> $1", c.ID, came)
	}
}

// audit numbers and queues audit entries. An event that stands on an entry
// already means that it is filed.
func (a *applying) audit(caseID string, entries []schemas.CaseEvent) error {
	if len(entries) == 0 {
		return nil
	}
	var seqs, ats []int64
	var events, docs []string
	for _, e := range entries {
		a.seq[caseID]++
		e.CaseID, e.Seq = caseID, a.seq[caseID]
		doc, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("encode audit of case %s: %w", caseID, err)
		}
		seqs, ats, events, docs = append(seqs, e.Seq), append(ats, ms(e.At)), append(events, e.EventID), append(docs, string(doc))
	}
	a.b.add(func(n int64) error {
		if n < int64(len(entries)) {
			return fmt.Errorf("an event of case %s: %w", caseID, alerting.ErrAlreadyFiled)
		}
		return nil
	}, `INSERT INTO case_events (case_id, seq, at, event_id, doc)
		SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::text[])
		ON CONFLICT (event_id) WHERE event_id <> '' DO NOTHING`, caseID, seqs, ats, events, docs)
	return nil
}
