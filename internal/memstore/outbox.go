package memstore

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"redalert/alerting"
	"redalert/schemas"
)

type outboxRow struct {
	n          schemas.Notification
	leaseUntil time.Time
}

// Outbox is the alerting.Outbox over this store.
func (s *Store) Outbox() alerting.Outbox { return outbox{s} }

type outbox struct{ s *Store }

func (s *caseState) enqueue(ns []schemas.Notification) {
	if s.outbox == nil {
		s.outbox = map[string]outboxRow{}
	}
next:
	for _, n := range ns {
		for id, o := range s.outbox {
			if id == n.ID || o.n.Key == n.Key {
				continue next
			}
		}
		if n.State == "" {
			n.State = schemas.NotificationQueued
		}
		n.Body = slices.Clone(n.Body)
		s.outbox[n.ID] = outboxRow{n: n}
	}
}

// Enqueue implements alerting.Outbox.
func (o outbox) Enqueue(_ context.Context, ns []schemas.Notification) error {
	o.s.caseMu.Lock()
	defer o.s.caseMu.Unlock()
	o.s.enqueue(ns)
	return nil
}

// Take implements alerting.Outbox.
func (o outbox) Take(_ context.Context, now time.Time, lease time.Duration, max int) ([]schemas.Notification, error) {
	o.s.caseMu.Lock()
	defer o.s.caseMu.Unlock()
	var due []schemas.Notification
	for id, r := range o.s.outbox {
		expired := r.n.State == schemas.NotificationSending && !r.leaseUntil.After(now)
		switch {
		case expired && r.n.ToCustomer:
			r.n.State, r.n.At = schemas.NotificationUncertain, now
			r.n.Error = "the attempt was cut off; it is not known whether the mail went out"
			o.s.outbox[id] = r
		case expired, r.n.State == schemas.NotificationQueued && !r.n.NotBefore.After(now):
			due = append(due, r.n)
		}
	}
	slices.SortFunc(due, func(a, b schemas.Notification) int {
		return cmp.Or(a.NotBefore.Compare(b.NotBefore), strings.Compare(a.ID, b.ID))
	})
	due = due[:min(len(due), max)]
	for i := range due {
		n := &due[i]
		n.State, n.At, n.Attempts = schemas.NotificationSending, now, n.Attempts+1
		o.s.outbox[n.ID] = outboxRow{n: *n, leaseUntil: now.Add(lease)}
		n.Body = slices.Clone(n.Body)
	}
	return due, nil
}

// Finish implements alerting.Outbox.
func (o outbox) Finish(_ context.Context, n schemas.Notification) error {
	o.s.caseMu.Lock()
	defer o.s.caseMu.Unlock()
	r, ok := o.s.outbox[n.ID]
	if !ok {
		return alerting.ErrNotFound
	}
	sent := n.State == schemas.NotificationSent
	if r.n.State == schemas.NotificationSent || !sent && r.n.Attempts != n.Attempts {
		return nil
	}
	r.n.State, r.n.At, r.n.NotBefore, r.n.Error = n.State, n.At, n.NotBefore, n.Error
	r.leaseUntil = time.Time{}
	o.s.outbox[n.ID] = r
	return nil
}

// Notifications implements alerting.Outbox.
func (o outbox) Notifications(_ context.Context, caseID string, q schemas.ListQuery) (schemas.Page[schemas.Notification], error) {
	o.s.caseMu.Lock()
	defer o.s.caseMu.Unlock()
	var rows []caseRow[schemas.Notification]
	for id, r := range o.s.outbox {
		if (caseID == "" || r.n.Key.CaseID == caseID) && o.s.sees(q.Locations, r.n.Key.CaseID) {
			rows = append(rows, caseRow[schemas.Notification]{item: r.n, at: r.n.At, id: id})
		}
	}
	p, err := listRows(rows, q, false)
	for i, n := range p.Items { // not part of the JSON form that listRows copies
		stored := o.s.outbox[n.ID].n
		p.Items[i].NotBefore, p.Items[i].Body = stored.NotBefore, slices.Clone(stored.Body)
	}
	return p, err
}

// Waiting implements alerting.Outbox.
func (o outbox) Waiting(context.Context) (int64, error) {
	o.s.caseMu.Lock()
	defer o.s.caseMu.Unlock()
	var n int64
	for _, r := range o.s.outbox {
		if r.n.State == schemas.NotificationQueued || r.n.State == schemas.NotificationSending {
			n++
		}
	}
	return n, nil
}
