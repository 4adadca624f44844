package memstore

import (
	"context"
	"slices"
	"time"

	"redalert/schemas"
	"redalert/signals"
)

var (
	_ signals.Rounds = (*Store)(nil)
	_ signals.Fits   = (*Store)(nil)
)

// Ordered lists customers who have placed an order; see signals.Rounds.
func (s *Store) Ordered(ctx context.Context, after string, limit int) (ids []string, next string, err error) {
	var raw []string
	s.history.mu.Lock()
	for _, events := range s.history.orderEvents {
		for _, x := range events {
			if x.Type == schemas.OrderPlaced && x.CustomerID > after {
				raw = append(raw, x.CustomerID)
			}
		}
	}
	s.history.mu.Unlock()
	slices.Sort(raw)
	raw = slices.Compact(raw)
	if len(raw) >= limit {
		raw, next = raw[:limit], raw[limit-1]
	}
	ids = []string{}
	for _, id := range raw {
		canonical, err := s.Canonical(ctx, id)
		if err != nil {
			return nil, "", err
		}
		ids = append(ids, canonical)
	}
	slices.Sort(ids)
	return slices.Compact(ids), next, nil
}

// Words lists events of one type with their verdicts; see signals.Rounds.
func (s *Store) Words(_ context.Context, t schemas.EventType, q schemas.ListQuery) (schemas.Page[schemas.Scored], error) {
	items := slices.DeleteFunc(s.snapshot(), func(x schemas.Scored) bool { return x.Event.Type != t })
	return list(items, q, func(x schemas.Scored) row { return row{x.Event.CollectedAt, x.Event.ID, x.Event.Location} })
}

// SaveFit keeps a document; see signals.Fits.
func (s *Store) SaveFit(_ context.Context, name string, doc []byte, _ time.Time) error {
	s.caseMu.Lock()
	defer s.caseMu.Unlock()
	if s.fits == nil {
		s.fits = map[string][]byte{}
	}
	s.fits[name] = slices.Clone(doc)
	return nil
}

// LoadFit answers a document, nil if there is none; see signals.Fits.
func (s *Store) LoadFit(_ context.Context, name string) ([]byte, error) {
	s.caseMu.Lock()
	defer s.caseMu.Unlock()
	return slices.Clone(s.fits[name]), nil
}
