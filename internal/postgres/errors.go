package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"redalert/ingest"
)

// Errors of the schema's age.
var (
	// ErrNewer: the database was written by a newer program.
	ErrNewer = errors.New("the database was written by a newer version of redalert; use that version, or restore a backup")
	// ErrOlder: the database has not got this program's tables yet.
	ErrOlder = errors.New("the database has an older schema; run redalert migrate")
)

// SQLSTATEs that we tell apart.
const (
	uniqueViolation   = "23505"
	serialization     = "40001"
	deadlock          = "40P01"
	cachedPlanChanged = "0A000" // another process migrated; the driver has forgotten the plan
)

// temporary lists the classes, and single codes, of server errors that may
// pass by themselves: connection, resources (disk full, too many connections),
// operator (shutting down), system; a standby that is about to lead; busy.
var temporary = []string{"08", "53", "57", "58", "25006", "55P03", serialization, deadlock}

// unavailable says what failed, and wraps ingest.ErrUnavailable when the cause
// may pass by itself, so that a door answers "come again" instead of "broken".
// Neither pgx's errors nor these hold a password.
func unavailable(what string, err error) error {
	if err == nil {
		return nil
	}
	if passing(err) {
		return fmt.Errorf("%s: %w: %w", what, ingest.ErrUnavailable, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// passing reports whether an error is of the server or the way to it, and not
// of what was asked. A caller that has gone away is neither.
func passing(err error) bool {
	if errors.Is(err, context.Canceled) {
		return false
	}
	var pe *pgconn.PgError
	var ce *pgconn.ConnectError
	switch {
	case errors.As(err, &ce), errors.Is(err, context.DeadlineExceeded):
		return true
	case errors.As(err, &pe):
		return slices.Contains(temporary, pe.Code) || slices.Contains(temporary, pe.Code[:min(2, len(pe.Code))])
	}
	return broken(err)
}

// broken reports whether a connection was lost, which another one may replace.
// An error that nobody can tell is taken for a broken connection only if the
// network or the driver named it.
func broken(err error) bool {
	var ce *pgconn.ConnectError
	var pe *pgconn.PgError
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &ce) {
		return false
	}
	if errors.As(err, &pe) {
		return pe.Code == "57P01" || pe.Code == "57P02"
	}
	var ne net.Error
	return errors.As(err, &ne) || errors.Is(err, pgconn.ErrConnClosed) || pgconn.SafeToRetry(err) || isEOF(err) ||
		errors.Is(err, pgx.ErrTxClosed) || errors.Is(err, pgx.ErrTxCommitRollback) || errors.Is(err, errClosed)
}

// again reports whether a transaction was undone through nobody's fault.
func again(err error) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && (pe.Code == serialization || pe.Code == deadlock || pe.Code == cachedPlanChanged && pe.Routine == "RevalidateCachedQuery")
}

func isCode(err error, code string) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && pe.Code == code
}
