package signals

import (
	"context"
	"fmt"
	"slices"
	"time"

	"redalert/schemas"
	"redalert/signals/orders"
)

const (
	rollPage    = 10_000 // customer ids listed at once
	factsAtOnce = 500    // customers whose orders are looked at at once
)

// overdue goes through everybody who has ordered and raises signal.order_overdue
// for who has been silent longer than their rhythm explains (orders.OverdueAt),
// if that began within OpenCasesFor: who left long ago is no news.
func (c *Clock) overdue(ctx context.Context, now time.Time) (raised int, err error) {
	err = c.everybody(ctx, func(ids []string) error {
		facts, err := c.c.Context.OrderFacts(ctx, ids)
		if err != nil {
			return fmt.Errorf("orders of customers: %w", err)
		}
		var found []signal
		for _, id := range ids {
			if s, ok := c.overdueOf(id, facts[id], now); ok {
				found = append(found, s)
			}
		}
		n, err := c.raise(ctx, found, now)
		raised += n
		return err
	})
	return raised, err
}

// everybody calls fn with some customers at a time. Who had two ids may come
// twice.
func (c *Clock) everybody(ctx context.Context, fn func(ids []string) error) error {
	for after := ""; ; {
		ids, next, err := c.c.Rounds.Ordered(ctx, after, rollPage)
		if err != nil {
			return fmt.Errorf("customers who have ordered: %w", err)
		}
		for chunk := range slices.Chunk(ids, factsAtOnce) {
			if err := fn(chunk); err != nil {
				return err
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}

func (c *Clock) overdueOf(customer string, facts []schemas.OrderFact, now time.Time) (s signal, ok bool) {
	o, late := orders.OverdueAt(facts, now, c.c.Business.Timezone)
	if !late || !c.current(o.Due, now) {
		return s, false
	}
	return signal{kind: schemas.OrderOverdue, customer: customer, location: lastLocation(facts, now), at: o.Due, detail: o.Message()}, true
}

// lastLocation is where the customer's last order up to now belongs to.
func lastLocation(facts []schemas.OrderFact, now time.Time) string {
	for i := len(facts) - 1; i >= 0; i-- {
		if f := facts[i]; f.Type == schemas.OrderPlaced && !f.OccurredAt.After(now) {
			return f.Location
		}
	}
	return ""
}
