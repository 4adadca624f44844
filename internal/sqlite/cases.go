package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"redalert/alerting"
	"redalert/schemas"
)

// Cases is the alerting.Cases over this file.
func (d *DB) Cases() alerting.Cases { return caseStore{d} }

// Lists is the alerting.CaseLists over this file.
func (d *DB) Lists() alerting.CaseLists { return caseLists{d} }

type caseStore struct{ d *DB }

// Case implements alerting.Cases.
func (s caseStore) Case(ctx context.Context, id string) (schemas.Case, error) {
	var doc []byte
	err := s.d.read.QueryRowContext(ctx, "SELECT doc FROM cases WHERE id = ?", id).Scan(&doc)
	if errors.Is(err, sql.ErrNoRows) {
		return schemas.Case{}, fmt.Errorf("case %s: %w", id, alerting.ErrNotFound)
	}
	if err != nil {
		return schemas.Case{}, fmt.Errorf("case %s: %w", id, err)
	}
	return decodeCase(doc)
}

// sameCustomer selects every id and key that means the same customer as one of
// the JSON array's: the keys, what they map to, and whatever maps to that.
const sameCustomer = `
  WITH asked(k) AS (SELECT value FROM json_each(?)),
  canon(k) AS (SELECT coalesce((SELECT a.canonical FROM customer_aliases a WHERE a.id = asked.k), asked.k) FROM asked),
  same(k) AS (SELECT k FROM canon UNION SELECT k FROM asked
              UNION SELECT a.id FROM customer_aliases a JOIN canon ON a.canonical = canon.k)`

const byKeysSQL = sameCustomer + `
  SELECT doc FROM cases
  WHERE id IN (SELECT id FROM cases WHERE key IN (SELECT k FROM same)
               UNION SELECT id FROM cases WHERE customer_id IN (SELECT k FROM same WHERE k <> ''))
    AND merged_into = ''
  ORDER BY opened_at DESC, number DESC`

// ByKeys implements alerting.Cases.
func (s caseStore) ByKeys(ctx context.Context, keys []string) ([]schemas.Case, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	rows, err := s.d.query(ctx, byKeysSQL, jsonList(keys)) // asked for every notice
	if err != nil {
		return nil, fmt.Errorf("cases by key: %w", err)
	}
	return scanCases(rows)
}

// Apply implements alerting.Cases.
func (s caseStore) Apply(ctx context.Context, changes ...alerting.Change) ([]schemas.Case, error) {
	var out []schemas.Case
	err := s.d.Write(ctx, func(tx *Tx) error {
		out = make([]schemas.Case, 0, len(changes))
		for _, ch := range changes {
			c, err := applyChange(tx, ch)
			if err != nil {
				return err
			}
			out = append(out, c)
		}
		return nil
	})
	if err != nil {
		return nil, unavailable("change cases", err)
	}
	return out, nil
}

func applyChange(tx *Tx, ch alerting.Change) (schemas.Case, error) {
	c := ch.Case
	if ch.Filed != nil {
		if err := fileAlert(tx, *ch.Filed, c.ID, ch.OrderRef); err != nil {
			return c, err
		}
	}
	old, err := loadForChange(tx, ch)
	if err != nil {
		return c, err
	}
	c.Version = ch.Before + 1
	if ch.Before == 0 {
		if err := tx.QueryRow("SELECT coalesce(max(number), 0) + 1 FROM cases").Scan(&c.Number); err != nil {
			return c, fmt.Errorf("number of case %s: %w", c.ID, err)
		}
	} else {
		c.Number = old.Number
	}
	if opens := c.State.Open() && c.MergedInto == ""; opens && (ch.Before == 0 || !old.State.Open() || old.MergedInto != "") {
		if err := refuseSecondOpen(tx, c); err != nil {
			return c, err
		}
	}
	if err := putCase(tx, c, ch.Before == 0); err != nil {
		return c, err
	}
	if err := moveAlerts(tx, c, old.EventIDs); err != nil {
		return c, err
	}
	if err := appendAudit(tx, c.ID, ch.Audit); err != nil {
		return c, err
	}
	return c, enqueue(tx, ch.Notifications)
}

