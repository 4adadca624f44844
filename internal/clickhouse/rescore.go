package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"math"

	"redalert/schemas"
)

// Rescore puts new verdicts in the place of standing ones: rows of the same key
// whose version begins with a higher number of the rescore; see
// signals.History. The events' own columns are written as history has them. It is no
// transaction: after an error some of it may be in, and calling it again
// completes it.
func (d *DB) Rescore(ctx context.Context, scored []schemas.Scored) error {
	const what = "rescore"
	if len(scored) == 0 {
		return nil
	}
	var w where
	ids, last := make([]string, len(scored)), make(map[string]schemas.Verdict, len(scored))
	for i, s := range scored {
		s.Verdict.EventID = s.Event.ID
		ids[i], last[s.Event.ID] = s.Event.ID, s.Verdict
	}
	w.list("ids", ids)
	var rows []*eventRow
	err := d.each(ctx, "SELECT event, rescore FROM events FINAL WHERE "+key+" IN (SELECT "+key+" FROM events WHERE event_id IN {ids:Array(String)})", w.args,
		func(scan func(...any) error) error {
			var b []byte
			var number uint16
			if err := scan(&b, &number); err != nil {
				return err
			}
			e, err := readEvent(b)
			if err != nil {
				return err
			}
			v, ok := last[e.ID]
			if !ok {
				return nil
			}
			if number == math.MaxUint16 {
				return errors.New("an event was scored again 65,535 times; history counts no further")
			}
			r, err := newEventRow(schemas.Scored{Event: e, Verdict: v})
			if err != nil {
				return fmt.Errorf("event %s: %w", e.ID, err)
			}
			r.rescore = number + 1
			rows = append(rows, r)
			return nil
		})
	if err != nil || len(rows) == 0 {
		return unavailable(what, err)
	}
	return unavailable(what, d.insertEvents(ctx, rows, d.nextWriter()))
}
