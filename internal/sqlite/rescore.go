package sqlite

import (
	"context"
	"encoding/json"
	"fmt"

	"redalert/schemas"
)

// Rescore puts new verdicts in the place of standing ones, all or none; see
// signals.History. The column rescore counts how often that has been done.
func (d *DB) Rescore(ctx context.Context, scored []schemas.Scored) error {
	if len(scored) == 0 {
		return nil
	}
	rows := make([][]any, len(scored))
	for i, s := range scored {
		v := s.Verdict
		v.EventID = s.Event.ID
		value, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("rescore: %w", err)
		}
		categories, err := json.Marshal(append([]schemas.Category{}, v.Categories...))
		if err != nil {
			return fmt.Errorf("rescore: %w", err)
		}
		rows[i] = []any{v.Red, ms(v.ScoredAt), string(categories), value, v.EventID}
	}
	return unavailable("rescore", d.Write(ctx, func(tx *Tx) error {
		for _, r := range rows {
			if _, err := tx.Exec(`UPDATE verdicts SET red = ?, scored_at = ?, categories = ?, value = ?, rescore = rescore + 1
				WHERE id = (SELECT id FROM events WHERE event_id = ?)`, r...); err != nil {
				return err
			}
		}
		return nil
	}))
}
