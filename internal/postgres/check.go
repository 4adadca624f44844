package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"redalert/ingest"
)

// minVersion is the oldest PostgreSQL that is tested against, as server_version_num.
const minVersion = 130000

// Check connects anew, for doctor, and says in words what is wrong and what to
// do: server not found, password wrong, database missing, too old, no UTF-8,
// not durable, schema old or new, no writes. It writes one row of meta.
func Check(ctx context.Context, cfg Config) error {
	d, err := connect(ctx, cfg)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Check(ctx)
}

// Check is the package's Check, over the connections there are.
func (d *DB) Check(ctx context.Context) error {
	for _, check := range []func(context.Context) error{d.checkServer, d.checkSchema, d.checkDurable, d.checkWrite} {
		if err := check(ctx); err != nil {
			return err
		}
	}
	return nil
}

// checkServer refuses a server or database that cannot serve us at all.
func (d *DB) checkServer(ctx context.Context) error {
	var version int
	var text, encoding string
	_, err := first(ctx, d, nil, func(r row) (bool, error) {
		return true, r.Scan(&version, &text, &encoding)
	}, "SELECT current_setting('server_version_num')::int, current_setting('server_version'), current_setting('server_encoding')")
	switch {
	case err != nil:
		return unavailable("ask PostgreSQL for its version", err)
	case version < minVersion:
		return fmt.Errorf("PostgreSQL %s is too old; 13 is the oldest that works", text)
	case encoding != "UTF8":
		return fmt.Errorf("the database's encoding is %s; create one with ENCODING 'UTF8' TEMPLATE template0", encoding)
	}
	return nil
}

// checkDurable refuses settings under which an accepted event may be lost.
func (d *DB) checkDurable(ctx context.Context) error {
	off, err := query(ctx, d, value[string], `SELECT name FROM pg_settings
		WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off' ORDER BY name`)
	if err != nil {
		return unavailable("look at PostgreSQL's settings", err)
	}
	if len(off) > 0 {
		return fmt.Errorf("%s off in PostgreSQL: a power cut may lose or break what was accepted; set it on", strings.Join(off, ", "))
	}
	return nil
}

func (d *DB) checkWrite(ctx context.Context) error {
	_, err := d.exec(ctx, "INSERT INTO meta (key, value) VALUES ('checked', now()::text) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
	switch {
	case isCode(err, "42501"):
		return errors.New("this database user may read but not write: grant it INSERT, UPDATE and DELETE on all tables")
	case isCode(err, "25006"):
		return fmt.Errorf("%w: the server takes no writes (a standby): connect to the primary", ingest.ErrUnavailable)
	}
	return unavailable("write to the database", err)
}

// inWords says why a connection failed and what to do about it. All of these
// may pass by themselves, or by somebody's hand, so all are ErrUnavailable.
func inWords(err error, c *pgx.ConnConfig) error {
	where := fmt.Sprintf("%s:%d", c.Host, c.Port)
	say := func(format string, a ...any) error {
		return fmt.Errorf("PostgreSQL at %s: %s: %w: %w", where, fmt.Sprintf(format, a...), ingest.ErrUnavailable, err)
	}
	var pe *pgconn.PgError
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return say("the host %q is not known; check the name in the connection URL", c.Host)
	case errors.As(err, &pe):
		switch pe.Code {
		case "28P01", "28000":
			return say("it refuses user %q or the password; check both in the connection URL, and the server's pg_hba.conf", c.User)
		case "3D000":
			return say("there is no database %q; create it: CREATE DATABASE %s", c.Database, pgx.Identifier{c.Database}.Sanitize())
		case "53300":
			return say("it has no connection left; raise its max_connections or lower ours")
		case "42501":
			return say("user %q may not connect to database %q; GRANT CONNECT", c.User, c.Database)
		}
	case strings.Contains(err.Error(), "refused TLS"):
		return say("it speaks no TLS; give it a certificate, or say sslmode=disable if the network is yours alone")
	case errors.Is(err, context.DeadlineExceeded):
		return say("no answer; is the address right, and no firewall between?")
	}
	return say("cannot connect; is it running, and listening there?")
}
