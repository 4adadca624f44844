package memstore

import (
	"context"
	"time"

	"redalert/schemas"
)

// Rescore puts new verdicts in the place of standing ones.
func (s *Store) Rescore(ctx context.Context, scored []schemas.Scored) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	h := &s.history
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, x := range scored {
		if i, ok := h.byID[x.Event.ID]; ok {
			x.Verdict.EventID = x.Event.ID
			x.Verdict.ScoredAt = x.Verdict.ScoredAt.UTC().Truncate(time.Millisecond)
			h.scored[i].Verdict = x.Verdict
		}
	}
	return nil
}
