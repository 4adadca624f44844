package ingest

import (
	"context"
	"errors"
	"time"

	"redalert/schemas"
)

// ErrUnavailable wraps every failure of a port that may pass by itself: the
// log or the store is down, full or busy. Doors answer it with 503 or a nack,
// and accept nothing. It is schemas.ErrUnavailable, which every stage knows.
var ErrUnavailable = schemas.ErrUnavailable

// ErrNotFound is returned when a blob, cursor or quarantined item does not exist.
var ErrNotFound = errors.New("not found")

// Publisher is the log of accepted events. Publish returns nil only when every
// event is durable; on an error none, some or all may be. Events of one
// partition key keep their order. Publishing an event twice is allowed:
// readers are idempotent by event id.
type Publisher interface {
	Publish(ctx context.Context, events []schemas.Event) error
}

// ReceiptOutcome is what Reserve found.
type ReceiptOutcome int

// What Reserve may find for one receipt.
const (
	ReceiptNew       ReceiptOutcome = iota // stored now as pending; the caller publishes
	ReceiptDuplicate                       // same id, same content; Stored and Published say how far it got
	ReceiptConflict                        // same id, other content; nothing stored
)

// Receipt promises that an event was, or is about to be, published.
type Receipt struct {
	ContentHash string // SHA-256 of the canonical JSON of the data as sent, hex
	Event       schemas.Event
}

// Reservation answers one receipt.
type Reservation struct {
	Outcome   ReceiptOutcome
	Published bool          // for duplicates, and for what an Intake took in
	Stored    schemas.Event // for duplicates not yet published: publish this, not yours
}

// Receipts makes acceptance idempotent. Reserve stores, durably and in one
// transaction, a pending receipt for each event id that has none, and answers
// every input in order; of equal ids in one call or in concurrent calls
// exactly one is ReceiptNew. Receipts live as long as history.
type Receipts interface {
	Reserve(ctx context.Context, receipts []Receipt) ([]Reservation, error)
	MarkPublished(ctx context.Context, eventIDs []string) error
	// Pending lists events reserved but never marked, oldest first: what a
	// crash left behind. They are published again at start.
	Pending(ctx context.Context, limit int) ([]schemas.Event, error)
}

// Intake is Blobs, Receipts and Publisher in one, of a store that keeps all in
// one database. TakeIn does what Blobs.Put of raws, Reserve, Publish (of what is
// new, and of what an earlier attempt left pending, as stored then) and
// MarkPublished do, in one transaction: when it returns nil all of it is
// durable, on an error none. The answers are those of Reserve, with Published
// true for all but conflicts. Either list may be empty.
type Intake interface {
	TakeIn(ctx context.Context, raws [][]byte, receipts []Receipt) ([]Reservation, error)
}

// Cursors remembers how far each source has been read. A cursor is the
// collector's own opaque text. Load answers ErrNotFound before the first Save.
type Cursors interface {
	Load(ctx context.Context, source string) (string, error)
	Save(ctx context.Context, source, cursor string) error
}

// Quarantine keeps what could not be taken in. Put is idempotent by ID: a
// dropped or replayed item that fails again is open again; an open one stays.
type Quarantine interface {
	Put(ctx context.Context, items []schemas.Quarantined) error
	Get(ctx context.Context, id string) (schemas.Quarantined, error)
	// List is ordered by (At, ID). State "" lists all.
	List(ctx context.Context, state schemas.QuarantineState, q schemas.ListQuery) (schemas.Page[schemas.Quarantined], error)
	SetState(ctx context.Context, id string, state schemas.QuarantineState, at time.Time) error
}

// Blobs keeps raw bytes by content. Put answers the hex SHA-256 of each, in
// order; putting the same bytes again changes nothing. Get answers ErrNotFound.
type Blobs interface {
	Put(ctx context.Context, raws [][]byte) ([]string, error)
	Get(ctx context.Context, sha256 string) ([]byte, error)
}

// Identities turns what senders call a customer into one opaque id. The id is
// UUIDv5 of the strongest reference known (ref > e-mail > phone), so two
// machines derive the same. Resolve answers "" for a sighting that identifies
// nobody, and stores further references as aliases: a customer first known by
// e-mail alone who turns up with a ref gets the ref's id, and the old id maps
// to it. E-mails compare case-insensitively, phones by their digits. Two
// different refs are never one customer; an alias already taken stays.
type Identities interface {
	Resolve(ctx context.Context, sightings []schemas.Sighting) ([]string, error)
}

// Threads joins mails into threads. Thread answers the id of the thread that
// messageID belongs to, given what it refers to (References, then In-Reply-To,
// oldest first), and remembers it. The id is the root's Message-ID.
type Threads interface {
	Thread(ctx context.Context, messageID string, references []string) (string, error)
}

// ManyThreads is what a store of Threads may offer: Thread for many mails at
// once, one after the other as given, in one transaction.
type ManyThreads interface {
	Threads
	ThreadAll(ctx context.Context, mails []ThreadMail) ([]string, error)
}

// ThreadMail is what Thread is asked about one mail.
type ThreadMail struct {
	MessageID  string
	References []string
}

// Statuses keeps how each collector is doing, for the collectors page and its
// alarm, across processes. Report merges: nil and zero fields of last success,
// last error and lag leave what is there (LastError is cleared by a report
// with a LastSuccess); Accepted and Quarantined are added.
type Statuses interface {
	Report(ctx context.Context, s schemas.CollectorStatus) error
	Collectors(ctx context.Context) ([]schemas.CollectorStatus, error)
}
