package memstore

import (
	"context"

	"redalert/ingest"
	"redalert/schemas"
)

var _ ingest.Receipts = (*Store)(nil)

type receipt struct {
	hash      string
	event     schemas.Event
	published bool
}

// Reserve stores pending receipts; see ingest.Receipts.
func (s *Store) Reserve(ctx context.Context, receipts []ingest.Receipt) ([]ingest.Reservation, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.doors.mu.Lock()
	defer s.doors.mu.Unlock()
	out := make([]ingest.Reservation, len(receipts))
	for i, r := range receipts {
		old := s.doors.receipts[r.Event.ID]
		switch {
		case old == nil:
			s.doors.receipts[r.Event.ID] = &receipt{hash: r.ContentHash, event: r.Event}
			s.doors.reserved = append(s.doors.reserved, r.Event.ID)
		case old.hash != r.ContentHash:
			out[i].Outcome = ingest.ReceiptConflict
		default:
			out[i] = ingest.Reservation{Outcome: ingest.ReceiptDuplicate, Published: old.published}
			if !old.published {
				out[i].Stored = old.event
			}
		}
	}
	return out, nil
}

// MarkPublished marks receipts; unknown ids are left alone.
func (s *Store) MarkPublished(ctx context.Context, eventIDs []string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.doors.mu.Lock()
	defer s.doors.mu.Unlock()
	for _, id := range eventIDs {
		if r := s.doors.receipts[id]; r != nil {
			r.published = true
		}
	}
	return nil
}

// Pending lists events reserved and never marked, oldest first.
func (s *Store) Pending(_ context.Context, limit int) ([]schemas.Event, error) {
	if limit <= 0 {
		limit = 1000
	}
	s.doors.mu.Lock()
	defer s.doors.mu.Unlock()
	var out []schemas.Event
	for _, id := range s.doors.reserved {
		if r := s.doors.receipts[id]; !r.published && len(out) < limit {
			out = append(out, r.event)
		}
	}
	return out, nil
}
