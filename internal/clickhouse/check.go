package clickhouse

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"

	driver "github.com/ClickHouse/clickhouse-go/v2"
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
		return "", fmt.Errorf("clickhouse at %s: %s: %w", d.c.Addr, d.advise(err), unavailable("ask for its version", err))
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

// advise says in words why the server could not be asked, and what to do.
func (d *DB) advise(err error) string {
	var x *driver.Exception
	var hostname x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var dns *net.DNSError
	switch {
	case errors.As(err, &x) && slices.Contains(accountCodes, x.Code):
		return "the user name or password is wrong (clickhouse.user, clickhouse.password)"
	case errors.As(err, &x) && x.Code == unknownDatabase:
		return fmt.Sprintf("there is no database %s; run redalert migrate, which creates it, or name another (clickhouse.database)", d.c.Database)
	case errors.As(err, &authority):
		return "its certificate is signed by an authority unknown here; name that one's certificate (clickhouse.ca_file)"
	case errors.As(err, &hostname):
		return "its certificate is for another host name; use that name (clickhouse.addr)"
	case errors.As(err, &invalid):
		return "its certificate is not valid now"
	case errors.As(err, &record):
		return "the port does not speak TLS; use the server's port for native TLS, 9440 as a rule, or no clickhouse.tls"
	case errors.As(err, &dns):
		return "the host name is not known here (clickhouse.addr)"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there; is the server running? (clickhouse.addr)"
	case d.c.TLS == nil:
		return "it hangs up on us or does not answer; is this the native port, and does it want TLS? (clickhouse.tls)"
	}
	return "it hangs up on us or does not answer; is this its port for native TLS? (clickhouse.addr)"
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
