package memstore

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"redalert/schemas"
	"redalert/signals"
	"redalert/signals/churn"
)

var (
	_ signals.History = (*Store)(nil)
	_ signals.Records = (*Store)(nil)
	_ signals.Context = (*Store)(nil)
)

type history struct {
	mu          sync.Mutex
	scored      []schemas.Scored
	byID        map[string]int // event id → index in scored
	orderEvents map[string][]churn.OrderEvent
	orders      map[string]churn.Folded
}

// Store keeps events and verdicts; the first verdict of an event stands.
func (s *Store) Store(ctx context.Context, scored []schemas.Scored) ([]schemas.Verdict, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	orders := map[string]churn.OrderEvent{}
	var rejected signals.RejectedError
	for _, x := range scored {
		if len(x.Event.Data) > 0 && !json.Valid(x.Event.Data) {
			rejected.Events = append(rejected.Events, signals.Rejection{EventID: x.Event.ID, Reason: "its data is no JSON"})
			continue
		}
		if !x.Event.Type.IsOrder() {
			continue
		}
		o, err := churn.ReadOrderEvent(x.Event)
		if err != nil {
			rejected.Events = append(rejected.Events, signals.Rejection{EventID: x.Event.ID, Reason: err.Error()})
		}
		orders[x.Event.ID] = o
	}
	if len(rejected.Events) > 0 {
		return nil, &rejected
	}
	h := &s.history
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]schemas.Verdict, len(scored))
	for i, x := range scored {
		id := x.Event.ID
		at, known := h.byID[id]
		if !known {
			at = len(h.scored)
			h.byID[id] = at
			x.Verdict.EventID = id
			x.Verdict.ScoredAt = x.Verdict.ScoredAt.UTC().Truncate(time.Millisecond)
			h.scored = append(h.scored, x)
			if o, ok := orders[id]; ok {
				h.orderEvents[o.OrderRef] = append(h.orderEvents[o.OrderRef], o)
				h.orders[o.OrderRef] = churn.Fold(slices.Clone(h.orderEvents[o.OrderRef]))
			}
		}
		out[i] = h.scored[at].Verdict
	}
	return out, nil
}

// Events lists events by (collected_at, id).
func (s *Store) Events(_ context.Context, q schemas.ListQuery) (schemas.Page[schemas.Event], error) {
	var items []schemas.Event
	for _, x := range s.snapshot() {
		items = append(items, x.Event)
	}
	return list(items, q, func(e schemas.Event) row { return row{e.CollectedAt, e.ID, e.Location} })
}

func (s *Store) snapshot() []schemas.Scored {
	s.history.mu.Lock()
	defer s.history.mu.Unlock()
	return slices.Clone(s.history.scored)
}

// Verdicts lists standing verdicts by (scored_at, event id).
func (s *Store) Verdicts(_ context.Context, q schemas.ListQuery) (schemas.Page[schemas.Verdict], error) {
	all := s.snapshot()
	location := make(map[string]string, len(all))
	var items []schemas.Verdict
	for _, x := range all {
		items, location[x.Event.ID] = append(items, x.Verdict), x.Event.Location
	}
	return list(items, q, func(v schemas.Verdict) row { return row{v.ScoredAt, v.EventID, location[v.EventID]} })
}

// folded answers the present orders, with canonical customers.
func (s *Store) folded() []churn.Folded {
	s.history.mu.Lock()
	defer s.history.mu.Unlock()
	s.people.mu.Lock()
	defer s.people.mu.Unlock()
	out := make([]churn.Folded, 0, len(s.history.orders))
	for _, o := range s.history.orders {
		o.CustomerID = s.people.canonical(o.CustomerID)
		out = append(out, o)
	}
	return out
}

// Orders lists orders by (placed_at, ref).
func (s *Store) Orders(_ context.Context, q schemas.ListQuery) (schemas.Page[schemas.OrderRecord], error) {
	var items []schemas.OrderRecord
	for _, o := range s.folded() {
		items = append(items, o.OrderRecord)
	}
	return list(items, q, func(o schemas.OrderRecord) row { return row{o.PlacedAt, o.OrderRef, o.Location} })
}

// Scored finds events with their verdicts; unknown ids are left out.
func (s *Store) Scored(_ context.Context, eventIDs []string) ([]schemas.Scored, error) {
	s.history.mu.Lock()
	defer s.history.mu.Unlock()
	out := []schemas.Scored{}
	for _, id := range eventIDs {
		if i, ok := s.history.byID[id]; ok {
			out = append(out, s.history.scored[i])
		}
	}
	return out, nil
}

// CustomerOrders lists a customer's orders, newest first.
func (s *Store) CustomerOrders(ctx context.Context, customerID string) ([]schemas.OrderRecord, error) {
	id, err := s.Canonical(ctx, customerID)
	out := []schemas.OrderRecord{}
	for _, o := range s.folded() {
		if o.CustomerID == id && id != "" {
			out = append(out, o.OrderRecord)
		}
	}
	slices.SortFunc(out, func(a, b schemas.OrderRecord) int {
		return cmp.Or(b.PlacedAt.Compare(a.PlacedAt), strings.Compare(a.OrderRef, b.OrderRef))
	})
	return out, err
}

