package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"redalert/alerting"
	"redalert/schemas"
)

// Cases is the alerting.Cases over this database.
func (d *DB) Cases() alerting.Cases { return caseStore{d} }

// Lists is the alerting.CaseLists over this database.
func (d *DB) Lists() alerting.CaseLists { return caseLists{d} }

type caseStore struct{ d *DB }

// scanDoc reads a row of one column, a JSON document.
func scanDoc[T any](r row) (v T, err error) {
	var doc string
	if err := r.Scan(&doc); err != nil {
		return v, err
	}
	if err := json.Unmarshal([]byte(doc), &v); err != nil {
		return v, fmt.Errorf("decode stored %T: %w", v, err)
	}
	return v, nil
}

// Case implements alerting.Cases.
func (s caseStore) Case(ctx context.Context, id string) (schemas.Case, error) {
	c, err := first(ctx, s.d, alerting.ErrNotFound, scanDoc[schemas.Case], "SELECT doc FROM cases WHERE id = $1", id)
	return c, unavailable("case "+id, err)
}

// sameCustomer selects every id and key that means the same customer as one of
// the array $1: the keys, what they map to, and whatever maps to that.
const sameCustomer = `
  WITH asked(k) AS (SELECT unnest($1::text[]) COLLATE "C"),
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
	cs, err := query(ctx, s.d, scanDoc[schemas.Case], byKeysSQL, indexedAll(keys))
	return cs, unavailable("cases by key", err)
}

// RecordAlert implements alerting.Cases.
func (s caseStore) RecordAlert(ctx context.Context, a schemas.Alert) error {
	_, err := s.d.exec(ctx, fileAlertSQL, a.EventID, a.CaseID, ms(a.RaisedAt), a.OpenedCase, "")
	return unavailable("record alert "+a.EventID, err)
}

const fileAlertSQL = `INSERT INTO case_alerts (event_id, case_id, raised_at, opened_case, order_ref) VALUES ($1, $2, $3, $4, $5)
	ON CONFLICT (event_id) DO NOTHING`

// Audit implements alerting.Cases.
func (s caseStore) Audit(ctx context.Context, caseID string) ([]schemas.CaseEvent, error) {
	es, err := query(ctx, s.d, scanDoc[schemas.CaseEvent], "SELECT doc FROM case_events WHERE case_id = $1 ORDER BY seq", caseID)
	return es, unavailable("audit of case "+caseID, err)
}

const insertCaseSQL = `INSERT INTO cases (id, number, key, customer_id, state, open, priority, version, location, source_type,
  assignee, value, currency, excerpt, opened_at, due, next_miss, snoozed_until, merged_into, doc)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)`

const updateCaseSQL = `UPDATE cases SET number=$2, key=$3, customer_id=$4, state=$5, open=$6, priority=$7, version=$8, location=$9,
  source_type=$10, assignee=$11, value=$12, currency=$13, excerpt=$14, opened_at=$15, due=$16, next_miss=$17, snoozed_until=$18,
  merged_into=$19, doc=$20 WHERE id=$1`

// putCase queues the row of a case.
func putCase(b *batch, c schemas.Case, insert bool) error {
	doc, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode case %s: %w", c.ID, err)
	}
	sql := updateCaseSQL
	if insert {
		sql = insertCaseSQL
	}
	b.add(nil, sql, c.ID, c.Number, indexed(c.Key), c.CustomerID, c.State, c.State.Open(), c.Priority.Rank(), c.Version,
		c.Location, c.SourceType, c.Assignee, c.ValueAtRisk.Amount, c.ValueAtRisk.Currency, strings.ToLower(c.Excerpt),
		ms(c.OpenedAt), nullMS(c.Due()), nullMS(c.NextMiss()), nullMS(c.Wakes()), c.MergedInto, string(doc))
	return nil
}
