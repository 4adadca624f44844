package clickhouse

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"redalert/schemas"
)

// OrderFacts answers the order events of each customer asked for, aliases
// resolved, by (occurred_at, event id).
func (d *DB) OrderFacts(ctx context.Context, customerIDs []string) (map[string][]schemas.OrderFact, error) {
	const what = "orders of customers"
	if err := d.follow(ctx); err != nil {
		return nil, unavailable(what, err)
	}
	out := make(map[string][]schemas.OrderFact, len(customerIDs))
	keys, askedBy := d.aliases.keys(customerIDs)
	if len(keys) == 0 {
		return out, nil
	}
	var w where
	w.add("customer_id IN {keys:Array(String)}")
	w.list("keys", keys)
	err := d.each(ctx, selectOrderEvents+w.String()+onlyOnce, w.args, func(scan func(...any) error) error {
		x, err := scanOrderEvent(scan)
		for _, id := range askedBy[x.CustomerID] {
			out[id] = append(out[id], x.Fact())
		}
		return err
	})
	if err != nil {
		return nil, unavailable(what, err)
	}
	for _, facts := range out {
		slices.SortFunc(facts, func(a, b schemas.OrderFact) int {
			return cmp.Or(a.OccurredAt.Compare(b.OccurredAt), strings.Compare(a.EventID, b.EventID))
		})
	}
	return out, nil
}

const revenueWindow = 365 * 24 * time.Hour

// mapped is the SQL of a table expression "rows (customer, …)" with customers
// mapped to their present ids, as column canonical.
const (
	mappedFrom = "LEFT ANY JOIN (SELECT id, canonical FROM aliases FINAL) a ON a.id = r.customer"
	mapped     = "if(a.id = '', r.customer, a.canonical)"
)

// RevenueP90 is the 90th percentile, by nearest rank, of net revenue from
// orders placed in the 365 days before at (at exclusive), as they stand now,
// among customers with revenue; see signals.Context.
func (d *DB) RevenueP90(ctx context.Context, at time.Time) (p90 int64, customers int, err error) {
	const what = "90th percentile of revenue"
	if err := d.follow(ctx); err != nil {
		return 0, 0, unavailable(what, err)
	}
	var w where
	w.add("placed_at >= " + instant("from") + " AND placed_at < " + instant("until") + " AND customer_id != ''")
	w.at("from", ms(at.Add(-revenueWindow)))
	w.at("until", ms(at))
	sums := "SELECT customer_id AS customer, sum(net) AS revenue FROM orders FINAL" + w.String() + " GROUP BY customer"
	if d.aliases.any() {
		sums = "SELECT " + mapped + " AS canonical, sum(r.revenue) AS revenue FROM (" + sums + ") r " + mappedFrom + " GROUP BY canonical"
	}
	var n uint64
	err = d.conn.QueryRow(ctx, "WITH arraySort(groupArray(revenue)) AS sorted SELECT length(sorted), sorted[intDiv(90 * length(sorted) + 99, 100)] FROM ("+sums+") WHERE revenue > 0", w.args...).Scan(&n, &p90)
	return p90, int(n), unavailable(what, err)
}
