package clickhouse

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"redalert/schemas"
)

// fewIDs is up to how many events are looked for by id, through the primary
// key. More of them touch most of their days' rows anyway; then the server is
// given hashes, which it reads and compares for a third of the time.
const fewIDs = 256

// lookUp ends a query by keysOf. The filters over ids would be asked for every
// id in every block of rows, and rule out next to none.
const lookUp = " SETTINGS use_skip_indexes = 0"

// keysOf narrows a query to the keys of rows and a few others: all conditions
// together name a superset, and two ids may have one hash. The caller takes no
// notice of events it did not ask for.
func keysOf(rows []*eventRow) *where {
	var days, types, ids []string
	for _, r := range rows {
		e := r.scored.Event
		days, types, ids = append(days, e.OccurredAt.UTC().Format(time.DateOnly)), append(types, sourceType(e)), append(ids, e.ID)
	}
	w := &where{}
	w.add("toDate(occurred_at) IN {days:Array(Date)} AND source_type IN {types:Array(String)}")
	w.list("days", distinct(days))
	w.list("types", distinct(types))
	if len(ids) <= fewIDs {
		w.add("event_id IN {ids:Array(String)}")
		w.list("ids", ids)
		return w
	}
	hashes := make([]uint64, len(ids))
	for i, id := range ids {
		hashes[i] = xxhash.Sum64String(id)
	}
	w.add("xxHash64(event_id) IN {hashes:Array(UInt64)}")
	w.bind("hashes", hashes)
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
	// Without FINAL a verdict is read only for the events that are there.
	err := d.each(ctx, "SELECT event_id, argMax(verdict, version) FROM events"+w.String()+" GROUP BY event_id"+lookUp, w.args, func(scan func(...any) error) error {
		var id string
		var v []byte
		if err := scan(&id, &v); err != nil || b.byID[id] == nil {
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