// loadForChange answers the stored case that a change was made against; the
// zero case when it opens one.
func loadForChange(tx *Tx, ch alerting.Change) (schemas.Case, error) {
	var doc []byte
	err := tx.QueryRow("SELECT doc FROM cases WHERE id = ?", ch.Case.ID).Scan(&doc)
	if errors.Is(err, sql.ErrNoRows) {
		if ch.Before == 0 {
			return schemas.Case{}, nil
		}
		return schemas.Case{}, fmt.Errorf("case %s: %w", ch.Case.ID, alerting.ErrNotFound)
	}
	if err != nil {
		return schemas.Case{}, fmt.Errorf("case %s: %w", ch.Case.ID, err)
	}
	old, err := decodeCase(doc)
	if err != nil {
		return old, err
	}
	if old.Version != ch.Before {
		return old, conflictWith(tx, old.ID, old.Version)
	}
	return old, nil
}

// conflictWith names who changed a case last.
func conflictWith(tx *Tx, id string, version int64) error {
	var doc []byte
	err := tx.QueryRow("SELECT doc FROM case_events WHERE case_id = ? ORDER BY seq DESC LIMIT 1", id).Scan(&doc)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("last entry of case %s: %w", id, err)
	}
	last := schemas.CaseEvent{Actor: schemas.SystemActor}
	if err == nil {
		if err := json.Unmarshal(doc, &last); err != nil {
			return fmt.Errorf("last entry of case %s: %w", id, err)
		}
	}
	return &alerting.Conflict{By: last.Actor, Version: version}
}

// refuseSecondOpen answers *alerting.Conflict when another open case has the
// same key, or one that the alias table says is the same customer.
func refuseSecondOpen(tx *Tx, c schemas.Case) error {
	var id string
	var version int64
	err := tx.QueryRow(sameCustomer+`
	  SELECT id, version FROM cases
	  WHERE key IN (SELECT k FROM same) AND open = 1 AND merged_into = '' AND id <> ? LIMIT 1`,
		jsonList([]string{c.Key}), c.ID).Scan(&id, &version)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open case of %s: %w", c.Key, err)
	}
	return conflictWith(tx, id, version)
}

const caseColumns = `number=?2, key=?3, customer_id=?4, state=?5, open=?6, priority=?7, version=?8, location=?9, source_type=?10,
  assignee=?11, value=?12, currency=?13, excerpt=?14, opened_at=?15, due=?16, next_miss=?17, snoozed_until=?18, merged_into=?19, doc=?20`

const insertCaseSQL = `INSERT INTO cases (id, number, key, customer_id, state, open, priority, version, location, source_type,
  assignee, value, currency, excerpt, opened_at, due, next_miss, snoozed_until, merged_into, doc)
  VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20)`

func putCase(tx *Tx, c schemas.Case, insert bool) error {
	doc, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode case %s: %w", c.ID, err)
	}
	query := "UPDATE cases SET " + caseColumns + " WHERE id=?1"
	if insert {
		query = insertCaseSQL
	}
	_, err = tx.Exec(query, c.ID, c.Number, c.Key, c.CustomerID, string(c.State), c.State.Open(), c.Priority.Rank(), c.Version,
		c.Location, string(c.SourceType), c.Assignee, c.ValueAtRisk.Amount, c.ValueAtRisk.Currency, strings.ToLower(c.Excerpt),
		ms(c.OpenedAt), nullMS(c.Due()), nullMS(c.NextMiss()), nullMS(c.Wakes()), c.MergedInto, string(doc))
	if err != nil {
		return fmt.Errorf("store case %s: %w", c.ID, err)
	}
	return nil
}

