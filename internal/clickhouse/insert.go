package clickhouse

import (
	"context"
	"fmt"
	"maps"
	"strings"

	driver "github.com/ClickHouse/clickhouse-go/v2"
)

// table is what we write: its name and the columns of an insert, in order.
type table struct {
	name    string
	columns []string
}

func (t table) insert() string {
	return "INSERT INTO " + t.name + " (" + strings.Join(t.columns, ", ") + ")"
}

var (
	eventsTable = table{"events", []string{"event_id", "source_type", "type", "source", "location", "customer_id", "occurred_at", "collected_at", "local_date",
		"event", "rescore", "settled", "scored_at", "red", "categories", "verdict", "writer"}}
	orderEventsTable = table{"order_events", []string{"order_ref", "event_id", "type", "source", "occurred_at", "local_date", "placed_at", "total", "previous_total",
		"currency", "caused_by", "customer_id", "location", "tip"}}
	ordersTable = table{"orders", []string{"order_ref", "customer_id", "source", "state", "known", "placed_at", "local_date", "changed_at", "total", "previous_total",
		"currency", "net", "location", "events"}}
	aliasesTable = table{"aliases", []string{"id", "canonical", "version"}}

	claimsTable = table{"claims", []string{"event_id", "verdict", "at"}}

	tables = []table{eventsTable, orderEventsTable, ordersTable, aliasesTable, claimsTable}
)

// columns are typed values of an insert, one slice a column, all of one length.
// Their types are the columns' own, so that appending them cannot fail halfway.
type columns []any

// inserting makes the server answer only when the rows are in, whatever its
// default or the user's profile says. more are further settings.
func inserting(ctx context.Context, more ...driver.Settings) context.Context {
	settings := driver.Settings{
		"async_insert":                    0,
		"max_partitions_per_insert_block": 0, // a first import may span many years
	}
	for _, m := range more {
		maps.Copy(settings, m)
	}
	return driver.Context(ctx, driver.WithSettings(settings))
}

// insert writes rows as one block, with a batch of its own: a batch that was
// sent, or failed, must not be used again. An error means that it is not known
// whether the rows are in; every caller may insert the same rows again.
func (d *DB) insert(ctx context.Context, t table, cols columns, more ...driver.Settings) error {
	if d.hooks.beforeInsert != nil {
		d.hooks.beforeInsert(t.name)
	}
	b, err := d.conn.PrepareBatch(inserting(ctx, more...), t.insert())
	if err != nil {
		return err
	}
	for i, c := range cols {
		if err := b.Column(i).Append(c); err != nil {
			b.Abort()
			return fmt.Errorf("column %s.%s: %w", t.name, t.columns[i], err)
		}
	}
	if d.hooks.beforeSend != nil {
		d.hooks.beforeSend(t.name)
	}
	return b.Send()
}
