package signals

import (
	"slices"
	"strings"
	"time"

	"redalert/schemas"
	"redalert/signals/orders"
)

// valueWindow is the time over which value at risk is summed up.
const valueWindow = 365 * 24 * time.Hour

// minCustomersForP90 is how many customers with revenue there must be before
// the 90th percentile says anything about one of them.
const minCustomersForP90 = 20

// CustomerContext is what Score may know of the customer of an event: order
// events that occurred strictly earlier, oldest first. Make it with NewContext.
type CustomerContext struct {
	Facts    []schemas.OrderFact
	Currency string // the business currency, for messages; "" leaves it out
}

// NewContext keeps of facts what occurred strictly before the event, without
// the event itself, oldest first; of equal event ids the first stands. facts is
// not changed.
func NewContext(facts []schemas.OrderFact, ev schemas.Event, currency string) CustomerContext {
	kept := make([]schemas.OrderFact, 0, len(facts))
	sorted := true
	for _, f := range facts {
		if f.EventID == ev.ID || !f.OccurredAt.Before(ev.OccurredAt) {
			continue
		}
		if n := len(kept); n > 0 && compareFacts(kept[n-1], f) > 0 {
			sorted = false
		}
		kept = append(kept, f)
	}
	if !sorted {
		slices.SortStableFunc(kept, compareFacts)
	}
	kept = slices.CompactFunc(kept, func(a, b schemas.OrderFact) bool { return a.EventID == b.EventID && a.EventID != "" })
	return CustomerContext{Facts: kept, Currency: currency}
}

func compareFacts(a, b schemas.OrderFact) int {
	if c := a.OccurredAt.Compare(b.OccurredAt); c != 0 {
		return c
	}
	return strings.Compare(a.EventID, b.EventID)
}

// Fact is the order fact of an order event as the customer context holds it.
// ok is false for other events and for orders whose data cannot be read.
func Fact(ev schemas.Event) (f schemas.OrderFact, ok bool) {
	if !ev.Type.IsOrder() {
		return f, false
	}
	o, err := ev.Order()
	if err != nil {
		return f, false
	}
	f = schemas.OrderFact{EventID: ev.ID, Type: ev.Type, OrderRef: o.OrderRef, OccurredAt: ev.OccurredAt,
		CausedBy: orders.Cause(o), Location: ev.Location}
	if o.Total != nil {
		f.Total = max(o.Total.Amount, -o.Total.Amount, 0)
	}
	return f, true
}

// ValueAtRisk is the customer's net revenue over the 365 days before at
// (DESIGN §5): totals of orders placed then, as last changed before at, less
// cancelled and refunded ones. Never negative.
func ValueAtRisk(facts []schemas.OrderFact, at time.Time, currency string) schemas.Money {
	return schemas.Money{Amount: NetRevenue(facts, at.Add(-valueWindow), at), Currency: currency}
}

// NetRevenue sums one customer's orders placed in [from, to) in minor units: an
// order's total as last changed before to; a cancelled order counts nothing, a
// refund takes its amount (all of the order when it states none) off its order.
// A cancellation or refund of an order nobody has seen takes its own total off
// (shops that book cancellations under an id of their own). Facts must be in
// order of time. Never negative. Stores use it for RevenueP90 and totals, so
// that all of them agree.
func NetRevenue(facts []schemas.OrderFact, from, to time.Time) int64 {
	type state struct {
		total    int64
		inWindow bool
	}
	orders := make(map[string]state, len(facts))
	var unknown int64
	for _, f := range facts {
		if !f.OccurredAt.Before(to) {
			continue
		}
		key := f.OrderRef
		if key == "" {
			key = "event:" + f.EventID
		}
		o, known := orders[key]
		in := !f.OccurredAt.Before(from)
		switch f.Type {
		case schemas.OrderPlaced:
			o = state{total: f.Total, inWindow: in}
		case schemas.OrderChanged, schemas.OrderFulfilled:
			if !known {
				o.inWindow = in
			}
			if f.Type == schemas.OrderChanged || !known {
				o.total = f.Total
			}
		case schemas.OrderCancelled, schemas.OrderRefunded:
			if !known {
				if in {
					unknown += f.Total
				}
				continue
			}
			if f.Type == schemas.OrderCancelled || f.Total == 0 {
				o.total = 0
			} else {
				o.total = max(0, o.total-f.Total)
			}
		default:
			continue
		}
		orders[key] = o
	}
	sum := -unknown
	for _, o := range orders {
		if o.inWindow {
			sum += o.total
		}
	}
	return max(0, sum)
}

// Priority of a red event: its severity, one step up when the customer's value
// is at or above the business's 90th percentile, from 20 customers with revenue
// on.
func Priority(s schemas.Severity, value, p90 int64, customers int) schemas.Priority {
	return schemas.PriorityOf(s, customers >= minCustomersForP90 && value > 0 && value >= p90)
}
