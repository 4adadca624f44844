package signals

import (
	"context"
	"errors"
	"fmt"
	"time"

	"redalert/schemas"
)

// ErrNotFound is returned when an event or customer does not exist.
var ErrNotFound = errors.New("not found")

// Batch is what a Consumer hands over. Commit makes the log move on; it is
// called only after everything the batch causes is durable. Without a commit
// the same events come again, to this consumer or another.
type Batch struct {
	Events []schemas.Event
	Commit func(context.Context) error
}

// Consumer reads accepted events, at least once each, in order per partition
// key. Fetch blocks until there is at least one, or ctx ends. Lag counts
// events not yet committed.
type Consumer interface {
	Fetch(ctx context.Context, max int) (Batch, error)
	Lag(ctx context.Context) (int64, error)
}

// EventPublisher takes the signals that the clock raises into the log of
// events, as ingest does with everything else.
type EventPublisher interface {
	Publish(ctx context.Context, events []schemas.Event) error
}

// AlertPublisher is the log of alerts. It returns nil only when every notice
// is durable; a notice may be published twice.
type AlertPublisher interface {
	PublishAlerts(ctx context.Context, notices []schemas.Notice) error
}

// Quarantine takes an event the scorer failed on.
type Quarantine interface {
	Put(ctx context.Context, items []schemas.Quarantined) error
}

// History is the memory: every event with its verdict.
type History interface {
	// Store keeps events and verdicts, idempotent by event id, in one
	// transaction, and answers the standing verdict of each: the first one
	// stored wins over a replay. An event that can never be kept does not
	// block the others: Store then answers *RejectedError, which names each
	// such event; of the others none, some or all may be stored. Set those
	// aside and store the rest again.
	Store(ctx context.Context, scored []schemas.Scored) ([]schemas.Verdict, error)
	// Rescore puts new verdicts in the place of standing ones, for good: what was
	// stored first does not come back with a replay. Of events that history does
	// not hold nothing is stored; events and orders stay as they are. Unlike Store
	// it is not idempotent: of two calls the later one stands. One process
	// rescores at a time.
	Rescore(ctx context.Context, scored []schemas.Scored) error
	// Events, Verdicts and Orders list in a stable order; events by
	// (collected_at, id), verdicts by (scored_at, id), orders by (placed_at, ref).
	Events(ctx context.Context, q schemas.ListQuery) (schemas.Page[schemas.Event], error)
	Verdicts(ctx context.Context, q schemas.ListQuery) (schemas.Page[schemas.Verdict], error)
	Orders(ctx context.Context, q schemas.ListQuery) (schemas.Page[schemas.OrderRecord], error)
	// Trend answers a chart. Kind is alerts or churn.
	Trend(ctx context.Context, kind string, q schemas.TrendQuery) (schemas.Trend, error)
	// GroupCounts counts events of the local days [from, to), both YYYY-MM-DD, by
	// day, source and location (Category ""), and the red ones among them once
	// more by each of their categories; groups without any are left out. Order:
	// day, source, location, category, by bytes.
	GroupCounts(ctx context.Context, from, to string) ([]GroupCount, error)
}

// RejectedError is returned by History.Store for events that it can never keep,
// however often they are tried: their data does not fit. Every other error of
// Store may pass.
type RejectedError struct {
	Events []Rejection // at least one
}

// Rejection is one event that history cannot keep. Its Reason is for people; it
// may quote a value of the event, so it is not for logs.
type Rejection struct {
	EventID string
	Reason  string
}

func (e *RejectedError) Error() string {
	return fmt.Sprintf("history can never keep %d events, among them %s", len(e.Events), e.Events[0].EventID)
}

// Records answers single things out of history, for pages.
type Records interface {
	Scored(ctx context.Context, eventIDs []string) ([]schemas.Scored, error) // unknown ids are left out; input order
	CustomerOrders(ctx context.Context, customerID string) ([]schemas.OrderRecord, error)
	CustomerEvents(ctx context.Context, customerID string, limit int) ([]schemas.Scored, error) // newest first
	Totals(ctx context.Context, customerIDs []string) (map[string]CustomerTotals, error)        // canonical ids
}

// CustomerTotals sums a customer's orders up; money in minor units of the
// business currency.
type CustomerTotals struct {
	Orders       int64
	Revenue      int64 // net
	FirstOrderAt time.Time
	LastOrderAt  time.Time
}

// Context is what the scorer may know of a customer: facts of events in
// history, aliases resolved. It does not filter by time; the scorer does.
type Context interface {
	// OrderFacts answers each customer's order events, oldest first.
	OrderFacts(ctx context.Context, customerIDs []string) (map[string][]schemas.OrderFact, error)
	// RevenueP90 is the 90th percentile (nearest rank) of net revenue over the
	// 365 days before at, among customers with revenue, and their number.
	RevenueP90(ctx context.Context, at time.Time) (p90 int64, customers int, err error)
}

// Rounds are what the clock goes through, a page at a time.
type Rounds interface {
	// Ordered lists customers who have placed an order, cancelled ones included,
	// in the order of the ids that the orders carry. It looks at up to limit ids
	// after the one given ("" = from the start) and answers the present ids of
	// their customers and where to go on, "" at the end. Who was known by two ids
	// may be named on two pages, never twice on one.
	Ordered(ctx context.Context, after string, limit int) (ids []string, next string, err error)
	// Words lists events of one type with their standing verdicts by
	// (collected_at, id); q bounds and pages them as in History.Events. It is
	// quick for mail and for our replies.
	Words(ctx context.Context, t schemas.EventType, q schemas.ListQuery) (schemas.Page[schemas.Scored], error)
}

// Schedule remembers which jobs of the clock have run; see alerting.Schedule,
// which the same adapters serve.
type Schedule interface {
	Begin(ctx context.Context, job, key string, now time.Time, lease time.Duration) (bool, error)
	Done(ctx context.Context, job, key string, now time.Time) error
}

// Aliases answers every id of a customer, the present one first. An unknown id
// is its own.
type Aliases interface {
	Keys(ctx context.Context, customerID string) ([]string, error)
}

// Fits keeps what was learnt from this business's own past: one document a
// name, the last one saved.
type Fits interface {
	SaveFit(ctx context.Context, name string, doc []byte, at time.Time) error
	LoadFit(ctx context.Context, name string) ([]byte, error) // nil when there is none
}
