package memstore

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"redalert/alerting"
	"redalert/schemas"
)

// caseState is the part of a Store that alerting owns. The zero value is empty.
type caseState struct {
	caseMu   sync.Mutex
	cases    map[string]schemas.Case
	audit    map[string][]schemas.CaseEvent
	alerts   map[string]alertRow
	outbox   map[string]outboxRow
	jobs     map[[2]string]jobRow
	settings *schemas.Settings
	fits     map[string][]byte
	marks    map[string]schemas.Mark
	layers   []schemas.Layer
	uses     []schemas.LayerUse
}

type alertRow struct {
	alert    schemas.Alert
	orderRef string // lower case
}

// Cases is the alerting.Cases over this store.
func (s *Store) Cases() alerting.Cases { return caseStore{s} }

// Lists is the alerting.CaseLists over this store.
func (s *Store) Lists() alerting.CaseLists { return caseLists{s} }

type caseStore struct{ s *Store }

// deepCopy answers a value that shares nothing with v.
func deepCopy[T any](v T) T {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("memstore: encode %T: %v", v, err))
	}
	var out T
	if err := json.Unmarshal(b, &out); err != nil {
		panic(fmt.Sprintf("memstore: decode %T: %v", v, err))
	}
	return out
}

// Case implements alerting.Cases.
func (c caseStore) Case(_ context.Context, id string) (schemas.Case, error) {
	c.s.caseMu.Lock()
	defer c.s.caseMu.Unlock()
	got, ok := c.s.cases[id]
	if !ok {
		return schemas.Case{}, fmt.Errorf("case %s: %w", id, alerting.ErrNotFound)
	}
	return deepCopy(got), nil
}

// sameCustomer is every id that means the same customer as one of keys.
func (s *Store) sameCustomer(ctx context.Context, keys []string) (map[string]bool, error) {
	same := map[string]bool{}
	for _, k := range keys {
		same[k] = true
		ids, err := s.Keys(ctx, k)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			same[id] = true
		}
	}
	return same, nil
}

// ByKeys implements alerting.Cases.
func (c caseStore) ByKeys(ctx context.Context, keys []string) ([]schemas.Case, error) {
	same, err := c.s.sameCustomer(ctx, keys)
	if err != nil {
		return nil, err
	}
	c.s.caseMu.Lock()
	defer c.s.caseMu.Unlock()
	var out []schemas.Case
	for _, got := range c.s.cases {
		if got.MergedInto == "" && (same[got.Key] || got.CustomerID != "" && same[got.CustomerID]) {
			out = append(out, deepCopy(got))
		}
	}
	slices.SortFunc(out, func(a, b schemas.Case) int {
		return cmp.Or(b.OpenedAt.Compare(a.OpenedAt), cmp.Compare(b.Number, a.Number))
	})
	return out, nil
}

// Apply implements alerting.Cases. It works on copies of the maps and puts
// them in place when every change has gone well.
func (c caseStore) Apply(ctx context.Context, changes ...alerting.Change) ([]schemas.Case, error) {
	s := c.s
	same := make([]map[string]bool, len(changes))
	for i, ch := range changes {
		var err error
		if same[i], err = s.sameCustomer(ctx, []string{ch.Case.Key}); err != nil {
			return nil, err
		}
	}
	s.caseMu.Lock()
	defer s.caseMu.Unlock()
	next := &caseState{cases: cloned(s.cases), audit: cloned(s.audit), alerts: cloned(s.alerts), outbox: cloned(s.outbox)}
	out := make([]schemas.Case, 0, len(changes))
	for i, ch := range changes {
		got, err := next.apply(ch, same[i])
		if err != nil {
			return nil, err
		}
		out = append(out, deepCopy(got))
	}
	s.cases, s.audit, s.alerts, s.outbox = next.cases, next.audit, next.alerts, next.outbox
	return out, nil
}

func cloned[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return maps.Clone(m)
}

