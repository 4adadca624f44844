package memstore

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"redalert/alerting"
	"redalert/schemas"
)

// Queue implements alerting.CaseLists.
func (l caseLists) Queue(ctx context.Context, q alerting.QueueQuery) (alerting.Queue, error) {
	var out alerting.Queue
	for _, c := range l.snapshot() {
		ok, err := l.matches(ctx, c, q)
		if err != nil {
			return alerting.Queue{}, err
		}
		if !ok {
			continue
		}
		out.Cases = append(out.Cases, c)
		out.Total++
		out.AtRisk.Amount += c.ValueAtRisk.Amount
		out.AtRisk.Currency = max(out.AtRisk.Currency, c.ValueAtRisk.Currency)
		if overdue(c, q.Now) {
			out.Overdue++
		}
		if c.Assignee == "" {
			out.Unassigned++
		}
	}
	slices.SortFunc(out.Cases, func(a, b schemas.Case) int { return urgency(a, b, q.Now) })
	limit := q.Limit
	if limit <= 0 {
		limit = 200
	}
	from := min(max(q.Offset, 0), len(out.Cases))
	out.Cases = out.Cases[from:min(from+limit, len(out.Cases))]
	return out, nil
}

func (l caseLists) snapshot() []schemas.Case {
	l.s.caseMu.Lock()
	defer l.s.caseMu.Unlock()
	var out []schemas.Case
	for _, c := range l.s.cases {
		out = append(out, deepCopy(c))
	}
	return out
}

func overdue(c schemas.Case, now time.Time) bool {
	d := c.Due()
	return d != nil && !d.After(now)
}

// urgency orders a queue: overdue, priority, due time, value, number.
func urgency(a, b schemas.Case, now time.Time) int {
	late := func(c schemas.Case) int {
		if overdue(c, now) {
			return 0
		}
		return 1
	}
	due := func(c schemas.Case) int64 {
		if d := c.Due(); d != nil {
			return d.UnixMilli()
		}
		return 1<<63 - 1
	}
	return cmp.Or(cmp.Compare(late(a), late(b)), cmp.Compare(b.Priority.Rank(), a.Priority.Rank()), cmp.Compare(due(a), due(b)),
		cmp.Compare(b.ValueAtRisk.Amount, a.ValueAtRisk.Amount), cmp.Compare(a.Number, b.Number))
}

func (l caseLists) matches(ctx context.Context, c schemas.Case, q alerting.QueueQuery) (bool, error) {
	states := q.States
	if len(states) == 0 {
		states = schemas.OpenStates()
	}
	asleep := c.SnoozedUntil != nil && c.SnoozedUntil.After(q.Now)
	switch {
	case c.MergedInto != "", !slices.Contains(states, c.State), asleep != q.Snoozed,
		q.Assignee == "-" && c.Assignee != "",
		q.Assignee != "" && q.Assignee != "-" && c.Assignee != q.Assignee,
		q.Location != "" && c.Location != q.Location,
		q.SourceType != "" && c.SourceType != q.SourceType,
		len(q.Visible) > 0 && !slices.Contains(q.Visible, c.Location):
		return false, nil
	}
	search := strings.ToLower(strings.TrimSpace(q.Search))
	if search == "" {
		return true, nil
	}
	return l.found(ctx, c, search)
}

// found reports whether a case answers a search; text is lower case.
func (l caseLists) found(ctx context.Context, c schemas.Case, text string) (bool, error) {
	plain := strings.TrimPrefix(text, "#")
	if n, err := strconv.ParseInt(plain, 10, 64); err == nil && n == c.Number {
		return true, nil
	}
	if l.ordered(c.ID, plain) || holds(strings.ToLower(c.Excerpt), text) {
		return true, nil
	}
	who, err := l.s.Customer(ctx, c.CustomerID)
	if errors.Is(err, alerting.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if holds(strings.ToLower(who.Name+" "+who.Email+" "+strings.Join(who.Refs, " ")), text) {
		return true, nil
	}
	digits := strings.TrimLeft(onlyDigits(text), "0")
	return len(digits) >= 5 && strings.Contains(onlyDigits(who.Phone), digits), nil
}

// ordered reports whether an event of the case names the order.
func (l caseLists) ordered(caseID, ref string) bool {
	l.s.caseMu.Lock()
	defer l.s.caseMu.Unlock()
	for _, a := range l.s.alerts {
		if a.orderRef == ref && a.alert.CaseID != nil && *a.alert.CaseID == caseID {
			return true
		}
	}
	return false
}

// holds reports whether every word of the search stands somewhere in s.
func holds(s, search string) bool {
	for _, w := range strings.Fields(search) {
		if !strings.Contains(s, w) {
			return false
		}
	}
	return true
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}
