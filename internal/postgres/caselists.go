package postgres

import (
	"context"
	"strconv"
	"strings"
	"time"

	"redalert/schemas"
)

type caseLists struct{ d *DB }

// ofCaseIn is the condition that row t's case is in one of the locations that
// argument n lists.
func ofCaseIn(t, n string) string {
	return "(cardinality(" + n + "::text[]) = 0 OR EXISTS (SELECT 1 FROM cases c WHERE c.id = " + t + ".case_id AND c.location = ANY(" + n + ")))"
}

// List implements alerting.CaseLists.
func (l caseLists) List(ctx context.Context, q schemas.ListQuery) (schemas.Page[schemas.Case], error) {
	var none schemas.Page[schemas.Case]
	w, err := windowOf(q)
	if err != nil {
		return none, err
	}
	items, err := query(ctx, l.d, scanDoc[schemas.Case], `SELECT doc FROM cases
		WHERE opened_at >= $1 AND opened_at < $2 AND (opened_at, id) > ($3, $4) AND `+inLocations("location", "$5")+`
		ORDER BY opened_at, id LIMIT $6`, w.from, w.to, w.afterAt, w.afterID, w.locations, w.limit+1)
	if err != nil {
		return none, unavailable("list cases", err)
	}
	return paged(items, w.limit, func(c schemas.Case) (time.Time, string) { return c.OpenedAt, c.ID }), nil
}

// Alerts implements alerting.CaseLists. An alert has its case's location; one
// without a case is for unrestricted viewers.
func (l caseLists) Alerts(ctx context.Context, q schemas.ListQuery) (schemas.Page[schemas.Alert], error) {
	var none schemas.Page[schemas.Alert]
	w, err := windowOf(q)
	if err != nil {
		return none, err
	}
	items, err := query(ctx, l.d, func(r row) (a schemas.Alert, err error) {
		var at int64
		err = r.Scan(&a.EventID, &a.CaseID, &at, &a.OpenedCase)
		a.RaisedAt = fromMS(at)
		return a, err
	}, `SELECT event_id, case_id, raised_at, opened_case FROM case_alerts a
		WHERE raised_at >= $1 AND raised_at < $2 AND (raised_at, event_id) > ($3, $4) AND `+ofCaseIn("a", "$5")+`
		ORDER BY raised_at, event_id LIMIT $6`, w.from, w.to, w.afterAt, w.afterID, w.locations, w.limit+1)
	if err != nil {
		return none, unavailable("list alerts", err)
	}
	return paged(items, w.limit, func(a schemas.Alert) (time.Time, string) { return a.RaisedAt, a.EventID }), nil
}

// CaseEvents implements alerting.CaseLists: by (at, case, seq); the cursor
// holds seq and case.
func (l caseLists) CaseEvents(ctx context.Context, q schemas.ListQuery) (schemas.Page[schemas.CaseEvent], error) {
	var none schemas.Page[schemas.CaseEvent]
	w, err := windowOf(q)
	if err != nil {
		return none, err
	}
	var afterSeq int64
	if w.afterID != "" {
		seq, id, ok := strings.Cut(w.afterID, " ")
		if afterSeq, err = strconv.ParseInt(seq, 10, 64); err != nil || !ok {
			return none, schemas.ErrBadCursor
		}
		w.afterID = id
	}
	items, err := query(ctx, l.d, scanDoc[schemas.CaseEvent], `SELECT doc FROM case_events e
		WHERE at >= $1 AND at < $2 AND (at, case_id, seq) > ($3, $4, $5) AND `+ofCaseIn("e", "$6")+`
		ORDER BY at, case_id, seq LIMIT $7`, w.from, w.to, w.afterAt, w.afterID, afterSeq, w.locations, w.limit+1)
	if err != nil {
		return none, unavailable("list case events", err)
	}
	return paged(items, w.limit, func(e schemas.CaseEvent) (time.Time, string) {
		return e.At, strconv.FormatInt(e.Seq, 10) + " " + e.CaseID
	}), nil
}

// DueBy implements alerting.CaseLists.
func (l caseLists) DueBy(ctx context.Context, t time.Time) ([]schemas.Case, error) {
	cs, err := query(ctx, l.d, scanDoc[schemas.Case], `SELECT doc FROM cases WHERE id IN (
		SELECT id FROM cases WHERE next_miss IS NOT NULL AND next_miss <= $1
		UNION SELECT id FROM cases WHERE snoozed_until IS NOT NULL AND snoozed_until <= $1)
		ORDER BY number`, t.UnixMilli())
	return cs, unavailable("cases due", err)
}
