package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"redalert/alerting"
	"redalert/schemas"
)

// Outbox is the alerting.Outbox over this file.
func (d *DB) Outbox() alerting.Outbox { return outbox{d} }

type outbox struct{ d *DB }

// enqueue stores notifications; one whose key exists already is left out.
func enqueue(tx *Tx, ns []schemas.Notification) error {
	for _, n := range ns {
		if n.State == "" {
			n.State = schemas.NotificationQueued
		}
		k := n.Key
		_, err := tx.Exec(`INSERT INTO notifications (id, case_id, episode, kind, cause, recipient, channel, message_id, state,
		  to_customer, attempts, at, not_before, error, event_id, body) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
		  ON CONFLICT DO NOTHING`, n.ID, k.CaseID, k.Episode, string(k.Kind), k.Cause, k.Recipient, k.Channel, n.MessageID,
			string(n.State), n.ToCustomer, n.Attempts, ms(n.At), ms(n.NotBefore), n.Error, n.EventID, n.Body)
		if err != nil {
			return fmt.Errorf("queue notification %s: %w", n.ID, err)
		}
	}
	return nil
}

// Enqueue implements alerting.Outbox.
func (o outbox) Enqueue(ctx context.Context, ns []schemas.Notification) error {
	if len(ns) == 0 {
		return nil
	}
	return unavailable("queue notifications", o.d.Write(ctx, func(tx *Tx) error { return enqueue(tx, ns) }))
}

// uncertainText is what a person reads beside a mail whose attempt was cut off.
const uncertainText = "the attempt was cut off; it is not known whether the mail went out. Ask the customer or send another one"

// dueNotifications names the states twice: only then is the small partial
// index used, and the log of what was sent not read with every poll.
const dueNotifications = `state IN ('queued', 'sending') AND ((state = 'queued' AND not_before <= ?1) OR (state = 'sending' AND lease_until <= ?1))`

// Take implements alerting.Outbox. It writes nothing when nothing is due.
func (o outbox) Take(ctx context.Context, now time.Time, lease time.Duration, max int) ([]schemas.Notification, error) {
	var due bool
	t := now.UnixMilli()
	if err := o.d.read.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM notifications WHERE "+dueNotifications+")", t).Scan(&due); err != nil {
		return nil, fmt.Errorf("take notifications: %w", err)
	}
	if !due || max <= 0 {
		return nil, nil
	}
	var taken []schemas.Notification
	err := o.d.Write(ctx, func(tx *Tx) error {
		_, err := tx.Exec(`UPDATE notifications SET state = 'uncertain', at = ?1, error = ?2
		  WHERE state IN ('queued', 'sending') AND state = 'sending' AND lease_until <= ?1 AND to_customer = 1`, t, uncertainText)
		if err != nil {
			return err
		}
		rows, err := tx.Query(selectNotifications+" WHERE "+dueNotifications+" ORDER BY not_before, id LIMIT ?2", t, max)
		if err != nil {
			return err
		}
		if taken, err = scanNotifications(rows); err != nil {
			return err
		}
		for i := range taken {
			n := &taken[i]
			n.State, n.At, n.Attempts = schemas.NotificationSending, fromMS(t), n.Attempts+1
			if _, err := tx.Exec("UPDATE notifications SET state = 'sending', at = ?, attempts = ?, lease_until = ? WHERE id = ?",
				t, n.Attempts, now.Add(lease).UnixMilli(), n.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, unavailable("take notifications", err)
	}
	return taken, nil
}

// Finish implements alerting.Outbox. The outcome of an attempt that was taken
// over meanwhile is left out, unless it says that the mail went out.
func (o outbox) Finish(ctx context.Context, n schemas.Notification) error {
	err := o.d.Write(ctx, func(tx *Tx) error {
		var attempts int
		var state string
		err := tx.QueryRow("SELECT attempts, state FROM notifications WHERE id = ?", n.ID).Scan(&attempts, &state)
		if err == sql.ErrNoRows {
			return alerting.ErrNotFound
		}
		sent := n.State == schemas.NotificationSent
		if err != nil || state == string(schemas.NotificationSent) || !sent && attempts != n.Attempts {
			return err
		}
		_, err = tx.Exec("UPDATE notifications SET state = ?, at = ?, not_before = ?, lease_until = 0, error = ? WHERE id = ?",
			string(n.State), ms(n.At), ms(n.NotBefore), n.Error, n.ID)
		return err
	})
	return unavailable("finish notification "+n.ID, err)
}

const selectNotifications = `SELECT id, case_id, episode, kind, cause, recipient, channel, message_id, state, to_customer,
  attempts, at, not_before, error, event_id, body FROM notifications n`

func scanNotifications(rows *sql.Rows) ([]schemas.Notification, error) {
	defer rows.Close()
	var out []schemas.Notification
	for rows.Next() {
		var n schemas.Notification
		var at, notBefore int64
		k := &n.Key
		if err := rows.Scan(&n.ID, &k.CaseID, &k.Episode, &k.Kind, &k.Cause, &k.Recipient, &k.Channel, &n.MessageID, &n.State,
			&n.ToCustomer, &n.Attempts, &at, &notBefore, &n.Error, &n.EventID, &n.Body); err != nil {
			return nil, err
		}
		n.At, n.NotBefore = fromMS(at), fromMS(notBefore)
		out = append(out, n)
	}
	return out, rows.Err()
}

// Notifications implements alerting.Outbox. A notification has its case's
// location; digests are for unrestricted viewers.
func (o outbox) Notifications(ctx context.Context, caseID string, q schemas.ListQuery) (schemas.Page[schemas.Notification], error) {
	w, err := windowOf(q)
	if err != nil {
		return schemas.Page[schemas.Notification]{}, err
	}
	where := `at >= ?1 AND at < ?2 AND (at, id) > (?3, ?4)
	  AND (?5 = '[]' OR EXISTS (SELECT 1 FROM cases c WHERE c.id = n.case_id AND c.location IN (SELECT value FROM json_each(?5))))`
	args := []any{w.from, w.to, w.afterAt, w.afterID, w.locations, w.limit + 1}
	if caseID != "" {
		where += " AND case_id = ?7"
		args = append(args, caseID)
	}
	rows, err := o.d.read.QueryContext(ctx, selectNotifications+" WHERE "+where+" ORDER BY at, id LIMIT ?6", args...)
	if err != nil {
		return schemas.Page[schemas.Notification]{}, fmt.Errorf("list notifications: %w", err)
	}
	items, err := scanNotifications(rows)
	if err != nil {
		return schemas.Page[schemas.Notification]{}, fmt.Errorf("list notifications: %w", err)
	}
	return paged(items, w.limit, func(n schemas.Notification) (time.Time, string) { return n.At, n.ID }), nil
}

// Waiting implements alerting.Outbox.
func (o outbox) Waiting(ctx context.Context) (int64, error) {
	var n int64
	err := o.d.read.QueryRowContext(ctx, "SELECT count(*) FROM notifications WHERE state IN ('queued', 'sending')").Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count waiting notifications: %w", err)
	}
	return n, nil
}
