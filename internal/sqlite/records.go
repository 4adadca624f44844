package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"

	"redalert/schemas"
	"redalert/signals"
)

var _ signals.Records = (*DB)(nil)

// Events lists events by (collected_at, id), as they were published.
func (d *DB) Events(ctx context.Context, q schemas.ListQuery) (schemas.Page[schemas.Event], error) {
	return listHistory(ctx, d, "events", q, "e.collected_at", "e.event_id", `SELECT p.value, e.collected_at, e.event_id
		FROM events e JOIN payloads p ON p.id = e.payload`, readEvent)
}

func readEvent(b []byte) (e schemas.Event, err error) { return e, e.UnmarshalJSON(b) }

// Verdicts lists standing verdicts by (scored_at, event id).
func (d *DB) Verdicts(ctx context.Context, q schemas.ListQuery) (schemas.Page[schemas.Verdict], error) {
	return listHistory(ctx, d, "verdicts", q, "v.scored_at", "v.event_id", `SELECT v.value, v.scored_at, v.event_id
		FROM verdicts v JOIN events e ON e.id = v.id`, decode[schemas.Verdict])
}

func decode[T any](b []byte) (v T, err error) { return v, json.Unmarshal(b, &v) }

// listHistory answers a page of a query for (JSON, time, id) over events e.
func listHistory[T any](ctx context.Context, d *DB, what string, q schemas.ListQuery, at, id, query string, read func([]byte) (T, error)) (schemas.Page[T], error) {
	var w where
	w.visible("e.location", q.Locations)
	if err := w.page(q, at, id); err != nil {
		return schemas.Page[T]{}, fmt.Errorf("list %s: %w", what, err)
	}
	limit := q.PageLimit()
	rows, err := d.read.QueryContext(ctx, query+w.String()+" ORDER BY "+at+", "+id+" LIMIT ?", append(w.args, limit+1)...)
	p, err := readPage(rows, err, limit, func(r *sql.Rows) (k keyed[T], err error) {
		var b sql.RawBytes
		if err := r.Scan(&b, &k.at, &k.id); err != nil {
			return k, err
		}
		k.item, err = read(b)
		return k, err
	})
	return p, unavailable("list "+what, err)
}

var orderColumns = "o.order_ref, " + canonicalOf("o.customer_id") + ", o.state, o.placed_at, o.changed_at, o.total, o.previous_total, o.currency, o.location"

func scanOrder(r *sql.Rows) (k keyed[schemas.OrderRecord], err error) {
	var changed int64
	var previous sql.NullInt64
	o := &k.item
	err = r.Scan(&o.OrderRef, &o.CustomerID, &o.State, &k.at, &changed, &o.Total.Amount, &previous, &o.Total.Currency, &o.Location)
	o.PlacedAt, o.ChangedAt, k.id = fromMS(k.at), fromMS(changed), o.OrderRef
	if previous.Valid {
		o.PreviousTotal = &schemas.Money{Amount: previous.Int64, Currency: o.Total.Currency}
	}
	return k, err
}

// Orders lists orders by (placed_at, ref); Since and Until bound placed_at.
// Customer ids are canonical.
func (d *DB) Orders(ctx context.Context, q schemas.ListQuery) (schemas.Page[schemas.OrderRecord], error) {
	var w where
	w.visible("o.location", q.Locations)
	if err := w.page(q, "o.placed_at", "o.order_ref"); err != nil {
		return schemas.Page[schemas.OrderRecord]{}, fmt.Errorf("list orders: %w", err)
	}
	limit := q.PageLimit()
	rows, err := d.read.QueryContext(ctx, "SELECT "+orderColumns+" FROM orders o"+w.String()+" ORDER BY o.placed_at, o.order_ref LIMIT ?", append(w.args, limit+1)...)
	p, err := readPage(rows, err, limit, scanOrder)
	return p, unavailable("list orders", err)
}

// Scored finds events with their verdicts; unknown ids are left out.
func (d *DB) Scored(ctx context.Context, eventIDs []string) ([]schemas.Scored, error) {
	found := make(map[string]schemas.Scored, len(eventIDs))
	rows, err := d.read.QueryContext(ctx, scoredQuery+" WHERE e.event_id IN (SELECT value FROM json_each(?))", idList(eventIDs))
	if err := each(rows, err, func(r *sql.Rows) error {
		s, err := scanScored(r)
		found[s.Event.ID] = s
		return err
	}); err != nil {
		return nil, unavailable("find events", err)
	}
	out := make([]schemas.Scored, 0, len(found))
	for _, id := range eventIDs {
		if s, ok := found[id]; ok {
			out = append(out, s)
		}
	}
	return out, nil
}

