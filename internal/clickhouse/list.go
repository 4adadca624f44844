package clickhouse

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"redalert/schemas"
)

// key is the primary key of events. A listing finds keys first, in columns that
// are small, and then reads whole events by them.
const key = "(toDate(occurred_at), source_type, event_id)"

// Events lists events by (collected_at, id), as they were published.
func (d *DB) Events(ctx context.Context, q schemas.ListQuery) (schemas.Page[schemas.Event], error) {
	return listEvents(ctx, d, "events", "event", "collected_at", q, readEvent)
}

// Verdicts lists standing verdicts by (scored_at, event id).
func (d *DB) Verdicts(ctx context.Context, q schemas.ListQuery) (schemas.Page[schemas.Verdict], error) {
	return listEvents(ctx, d, "verdicts", "verdict", "scored_at", q, readVerdict)
}

func readEvent(b []byte) (e schemas.Event, err error) { return e, e.UnmarshalJSON(b) }

func readVerdict(b []byte) (v schemas.Verdict, err error) { return v, json.Unmarshal(b, &v) }

// listEvents answers a page of the JSON in column value by (at, event id).
func listEvents[T any](ctx context.Context, d *DB, what, value, at string, q schemas.ListQuery, read func([]byte) (T, error)) (schemas.Page[T], error) {
	what = "list " + what
	var w where
	w.visible(q.Locations)
	if err := w.page(q, at, "event_id"); err != nil {
		return schemas.Page[T]{}, fmt.Errorf("%s: %w", what, err)
	}
	w.bind("limit", q.PageLimit()+1)
	order := " ORDER BY " + at + ", event_id"
	query := "SELECT " + value + ", " + at + ", event_id FROM events FINAL WHERE " + key + " IN (SELECT " + key +
		" FROM events FINAL" + w.String() + order + " LIMIT {limit:UInt32})" + order
	p, err := readPage(ctx, d, query, w.args, q.PageLimit(), func(scan func(...any) error) (k keyed[T], err error) {
		var b []byte
		if err := scan(&b, &k.at, &k.id); err != nil {
			return k, err
		}
		k.item, err = read(b)
		return k, err
	})
	return p, unavailable(what, err)
}

// keyed is a row of a listing with its sort key.
type keyed[T any] struct {
	item T
	at   time.Time
	id   string
}

// readPage runs a listing that asks for one row more than the page holds.
func readPage[T any](ctx context.Context, d *DB, query string, args []any, limit int, read func(func(...any) error) (keyed[T], error)) (schemas.Page[T], error) {
	p := schemas.Page[T]{Items: []T{}}
	var last keyed[T]
	err := d.each(ctx, query, args, func(scan func(...any) error) error {
		k, err := read(scan)
		switch {
		case err != nil:
			return err
		case len(p.Items) == limit:
			p.Next = schemas.EncodeCursor(ms(last.at), last.id)
			return nil
		}
		p.Items, last = append(p.Items, k.item), k
		return nil
	})
	return p, err
}

const selectOrders = "SELECT order_ref, customer_id, state, placed_at, changed_at, total, previous_total, currency, location FROM orders FINAL"

func (d *DB) scanOrder(scan func(...any) error) (k keyed[schemas.OrderRecord], err error) {
	var state string
	var previous *int64
	o := &k.item
	err = scan(&o.OrderRef, &o.CustomerID, &state, &o.PlacedAt, &o.ChangedAt, &o.Total.Amount, &previous, &o.Total.Currency, &o.Location)
	o.State, o.CustomerID = schemas.OrderState(state), d.aliases.of(o.CustomerID)
	o.PlacedAt, o.ChangedAt = o.PlacedAt.UTC(), o.ChangedAt.UTC()
	if previous != nil {
		o.PreviousTotal = &schemas.Money{Amount: *previous, Currency: o.Total.Currency}
	}
	k.at, k.id = o.PlacedAt, o.OrderRef
	return k, err
}

// Orders lists orders by (placed_at, ref); Since and Until bound placed_at.
// Customer ids are canonical.
func (d *DB) Orders(ctx context.Context, q schemas.ListQuery) (schemas.Page[schemas.OrderRecord], error) {
	const what = "list orders"
	var w where
	w.visible(q.Locations)
	if err := w.page(q, "placed_at", "order_ref"); err != nil {
		return schemas.Page[schemas.OrderRecord]{}, fmt.Errorf("%s: %w", what, err)
	}
	if err := d.follow(ctx); err != nil {
		return schemas.Page[schemas.OrderRecord]{}, unavailable(what, err)
	}
	w.bind("limit", q.PageLimit()+1)
	p, err := readPage(ctx, d, selectOrders+w.String()+" ORDER BY placed_at, order_ref LIMIT {limit:UInt32}", w.args, q.PageLimit(), d.scanOrder)
	return p, unavailable(what, err)
}