// CustomerEvents lists a customer's events, newest first.
func (s *Store) CustomerEvents(ctx context.Context, customerID string, limit int) ([]schemas.Scored, error) {
	if limit <= 0 {
		limit = 100
	}
	keys, err := s.Keys(ctx, customerID)
	out := []schemas.Scored{}
	for _, x := range s.snapshot() {
		if x.Event.CustomerID != "" && slices.Contains(keys, x.Event.CustomerID) {
			out = append(out, x)
		}
	}
	slices.SortFunc(out, func(a, b schemas.Scored) int {
		return cmp.Or(b.Event.OccurredAt.Compare(a.Event.OccurredAt), strings.Compare(a.Event.ID, b.Event.ID))
	})
	return out[:min(limit, len(out))], err
}

// Totals sums up each customer's orders.
func (s *Store) Totals(ctx context.Context, customerIDs []string) (map[string]signals.CustomerTotals, error) {
	byCustomer := map[string][]churn.Folded{}
	for _, o := range s.folded() {
		byCustomer[o.CustomerID] = append(byCustomer[o.CustomerID], o)
	}
	out := map[string]signals.CustomerTotals{}
	for _, asked := range customerIDs {
		id, err := s.Canonical(ctx, asked)
		if err != nil {
			return nil, err
		}
		if asked == "" || byCustomer[id] == nil {
			continue
		}
		var t signals.CustomerTotals
		for _, o := range byCustomer[id] {
			t.Revenue += o.Net
			if !o.Stands() {
				continue
			}
			t.Orders++
			if t.FirstOrderAt.IsZero() || o.PlacedAt.Before(t.FirstOrderAt) {
				t.FirstOrderAt = o.PlacedAt
			}
			if o.PlacedAt.After(t.LastOrderAt) {
				t.LastOrderAt = o.PlacedAt
			}
		}
		out[asked] = t
	}
	return out, nil
}

// OrderFacts answers the order events of each customer, oldest first.
func (s *Store) OrderFacts(ctx context.Context, customerIDs []string) (map[string][]schemas.OrderFact, error) {
	out := map[string][]schemas.OrderFact{}
	for _, asked := range customerIDs {
		keys, err := s.Keys(ctx, asked)
		if err != nil {
			return nil, err
		}
		if asked == "" || out[asked] != nil {
			continue
		}
		s.history.mu.Lock()
		for _, events := range s.history.orderEvents {
			for _, x := range events {
				if slices.Contains(keys, x.CustomerID) {
					out[asked] = append(out[asked], x.Fact())
				}
			}
		}
		s.history.mu.Unlock()
		slices.SortFunc(out[asked], func(a, b schemas.OrderFact) int {
			return cmp.Or(a.OccurredAt.Compare(b.OccurredAt), strings.Compare(a.EventID, b.EventID))
		})
	}
	return out, nil
}

// RevenueP90 is the 90th percentile of net revenue in the 365 days before at.
func (s *Store) RevenueP90(_ context.Context, at time.Time) (int64, int, error) {
	sums := map[string]int64{}
	for _, o := range s.folded() {
		if o.CustomerID != "" && !o.PlacedAt.Before(at.Add(-365*24*time.Hour)) && o.PlacedAt.Before(at) {
			sums[o.CustomerID] += o.Net
		}
	}
	var list []int64
	for _, v := range sums {
		if v > 0 {
			list = append(list, v)
		}
	}
	slices.Sort(list)
	return churn.Percentile(list, 90), len(list), nil
}

// Trend answers the charts alerts and churn.
func (s *Store) Trend(_ context.Context, kind string, q schemas.TrendQuery) (schemas.Trend, error) {
	if _, err := churn.Periods(q); err != nil {
		return schemas.Trend{}, err
	}
	switch kind {
	case signals.TrendAlerts:
		return s.alertTrend(q)
	case signals.TrendChurn:
		var purchases []churn.Purchase
		for _, o := range s.folded() {
			if o.Stands() && sees(q.Locations, o.Location) {
				purchases = append(purchases, churn.Purchase{Customer: o.CustomerID, Day: o.LocalDate, Source: o.Source, Location: o.Location})
			}
		}
		return churn.Trend(q, purchases, churn.DefaultFloor)
	}
	return schemas.Trend{}, &signals.UnknownTrend{Kind: kind}
}

func (s *Store) alertTrend(q schemas.TrendQuery) (schemas.Trend, error) {
	var counts, all []signals.DayCount
	for _, x := range s.snapshot() {
		if !sees(q.Locations, x.Event.Location) {
			continue
		}
		c := signals.DayCount{Day: x.Event.LocalDate, N: 1}
		if x.Verdict.Red {
			c.Red = 1
		}
		switch q.By {
		case schemas.BySource:
			c.Series = x.Event.Source
		case schemas.ByLocation:
			c.Series = x.Event.Location
		case schemas.ByCategory:
			all = append(all, c)
			for _, category := range x.Verdict.Categories {
				if x.Verdict.Red {
					counts = append(counts, signals.DayCount{Day: c.Day, Series: string(category), Red: 1})
				}
			}
			continue
		}
		counts = append(counts, c)
	}
	return signals.AlertTrend(q, counts, all)
}
