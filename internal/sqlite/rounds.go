package sqlite

import (
	"context"
	"database/sql"
	"slices"

	"redalert/schemas"
	"redalert/signals"
)

var _ signals.Rounds = (*DB)(nil)

// Ordered lists customers who have placed an order; see signals.Rounds.
func (d *DB) Ordered(ctx context.Context, after string, limit int) (ids []string, next string, err error) {
	ids = []string{}
	rows, err := d.query(ctx, `SELECT r.raw, `+canonicalOf("r.raw")+` FROM (
			SELECT DISTINCT customer_id AS raw FROM order_events
			WHERE customer_id <> '' AND customer_id > ? AND type = 'order.placed' ORDER BY customer_id LIMIT ?) r ORDER BY r.raw`, after, limit)
	n := 0
	err = each(rows, err, func(r *sql.Rows) error {
		var canonical string
		n++
		err := r.Scan(&next, &canonical)
		ids = append(ids, canonical)
		return err
	})
	if n < limit {
		next = ""
	}
	slices.Sort(ids)
	return slices.Compact(ids), next, unavailable("list customers with orders", err)
}

// Words lists events of one type with their verdicts; see signals.Rounds. The
// index events_words holds the types named here, which is why they are.
func (d *DB) Words(ctx context.Context, t schemas.EventType, q schemas.ListQuery) (schemas.Page[schemas.Scored], error) {
	const what = "list messages"
	var w where
	if t == schemas.EmailReceived || t == schemas.ReplySent {
		w.add("e.type IN ('feedback.email.received', 'reply.sent')")
	}
	w.add("e.type = ?", string(t))
	w.visible("e.location", q.Locations)
	if err := w.page(q, "e.collected_at", "e.event_id"); err != nil {
		return schemas.Page[schemas.Scored]{}, unavailable(what, err)
	}
	limit := q.PageLimit()
	rows, err := d.read.QueryContext(ctx, scoredQuery+w.String()+" ORDER BY e.collected_at, e.event_id LIMIT ?", append(w.args, limit+1)...)
	p, err := readPage(rows, err, limit, func(r *sql.Rows) (k keyed[schemas.Scored], err error) {
		k.item, err = scanScored(r)
		k.at, k.id = ms(k.item.Event.CollectedAt), k.item.Event.ID
		return k, err
	})
	return p, unavailable(what, err)
}
