package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"redalert/schemas"
	"redalert/signals"
)

var _ signals.Context = (*DB)(nil)

// OrderFacts answers the order events of each customer asked for, aliases
// resolved, by (occurred_at, event id).
func (d *DB) OrderFacts(ctx context.Context, customerIDs []string) (map[string][]schemas.OrderFact, error) {
	out := make(map[string][]schemas.OrderFact, len(customerIDs))
	rows, err := d.query(ctx, orderFacts, idList(customerIDs))
	err = each(rows, err, func(r *sql.Rows) error {
		var asked string
		x, err := scanOrderEvent(r, &asked)
		out[asked] = append(out[asked], x.Fact())
		return err
	})
	return out, unavailable("orders of customers", err)
}

var orderFacts = keysOf + "SELECT k.asked, " + orderEventColumnsOf + ` FROM keys k CROSS JOIN order_events e ON e.customer_id = k.id AND e.customer_id <> ''
	ORDER BY k.asked, e.occurred_at, e.event_id`

const orderEventColumnsOf = "e.event_id, e.order_ref, e.type, e.source, e.occurred_at, e.local_date, e.placed_at, e.total, e.previous_total, e.currency, e.caused_by, e.customer_id, e.location, e.tip"

const revenueWindow = 365 * 24 * time.Hour

// RevenueP90 is the 90th percentile, by nearest rank, of net revenue from
// orders placed in the 365 days before at (at exclusive), as they stand now,
// among customers with revenue; see signals.Context.
func (d *DB) RevenueP90(ctx context.Context, at time.Time) (p90 int64, customers int, err error) {
	err = d.read.QueryRowContext(ctx, `SELECT n, revenue FROM (
			SELECT sum(o.net) AS revenue, row_number() OVER (ORDER BY sum(o.net)) AS rank, count(*) OVER () AS n
			FROM orders o LEFT JOIN customer_aliases a ON a.id = o.customer_id
			WHERE o.placed_at >= ? AND o.placed_at < ? AND o.customer_id <> ''
			GROUP BY coalesce(a.canonical, o.customer_id) HAVING sum(o.net) > 0)
		WHERE rank = (90 * n + 99) / 100`,
		ms(at.Add(-revenueWindow)), ms(at)).Scan(&customers, &p90)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return p90, customers, unavailable("90th percentile of revenue", err)
}
