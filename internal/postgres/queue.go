package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"redalert/alerting"
	"redalert/schemas"
)

// arguments numbers the arguments of a statement that is put together.
type arguments []any

// add answers the argument's name.
func (a *arguments) add(v any) string {
	*a = append(*a, v)
	return fmt.Sprintf("$%d", len(*a))
}

// Queue implements alerting.CaseLists. Rows and totals come from one snapshot.
func (l caseLists) Queue(ctx context.Context, q alerting.QueueQuery) (alerting.Queue, error) {
	var args arguments
	now := args.add(q.Now.UnixMilli())
	where := queueWhere(&args, now, q)
	totals := `SELECT count(*), count(*) FILTER (WHERE due <= ` + now + `), coalesce(sum(value), 0)::bigint,
		count(*) FILTER (WHERE assignee = ''), coalesce(max(currency), '') FROM cases WHERE ` + where
	limit := q.Limit
	if limit <= 0 {
		limit = 200
	}
	rowArgs := append(arguments{}, args...)
	rows := `SELECT doc FROM cases WHERE ` + where + ` ORDER BY (due IS NOT NULL AND due <= ` + now + `) DESC, priority DESC, due IS NULL, due, value DESC, number
		LIMIT ` + rowArgs.add(limit) + ` OFFSET ` + rowArgs.add(max(q.Offset, 0))
	var out alerting.Queue
	err := l.d.snapshot(ctx, func(ctx context.Context, tx querier) error {
		out = alerting.Queue{}
		var b batch
		b.addRows(func(r row) error {
			return r.Scan(&out.Total, &out.Overdue, &out.AtRisk.Amount, &out.Unassigned, &out.AtRisk.Currency)
		}, totals, args...)
		b.addRows(func(r row) error {
			c, err := scanDoc[schemas.Case](r)
			out.Cases = append(out.Cases, c)
			return err
		}, rows, rowArgs...)
		return tx.send(ctx, &b)
	})
	if err != nil {
		return alerting.Queue{}, unavailable("triage queue", err)
	}
	return out, nil
}

// queueWhere writes a queue's filter as SQL.
func queueWhere(args *arguments, now string, q alerting.QueueQuery) string {
	conds := []string{"merged_into = ''"}
	add := func(cond string) { conds = append(conds, cond) }
	states := q.States
	if len(states) == 0 {
		states = schemas.OpenStates()
	}
	add("state = ANY(" + args.add(texts(states)) + ")")
	switch q.Assignee {
	case "":
	case "-":
		add("assignee = ''")
	default:
		add("assignee = " + args.add(q.Assignee))
	}
	if q.Location != "" {
		add("location = " + args.add(q.Location))
	}
	if q.SourceType != "" {
		add("source_type = " + args.add(q.SourceType))
	}
	if len(q.Visible) > 0 {
		add("location = ANY(" + args.add(q.Visible) + ")")
	}
	if q.Snoozed {
		add("snoozed_until > " + now)
	} else {
		add("(snoozed_until IS NULL OR snoozed_until <= " + now + ")")
	}
	if s := strings.ToLower(strings.TrimSpace(q.Search)); s != "" {
		add(searchWhere(args, s))
	}
	return strings.Join(conds, " AND ")
}

// maxSearchWords bounds the work of one search.
const maxSearchWords = 8

// searchWhere finds cases by their number, an order of their events, the words
// of their excerpt, or the customer's name, address, references or phone. s is
// lower case, trimmed and not empty.
func searchWhere(args *arguments, s string) string {
	words := strings.Fields(s)
	if len(words) > maxSearchWords {
		words = words[:maxSearchWords]
	}
	var alts, excerpt []string
	if n, err := strconv.ParseInt(strings.TrimPrefix(s, "#"), 10, 64); err == nil {
		alts = append(alts, "number = "+args.add(n))
	}
	alts = append(alts, "id IN (SELECT case_id FROM case_alerts WHERE order_ref = "+args.add(strings.TrimPrefix(s, "#"))+" AND order_ref <> '')")
	for _, w := range words {
		excerpt = append(excerpt, "strpos(excerpt, "+args.add(w)+") > 0")
	}
	alts = append(alts, "("+strings.Join(excerpt, " AND ")+")")
	alts = append(alts, `customer_id IN (WITH found(id) AS (SELECT c.id FROM customers c WHERE `+searchCustomers(args, strings.Join(words, " "))+`)
		SELECT id FROM found UNION SELECT a.id FROM customer_aliases a JOIN found ON a.canonical = found.id)`)
	return "(" + strings.Join(alts, " OR ") + ")"
}
