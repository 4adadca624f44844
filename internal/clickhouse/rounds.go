package clickhouse

import (
	"context"
	"slices"

	"redalert/schemas"
	"redalert/signals"
)

var _ signals.Rounds = (*DB)(nil)

// Ordered lists customers who have placed an order; see signals.Rounds.
func (d *DB) Ordered(ctx context.Context, after string, limit int) (ids []string, next string, err error) {
	const what = "list customers with orders"
	ids = []string{}
	if err := d.follow(ctx); err != nil {
		return ids, "", unavailable(what, err)
	}
	var w where
	w.add("customer_id > {after:String} AND type = 'order.placed'") // "" is below every id
	w.bind("after", after)
	w.bind("limit", limit)
	n := 0
	err = d.each(ctx, "SELECT DISTINCT customer_id FROM order_events"+w.String()+" ORDER BY customer_id LIMIT {limit:UInt32}", w.args, func(scan func(...any) error) error {
		n++
		err := scan(&next)
		ids = append(ids, d.aliases.of(next))
		return err
	})
	if n < limit {
		next = ""
	}
	slices.Sort(ids)
	return slices.Compact(ids), next, unavailable(what, err)
}

// Words lists events of one type with their verdicts; see signals.Rounds.
func (d *DB) Words(ctx context.Context, t schemas.EventType, q schemas.ListQuery) (schemas.Page[schemas.Scored], error) {
	const what = "list messages"
	var w where
	w.add("source_type = {source_type:String} AND type = {type:String}")
	w.bind("source_type", string(schemas.SourceTypeOf(t)))
	w.bind("type", string(t))
	w.visible(q.Locations)
	if err := w.page(q, "collected_at", "event_id"); err != nil {
		return schemas.Page[schemas.Scored]{}, unavailable(what, err)
	}
	w.bind("limit", q.PageLimit()+1)
	const order = " ORDER BY collected_at, event_id"
	query := "SELECT event, verdict, collected_at, event_id FROM events FINAL WHERE " + key + " IN (SELECT " + key +
		" FROM events FINAL" + w.String() + order + " LIMIT {limit:UInt32})" + order
	p, err := readPage(ctx, d, query, w.args, q.PageLimit(), func(scan func(...any) error) (k keyed[schemas.Scored], err error) {
		k.item, err = scanScored(func(into ...any) error { return scan(append(into, &k.at, &k.id)...) })
		return k, err
	})
	return p, unavailable(what, err)
}
