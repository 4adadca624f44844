package sqlite

import (
	"context"
	"database/sql"

	"redalert/signals"
)

// GroupCounts counts events by day, source, location and category. Days that are
// none are a *signals.TrendQueryError.
func (d *DB) GroupCounts(ctx context.Context, from, to string) ([]signals.GroupCount, error) {
	if err := signals.CheckDays(from, to); err != nil {
		return nil, err
	}
	out := []signals.GroupCount{}
	for _, query := range []string{
		`SELECT e.local_date, e.source, e.location, '', sum(v.red), count(*) FROM events e JOIN verdicts v ON v.id = e.id
		WHERE e.local_date >= ?1 AND e.local_date < ?2 GROUP BY 1, 2, 3`,
		`SELECT e.local_date, e.source, e.location, c.value, count(*), 0 FROM events e JOIN verdicts v ON v.id = e.id JOIN json_each(v.categories) c
		WHERE e.local_date >= ?1 AND e.local_date < ?2 AND v.red = 1 AND c.value <> '' GROUP BY 1, 2, 3, 4`,
	} {
		rows, err := d.read.QueryContext(ctx, query, from, to)
		if err := each(rows, err, func(r *sql.Rows) error {
			var c signals.GroupCount
			err := r.Scan(&c.Day, &c.Source, &c.Location, &c.Category, &c.Red, &c.N)
			out = append(out, c)
			return err
		}); err != nil {
			return nil, unavailable("counts by group", err)
		}
	}
	signals.SortGroupCounts(out)
	return out, nil
}
