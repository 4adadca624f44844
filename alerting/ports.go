package alerting

import (
	"context"
	"errors"
	"fmt"
	"time"

	"redalert/schemas"
)

// Errors every adapter answers with; match them with errors.Is.
var (
	ErrNotFound = errors.New("not found")
	// ErrAlreadyFiled: the event that the change files is in a case already.
	ErrAlreadyFiled = errors.New("event is filed already")
)

// Conflict is returned when a change was made against an old version of a
// case, or when another open case of the same key appeared meanwhile.
type Conflict struct {
	By      string // who made the newer version: the actor of its last audit entry
	Version int64  // as stored now
}

func (c *Conflict) Error() string {
	return fmt.Sprintf("the case was changed by %s meanwhile (version %d)", c.By, c.Version)
}

// NoticeBatch is what an AlertReader hands over; see Commit of signals.Batch.
type NoticeBatch struct {
	Notices []schemas.Notice
	Commit  func(context.Context) error
}

// AlertReader reads the alerts log, at least once each, in order per case key.
// FetchAlerts blocks until there is at least one, or ctx ends.
type AlertReader interface {
	FetchAlerts(ctx context.Context, max int) (NoticeBatch, error)
	AlertLag(ctx context.Context) (int64, error)
}

// Change is all that one command does to one case; it is stored in one
// transaction or not at all. Before is the version the command saw: 0 opens a
// new case (the adapter then assigns Number). The stored version is Before+1. Audit entries carry no Seq; the
// adapter numbers them. Notifications whose key exists already are left out
// silently. Filed, if set, must be unique by event id: if that event is filed
// already nothing is stored and ErrAlreadyFiled returned.
type Change struct {
	Before        int64
	Case          schemas.Case
	Audit         []schemas.CaseEvent
	Notifications []schemas.Notification
	Filed         *schemas.Alert
	OrderRef      string // of the filed event; "" = none. The queue's search finds the case by it
}

// Cases is the store of cases and their audit.
type Cases interface {
	// Case finds by id; ErrNotFound.
	Case(ctx context.Context, id string) (schemas.Case, error)
	// ByKeys lists the cases (open and closed, merged ones left out) whose key
	// or customer is one of keys, aliases resolved, newest first.
	ByKeys(ctx context.Context, keys []string) ([]schemas.Case, error)
	// Apply stores changes in order, all in one transaction (a merge touches
	// two cases). It answers the stored cases, numbered. *Conflict,
	// ErrAlreadyFiled, or nothing is changed.
	Apply(ctx context.Context, changes ...Change) ([]schemas.Case, error)
	// RecordAlert stores a red event that opens no case; idempotent.
	RecordAlert(ctx context.Context, a schemas.Alert) error
	Audit(ctx context.Context, caseID string) ([]schemas.CaseEvent, error)
}

// CaseLists answers listings for pages, exports and clock jobs.
type CaseLists interface {
	Queue(ctx context.Context, q QueueQuery) (Queue, error)
	List(ctx context.Context, q schemas.ListQuery) (schemas.Page[schemas.Case], error) // by (opened_at, id)
	Alerts(ctx context.Context, q schemas.ListQuery) (schemas.Page[schemas.Alert], error)
	CaseEvents(ctx context.Context, q schemas.ListQuery) (schemas.Page[schemas.CaseEvent], error)
	// DueBy lists open, unpaused cases with a timer due at or before t that is
	// not in Missed yet, or a snooze that has ended.
	DueBy(ctx context.Context, t time.Time) ([]schemas.Case, error)
}

// QueueQuery filters the triage queue; zero values do not filter.
type QueueQuery struct {
	States     []schemas.CaseState // empty = open
	Assignee   string              // e-mail; "-" = unassigned
	Location   string
	SourceType schemas.SourceType
	Search     string   // name, e-mail, phone digits, order ref, case number, words of the excerpt
	Visible    []string // locations the viewer may see; nil = all
	Now        time.Time
	Snoozed    bool // true: only snoozed; false: only awake
	Limit      int  // 0 = 200
	Offset     int
}

// Queue is one screen of triage: most urgent first (overdue, then priority,
// then due time, then value at risk), with the totals of all that matches.
type Queue struct {
	Cases      []schemas.Case
	Total      int
	Overdue    int
	AtRisk     schemas.Money
	Unassigned int
}

// Identities answers who a customer is. Canonical maps an id through the alias
// table (an unknown id maps to itself); Keys is every id that maps to the same
// customer, canonical first.
type Identities interface {
	Canonical(ctx context.Context, customerID string) (string, error)
	Keys(ctx context.Context, customerID string) ([]string, error)
	Customer(ctx context.Context, customerID string) (schemas.Customer, error) // ErrNotFound; orders and revenue are zero
	Customers(ctx context.Context, q schemas.ListQuery) (schemas.Page[schemas.Customer], error)
	// SetOptedOut is the one thing alerting may change.
	SetOptedOut(ctx context.Context, customerID string, optedOut bool) error
}

// Outbox holds notifications until they are sent, and their log for ever.
type Outbox interface {
	// Enqueue stores notifications that belong to no case's change (digests),
	// idempotent by key.
	Enqueue(ctx context.Context, ns []schemas.Notification) error
	// Take answers up to max notifications that are queued and due at now, or
	// were being sent when their lease ran out; it marks them sending with a
	// lease and counts the attempt, durably, before it returns. One to a
	// customer whose lease ran out becomes uncertain and is not answered.
	Take(ctx context.Context, now time.Time, lease time.Duration, max int) ([]schemas.Notification, error)
	// Finish stores the outcome of an attempt: sent, failed, uncertain, or
	// queued again with NotBefore. For a failed or uncertain notification of a
	// case the page reads it from Notifications.
	Finish(ctx context.Context, n schemas.Notification) error
	Notifications(ctx context.Context, caseID string, q schemas.ListQuery) (schemas.Page[schemas.Notification], error) // "" = all; by (At, ID)
	// Waiting counts queued and sending notifications.
	Waiting(ctx context.Context) (int64, error)
}

// Schedule remembers which clock jobs have run, so that none runs twice and
// none is missed. Begin takes a lease on (job, key) — a job's key is usually a
// local date — and answers false if it is done or somebody holds the lease.
type Schedule interface {
	Begin(ctx context.Context, job, key string, now time.Time, lease time.Duration) (bool, error)
	Done(ctx context.Context, job, key string, now time.Time) error
	// LastDone answers the greatest key done for job; "" if none.
	LastDone(ctx context.Context, job string) (string, error)
}

// SettingsStore keeps Settings. Load answers DefaultSettings before the first
// Save.
type SettingsStore interface {
	Load(ctx context.Context) (schemas.Settings, error)
	Save(ctx context.Context, s schemas.Settings) error
}

// People answers who is to be told; users themselves belong to auth.
type People interface {
	// Staff lists enabled users.
	Staff(ctx context.Context) ([]Person, error)
}

// Person is a user as alerting sees one.
type Person struct {
	Email     string
	Name      string
	Role      schemas.Role
	Locations []string
	Timezone  string // IANA; "" = the business's
}
