// Package export shapes what Redalert hands to programs: the records of the
// export command and of the lists of the JSON API, which are the same. It reads
// through the stages' ports and decides nothing; who may see what is said by
// the query's locations.
package export

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"redalert/alerting"
	"redalert/ingest"
	"redalert/schemas"
	"redalert/signals"
)

// Kind names what is exported.
type Kind string

// Every kind.
const (
	Events        Kind = "events"
	Verdicts      Kind = "verdicts"
	Alerts        Kind = "alerts"
	Cases         Kind = "cases"
	CaseEvents    Kind = "case-events"
	Notifications Kind = "notifications"
	Quarantine    Kind = "quarantine"
	Customers     Kind = "customers"
	Orders        Kind = "orders"
)

// Kinds lists every kind, in the order of the documentation.
func Kinds() []Kind {
	return []Kind{Events, Verdicts, Alerts, Cases, CaseEvents, Notifications, Quarantine, Customers, Orders}
}

// ParseKind reads the name of a kind.
func ParseKind(s string) (Kind, error) {
	var names []string
	for _, k := range Kinds() {
		if string(k) == s {
			return k, nil
		}
		names = append(names, string(k))
	}
	return "", fmt.Errorf("there is no export of %q; choose one of %s", s, strings.Join(names, ", "))
}

// Format is how an export is written.
type Format string

// JSONL is one JSON object a line; CSV has a header and neutralised formulas.
const (
	JSONL Format = "jsonl"
	CSV   Format = "csv"
)

// ParseFormat reads jsonl or csv; "" is jsonl.
func ParseFormat(s string) (Format, error) {
	switch f := Format(s); f {
	case "":
		return JSONL, nil
	case JSONL, CSV:
		return f, nil
	}
	return "", fmt.Errorf("there is no format %q; choose jsonl or csv", s)
}

// Source is the ports that records come from.
type Source struct {
	History    signals.History
	Records    signals.Records // orders and revenue of customers
	Lists      alerting.CaseLists
	Outbox     alerting.Outbox
	Identities alerting.Identities
	Quarantine ingest.Quarantine
	Currency   string         // of customers' revenue: the business's
	Risks      *signals.Risks // churn_risk of customers; nil leaves it null
}

// Page answers one page of records of a kind. Its items encode to the JSON
// objects of the contract. Since and Until bound collected_at of events,
// scored_at of verdicts, raised_at of alerts, opened_at of cases, at of case
// events, notifications and quarantine, the first sighting of customers and
// placed_at of orders. Errors wrap schemas.ErrBadCursor for a foreign cursor.
func (s Source) Page(ctx context.Context, kind Kind, q schemas.ListQuery) (schemas.Page[any], error) {
	switch kind {
	case Events:
		return s.events(ctx, q)
	case Verdicts:
		return shaped(ctx, q, s.History.Verdicts, func(v schemas.Verdict) any { return Verdict(v) })
	case Alerts:
		return shaped(ctx, q, s.Lists.Alerts, func(a schemas.Alert) any { return a })
	case Cases:
		return s.cases(ctx, q)
	case CaseEvents:
		return shaped(ctx, q, s.Lists.CaseEvents, func(e schemas.CaseEvent) any { return e })
	case Notifications:
		all := func(ctx context.Context, q schemas.ListQuery) (schemas.Page[schemas.Notification], error) {
			return s.Outbox.Notifications(ctx, "", q)
		}
		return shaped(ctx, q, all, func(n schemas.Notification) any { return notificationOf(n) })
	case Quarantine:
		return s.Quarantined(ctx, "", q)
	case Customers:
		return s.customers(ctx, q)
	case Orders:
		return shaped(ctx, q, s.History.Orders, func(o schemas.OrderRecord) any { return o })
	}
	_, err := ParseKind(string(kind))
	return schemas.Page[any]{}, err
}

// Quarantined is Page for quarantine, of one state; "" = all.
func (s Source) Quarantined(ctx context.Context, state schemas.QuarantineState, q schemas.ListQuery) (schemas.Page[any], error) {
	of := func(ctx context.Context, q schemas.ListQuery) (schemas.Page[schemas.Quarantined], error) {
		return s.Quarantine.List(ctx, state, q)
	}
	return shaped(ctx, q, of, func(i schemas.Quarantined) any { return i })
}

// shaped turns a page of a port into a page of records.
func shaped[T any](ctx context.Context, q schemas.ListQuery, list func(context.Context, schemas.ListQuery) (schemas.Page[T], error), shape func(T) any) (schemas.Page[any], error) {
	p, err := list(ctx, q)
	out := schemas.Page[any]{Items: make([]any, 0, len(p.Items)), Next: p.Next}
	for _, it := range p.Items {
		out.Items = append(out.Items, shape(it))
	}
	return out, err
}

// Write writes every record of a kind from since (inclusive) until until
// (exclusive); zero times are unbounded. It answers how many. A store may be
// written to meanwhile: what was there at the start is there once.
func (s Source) Write(ctx context.Context, w io.Writer, kind Kind, format Format, since, until time.Time) (int, error) {
	buf := bufio.NewWriterSize(w, 64<<10)
	enc, err := newEncoder(buf, kind, format)
	if err != nil {
		return 0, err
	}
	n := 0
	seen := map[string]bool{} // notifications move to the end when their state changes
	for q := (schemas.ListQuery{Since: since, Until: until, Limit: schemas.MaxPage}); ; {
		p, err := s.Page(ctx, kind, q)
		if err != nil {
			return n, fmt.Errorf("export %s: %w", kind, err)
		}
		for _, it := range p.Items {
			if no, ok := it.(notification); ok {
				if seen[no.ID] {
					continue
				}
				seen[no.ID] = true
			}
			if err := enc(it); err != nil {
				return n, fmt.Errorf("export %s: %w", kind, err)
			}
			n++
		}
		if q.Cursor = p.Next; q.Cursor == "" {
			break
		}
	}
	if err := buf.Flush(); err != nil {
		return n, fmt.Errorf("export %s: %w", kind, err)
	}
	return n, nil
}

// newEncoder answers what writes one record.
func newEncoder(w io.Writer, kind Kind, format Format) (func(any) error, error) {
	if format == CSV {
		return csvEncoder(w, kind)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode, nil
}
