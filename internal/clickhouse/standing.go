package clickhouse

import (
	"cmp"
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

// rival is a stored row of an event that another call stored too.
type rival struct {
	verdict  []byte
	scoredAt time.Time
	rescore  uint16
	settled  uint8
	block    uint64 // rises with each insert
	version  string // as the table compares it, of equal length
}

// settle looks, after rows were inserted, whether another process stored the
// same event between our look-up and our insert. Of such rows the one inserted
// first stands: the other process has answered it already. Where the table
// would let another stand, because it was scored earlier, a copy of the first
// with settled set takes its place.
func (d *DB) settle(ctx context.Context, b *batch, fresh []*eventRow, writer uint64) error {
	rivals, err := d.rivals(ctx, fresh, writer)
	if err != nil || len(rivals) == 0 {
		return err
	}
	var copies []*eventRow
	for _, r := range fresh {
		rows := rivals[r.scored.Event.ID]
		if len(rows) == 0 {
			continue
		}
		first := slices.MinFunc(rows, func(a, b rival) int {
			return cmp.Or(cmp.Compare(b.rescore, a.rescore), cmp.Compare(b.settled, a.settled), cmp.Compare(a.block, b.block))
		})
		top := slices.MaxFunc(rows, func(a, b rival) int { return cmp.Compare(a.version, b.version) })
		if err := b.stand(r.scored.Event.ID, first.verdict); err != nil {
			return err
		}
		if top.version != first.version {
			c, err := newEventRow(schemas.Scored{Event: r.scored.Event, Verdict: b.standing[r.scored.Event.ID]})
			if err != nil {
				return err
			}
			c.verdict, c.rescore, c.settled = string(first.verdict), first.rescore, 1
			copies = append(copies, c)
		}
	}
	if len(copies) == 0 {
		return nil
	}
	d.c.Log.Warn("two scorers stored the same events at once; the first verdicts stand", "events", len(copies))
	return d.insert(ctx, eventsTable, eventColumns(copies, writer))
}

// rivals answers every stored row of those events that another call stored too.
func (d *DB) rivals(ctx context.Context, fresh []*eventRow, writer uint64) (map[string][]rival, error) {
	w := keysOf(fresh)
	w.bind("writer", writer)
	out := map[string][]rival{}
	err := d.each(ctx, "SELECT DISTINCT event_id FROM events"+w.String()+" AND writer != {writer:UInt64}", w.args, func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		out[id] = nil
		return err
	})
	if err != nil || len(out) == 0 {
		return nil, err
	}
	var rows []*eventRow
	for _, r := range fresh {
		if _, ok := out[r.scored.Event.ID]; ok {
			rows = append(rows, r)
		}
	}
	w = keysOf(rows)
	err = d.each(ctx, "SELECT event_id, verdict, scored_at, rescore, settled, _block_number, leftPad(toString(version), 39, '0') FROM events"+w.String(), w.args,
		func(scan func(...any) error) error {
			var id string
			var r rival
			err := scan(&id, &r.verdict, &r.scoredAt, &r.rescore, &r.settled, &r.block, &r.version)
			out[id] = append(out[id], r)
			return err
		})
	return out, err
}

// nextWriter is a number that no other call has.
func (d *DB) nextWriter() uint64 { return d.writer + d.calls.Add(1) }
