package export

import (
	"context"
	"time"

	"redalert/schemas"
)

// Verdict is a verdict with empty lists instead of null.
func Verdict(v schemas.Verdict) schemas.Verdict {
	v.Reasons, v.Categories = notNil(v.Reasons), notNil(v.Categories)
	return v
}

// Case is a case with empty lists instead of null.
func Case(c schemas.Case) schemas.Case {
	c.Reasons, c.Categories, c.EventIDs = notNil(c.Reasons), notNil(c.Categories), notNil(c.EventIDs)
	c.Missed, c.Playbook = notNil(c.Missed), notNil(c.Playbook)
	return c
}

func notNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// events lists events under the canonical id of their customer, as cases,
// customers and orders are listed; the stored event keeps its own.
func (s Source) events(ctx context.Context, q schemas.ListQuery) (schemas.Page[any], error) {
	p, err := s.History.Events(ctx, q)
	out := schemas.Page[any]{Items: make([]any, 0, len(p.Items)), Next: p.Next}
	if err != nil {
		return out, err
	}
	known := map[string]string{"": ""}
	for _, e := range p.Items {
		id, ok := known[e.CustomerID]
		if !ok {
			if id, err = s.Identities.Canonical(ctx, e.CustomerID); err != nil {
				return out, err
			}
			known[e.CustomerID] = id
		}
		e.CustomerID = id
		out.Items = append(out.Items, e)
	}
	return out, nil
}

// cases lists cases under the canonical id of their customer.
func (s Source) cases(ctx context.Context, q schemas.ListQuery) (schemas.Page[any], error) {
	p, err := s.Lists.List(ctx, q)
	out := schemas.Page[any]{Items: make([]any, 0, len(p.Items)), Next: p.Next}
	if err != nil {
		return out, err
	}
	for _, c := range p.Items {
		if c, err = s.OneCase(ctx, c); err != nil {
			return out, err
		}
		out.Items = append(out.Items, c)
	}
	return out, nil
}

// OneCase shapes a single case: no null lists, the customer's canonical id.
func (s Source) OneCase(ctx context.Context, c schemas.Case) (schemas.Case, error) {
	if c.CustomerID != "" {
		id, err := s.Identities.Canonical(ctx, c.CustomerID)
		if err != nil {
			return c, err
		}
		c.CustomerID = id
	}
	return Case(c), nil
}

// notification is a row of the notification log. A digest belongs to no case:
// its case and episode are null.
type notification struct {
	ID        string                    `json:"id"`
	CaseID    *string                   `json:"case_id"`
	Episode   *int                      `json:"episode"`
	Kind      schemas.NotificationKind  `json:"kind"`
	Cause     string                    `json:"cause"`
	Recipient string                    `json:"recipient"`
	Channel   string                    `json:"channel"`
	MessageID string                    `json:"message_id"`
	State     schemas.NotificationState `json:"state"` // sending reads queued
	Attempts  int                       `json:"attempts"`
	At        time.Time                 `json:"at"`
	Error     string                    `json:"error"`
	EventID   string                    `json:"event_id"`
}

func notificationOf(n schemas.Notification) notification {
	out := notification{
		ID: n.ID, Kind: n.Key.Kind, Cause: n.Key.Cause, Recipient: n.Key.Recipient, Channel: n.Key.Channel,
		MessageID: n.MessageID, State: n.State, Attempts: n.Attempts, At: n.At, Error: n.Error, EventID: n.EventID,
	}
	if n.Key.CaseID != "" {
		out.CaseID, out.Episode = &n.Key.CaseID, &n.Key.Episode
	}
	if out.State == schemas.NotificationSending {
		out.State = schemas.NotificationQueued
	}
	return out
}

// customers lists customers with what history knows of their orders.
func (s Source) customers(ctx context.Context, q schemas.ListQuery) (schemas.Page[any], error) {
	p, err := s.Identities.Customers(ctx, q)
	out := schemas.Page[any]{Items: make([]any, 0, len(p.Items)), Next: p.Next}
	if err != nil {
		return out, err
	}
	ids := make([]string, len(p.Items))
	for i, c := range p.Items {
		ids[i] = c.ID
	}
	totals, err := s.Records.Totals(ctx, ids)
	if err != nil {
		return out, err
	}
	risks, err := s.Risks.Of(ctx, ids)
	if err != nil {
		return out, err
	}
	for _, c := range p.Items {
		c.Refs = notNil(c.Refs)
		if p, ok := risks[c.ID]; ok {
			c.ChurnRisk = &p
		}
		t := totals[c.ID]
		c.Orders, c.Revenue = t.Orders, schemas.Money{Amount: t.Revenue, Currency: s.Currency}
		c.FirstOrderAt, c.LastOrderAt = timeOrNil(t.FirstOrderAt), timeOrNil(t.LastOrderAt)
		out.Items = append(out.Items, c)
	}
	return out, nil
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
