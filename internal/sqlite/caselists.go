package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"redalert/schemas"
)

type caseLists struct{ d *DB }

// listCases, listAlerts … order by a time and an id, so that a cursor stays
// valid while rows are added.
const listCasesSQL = `SELECT doc FROM cases
  WHERE opened_at >= ?1 AND opened_at < ?2 AND (opened_at, id) > (?3, ?4)
    AND (?5 = '[]' OR location IN (SELECT value FROM json_each(?5)))
  ORDER BY opened_at, id LIMIT ?6`

// List implements alerting.CaseLists.
func (l caseLists) List(ctx context.Context, q schemas.ListQuery) (schemas.Page[schemas.Case], error) {
	w, err := windowOf(q)
	if err != nil {
		return schemas.Page[schemas.Case]{}, err
	}
	rows, err := l.d.read.QueryContext(ctx, listCasesSQL, w.from, w.to, w.afterAt, w.afterID, w.locations, w.limit+1)
	if err != nil {
		return schemas.Page[schemas.Case]{}, fmt.Errorf("list cases: %w", err)
	}
	items, err := scanCases(rows)
	if err != nil {
		return schemas.Page[schemas.Case]{}, fmt.Errorf("list cases: %w", err)
	}
	return paged(items, w.limit, func(c schemas.Case) (time.Time, string) { return c.OpenedAt, c.ID }), nil
}

const listAlertsSQL = `SELECT event_id, case_id, raised_at, opened_case FROM case_alerts a
  WHERE raised_at >= ?1 AND raised_at < ?2 AND (raised_at, event_id) > (?3, ?4)
    AND (?5 = '[]' OR EXISTS (SELECT 1 FROM cases c WHERE c.id = a.case_id AND c.location IN (SELECT value FROM json_each(?5))))
  ORDER BY raised_at, event_id LIMIT ?6`

// Alerts implements alerting.CaseLists. An alert has its case's location; one
// without a case is for unrestricted viewers.
func (l caseLists) Alerts(ctx context.Context, q schemas.ListQuery) (schemas.Page[schemas.Alert], error) {
	w, err := windowOf(q)
	if err != nil {
		return schemas.Page[schemas.Alert]{}, err
	}
	rows, err := l.d.read.QueryContext(ctx, listAlertsSQL, w.from, w.to, w.afterAt, w.afterID, w.locations, w.limit+1)
	if err != nil {
		return schemas.Page[schemas.Alert]{}, fmt.Errorf("list alerts: %w", err)
	}
	defer rows.Close()
	var items []schemas.Alert
	for rows.Next() {
		var a schemas.Alert
		var caseID sql.NullString
		var at int64
		if err := rows.Scan(&a.EventID, &caseID, &at, &a.OpenedCase); err != nil {
			return schemas.Page[schemas.Alert]{}, fmt.Errorf("list alerts: %w", err)
		}
		if caseID.Valid {
			a.CaseID = &caseID.String
		}
		a.RaisedAt = fromMS(at)
		items = append(items, a)
	}
	if err := rows.Err(); err != nil {
		return schemas.Page[schemas.Alert]{}, fmt.Errorf("list alerts: %w", err)
	}
	return paged(items, w.limit, func(a schemas.Alert) (time.Time, string) { return a.RaisedAt, a.EventID }), nil
}

// CaseEvents are ordered by (at, case, seq); the cursor holds case and seq.
const listCaseEventsSQL = `SELECT doc FROM case_events e
  WHERE at >= ?1 AND at < ?2 AND (at, case_id, seq) > (?3, ?4, ?5)
    AND (?6 = '[]' OR EXISTS (SELECT 1 FROM cases c WHERE c.id = e.case_id AND c.location IN (SELECT value FROM json_each(?6))))
  ORDER BY at, case_id, seq LIMIT ?7`

// CaseEvents implements alerting.CaseLists.
func (l caseLists) CaseEvents(ctx context.Context, q schemas.ListQuery) (schemas.Page[schemas.CaseEvent], error) {
	w, err := windowOf(q)
	if err != nil {
		return schemas.Page[schemas.CaseEvent]{}, err
	}
	var afterSeq int64
	if w.afterID != "" {
		seq, id, ok := strings.Cut(w.afterID, " ")
		if afterSeq, err = strconv.ParseInt(seq, 10, 64); err != nil || !ok {
			return schemas.Page[schemas.CaseEvent]{}, schemas.ErrBadCursor
		}
		w.afterID = id
	}
	rows, err := l.d.read.QueryContext(ctx, listCaseEventsSQL, w.from, w.to, w.afterAt, w.afterID, afterSeq, w.locations, w.limit+1)
	if err != nil {
		return schemas.Page[schemas.CaseEvent]{}, fmt.Errorf("list case events: %w", err)
	}
	items, err := scanDocs[schemas.CaseEvent](rows)
	if err != nil {
		return schemas.Page[schemas.CaseEvent]{}, fmt.Errorf("list case events: %w", err)
	}
	return paged(items, w.limit, func(e schemas.CaseEvent) (time.Time, string) {
		return e.At, strconv.FormatInt(e.Seq, 10) + " " + e.CaseID
	}), nil
}

// DueBy implements alerting.CaseLists.
func (l caseLists) DueBy(ctx context.Context, t time.Time) ([]schemas.Case, error) {
	rows, err := l.d.read.QueryContext(ctx, `SELECT doc FROM cases WHERE id IN (
	    SELECT id FROM cases WHERE next_miss IS NOT NULL AND next_miss <= ?1
	    UNION SELECT id FROM cases WHERE snoozed_until IS NOT NULL AND snoozed_until <= ?1)
	  ORDER BY number`, t.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("cases due: %w", err)
	}
	return scanCases(rows)
}
