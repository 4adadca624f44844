package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Oldest server that holds what the schema needs.
const (
	oldestYear  = 25
	oldestMonth = 8
)

// Check looks whether the server is fit for use, for doctor: it answers, is
// recent enough, has every table at the newest schema, and lets the user read
// and write. It answers the server's version; an error says what to do. It
// changes nothing.
func (d *DB) Check(ctx context.Context) (version string, err error) {
	if err := d.conn.QueryRow(ctx, "SELECT version()").Scan(&version); err != nil {
		return "", fmt.Errorf("clickhouse at %s does not answer; check that it runs, and history's address, user and password: %w", d.c.Addr, unavailable("ask for its version", err))
	}
	if !recent(version) {
		return version, fmt.Errorf("clickhouse at %s is version %s; use %d.%d or newer", d.c.Addr, version, oldestYear, oldestMonth)
	}
	known, err := migrations()
	if err != nil {
		return version, err
	}
	have, err := d.schema(ctx)
	switch {
	case err != nil:
		return version, fmt.Errorf("database %s has no history yet; run redalert migrate with a user who may create tables: %w", d.c.Database, err)
	case have > len(known):
		return version, fmt.Errorf("schema %d, this program knows %d: %w", have, len(known), ErrNewer)
	case have < len(known):
		return version, fmt.Errorf("database %s is at schema %d of %d; run redalert migrate with a user who may create tables", d.c.Database, have, len(known))
	}
	return version, d.checkRights(ctx)
}

func recent(version string) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	year, err1 := strconv.Atoi(parts[0])
	month, err2 := strconv.Atoi(parts[1])
	return err1 == nil && err2 == nil && (year > oldestYear || year == oldestYear && month >= oldestMonth)
}

// checkRights reads and writes no row of every table.
func (d *DB) checkRights(ctx context.Context) error {
	var failed []error
	for _, t := range tables {
		columns := strings.Join(t.columns, ", ")
		if err := d.each(ctx, "SELECT "+columns+" FROM "+t.name+" LIMIT 0", nil, func(func(...any) error) error { return nil }); err != nil {
			failed = append(failed, fmt.Errorf("user %q may not read %s.%s; grant SELECT: %w", d.c.User, d.c.Database, t.name, err))
			continue
		}
		b, err := d.conn.PrepareBatch(inserting(ctx), t.insert())
		if err == nil {
			err = b.Close()
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("user %q may not write %s.%s; grant INSERT: %w", d.c.User, d.c.Database, t.name, err))
		}
	}
	return errors.Join(failed...)
}