const scoredQuery = "SELECT p.value, v.value FROM events e JOIN payloads p ON p.id = e.payload JOIN verdicts v ON v.id = e.id"

func scanScored(r *sql.Rows) (s schemas.Scored, err error) {
	var event, verdict sql.RawBytes
	if err := r.Scan(&event, &verdict); err != nil {
		return s, err
	}
	if err := s.Event.UnmarshalJSON(event); err != nil {
		return s, err
	}
	return s, json.Unmarshal(verdict, &s.Verdict)
}

// CustomerOrders lists a customer's orders, aliases resolved, newest first.
func (d *DB) CustomerOrders(ctx context.Context, customerID string) ([]schemas.OrderRecord, error) {
	out := []schemas.OrderRecord{}
	rows, err := d.read.QueryContext(ctx, keysOf+"SELECT "+orderColumns+` FROM keys k CROSS JOIN orders o ON o.customer_id = k.id
		ORDER BY o.placed_at DESC, o.order_ref`, idList([]string{customerID}))
	err = each(rows, err, func(r *sql.Rows) error {
		k, err := scanOrder(r)
		out = append(out, k.item)
		return err
	})
	return out, unavailable("orders of customer "+customerID, err)
}

// CustomerEvents lists a customer's events, aliases resolved, newest first;
// limit ≤ 0 means 100.
func (d *DB) CustomerEvents(ctx context.Context, customerID string, limit int) ([]schemas.Scored, error) {
	if limit <= 0 {
		limit = 100
	}
	out := []schemas.Scored{}
	rows, err := d.read.QueryContext(ctx, keysOf+`SELECT p.value, v.value FROM (
			SELECT e.id, e.payload, e.occurred_at, e.event_id FROM keys k CROSS JOIN events e ON e.customer_id = k.id AND e.customer_id <> ''
			ORDER BY e.occurred_at DESC, e.event_id LIMIT ?
		) e JOIN payloads p ON p.id = e.payload JOIN verdicts v ON v.id = e.id ORDER BY e.occurred_at DESC, e.event_id`,
		idList([]string{customerID}), limit)
	err = each(rows, err, func(r *sql.Rows) error {
		s, err := scanScored(r)
		out = append(out, s)
		return err
	})
	return out, unavailable("events of customer "+customerID, err)
}

// keysOf begins a query over keys(asked, id): every id of each customer asked
// for, by a JSON array of ids. It has one argument.
var keysOf = strings.ReplaceAll(`WITH asked (id) AS MATERIALIZED (SELECT DISTINCT value FROM json_each(?) WHERE value <> ''),
	keys (asked, id) AS MATERIALIZED (
		SELECT id, CANONICAL FROM asked
		UNION SELECT asked.id, a.id FROM asked CROSS JOIN customer_aliases a ON a.canonical = CANONICAL)
	`, "CANONICAL", canonicalOf("asked.id"))

// Totals sums up each customer's orders, aliases resolved; customers without
// any order event are left out. An order counts unless it was cancelled or only
// its end is known; revenue is net and may be negative (cancellations of orders
// nobody has seen).
func (d *DB) Totals(ctx context.Context, customerIDs []string) (map[string]signals.CustomerTotals, error) {
	out := make(map[string]signals.CustomerTotals, len(customerIDs))
	rows, err := d.read.QueryContext(ctx, keysOf+`SELECT k.asked, count(*) FILTER (WHERE o.known AND o.state <> 'cancelled'), sum(o.net),
			min(o.placed_at) FILTER (WHERE o.known AND o.state <> 'cancelled'), max(o.placed_at) FILTER (WHERE o.known AND o.state <> 'cancelled')
		FROM keys k CROSS JOIN orders o ON o.customer_id = k.id GROUP BY k.asked`, idList(customerIDs))
	err = each(rows, err, func(r *sql.Rows) error {
		var id string
		var t signals.CustomerTotals
		var first, last sql.NullInt64
		if err := r.Scan(&id, &t.Orders, &t.Revenue, &first, &last); err != nil {
			return err
		}
		if first.Valid {
			t.FirstOrderAt, t.LastOrderAt = fromMS(first.Int64), fromMS(last.Int64)
		}
		out[id] = t
		return nil
	})
	return out, unavailable("totals of customers", err)
}