func (s *caseState) apply(ch alerting.Change, same map[string]bool) (schemas.Case, error) {
	c := deepCopy(ch.Case)
	if f := ch.Filed; f != nil {
		if _, ok := s.alerts[f.EventID]; ok {
			return c, fmt.Errorf("event %s: %w", f.EventID, alerting.ErrAlreadyFiled)
		}
		a := *f
		a.CaseID = &c.ID
		s.alerts[f.EventID] = alertRow{a, strings.ToLower(ch.OrderRef)}
	}
	old, ok := s.cases[c.ID]
	if !ok && ch.Before != 0 {
		return c, fmt.Errorf("case %s: %w", c.ID, alerting.ErrNotFound)
	}
	if old.Version != ch.Before {
		return c, s.conflict(old)
	}
	c.Version, c.Number = ch.Before+1, old.Number
	if ch.Before == 0 {
		c.Number = int64(len(s.cases)) + 1
	}
	wasOpen := ok && old.State.Open() && old.MergedInto == ""
	if c.State.Open() && c.MergedInto == "" && !wasOpen {
		for _, o := range s.cases {
			if o.ID != c.ID && same[o.Key] && o.State.Open() && o.MergedInto == "" {
				return c, s.conflict(o)
			}
		}
	}
	s.cases[c.ID] = c
	s.moveAlerts(c, old.EventIDs)
	if err := s.appendAudit(c.ID, ch.Audit); err != nil {
		return c, err
	}
	s.enqueue(ch.Notifications)
	return c, nil
}

// conflict names who changed a case last.
func (s *caseState) conflict(c schemas.Case) error {
	by := schemas.SystemActor
	if a := s.audit[c.ID]; len(a) > 0 {
		by = a[len(a)-1].Actor
	}
	return &alerting.Conflict{By: by, Version: c.Version}
}

func (s *caseState) moveAlerts(c schemas.Case, had []string) {
	if c.MergedInto != "" {
		return
	}
	for _, id := range c.EventIDs {
		if row, ok := s.alerts[id]; ok && row.alert.CaseID != nil && !slices.Contains(had, id) {
			caseID := c.ID
			row.alert.CaseID = &caseID
			s.alerts[id] = row
		}
	}
}

func (s *caseState) appendAudit(caseID string, entries []schemas.CaseEvent) error {
	all := slices.Clone(s.audit[caseID])
	for _, e := range entries {
		e = deepCopy(e)
		e.CaseID, e.Seq = caseID, int64(len(all))+1
		if e.EventID != "" && (s.audited(e.EventID) || slices.ContainsFunc(all, func(o schemas.CaseEvent) bool { return o.EventID == e.EventID })) {
			return fmt.Errorf("event %s: %w", e.EventID, alerting.ErrAlreadyFiled)
		}
		all = append(all, e)
	}
	s.audit[caseID] = all
	return nil
}

func (s *caseState) audited(eventID string) bool {
	for _, all := range s.audit {
		for _, e := range all {
			if e.EventID == eventID {
				return true
			}
		}
	}
	return false
}

// RecordAlert implements alerting.Cases.
func (c caseStore) RecordAlert(_ context.Context, a schemas.Alert) error {
	c.s.caseMu.Lock()
	defer c.s.caseMu.Unlock()
	if c.s.alerts == nil {
		c.s.alerts = map[string]alertRow{}
	}
	if _, ok := c.s.alerts[a.EventID]; !ok {
		c.s.alerts[a.EventID] = alertRow{alert: deepCopy(a)}
	}
	return nil
}

// Audit implements alerting.Cases.
func (c caseStore) Audit(_ context.Context, caseID string) ([]schemas.CaseEvent, error) {
	c.s.caseMu.Lock()
	defer c.s.caseMu.Unlock()
	return deepCopy(c.s.audit[caseID]), nil
}

type caseLists struct{ s *Store }

// sees reports whether a case is for a viewer of these locations.
func (s *caseState) sees(locations []string, caseID string) bool {
	if len(locations) == 0 {
		return true
	}
	c, ok := s.cases[caseID]
	return ok && slices.Contains(locations, c.Location)
}

// caseRow is an item with its place in a listing: time, then id, then number.
type caseRow[T any] struct {
	item T
	at   time.Time
	id   string
	seq  int64
}

func (r caseRow[T]) after(o caseRow[T]) int {
	return cmp.Or(cmp.Compare(r.at.UnixMilli(), o.at.UnixMilli()), strings.Compare(r.id, o.id), cmp.Compare(r.seq, o.seq))
}

