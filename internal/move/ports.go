// Package move carries a whole business from one set of stores to another: from
// the one file to the three servers, and back. It knows neither side's dialect:
// both offer their state as shelves of neutral rows, and their history through
// the stages' own port.
//
// A side is live, moved away, or receiving. The source stays frozen while it is
// read and is marked moved before the target is marked live, so that at no
// moment both take writes; whoever runs the same move again after a crash, at
// whatever point, finishes it.
package move

import (
	"context"
	"errors"
	"fmt"
	"time"

	"redalert/schemas"
)

// Condition is what a side is to a business.
type Condition string

// Every condition. A side that was never part of a move has no mark: its
// condition is "", and it is live.
const (
	Live      Condition = "live"
	Receiving Condition = "receiving" // is filled; refuses all writes but the move's
	Moved     Condition = "moved"     // its business has gone to the other side; refuses all writes
)

// Mark stands in each side's table of facts.
type Mark struct {
	ID        string    `json:"id"` // of the business's move, the same on both sides, and for good
	Condition Condition `json:"condition"`
	At        time.Time `json:"at"`
	To        string    `json:"to,omitempty"`     // where a moved side went, in words
	Cursor    string    `json:"cursor,omitempty"` // how far history has been received
	Events    int64     `json:"events,omitempty"` // received up to Cursor
}

// Usable answers nil for a live side, otherwise an error that says in words what
// has become of it. What is "the file" or "the servers", other the other side's
// name for --to.
func (m Mark) Usable(what, name, other string) error {
	switch m.Condition {
	case Moved:
		return fmt.Errorf("%w: %s moved to %s on %s; use the configuration of the new place, or bring everything back: redalert move --to %s",
			ErrNotLive, what, m.To, m.At.UTC().Format("2006-01-02 15:04 MST"), name)
	case Receiving:
		return fmt.Errorf("%w: a move into %s is not finished; the same command again goes on where it stopped: redalert move --to %s (until then %s is in use)",
			ErrNotLive, what, name, other)
	}
	return nil
}

// ErrNotLive: this side is not the one in use.
var ErrNotLive = errors.New("not in use")

// NotEmptyError is returned by Receive: the target holds something.
type NotEmptyError struct {
	Shelf string
	Rows  int64
}

func (e *NotEmptyError) Error() string {
	return fmt.Sprintf("the target holds data already (%s: %d rows); move into an empty one", e.Shelf, e.Rows)
}

// Row is the values of a shelf's columns, in order: nil, int64, float64, string
// or []byte, whatever the store's own types are.
type Row []any

// State is everything that changes, of one side. Its methods may be called one
// at a time.
type State interface {
	Mark(ctx context.Context) (Mark, error)
	// SetMark stores the mark and, in the same step, shuts or opens the side for
	// every process: while it is not live, writes by others fail.
	SetMark(ctx context.Context, m Mark) error
	// Receive is SetMark of a receiving side; with empty set it answers
	// *NotEmptyError, and changes nothing, unless every shelf is empty.
	Receive(ctx context.Context, m Mark, empty bool) error
	// Freeze runs fn while nobody can write, then stores the mark that fn
	// answers; if fn fails, or the process dies, the side is as it was.
	Freeze(ctx context.Context, fn func(context.Context) (Mark, error)) error
	// Unpublished counts events that were accepted and are not in the log.
	Unpublished(ctx context.Context) (int64, error)

	Count(ctx context.Context, s Shelf) (int64, error)
	// Rows answers some rows after the given key (the first values of a row), in
	// order of the key; nil begins, no rows end. The order is the same on every
	// side, except among texts that not every side can hold.
	Rows(ctx context.Context, s Shelf, after Row) ([]Row, error)
	// Put stores rows, in place of those of the same keys.
	Put(ctx context.Context, s Shelf, rows []Row) error
	// Clear removes every row, and those of other shelves that hang on them.
	Clear(ctx context.Context, s Shelf) error
}

// History is what scorers have written, of one side.
type History interface {
	Events(ctx context.Context, q schemas.ListQuery) (schemas.Page[schemas.Event], error)
	Scored(ctx context.Context, eventIDs []string) ([]schemas.Scored, error)
	Orders(ctx context.Context, q schemas.ListQuery) (schemas.Page[schemas.OrderRecord], error)
	Store(ctx context.Context, scored []schemas.Scored) ([]schemas.Verdict, error)
	CountEvents(ctx context.Context) (int64, error)
	// ClearHistory removes events, verdicts and orders.
	ClearHistory(ctx context.Context) error
	// ForgetAliases drops a copy of the customers' aliases, if there is one: it
	// is read anew from the state.
	ForgetAliases(ctx context.Context) error
}

// Side is one place a business may be.
type Side struct {
	Name    string // file or servers, as --to has it
	What    string // in words: the file, the servers
	Where   string // in words, for people: a path, addresses
	State   State
	History History
	// Waiting counts what the log holds that nobody has worked off.
	Waiting func(ctx context.Context) (int64, error)
}
