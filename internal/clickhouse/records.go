package clickhouse

import (
	"context"
	"time"

	"redalert/schemas"
	"redalert/signals"
)

func scanScored(scan func(...any) error) (s schemas.Scored, err error) {
	var event, verdict []byte
	if err := scan(&event, &verdict); err != nil {
		return s, err
	}
	if s.Event, err = readEvent(event); err != nil {
		return s, err
	}
	s.Verdict, err = readVerdict(verdict)
	return s, err
}

// Scored finds events with their verdicts; unknown ids are left out.
func (d *DB) Scored(ctx context.Context, eventIDs []string) ([]schemas.Scored, error) {
	if len(eventIDs) == 0 {
		return []schemas.Scored{}, nil
	}
	var w where
	w.list("ids", eventIDs)
	found := make(map[string]schemas.Scored, len(eventIDs))
	err := d.each(ctx, "SELECT event, verdict FROM events FINAL WHERE "+key+" IN (SELECT "+key+" FROM events WHERE event_id IN {ids:Array(String)})", w.args,
		func(scan func(...any) error) error {
			s, err := scanScored(scan)
			found[s.Event.ID] = s
			return err
		})
	if err != nil {
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

// CustomerEvents lists a customer's events, aliases resolved, newest first;
// limit ≤ 0 means 100.
func (d *DB) CustomerEvents(ctx context.Context, customerID string, limit int) ([]schemas.Scored, error) {
	what := "events of customer " + customerID
	if limit <= 0 {
		limit = 100
	}
	keys, _, err := d.keys(ctx, customerID)
	out := []schemas.Scored{}
	if err != nil || len(keys) == 0 {
		return out, unavailable(what, err)
	}
	var w where
	w.list("keys", keys)
	w.bind("limit", limit)
	const newest = " ORDER BY occurred_at DESC, event_id"
	err = d.each(ctx, "SELECT event, verdict FROM events FINAL WHERE "+key+" IN (SELECT "+key+" FROM events WHERE customer_id IN {keys:Array(String)}"+
		newest+" LIMIT 1 BY event_id LIMIT {limit:UInt32})"+newest, w.args, func(scan func(...any) error) error {
		s, err := scanScored(scan)
		out = append(out, s)
		return err
	})
	return out, unavailable(what, err)
}

// keys lists every id of customers, with aliases up to date; see aliases.keys.
func (d *DB) keys(ctx context.Context, customerIDs ...string) ([]string, map[string][]string, error) {
	if err := d.follow(ctx); err != nil {
		return nil, nil, err
	}
	keys, askedBy := d.aliases.keys(customerIDs)
	return keys, askedBy, nil
}

// ordersOf narrows a query on orders to those of customers, by keys given as
// {keys}. Orders are found by any row they have had, and then read as they stand.
const ordersOf = " WHERE order_ref IN (SELECT order_ref FROM orders WHERE customer_id IN {keys:Array(String)}) AND customer_id IN {keys:Array(String)}"

// CustomerOrders lists a customer's orders, aliases resolved, newest first.
func (d *DB) CustomerOrders(ctx context.Context, customerID string) ([]schemas.OrderRecord, error) {
	what := "orders of customer " + customerID
	keys, _, err := d.keys(ctx, customerID)
	out := []schemas.OrderRecord{}
	if err != nil || len(keys) == 0 {
		return out, unavailable(what, err)
	}
	var w where
	w.list("keys", keys)
	err = d.each(ctx, selectOrders+ordersOf+" ORDER BY placed_at DESC, order_ref", w.args, func(scan func(...any) error) error {
		k, err := d.scanOrder(scan)
		out = append(out, k.item)
		return err
	})
	return out, unavailable(what, err)
}

// Totals sums up each customer's orders, aliases resolved; customers without
// any order event are left out. An order counts unless it was cancelled or only
// its end is known; revenue is net and may be negative.
func (d *DB) Totals(ctx context.Context, customerIDs []string) (map[string]signals.CustomerTotals, error) {
	const what = "totals of customers"
	keys, askedBy, err := d.keys(ctx, customerIDs...)
	out := make(map[string]signals.CustomerTotals, len(customerIDs))
	if err != nil || len(keys) == 0 {
		return out, unavailable(what, err)
	}
	var w where
	w.list("keys", keys)
	err = d.each(ctx, `WITH known AND state != 'cancelled' AS stands
		SELECT customer_id, countIf(stands), sum(net), minIf(placed_at, stands), maxIf(placed_at, stands) FROM orders FINAL`+ordersOf+" GROUP BY customer_id", w.args,
		func(scan func(...any) error) error {
			var key string
			var n uint64
			var t signals.CustomerTotals
			err := scan(&key, &n, &t.Revenue, &t.FirstOrderAt, &t.LastOrderAt)
			t.Orders = int64(n)
			for _, id := range askedBy[key] {
				out[id] = addTotals(out[id], t)
			}
			return err
		})
	return out, unavailable(what, err)
}

// addTotals joins what two ids of one customer have.
func addTotals(a, b signals.CustomerTotals) signals.CustomerTotals {
	a.Revenue += b.Revenue
	if b.Orders == 0 {
		return a
	}
	first, last := b.FirstOrderAt.UTC(), b.LastOrderAt.UTC()
	if a.Orders == 0 {
		a.FirstOrderAt, a.LastOrderAt = first, last
	}
	a.Orders += b.Orders
	a.FirstOrderAt, a.LastOrderAt = earlier(a.FirstOrderAt, first), later(a.LastOrderAt, last)
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
