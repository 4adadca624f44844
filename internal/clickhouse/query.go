package clickhouse

import (
	"context"
	"strings"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"redalert/schemas"
)

// ms is how times travel in cursors and parameters: milliseconds since 1970.
func ms(t time.Time) int64 { return t.UnixMilli() }

// Times that the columns can hold, and hold in every supported server.
var (
	earliest = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)
)

// where collects the conditions of a query with their parameters, which the
// server puts in place itself.
type where struct {
	conds []string
	args  []any
}

func (w *where) add(cond string) { w.conds = append(w.conds, cond) }

// bind gives the parameter {name:Type} its value.
func (w *where) bind(name string, value any) { w.args = append(w.args, driver.Named(name, value)) }

// String is the WHERE clause, "" without conditions.
func (w *where) String() string {
	if len(w.conds) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conds, " AND ")
}

// list gives a list of strings as the parameter {name:Array(String)}.
func (w *where) list(name string, values []string) {
	if values == nil {
		values = []string{}
	}
	w.bind(name, values)
}

// visible restricts column location to the locations a viewer may see; none
// means all.
func (w *where) visible(locations []string) {
	if len(locations) > 0 {
		w.add("location IN {locations:Array(String)}")
		w.list("locations", locations)
	}
}

// instant is the SQL of a time given as a parameter by at.
func instant(name string) string { return "fromUnixTimestamp64Milli({" + name + ":Int64}, 'UTC')" }

// at gives a time in milliseconds, cut to what the columns can hold.
func (w *where) at(name string, v int64) {
	w.bind(name, min(max(v, ms(earliest)), ms(latest)))
}

// page adds the bounds of q: time column at, tie-breaking column id.
func (w *where) page(q schemas.ListQuery, at, id string) error {
	if !q.Since.IsZero() {
		w.add(at + " >= " + instant("since"))
		w.at("since", ms(q.Since))
	}
	if !q.Until.IsZero() {
		w.add(at + " < " + instant("until"))
		w.at("until", ms(q.Until))
	}
	a, i, ok, err := schemas.DecodeCursor(q.Cursor)
	if err != nil {
		return err
	}
	if ok { // the first half lets an index skip what lies before
		w.add(at + " >= " + instant("after") + " AND (" + at + ", " + id + ") > (" + instant("after") + ", {after_id:String})")
		w.at("after", a)
		w.bind("after_id", i)
	}
	return nil
}

// each runs a query and fn for every row of its answer.
func (d *DB) each(ctx context.Context, query string, args []any, fn func(scan func(...any) error) error) error {
	rows, err := d.conn.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}
