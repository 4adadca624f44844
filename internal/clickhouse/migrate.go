package clickhouse

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"redalert/schemas"
)

// ErrNewer: the database was set up by a newer program.
var ErrNewer = errors.New("the history database was set up by a newer version of redalert; use that version")

type migration struct {
	version    int
	name       string
	statements []string
}

func migrations() ([]migration, error) {
	steps, err := schemas.Migrations(schemas.ClickHouse, "clickhouse")
	ms := make([]migration, len(steps))
	for i, m := range steps {
		ms[i] = migration{m.Version, m.Name, statements(m.SQL)}
	}
	return ms, err
}

// statements cuts a file at semicolons that end a line.
func statements(file string) (out []string) {
	for _, s := range strings.Split(file+"\n", ";\n") {
		if strings.TrimSpace(s) != "" {
			out = append(out, s)
		}
	}
	return out
}

const versionsTable = `CREATE TABLE IF NOT EXISTS schema_versions (version UInt32, name String, applied_at DateTime64(3, 'UTC')) ENGINE = MergeTree ORDER BY version`

// Migrate creates the database where there is none, brings it to the newest
// schema and sets how long history is kept. Migrations are not transactions here:
// each statement may run twice, so that one that was cut off, or that two
// processes run at once, is completed by the next call. A database set up by a
// newer program is refused with ErrNewer; a user who may not create the database
// is told what to have done.
func (d *DB) Migrate(ctx context.Context) error {
	known, err := migrations()
	if err != nil {
		return err
	}
	if err := d.createDatabase(ctx); err != nil {
		return unavailable("migrate history", err)
	}
	if err := d.migrate(ctx, known); err != nil {
		return unavailable("migrate history", err)
	}
	return unavailable("set how long history is kept", d.setTTL(ctx))
}

// createDatabase creates the configured database where there is none. A server
// lets nobody connect to one that is not there: it is asked over a connection to
// its own, system. Who finds the database there needs no right to create it.
func (d *DB) createDatabase(ctx context.Context) error {
	conn, err := d.c.connect("system", d.c.settings)
	if err != nil {
		return err
	}
	defer conn.Close()
	var there uint64
	if err := conn.QueryRow(ctx, "SELECT count() FROM system.databases WHERE name = {name:String}", driver.Named("name", d.c.Database)).Scan(&there); err != nil {
		return err
	}
	if there > 0 {
		return nil
	}
	if err := conn.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+quoted(d.c.Database)); err != nil {
		return d.notCreated(err)
	}
	d.c.Log.Info("database created", "database", d.c.Database)
	return nil
}

// rights are what the user needs in the database, as in deploy/clickhouse/users.xml.
const rights = "CREATE, SELECT, INSERT, ALTER, DROP, TRUNCATE, OPTIMIZE, SHOW"

// notCreated says what to do when there is no database and it could not be created.
func (d *DB) notCreated(err error) error {
	var x *driver.Exception
	if !errors.As(err, &x) || !slices.Contains(rightCodes, x.Code) {
		return fmt.Errorf("create database %s: %w", d.c.Database, err)
	}
	user, name := cmp.Or(d.c.User, "default"), quoted(d.c.Database)
	return fmt.Errorf("there is no database %s and user %q may not create it; have an administrator run CREATE DATABASE %s and GRANT %s ON %s.* TO %s, then run redalert migrate again: %w",
		d.c.Database, user, name, rights, name, quoted(user), err)
}

// quoted is a name as an identifier of SQL.
func quoted(name string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(name) + "`"
}

func (d *DB) migrate(ctx context.Context, known []migration) error {
	if err := d.conn.Exec(ctx, versionsTable); err != nil {
		return err
	}
	have, err := d.schema(ctx)
	if err != nil {
		return err
	}
	if have > len(known) {
		return fmt.Errorf("schema %d, this program knows %d: %w", have, len(known), ErrNewer)
	}
	for _, m := range known[have:] {
		for _, s := range m.statements {
			if err := d.conn.Exec(ctx, s); err != nil {
				return fmt.Errorf("migration %s: %w", m.name, err)
			}
		}
		if err := d.conn.Exec(inserting(ctx), "INSERT INTO schema_versions SELECT {version:UInt32}, {name:String}, now64(3, 'UTC')",
			driver.Named("version", m.version), driver.Named("name", m.name)); err != nil {
			return fmt.Errorf("migration %s: %w", m.name, err)
		}
		d.c.Log.Info("history migrated", "to", m.name)
	}
	return nil
}

// schema is the number of the last migration applied.
func (d *DB) schema(ctx context.Context) (int, error) {
	var v uint32
	err := d.conn.QueryRow(ctx, "SELECT max(version) FROM schema_versions").Scan(&v)
	return int(v), err
}

// kept lists the tables of history with the time each row grows old by; "" = it
// is kept for good. An order goes when nothing happened to it for that long. Its
// events stay (they are small): an order is folded from all of them, and their
// number is its version, so that folded from fewer it would be another order, of
// a lower version, which nobody ever sees.
var kept = map[string]string{"events": "occurred_at", "order_events": "", "orders": "changed_at"}

// setTTL changes the tables only when they keep rows for another time than
// they should: a change rewrites them.
func (d *DB) setTTL(ctx context.Context) error {
	for table, column := range kept {
		keep := d.c.TTL
		if column == "" {
			keep = 0
		}
		var engine string
		if err := d.conn.QueryRow(ctx, "SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = {name:String}", driver.Named("name", table)).Scan(&engine); err != nil {
			return err
		}
		has := strings.Contains(engine, " TTL ")
		ttl := fmt.Sprintf("toDateTime(%s) + toIntervalSecond(%d)", column, int64(keep/time.Second))
		var change string
		switch {
		case keep > 0 && !strings.Contains(engine, " TTL "+ttl):
			change = "MODIFY TTL " + ttl
		case keep <= 0 && has:
			change = "REMOVE TTL"
		default:
			continue
		}
		if err := d.conn.Exec(ctx, "ALTER TABLE "+table+" "+change); err != nil {
			return fmt.Errorf("keep %s for %s: %w", table, keep, err)
		}
		d.c.Log.Info("history is kept for another time", "table", table, "ttl", keep)
	}
	return nil
}
