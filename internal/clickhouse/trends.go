package clickhouse

import (
	"context"
	"fmt"
	"time"

	"redalert/schemas"
	"redalert/signals"
	"redalert/signals/churn"
)

// Trend answers the charts "alerts" (signals.AlertTrend) and "churn"
// (churn.Trend). The server groups; only a row a day and series comes here.
// Another kind is *signals.UnknownTrend, a query that cannot be answered
// *signals.TrendQueryError.
func (d *DB) Trend(ctx context.Context, kind string, q schemas.TrendQuery) (schemas.Trend, error) {
	if _, err := churn.Periods(q); err != nil {
		return schemas.Trend{}, err
	}
	switch kind {
	case signals.TrendAlerts:
		return d.alertTrend(ctx, q)
	case signals.TrendChurn:
		if err := churn.CheckQuery(q); err != nil {
			return schemas.Trend{}, err
		}
		return d.churnTrend(ctx, q)
	}
	return schemas.Trend{}, &signals.UnknownTrend{Kind: kind}
}

func (d *DB) alertTrend(ctx context.Context, q schemas.TrendQuery) (schemas.Trend, error) {
	const what = "trend of alerts"
	if q.By == schemas.ByCategory {
		categories, all, err := d.categoryCounts(ctx, q)
		if err != nil {
			return schemas.Trend{}, unavailable(what, err)
		}
		return signals.AlertTrend(q, categories, all)
	}
	series := map[schemas.TrendBy]string{schemas.BySource: "source", schemas.ByLocation: "location"}[q.By]
	counts, err := d.dayCounts(ctx, q, series)
	if err != nil {
		return schemas.Trend{}, unavailable(what, err)
	}
	return signals.AlertTrend(q, counts, nil)
}

// categoryCounts counts red events a day and category, an event for each of its
// categories, and all events a day. The server looks at the categories of the
// few red ones only: joining every event with its own costs half as much again.
func (d *DB) categoryCounts(ctx context.Context, q schemas.TrendQuery) (categories, all []signals.DayCount, err error) {
	w, err := daysOf(q)
	if err != nil {
		return nil, nil, err
	}
	w.visible(q.Locations)
	err = d.each(ctx, `SELECT local_date, countIf(red), count(), (sumMapIf(CAST(categories, 'Array(String)'), arrayMap(c -> toUInt64(1), categories), red) AS reds).1, reds.2
		FROM events FINAL`+w.String()+" GROUP BY local_date", w.args, func(scan func(...any) error) error {
		var at time.Time
		var red, n uint64
		var names []string
		var counts []uint64
		if err := scan(&at, &red, &n, &names, &counts); err != nil {
			return err
		}
		day := at.Format(time.DateOnly)
		all = append(all, signals.DayCount{Day: day, Red: int64(red), N: int64(n)})
		for i, name := range names {
			categories = append(categories, signals.DayCount{Day: day, Series: name, Red: int64(counts[i])})
		}
		return nil
	})
	return categories, all, err
}

// dayCounts counts events a day and series ("" = not split), over the days and
// locations of q.
func (d *DB) dayCounts(ctx context.Context, q schemas.TrendQuery, series string) ([]signals.DayCount, error) {
	w, err := daysOf(q)
	if err != nil {
		return nil, err
	}
	w.visible(q.Locations)
	by := "local_date, series"
	if series == "" { // a key less to hash
		series, by = "''", "local_date"
	}
	var out []signals.DayCount
	return out, d.each(ctx, "SELECT local_date, "+series+" AS series, countIf(red), count() FROM events FINAL"+w.String()+" GROUP BY "+by, w.args, func(scan func(...any) error) error {
		var day time.Time
		var c signals.DayCount
		var red, n uint64
		err := scan(&day, &c.Series, &red, &n)
		c.Day, c.Red, c.N = day.Format(time.DateOnly), int64(red), int64(n)
		out = append(out, c)
		return err
	})
}

// daysOf bounds local_date to [q.From, q.To), cut to what the column can hold.
func daysOf(q schemas.TrendQuery) (*where, error) {
	w := &where{}
	w.add("local_date >= {from:Date32} AND local_date < {to:Date32}")
	for name, day := range map[string]string{"from": q.From, "to": q.To} {
		t, err := time.Parse(time.DateOnly, day)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		w.bind(name, later(earlier(t, latest), earliest).Format(time.DateOnly))
	}
	return w, nil
}

