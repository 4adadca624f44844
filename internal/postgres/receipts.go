package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"redalert/ingest"
	"redalert/schemas"
)

var _ ingest.Receipts = (*DB)(nil)

// standing is the receipt that stands for an event id.
type standing struct {
	hash  string
	event *schemas.Event // nil when published
}

// reserveSQL stores what has no receipt yet and answers those ids. Ids are
// sorted, so that two calls with the same ones wait for each other in one
// order; pending events keep the order they were given in.
const reserveSQL = `WITH given AS (
	SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[]) WITH ORDINALITY AS g(event_id, hash, event, n)
), fresh AS (
	INSERT INTO receipts (event_id, hash) SELECT event_id, hash FROM given ORDER BY event_id COLLATE "C"
	ON CONFLICT DO NOTHING RETURNING event_id
), kept AS (
	INSERT INTO receipts_pending (event_id, event)
	SELECT event_id, event FROM given JOIN fresh USING (event_id) ORDER BY n
)
SELECT event_id FROM fresh`

// Reserve stores pending receipts; see ingest.Receipts. New ones take one round
// trip, and one more when some are known already.
func (d *DB) Reserve(ctx context.Context, receipts []ingest.Receipt) ([]ingest.Reservation, error) {
	if len(receipts) == 0 {
		return nil, nil
	}
	var given given
	for _, r := range receipts {
		if err := given.add(r); err != nil {
			return nil, err
		}
	}
	var fresh []string
	err := d.retry(ctx, func(ctx context.Context) (err error) {
		fresh, err = all(ctx, querier{d.pool}, value[string], reserveSQL, given.ids, given.hashes, given.events)
		return err
	})
	if err != nil {
		return nil, unavailable("reserve events", err)
	}
	known, err := d.standing(ctx, given.ids, fresh)
	if err != nil {
		return nil, unavailable("look for receipts", err)
	}
	return answers(receipts, known), nil
}

// given are the receipts of one call, one for each id: the first.
type given struct {
	ids, hashes []string
	events      [][]byte
	seen        map[string]bool
}

func (g *given) add(r ingest.Receipt) error {
	if g.seen[r.Event.ID] {
		return nil
	}
	if g.seen == nil {
		g.seen = map[string]bool{}
	}
	g.seen[r.Event.ID] = true
	b, err := r.Event.MarshalJSON()
	if err != nil {
		return fmt.Errorf("reserve event %s: %w", r.Event.ID, err)
	}
	g.ids, g.hashes, g.events = append(g.ids, r.Event.ID), append(g.hashes, r.ContentHash), append(g.events, b)
	return nil
}

// standing answers the receipts of those ids that were there before.
func (d *DB) standing(ctx context.Context, ids, fresh []string) (map[string]standing, error) {
	known := map[string]standing{}
	if len(fresh) == len(ids) {
		return known, nil
	}
	isNew := make(map[string]bool, len(fresh))
	for _, id := range fresh {
		isNew[id] = true
	}
	old := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return isNew[id] })
	_, err := query(ctx, d, func(r row) (struct{}, error) {
		var id string
		var s standing
		var event []byte
		err := r.Scan(&id, &s.hash, &event)
		if err == nil && event != nil {
			s.event = new(schemas.Event)
			err = s.event.UnmarshalJSON(event)
		}
		known[id] = s
		return struct{}{}, err
	}, `SELECT r.event_id, r.hash, p.event FROM receipts r LEFT JOIN receipts_pending p USING (event_id)
		WHERE r.event_id = ANY($1)`, old)
	return known, err
}

// answers tells for each receipt what it met: nothing, what stood before, or
// an earlier one of the same call.
func answers(receipts []ingest.Receipt, known map[string]standing) []ingest.Reservation {
	out := make([]ingest.Reservation, len(receipts))
	for i, r := range receipts {
		s, ok := known[r.Event.ID]
		switch {
		case !ok:
			known[r.Event.ID] = standing{hash: r.ContentHash, event: &receipts[i].Event}
		case s.hash != r.ContentHash:
			out[i].Outcome = ingest.ReceiptConflict
		case s.event == nil:
			out[i] = ingest.Reservation{Outcome: ingest.ReceiptDuplicate, Published: true}
		default:
			out[i] = ingest.Reservation{Outcome: ingest.ReceiptDuplicate, Stored: *s.event}
		}
	}
	return out
}

// MarkPublished marks receipts; unknown ids are left alone. The event itself is
// in the log now and is not kept here any longer.
func (d *DB) MarkPublished(ctx context.Context, eventIDs []string) error {
	if len(eventIDs) == 0 {
		return nil
	}
	_, err := d.exec(ctx, `DELETE FROM receipts_pending WHERE seq IN (
		SELECT seq FROM receipts_pending WHERE event_id = ANY($1) ORDER BY seq FOR UPDATE)`, eventIDs)
	return unavailable("mark events published", err)
}

// Pending lists events that were reserved and never marked, oldest first, as
// far as Config.PendingAge lets it; limit ≤ 0 means 1,000. What another
// instance is working on right now is listed too.
func (d *DB) Pending(ctx context.Context, limit int) ([]schemas.Event, error) {
	if limit <= 0 {
		limit = 1000
	}
	events, err := query(ctx, d, func(r row) (e schemas.Event, err error) {
		var b []byte
		if err = r.Scan(&b); err == nil {
			err = e.UnmarshalJSON(b)
		}
		return e, err
	}, `SELECT event FROM receipts_pending WHERE reserved_at <= clock_timestamp() - make_interval(secs => $2)
		ORDER BY seq LIMIT $1`, limit, d.cfg.PendingAge.Seconds())
	return events, unavailable("list pending events", err)
}

// Unpublished counts events that were reserved and never marked, and says how
// long it takes, by the server's clock, until Pending lists the youngest of
// them; 0 when it lists all of them now.
func (d *DB) Unpublished(ctx context.Context) (n int64, wait time.Duration, err error) {
	type found struct {
		n     int64
		since float64 // seconds
	}
	f, err := first(ctx, d, nil, func(r row) (f found, err error) {
		err = r.Scan(&f.n, &f.since)
		return f, err
	}, "SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - max(reserved_at)), 0)::double precision FROM receipts_pending")
	if f.n > 0 {
		wait = max(0, d.cfg.PendingAge-time.Duration(f.since*float64(time.Second)))
	}
	return f.n, wait, unavailable("count unpublished events", err)
}
