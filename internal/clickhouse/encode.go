package clickhouse

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"redalert/schemas"
	"redalert/signals"
	"redalert/signals/churn"
)

// eventRow is an event with its verdict as history keeps it, checked: what it
// holds fits the columns.
type eventRow struct {
	scored     schemas.Scored
	event      string // JSON
	verdict    string // JSON
	localDate  time.Time
	order      *churn.OrderEvent // nil unless it is an order event
	categories []string
	settled    uint8
	rescore    uint16
}

// batch is what one Store writes, encoded before anything is sent.
type batch struct {
	rows     []*eventRow // first of each event id
	byID     map[string]*eventRow
	standing map[string]schemas.Verdict
}

// newBatch encodes a batch. Events that do not fit are a *signals.RejectedError.
func newBatch(scored []schemas.Scored) (*batch, error) {
	b := &batch{byID: make(map[string]*eventRow, len(scored)), standing: make(map[string]schemas.Verdict, len(scored))}
	var rejected signals.RejectedError
	for _, s := range scored {
		id := s.Event.ID
		if _, ok := b.standing[id]; ok {
			continue
		}
		s.Verdict.EventID = id
		b.standing[id] = s.Verdict
		r, err := newEventRow(s)
		if err != nil {
			rejected.Events = append(rejected.Events, signals.Rejection{EventID: id, Reason: err.Error()})
			continue
		}
		b.rows, b.byID[id] = append(b.rows, r), r
	}
	if len(rejected.Events) > 0 {
		return nil, &rejected
	}
	return b, nil
}

func newEventRow(s schemas.Scored) (*eventRow, error) {
	r := &eventRow{scored: s}
	err := cmp.Or(fits("time", s.Event.OccurredAt), fits("time it was collected", s.Event.CollectedAt), fits("time it was scored", s.Verdict.ScoredAt))
	if err != nil {
		return nil, err
	}
	if r.localDate, err = time.Parse(time.DateOnly, s.Event.LocalDate); err != nil {
		return nil, fmt.Errorf("its local date %q is not a day such as 2026-03-01", s.Event.LocalDate)
	}
	if err := fits("local date", r.localDate); err != nil {
		return nil, err
	}
	event, err := s.Event.MarshalJSON()
	switch {
	case err != nil && !json.Valid(s.Event.Data):
		return nil, errors.New("its data is no JSON")
	case err != nil:
		return nil, err
	}
	verdict, err := s.Verdict.AppendJSON(make([]byte, 0, 256))
	if err != nil {
		return nil, fmt.Errorf("its verdict: %w", err)
	}
	r.event, r.verdict = string(event), string(verdict)
	r.categories = make([]string, len(s.Verdict.Categories))
	for i, c := range s.Verdict.Categories {
		r.categories[i] = string(c)
	}
	if s.Event.Type.IsOrder() {
		return r, r.readOrder()
	}
	return r, nil
}

func (r *eventRow) readOrder() error {
	x, err := churn.ReadOrderEvent(r.scored.Event)
	if err != nil {
		return err
	}
	r.order = &x
	if x.PlacedAt != nil && !x.PlacedAt.IsZero() {
		return fits("time it was placed", *x.PlacedAt)
	}
	return nil
}

func fits(what string, t time.Time) error {
	if t.Before(earliest) || !t.Before(latest) {
		return fmt.Errorf("its %s lies in the year %d, which history cannot hold", what, t.UTC().Year())
	}
	return nil
}

// clip brings a time to the precision of the columns.
func clip(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// eventColumns are the rows as the columns of eventsTable.
func eventColumns(rows []*eventRow, writer uint64) columns {
	n := len(rows)
	text := func(value func(*eventRow) string) []string {
		out := make([]string, n)
		for i, r := range rows {
			out[i] = value(r)
		}
		return out
	}
	occurred, collected, scored, days := make([]time.Time, n), make([]time.Time, n), make([]time.Time, n), make([]time.Time, n)
	red, categories := make([]bool, n), make([][]string, n)
	rescore, settled := make([]uint16, n), make([]uint8, n)
	for i, r := range rows {
		e, v := r.scored.Event, r.scored.Verdict
		occurred[i], collected[i], scored[i], days[i] = clip(e.OccurredAt), clip(e.CollectedAt), clip(v.ScoredAt), r.localDate
		red[i], categories[i], rescore[i], settled[i] = v.Red, r.categories, r.rescore, r.settled
	}
	return columns{
		text(func(r *eventRow) string { return r.scored.Event.ID }),
		text(func(r *eventRow) string { return sourceType(r.scored.Event) }),
		text(func(r *eventRow) string { return string(r.scored.Event.Type) }),
		text(func(r *eventRow) string { return r.scored.Event.Source }),
		text(func(r *eventRow) string { return r.scored.Event.Location }),
		text(func(r *eventRow) string { return r.scored.Event.CustomerID }),
		occurred, collected, days,
		text(func(r *eventRow) string { return r.event }),
		rescore, settled, scored, red, categories,
		text(func(r *eventRow) string { return r.verdict }),
		slices.Repeat([]uint64{writer}, n),
	}
}

func sourceType(e schemas.Event) string { return string(schemas.SourceTypeOf(e.Type)) }
