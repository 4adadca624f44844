package clickhouse

import (
	"context"
	"fmt"
	"time"

	"redalert/schemas"
	"redalert/signals/churn"
)

// foldOrders stores what the order events among rows say, also of those known
// before: the call that stored them may have been cut off. Then it folds the
// orders they belong to anew from all events of each. Who inserts an event
// first and reads after that sees all events of the order inserted before, so of
// two that fold at once the one that knows more has the higher version.
func (d *DB) foldOrders(ctx context.Context, rows []*eventRow) error {
	var orders []*eventRow
	var refs []string
	for _, r := range rows {
		if r.order != nil {
			orders, refs = append(orders, r), append(refs, r.order.OrderRef)
		}
	}
	if len(orders) == 0 {
		return nil
	}
	if err := d.insert(ctx, orderEventsTable, orderEventColumns(orders)); err != nil {
		return fmt.Errorf("order events: %w", err)
	}
	byRef, err := d.orderEvents(ctx, distinct(refs))
	if err != nil {
		return fmt.Errorf("read order events: %w", err)
	}
	states, err := orderColumns(byRef)
	if err != nil {
		return err
	}
	if err := d.insert(ctx, ordersTable, states); err != nil {
		return fmt.Errorf("orders: %w", err)
	}
	return nil
}

func orderEventColumns(rows []*eventRow) columns {
	n := len(rows)
	text := func(value func(*churn.OrderEvent) string) []string {
		out := make([]string, n)
		for i, r := range rows {
			out[i] = value(r.order)
		}
		return out
	}
	occurred, days, placed := make([]time.Time, n), make([]time.Time, n), make([]*time.Time, n)
	total, previous, tip := make([]*int64, n), make([]*int64, n), make([]*int64, n)
	for i, r := range rows {
		x := r.order
		occurred[i], days[i], total[i], previous[i], tip[i] = clip(x.OccurredAt), r.localDate, x.Total, x.PreviousTotal, x.Tip
		if x.PlacedAt != nil && !x.PlacedAt.IsZero() {
			at := clip(*x.PlacedAt)
			placed[i] = &at
		}
	}
	return columns{
		text(func(x *churn.OrderEvent) string { return x.OrderRef }),
		text(func(x *churn.OrderEvent) string { return x.EventID }),
		text(func(x *churn.OrderEvent) string { return string(x.Type) }),
		text(func(x *churn.OrderEvent) string { return x.Source }),
		occurred, days, placed, total, previous,
		text(func(x *churn.OrderEvent) string { return x.Currency }),
		text(func(x *churn.OrderEvent) string { return string(x.CausedBy) }),
		text(func(x *churn.OrderEvent) string { return x.CustomerID }),
		text(func(x *churn.OrderEvent) string { return x.Location }),
		tip,
	}
}

const selectOrderEvents = `SELECT order_ref, event_id, type, source, occurred_at, local_date, placed_at, total, previous_total, currency, caused_by, customer_id, location, tip
	FROM order_events`

// onlyOnce takes copies of one event away, which a retry leaves until parts merge.
const onlyOnce = " LIMIT 1 BY event_id"

func scanOrderEvent(scan func(...any) error) (x churn.OrderEvent, err error) {
	var kind, causedBy string
	var day time.Time
	err = scan(&x.OrderRef, &x.EventID, &kind, &x.Source, &x.OccurredAt, &day, &x.PlacedAt, &x.Total, &x.PreviousTotal, &x.Currency, &causedBy, &x.CustomerID, &x.Location, &x.Tip)
	x.Type, x.CausedBy, x.LocalDate = schemas.EventType(kind), schemas.CausedBy(causedBy), day.Format(time.DateOnly)
	x.OccurredAt = x.OccurredAt.UTC()
	return x, err
}

// orderEvents reads all events of orders.
func (d *DB) orderEvents(ctx context.Context, refs []string) (map[string][]churn.OrderEvent, error) {
	var w where
	w.add("order_ref IN {refs:Array(String)}")
	w.list("refs", refs)
	byRef := make(map[string][]churn.OrderEvent, len(refs))
	err := d.each(ctx, selectOrderEvents+w.String()+onlyOnce, w.args, func(scan func(...any) error) error {
		x, err := scanOrderEvent(scan)
		byRef[x.OrderRef] = append(byRef[x.OrderRef], x)
		return err
	})
	return byRef, err
}

func orderColumns(byRef map[string][]churn.OrderEvent) (columns, error) {
	var ref, customer, source, state, currency, location []string
	var known []bool
	var placed, changed, days []time.Time
	var total, net []int64
	var previous []*int64
	var events []uint32
	for _, xs := range byRef {
		f := churn.Fold(xs)
		day, err := time.Parse(time.DateOnly, f.LocalDate)
		if err != nil {
			return nil, fmt.Errorf("order %s: %w", f.OrderRef, err)
		}
		ref, customer, source, state = append(ref, f.OrderRef), append(customer, f.CustomerID), append(source, f.Source), append(state, string(f.State))
		known, placed, days, changed = append(known, f.Known), append(placed, clip(f.PlacedAt)), append(days, day), append(changed, clip(f.ChangedAt))
		total, net, currency, location = append(total, f.Total.Amount), append(net, f.Net), append(currency, f.Total.Currency), append(location, f.Location)
		var was *int64
		if f.PreviousTotal != nil {
			was = &f.PreviousTotal.Amount
		}
		previous, events = append(previous, was), append(events, uint32(len(xs)))
	}
	return columns{ref, customer, source, state, known, placed, days, changed, total, previous, currency, net, location, events}, nil
}
