package postgres

import (
	"cmp"
	"context"
	"slices"
	"time"

	"redalert/alerting"
	"redalert/schemas"
)

// Outbox is the alerting.Outbox over this database.
func (d *DB) Outbox() alerting.Outbox { return outbox{d} }

type outbox struct{ d *DB }

// enqueue queues the rows of notifications; one whose id or key exists already
// is left out.
func enqueue(b *batch, ns []schemas.Notification) {
	for _, n := range ns {
		if n.State == "" {
			n.State = schemas.NotificationQueued
		}
		k := n.Key
		b.add(nil, `INSERT INTO notifications (id, case_id, episode, kind, cause, recipient, channel, message_id, state,
		  to_customer, attempts, at, not_before, error, event_id, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
		  ON CONFLICT DO NOTHING`, n.ID, k.CaseID, k.Episode, k.Kind, k.Cause, k.Recipient, k.Channel, n.MessageID,
			n.State, n.ToCustomer, n.Attempts, ms(n.At), ms(n.NotBefore), n.Error, n.EventID, n.Body)
	}
}

// Enqueue implements alerting.Outbox.
func (o outbox) Enqueue(ctx context.Context, ns []schemas.Notification) error {
	return unavailable("queue notifications", o.d.send(ctx, func(b *batch) { enqueue(b, ns) }))
}

// uncertainText is what a person reads beside a mail whose attempt was cut off.
const uncertainText = "the attempt was cut off; it is not known whether the mail went out. Ask the customer or send another one"

// waiting and due are written so that the small partial index is used, and the
// log of what was sent not read with every poll.
const (
	waiting = `state IN ('queued', 'sending')`
	due     = waiting + ` AND ((state = 'queued' AND not_before <= $1) OR (state = 'sending' AND lease_until <= $1))`
)

const notificationColumns = `id, case_id, episode, kind, cause, recipient, channel, message_id, state, to_customer,
  attempts, at, not_before, error, event_id, body`

// Take implements alerting.Outbox. It writes nothing when nothing is due.
// Senders on several machines pass over what another one is taking just now.
func (o outbox) Take(ctx context.Context, now time.Time, lease time.Duration, max int) ([]schemas.Notification, error) {
	t := now.UnixMilli()
	any, err := first(ctx, o.d, nil, value[bool], "SELECT EXISTS (SELECT 1 FROM notifications WHERE "+due+")", t)
	if err != nil || !any || max <= 0 {
		return nil, unavailable("take notifications", err)
	}
	var taken []schemas.Notification
	err = o.d.send(ctx, func(b *batch) {
		taken = nil
		b.add(nil, `UPDATE notifications SET state = 'uncertain', at = $1, error = $2 WHERE id IN (
			SELECT id FROM notifications WHERE `+waiting+` AND state = 'sending' AND lease_until <= $1 AND to_customer FOR UPDATE SKIP LOCKED)`,
			t, uncertainText)
		b.addRows(func(r row) error {
			n, err := scanNotification(r)
			taken = append(taken, n)
			return err
		}, `UPDATE notifications SET state = 'sending', at = $1, attempts = attempts + 1, lease_until = $2 WHERE id IN (
			SELECT id FROM notifications WHERE `+due+` AND NOT (state = 'sending' AND to_customer) ORDER BY not_before, id LIMIT $3 FOR UPDATE SKIP LOCKED)
			RETURNING `+notificationColumns, t, now.Add(lease).UnixMilli(), max)
	})
	if err != nil {
		return nil, unavailable("take notifications", err)
	}
	slices.SortFunc(taken, func(a, b schemas.Notification) int {
		return cmp.Or(a.NotBefore.Compare(b.NotBefore), cmp.Compare(a.ID, b.ID))
	})
	return taken, nil
}

// Finish implements alerting.Outbox. The outcome of an attempt that was taken
// over meanwhile is left out, unless it says that the mail went out.
func (o outbox) Finish(ctx context.Context, n schemas.Notification) error {
	known := false
	err := o.d.send(ctx, func(b *batch) {
		b.add(nil, `UPDATE notifications SET state = $2, at = $3, not_before = $4, lease_until = 0, error = $5
			WHERE id = $1 AND state <> 'sent' AND ($2 = 'sent' OR attempts = $6)`, n.ID, n.State, ms(n.At), ms(n.NotBefore), n.Error, n.Attempts)
		b.addRows(func(r row) error { return r.Scan(&known) }, "SELECT EXISTS (SELECT 1 FROM notifications WHERE id = $1)", n.ID)
	})
	if err == nil && !known {
		err = alerting.ErrNotFound
	}
	return unavailable("finish notification "+n.ID, err)
}

func scanNotification(r row) (n schemas.Notification, err error) {
	var at, notBefore int64
	k := &n.Key
	err = r.Scan(&n.ID, &k.CaseID, &k.Episode, &k.Kind, &k.Cause, &k.Recipient, &k.Channel, &n.MessageID, &n.State,
		&n.ToCustomer, &n.Attempts, &at, &notBefore, &n.Error, &n.EventID, &n.Body)
	n.At, n.NotBefore = fromMS(at), fromMS(notBefore)
	return n, err
}

// Notifications implements alerting.Outbox. A notification has its case's
// location; digests are for unrestricted viewers.
func (o outbox) Notifications(ctx context.Context, caseID string, q schemas.ListQuery) (schemas.Page[schemas.Notification], error) {
	var none schemas.Page[schemas.Notification]
	w, err := windowOf(q)
	if err != nil {
		return none, err
	}
	sql := "SELECT " + notificationColumns + ` FROM notifications n WHERE at >= $1 AND at < $2 AND (at, id) > ($3, $4) AND ` + ofCaseIn("n", "$5")
	args := []any{w.from, w.to, w.afterAt, w.afterID, w.locations, w.limit + 1}
	if caseID != "" {
		sql += " AND case_id = $7"
		args = append(args, caseID)
	}
	items, err := query(ctx, o.d, scanNotification, sql+" ORDER BY at, id LIMIT $6", args...)
	if err != nil {
		return none, unavailable("list notifications", err)
	}
	return paged(items, w.limit, func(n schemas.Notification) (time.Time, string) { return n.At, n.ID }), nil
}

// Waiting implements alerting.Outbox.
func (o outbox) Waiting(ctx context.Context) (int64, error) {
	n, err := first(ctx, o.d, nil, value[int64], "SELECT count(*) FROM notifications WHERE "+waiting)
	return n, unavailable("count waiting notifications", err)
}
