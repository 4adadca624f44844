package clickhouse

import (
	"context"
	"fmt"

	"redalert/internal/move"
)

var _ move.History = (*DB)(nil)

// CountEvents counts the events of history.
func (d *DB) CountEvents(ctx context.Context) (int64, error) {
	var n uint64
	err := d.conn.QueryRow(ctx, "SELECT count() FROM events FINAL").Scan(&n)
	return int64(n), unavailable("count events", err)
}

// ClearHistory removes every event, verdict and order. Nobody may store
// meanwhile.
func (d *DB) ClearHistory(ctx context.Context) error {
	for _, t := range []table{claimsTable, ordersTable, orderEventsTable, eventsTable} {
		if err := d.conn.Exec(ctx, "TRUNCATE TABLE "+t.name); err != nil {
			return unavailable("clear "+t.name, err)
		}
	}
	return nil
}

// ForgetAliases drops the copy of the aliases, here and in the database: the
// next query asks the customers store for all of them again. Nobody else may
// use the database meanwhile.
func (d *DB) ForgetAliases(ctx context.Context) error {
	a := &d.aliases
	if err := a.begin(ctx); err != nil {
		return unavailable("forget aliases", err)
	}
	defer a.done()
	var n uint64
	if err := d.conn.QueryRow(ctx, "SELECT count() FROM aliases").Scan(&n); err != nil {
		return unavailable("look for aliases", err)
	}
	if n > 0 {
		if err := d.conn.Exec(ctx, "TRUNCATE TABLE aliases"); err != nil {
			return unavailable("forget aliases", fmt.Errorf("the database's user needs TRUNCATE: %w", err))
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.canonical, a.others, a.loaded, a.version = nil, nil, false, 0
	return nil
}
