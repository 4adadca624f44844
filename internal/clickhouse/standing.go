package clickhouse

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"redalert/schemas"
)

// keysOf narrows a query to the keys of rows; all of them together name a
// superset of keys, but an event id stands in one key only.
func keysOf(rows []*eventRow) *where {
	var days, types, ids []string
	for _, r := range rows {
		e := r.scored.Event
		days, types, ids = append(days, e.OccurredAt.UTC().Format(time.DateOnly)), append(types, sourceType(e)), append(ids, e.ID)
	}
	w := &where{}
	w.add("toDate(occurred_at) IN {days:Array(Date)} AND source_type IN {types:Array(String)} AND event_id IN {ids:Array(String)}")
	w.list("days", distinct(days))
	w.list("types", distinct(types))
	w.list("ids", ids)
	return w
}

func distinct(values []string) []string {
	slices.Sort(values)
	return slices.Compact(values)
}

// loadStanding puts verdicts that stand already in place of the batch's own and
// answers which events have one.
func (d *DB) loadStanding(ctx context.Context, b *batch) (map[string]bool, error) {
	known := map[string]bool{}
	w := keysOf(b.rows)
	err := d.each(ctx, "SELECT event_id, verdict FROM events FINAL"+w.String(), w.args, func(scan func(...any) error) error {
		var id string
		var v []byte
		if err := scan(&id, &v); err != nil {
			return err
		}
		known[id] = true
		return b.stand(id, v)
	})
	if err != nil {
		return nil, fmt.Errorf("look for events stored before: %w", err)
	}
	return known, nil
}

// stand makes a stored verdict the answer for an event.
func (b *batch) stand(id string, verdict []byte) error {
	var v schemas.Verdict
	if err := json.Unmarshal(verdict, &v); err != nil {
		return fmt.Errorf("verdict of %s: %w", id, err)
	}
	b.standing[id] = v
	return nil
}

// nextWriter is a number that no other call has.
func (d *DB) nextWriter() uint64 { return d.writer + d.calls.Add(1) }