// listRows sorts rows and cuts the page out that q asks for. numbered cursors
// carry the number before the id.
func listRows[T any](rows []caseRow[T], q schemas.ListQuery, numbered bool) (schemas.Page[T], error) {
	at, id, ok, err := schemas.DecodeCursor(q.Cursor)
	if err != nil {
		return schemas.Page[T]{}, err
	}
	last := caseRow[T]{at: time.UnixMilli(at), id: id}
	if ok && numbered {
		seq, rest, found := strings.Cut(id, " ")
		if last.seq, err = strconv.ParseInt(seq, 10, 64); err != nil || !found {
			return schemas.Page[T]{}, schemas.ErrBadCursor
		}
		last.id = rest
	}
	rows = slices.DeleteFunc(rows, func(r caseRow[T]) bool {
		return !q.Since.IsZero() && r.at.Before(q.Since) || !q.Until.IsZero() && !r.at.Before(q.Until) || ok && r.after(last) <= 0
	})
	slices.SortFunc(rows, func(a, b caseRow[T]) int { return a.after(b) })
	var p schemas.Page[T]
	if limit := q.PageLimit(); len(rows) > limit {
		rows = rows[:limit]
		end := rows[limit-1]
		if numbered {
			end.id = strconv.FormatInt(end.seq, 10) + " " + end.id
		}
		p.Next = schemas.EncodeCursor(end.at.UnixMilli(), end.id)
	}
	for _, r := range rows {
		p.Items = append(p.Items, deepCopy(r.item))
	}
	return p, nil
}

// List implements alerting.CaseLists.
func (l caseLists) List(_ context.Context, q schemas.ListQuery) (schemas.Page[schemas.Case], error) {
	l.s.caseMu.Lock()
	defer l.s.caseMu.Unlock()
	var rows []caseRow[schemas.Case]
	for id, c := range l.s.cases {
		if l.s.sees(q.Locations, id) {
			rows = append(rows, caseRow[schemas.Case]{item: c, at: c.OpenedAt, id: id})
		}
	}
	return listRows(rows, q, false)
}

// Alerts implements alerting.CaseLists.
func (l caseLists) Alerts(_ context.Context, q schemas.ListQuery) (schemas.Page[schemas.Alert], error) {
	l.s.caseMu.Lock()
	defer l.s.caseMu.Unlock()
	var rows []caseRow[schemas.Alert]
	for id, a := range l.s.alerts {
		caseID := ""
		if a.alert.CaseID != nil {
			caseID = *a.alert.CaseID
		}
		if l.s.sees(q.Locations, caseID) {
			rows = append(rows, caseRow[schemas.Alert]{item: a.alert, at: a.alert.RaisedAt, id: id})
		}
	}
	return listRows(rows, q, false)
}

// CaseEvents implements alerting.CaseLists.
func (l caseLists) CaseEvents(_ context.Context, q schemas.ListQuery) (schemas.Page[schemas.CaseEvent], error) {
	l.s.caseMu.Lock()
	defer l.s.caseMu.Unlock()
	var rows []caseRow[schemas.CaseEvent]
	for id, all := range l.s.audit {
		if !l.s.sees(q.Locations, id) {
			continue
		}
		for _, e := range all {
			rows = append(rows, caseRow[schemas.CaseEvent]{item: e, at: e.At, id: id, seq: e.Seq})
		}
	}
	return listRows(rows, q, true)
}

// DueBy implements alerting.CaseLists.
func (l caseLists) DueBy(_ context.Context, t time.Time) ([]schemas.Case, error) {
	l.s.caseMu.Lock()
	defer l.s.caseMu.Unlock()
	var out []schemas.Case
	for _, c := range l.s.cases {
		if !c.State.Open() || c.MergedInto != "" {
			continue
		}
		miss := uncounted(c).Due()
		if miss != nil && !miss.After(t) || c.SnoozedUntil != nil && !c.SnoozedUntil.After(t) {
			out = append(out, deepCopy(c))
		}
	}
	slices.SortFunc(out, func(a, b schemas.Case) int { return cmp.Compare(a.Number, b.Number) })
	return out, nil
}

// uncounted is the case without the deadlines that are counted as missed.
func uncounted(c schemas.Case) schemas.Case {
	for _, m := range c.Missed {
		switch m {
		case schemas.TimerFirstResponse:
			c.FirstResponseDue = nil
		case schemas.TimerNextResponse:
			c.NextResponseDue = nil
		case schemas.TimerResolution:
			c.ResolutionDue = nil
		}
	}
	return c
}