func (d *DB) churnTrend(ctx context.Context, q schemas.TrendQuery) (schemas.Trend, error) {
	const what = "trend of churn"
	if err := d.follow(ctx); err != nil {
		return schemas.Trend{}, unavailable(what, err)
	}
	var w where
	w.add("known AND state != 'cancelled' AND customer_id != ''")
	w.visible(q.Locations)
	if q.Today != "" {
		w.add("local_date <= {today:Date32}")
		day, err := time.Parse(time.DateOnly, q.Today)
		if err != nil {
			return schemas.Trend{}, err
		}
		w.bind("today", later(earlier(day, latest), earliest).Format(time.DateOnly))
	}
	w.bind("floor", churn.DefaultFloor)
	var counts []churn.SpanDay
	var business, gaps int
	err := d.each(ctx, churnQuery(q.By, w.String(), d.aliases.any()), w.args, func(scan func(...any) error) error {
		var c churn.SpanDay
		var day, p80 int32
		var n uint64
		err := scan(&c.Series, &day, &c.Began, &c.Churned, &p80, &n)
		c.Day, business, gaps = churn.Day(day), int(p80), int(n)
		counts = append(counts, c)
		return err
	})
	if err != nil {
		return schemas.Trend{}, unavailable(what, err)
	}
	return churn.CountedTrend(q, counts, business, gaps, churn.DefaultFloor)
}

// churnQuery counts the stretches of activity that begin and end each day, by
// the rules of churn.CountedTrend. Days are numbers here. A silence no longer
// than the floor ends nothing, so that medians are taken only where a gap is
// longer, or after the last purchase. The business's gap is computed first, in a
// pass of its own: with both in one pass the second half would run on one core.
func churnQuery(by schemas.TrendBy, where string, mapAliases bool) string {
	series := map[schemas.TrendBy]string{schemas.BySource: "if(source = '', '(none)', source)", schemas.ByLocation: "if(location = '', '(none)', location)"}[by]
	last, lastOf, name := "", "", "'all'"
	if series != "" { // a customer belongs to the series of their last purchase
		last, lastOf, name = ", max((toInt32(local_date), toString("+series+"))) AS last", ", max(r.last) AS last", "last.2"
	}
	customers := "SELECT customer_id AS customer, groupArray(toInt32(local_date)) AS purchases" + last + " FROM orders FINAL" + where + " GROUP BY customer"
	if mapAliases {
		customers = "SELECT " + mapped + " AS canonical, groupArrayArray(r.purchases) AS purchases" + lastOf + " FROM (" + customers + ") r " + mappedFrom + " GROUP BY canonical"
	}
	return `WITH customers AS (
			SELECT ` + name + ` AS series, arrayCompact(arraySort(purchases)) AS days, length(days) AS n, arrayPopFront(arrayDifference(days)) AS gaps
			FROM (` + customers + `)
		),
		(SELECT (length(all), all[intDiv(80 * length(all) + 99, 100)]) FROM (SELECT arraySort(groupArrayArray(gaps)) AS all FROM customers)) AS business
	SELECT series, toInt32(p.1) AS day, toInt64(sum(p.2)), toInt64(sum(p.3)), toInt32(business.2), business.1
	FROM (
		SELECT series,
			arrayFilter(e -> e.1 = n OR gaps[e.1] > e.3,
				arrayMap(i -> (i, days[i], greatest({floor:Int32}, if(i < 3, business.2, intDiv(3 * arraySort(arraySlice(gaps, 1, i - 1))[intDiv(i, 2)] + 1, 2)))),
					arrayFilter(i -> i = n OR gaps[i] > {floor:Int32}, range(1, n + 1)))) AS ends,
			arrayJoin(arrayConcat([(days[1], 1, 0)], arrayMap(e -> (e.2 + e.3, 0, 1), ends),
				arrayMap(e -> (days[e.1 + 1], 1, 0), arrayFilter(e -> e.1 < n, ends)))) AS p
		FROM customers
	) GROUP BY series, day`
}
