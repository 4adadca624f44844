package clickhouse

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"redalert/schemas"
)

// stored is one row of an event that more than one call stored.
type stored struct {
	verdict []byte
	rescore uint16
	mine    bool
	block   uint64 // rises, more or less, with each insert
	version string // as the table compares it, of equal length
}

// settle looks, after rows were inserted, whether another process stored the
// same event between our look-up and our insert. If so, both must answer, and
// leave, the same verdict. Whoever inserted first may have seen no rival and
// answered its own by now, so a call that sees one always claims the rival's
// verdict for the event, never its own; the first claim counts. Of two calls
// that see each other both thus follow one claim; of two where only one sees the
// other, that one gives way. Where the table would let another row stand, a
// copy of the claimed one with settled set takes its place.
//
// Should three processes store one event within the same milliseconds, the
// second and third may both give way to each other instead of to the first.
func (d *DB) settle(ctx context.Context, b *batch, fresh []*eventRow, writer uint64) error {
	contested, err := d.contested(ctx, fresh, writer)
	if err != nil || len(contested) == 0 {
		return err
	}
	claimed, err := d.claim(ctx, proposals(contested))
	if err != nil {
		return fmt.Errorf("claim: %w", err)
	}
	var copies []*eventRow
	for id, rows := range contested {
		top := slices.MaxFunc(rows, func(a, b stored) int { return cmp.Compare(a.version, b.version) })
		verdict, ok := claimed[id]
		if !ok || top.rescore > 0 {
			verdict = top.verdict
		}
		if err := b.stand(id, verdict); err != nil {
			return err
		}
		if string(verdict) != string(top.verdict) {
			c, err := newEventRow(schemas.Scored{Event: b.byID[id].scored.Event, Verdict: b.standing[id]})
			if err != nil {
				return err
			}
			c.verdict, c.settled = string(verdict), 1
			copies = append(copies, c)
		}
	}
	d.c.Log.Warn("two processes stored the same events at once; one verdict of each stands", "events", len(contested), "corrected", len(copies))
	if len(copies) == 0 {
		return nil
	}
	return d.insert(ctx, eventsTable, eventColumns(copies, writer))
}

// contested answers every stored row of those events that another call stored
// too.
func (d *DB) contested(ctx context.Context, fresh []*eventRow, writer uint64) (map[string][]stored, error) {
	w := keysOf(fresh)
	w.bind("writer", writer)
	var ids map[string]bool
	err := d.each(ctx, "SELECT DISTINCT event_id FROM events"+w.String()+" AND writer != {writer:UInt64}"+lookUp, w.args, func(scan func(...any) error) error {
		if ids == nil {
			ids = map[string]bool{}
		}
		var id string
		err := scan(&id)
		ids[id] = true
		return err
	})
	if err != nil {
		return nil, err
	}
	rows := slices.DeleteFunc(slices.Clone(fresh), func(r *eventRow) bool { return !ids[r.scored.Event.ID] })
	if len(rows) == 0 {
		return nil, nil
	}
	out := make(map[string][]stored, len(rows))
	for _, r := range rows {
		out[r.scored.Event.ID] = nil
	}
	w = keysOf(rows)
	err = d.each(ctx, "SELECT event_id, verdict, rescore, writer, _block_number, leftPad(toString(version), 39, '0') FROM events"+w.String()+lookUp, w.args,
		func(scan func(...any) error) error {
			var id string
			var r stored
			var by uint64
			err := scan(&id, &r.verdict, &r.rescore, &by, &r.block, &r.version)
			r.mine = by == writer
			if _, ok := out[id]; ok {
				out[id] = append(out[id], r)
			}
			return err
		})
	return out, err
}

// proposals names for each event the rival's verdict, of several the one
// inserted first.
func proposals(contested map[string][]stored) map[string][]byte {
	out := map[string][]byte{}
	for id, rows := range contested {
		rivals := slices.DeleteFunc(slices.Clone(rows), func(r stored) bool { return r.mine })
		if len(rivals) > 0 {
			out[id] = slices.MinFunc(rivals, func(a, b stored) int { return cmp.Compare(a.block, b.block) }).verdict
		}
	}
	return out
}

const (
	claimTries = 100
	claimPause = 20 * time.Millisecond // between looks for a claim that another call is just making
)

// claim answers the verdict claimed for each event, claiming ours for those
// that have none yet.
func (d *DB) claim(ctx context.Context, ours map[string][]byte) (map[string][]byte, error) {
	var ids []string
	for id := range ours {
		ids = append(ids, id)
	}
	for try := range claimTries {
		claimed, err := d.claims(ctx, ids)
		if err != nil || len(claimed) == len(ids) {
			return claimed, err
		}
		for id, verdict := range ours {
			if claimed[id] == nil {
				if err := d.insertClaim(ctx, id, verdict); err != nil {
					return nil, err
				}
			}
		}
		if try > 0 {
			if err := pause(ctx, claimPause); err != nil {
				return nil, err
			}
		}
	}
	return nil, fmt.Errorf("some of %d events cannot be claimed", len(ids))
}

func (d *DB) claims(ctx context.Context, ids []string) (map[string][]byte, error) {
	var w where
	w.add("event_id IN {ids:Array(String)}")
	w.list("ids", ids)
	out := map[string][]byte{}
	err := d.each(ctx, "SELECT event_id, argMin(verdict, at) FROM claims"+w.String()+" GROUP BY event_id", w.args, func(scan func(...any) error) error {
		var id string
		var verdict []byte
		err := scan(&id, &verdict)
		out[id] = verdict
		return err
	})
	return out, err
}

// insertClaim does nothing when the event is claimed already.
func (d *DB) insertClaim(ctx context.Context, id string, verdict []byte) error {
	return d.insert(ctx, claimsTable, columns{[]string{id}, []string{string(verdict)}, []time.Time{clip(d.c.Now())}},
		driver.Settings{"insert_deduplicate": 1, "insert_deduplication_token": id})
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
