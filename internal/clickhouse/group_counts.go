package clickhouse

import (
	"context"
	"time"

	"redalert/schemas"
	"redalert/signals"
)

// GroupCounts counts events by day, source, location and category; the server
// groups. Days that are none are a *signals.TrendQueryError.
func (d *DB) GroupCounts(ctx context.Context, from, to string) ([]signals.GroupCount, error) {
	if err := signals.CheckDays(from, to); err != nil {
		return nil, err
	}
	w, err := daysOf(schemas.TrendQuery{From: from, To: to})
	if err != nil {
		return nil, err
	}
	out := []signals.GroupCount{}
	err = d.each(ctx, `SELECT local_date, source, location, countIf(red), count(), (sumMapIf(CAST(categories, 'Array(String)'), arrayMap(c -> toUInt64(1), categories), red) AS reds).1, reds.2
		FROM events FINAL`+w.String()+" GROUP BY local_date, source, location", w.args, func(scan func(...any) error) error {
		var at time.Time
		var c signals.GroupCount
		var red, n uint64
		var names []string
		var counts []uint64
		if err := scan(&at, &c.Source, &c.Location, &red, &n, &names, &counts); err != nil {
			return err
		}
		c.Day, c.Red, c.N = at.Format(time.DateOnly), int64(red), int64(n)
		out = append(out, c)
		c.N = 0
		for i, name := range names {
			if c.Category, c.Red = name, int64(counts[i]); name != "" {
				out = append(out, c)
			}
		}
		return nil
	})
	if err != nil {
		return nil, unavailable("counts by group", err)
	}
	signals.SortGroupCounts(out)
	return out, nil
}
