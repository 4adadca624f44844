package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"redalert/alerting"
	"redalert/schemas"
)

// Queue implements alerting.CaseLists. Rows and totals come from one snapshot.
func (l caseLists) Queue(ctx context.Context, q alerting.QueueQuery) (alerting.Queue, error) {
	where, args := queueWhere(q)
	tx, err := l.d.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return alerting.Queue{}, fmt.Errorf("triage queue: %w", err)
	}
	defer tx.Rollback()
	var out alerting.Queue
	now := q.Now.UnixMilli()
	err = tx.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(due IS NOT NULL AND due <= ?), 0), coalesce(sum(value), 0),
	  coalesce(sum(assignee = ''), 0), coalesce(max(currency), '') FROM cases WHERE `+where, append([]any{now}, args...)...).
		Scan(&out.Total, &out.Overdue, &out.AtRisk.Amount, &out.Unassigned, &out.AtRisk.Currency)
	if err != nil {
		return alerting.Queue{}, fmt.Errorf("triage queue: %w", err)
	}
	limit := q.Limit
	if limit <= 0 {
		limit = 200
	}
	rows, err := tx.QueryContext(ctx, `SELECT doc FROM cases WHERE `+where+`
	  ORDER BY (due IS NOT NULL AND due <= ?) DESC, priority DESC, due IS NULL, due, value DESC, number LIMIT ? OFFSET ?`,
		append(args, now, limit, max(q.Offset, 0))...)
	if err != nil {
		return alerting.Queue{}, fmt.Errorf("triage queue: %w", err)
	}
	if out.Cases, err = scanCases(rows); err != nil {
		return alerting.Queue{}, fmt.Errorf("triage queue: %w", err)
	}
	return out, nil
}

// queueWhere writes a queue's filter as SQL.
func queueWhere(q alerting.QueueQuery) (string, []any) {
	conds := []string{"merged_into = ''"}
	var args []any
	add := func(cond string, a ...any) {
		conds = append(conds, cond)
		args = append(args, a...)
	}
	states := q.States
	if len(states) == 0 {
		states = schemas.OpenStates()
	}
	add("state IN (SELECT value FROM json_each(?))", jsonList(states))
	switch q.Assignee {
	case "":
	case "-":
		add("assignee = ''")
	default:
		add("assignee = ?", q.Assignee)
	}
	if q.Location != "" {
		add("location = ?", q.Location)
	}
	if q.SourceType != "" {
		add("source_type = ?", string(q.SourceType))
	}
	if len(q.Visible) > 0 {
		add("location IN (SELECT value FROM json_each(?))", jsonList(q.Visible))
	}
	if q.Snoozed {
		add("snoozed_until > ?", q.Now.UnixMilli())
	} else {
		add("(snoozed_until IS NULL OR snoozed_until <= ?)", q.Now.UnixMilli())
	}
	if s := strings.ToLower(strings.TrimSpace(q.Search)); s != "" {
		cond, a := searchWhere(s)
		add(cond, a...)
	}
	return strings.Join(conds, " AND "), args
}

// maxSearchWords bounds the work of one search.
const maxSearchWords = 8

// searchWhere finds cases by their number, an order of their events, the words
// of their excerpt, or the customer's name, address, references or phone. s is
// lower case and not empty.
func searchWhere(s string) (string, []any) {
	words := strings.Fields(s)
	if len(words) > maxSearchWords {
		words = words[:maxSearchWords]
	}
	var alts, excerpt []string
	var args []any
	if n, err := strconv.ParseInt(strings.TrimPrefix(s, "#"), 10, 64); err == nil {
		alts, args = append(alts, "number = ?"), append(args, n)
	}
	alts = append(alts, "id IN (SELECT case_id FROM case_alerts WHERE order_ref = ? AND order_ref <> '')")
	args = append(args, strings.TrimPrefix(s, "#"))
	for _, w := range words {
		excerpt, args = append(excerpt, "instr(excerpt, ?) > 0"), append(args, w)
	}
	alts = append(alts, "("+strings.Join(excerpt, " AND ")+")")
	who, whoArgs := SearchCustomers(strings.Join(words, " "))
	alts = append(alts, `customer_id IN (WITH found(id) AS (SELECT c.id FROM customers c WHERE `+who+`)
	  SELECT id FROM found UNION SELECT a.id FROM customer_aliases a JOIN found ON a.canonical = found.id)`)
	return "(" + strings.Join(alts, " OR ") + ")", append(args, whoArgs...)
}