// fileAlert stores that an event is in a case; ErrAlreadyFiled when it is in
// one, or was too old for one, already.
func fileAlert(tx *Tx, a schemas.Alert, caseID, orderRef string) error {
	res, err := tx.Exec(`INSERT INTO case_alerts (event_id, case_id, raised_at, opened_case, order_ref) VALUES (?,?,?,?,?)
	  ON CONFLICT (event_id) DO NOTHING`, a.EventID, caseID, ms(a.RaisedAt), a.OpenedCase, strings.ToLower(orderRef))
	if err != nil {
		return fmt.Errorf("file event %s: %w", a.EventID, err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, fmt.Errorf("event %s: %w", a.EventID, alerting.ErrAlreadyFiled))
	}
	return nil
}

// moveAlerts lets the alerts of events that came to a case from another one
// (merge, split) point at where they are now.
func moveAlerts(tx *Tx, c schemas.Case, had []string) error {
	if c.MergedInto != "" {
		return nil
	}
	for _, id := range c.EventIDs {
		if slices.Contains(had, id) {
			continue
		}
		_, err := tx.Exec("UPDATE case_alerts SET case_id = ? WHERE event_id = ? AND case_id IS NOT NULL AND case_id <> ?", c.ID, id, c.ID)
		if err != nil {
			return fmt.Errorf("move event %s to case %s: %w", id, c.ID, err)
		}
	}
	return nil
}

// appendAudit numbers and stores audit entries. An event that stands on an
// entry already means that it is filed.
func appendAudit(tx *Tx, caseID string, entries []schemas.CaseEvent) error {
	if len(entries) == 0 {
		return nil
	}
	var seq int64
	if err := tx.QueryRow("SELECT coalesce(max(seq), 0) FROM case_events WHERE case_id = ?", caseID).Scan(&seq); err != nil {
		return fmt.Errorf("audit of case %s: %w", caseID, err)
	}
	for _, e := range entries {
		seq++
		e.CaseID, e.Seq = caseID, seq
		if e.EventID != "" {
			var n int
			if err := tx.QueryRow("SELECT count(*) FROM case_events WHERE event_id = ?", e.EventID).Scan(&n); err != nil {
				return fmt.Errorf("audit of case %s: %w", caseID, err)
			}
			if n > 0 {
				return fmt.Errorf("event %s: %w", e.EventID, alerting.ErrAlreadyFiled)
			}
		}
		doc, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("encode audit of case %s: %w", caseID, err)
		}
		if _, err := tx.Exec("INSERT INTO case_events (case_id, seq, at, event_id, doc) VALUES (?,?,?,?,?)",
			caseID, seq, ms(e.At), e.EventID, string(doc)); err != nil {
			return fmt.Errorf("audit of case %s: %w", caseID, err)
		}
	}
	return nil
}

// RecordAlert implements alerting.Cases.
func (s caseStore) RecordAlert(ctx context.Context, a schemas.Alert) error {
	err := s.d.Write(ctx, func(tx *Tx) error {
		_, err := tx.Exec(`INSERT INTO case_alerts (event_id, case_id, raised_at, opened_case, order_ref) VALUES (?,?,?,?,'')
		  ON CONFLICT (event_id) DO NOTHING`, a.EventID, a.CaseID, ms(a.RaisedAt), a.OpenedCase)
		return err
	})
	return unavailable("record alert "+a.EventID, err)
}

// Audit implements alerting.Cases.
func (s caseStore) Audit(ctx context.Context, caseID string) ([]schemas.CaseEvent, error) {
	rows, err := s.d.read.QueryContext(ctx, "SELECT doc FROM case_events WHERE case_id = ? ORDER BY seq", caseID)
	if err != nil {
		return nil, fmt.Errorf("audit of case %s: %w", caseID, err)
	}
	return scanDocs[schemas.CaseEvent](rows)
}
