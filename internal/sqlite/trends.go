package sqlite

import (
	"context"
	"database/sql"

	"redalert/schemas"
	"redalert/signals"
	"redalert/signals/churn"
)

// Trend answers the charts "alerts" (signals.AlertTrend) and "churn"
// (churn.Trend). Another kind is *signals.UnknownTrend, a query that cannot be
// answered *signals.TrendQueryError.
func (d *DB) Trend(ctx context.Context, kind string, q schemas.TrendQuery) (schemas.Trend, error) {
	if _, err := churn.Periods(q); err != nil {
		return schemas.Trend{}, err
	}
	switch kind {
	case signals.TrendAlerts:
		return d.alertTrend(ctx, q)
	case signals.TrendChurn:
		return d.churnTrend(ctx, q)
	}
	return schemas.Trend{}, &signals.UnknownTrend{Kind: kind}
}

func (d *DB) alertTrend(ctx context.Context, q schemas.TrendQuery) (schemas.Trend, error) {
	series := map[schemas.TrendBy]string{schemas.BySource: "e.source", schemas.ByLocation: "e.location"}[q.By]
	if series == "" {
		series = "''"
	}
	counts, err := d.dayCounts(ctx, q, "SELECT e.local_date, "+series+", sum(v.red), count(*) FROM events e JOIN verdicts v ON v.id = e.id", "")
	if err != nil {
		return schemas.Trend{}, unavailable("trend of alerts", err)
	}
	if q.By != schemas.ByCategory {
		return signals.AlertTrend(q, counts, nil)
	}
	categories, err := d.dayCounts(ctx, q, "SELECT e.local_date, c.value, count(*), 0 FROM events e JOIN verdicts v ON v.id = e.id JOIN json_each(v.categories) c", "v.red = 1")
	if err != nil {
		return schemas.Trend{}, unavailable("trend of alerts", err)
	}
	return signals.AlertTrend(q, categories, counts)
}

// dayCounts groups a query by its first two columns, over the days and
// locations of q.
func (d *DB) dayCounts(ctx context.Context, q schemas.TrendQuery, query, cond string) ([]signals.DayCount, error) {
	var w where
	w.add("e.local_date >= ? AND e.local_date < ?", q.From, q.To)
	w.visible("e.location", q.Locations)
	if cond != "" {
		w.add(cond)
	}
	var out []signals.DayCount
	rows, err := d.read.QueryContext(ctx, query+w.String()+" GROUP BY 1, 2", w.args...)
	return out, each(rows, err, func(r *sql.Rows) error {
		var c signals.DayCount
		err := r.Scan(&c.Day, &c.Series, &c.Red, &c.N)
		out = append(out, c)
		return err
	})
}

func (d *DB) churnTrend(ctx context.Context, q schemas.TrendQuery) (schemas.Trend, error) {
	var w where
	w.add("o.known AND o.state <> 'cancelled' AND o.customer_id <> ''")
	w.visible("o.location", q.Locations)
	var purchases []churn.Purchase
	rows, err := d.read.QueryContext(ctx, "SELECT DISTINCT "+canonicalOf("o.customer_id")+", o.local_date, o.source, o.location FROM orders o"+w.String(), w.args...)
	if err := each(rows, err, func(r *sql.Rows) error {
		var p churn.Purchase
		err := r.Scan(&p.Customer, &p.Day, &p.Source, &p.Location)
		purchases = append(purchases, p)
		return err
	}); err != nil {
		return schemas.Trend{}, unavailable("trend of churn", err)
	}
	return churn.Trend(q, purchases, churn.DefaultFloor)
}
