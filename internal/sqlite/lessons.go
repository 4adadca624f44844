package sqlite

import (
	"context"
	"encoding/json"
	"time"

	"redalert/alerting"
	"redalert/schemas"
)

// Lessons is the alerting.Lessons over this file.
func (d *DB) Lessons() alerting.Lessons { return lessons{d} }

type lessons struct{ d *DB }

// Mark implements alerting.Lessons.
func (l lessons) Mark(ctx context.Context, m schemas.Mark) error {
	doc, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return unavailable("store a mark", l.d.Write(ctx, func(tx *Tx) error {
		_, err := tx.Exec("INSERT INTO marks (event_id, at, doc) VALUES (?1, ?2, ?3) ON CONFLICT (event_id) DO UPDATE SET at = ?2, doc = ?3", m.EventID, ms(m.At), string(doc))
		return err
	}))
}

// Unmark implements alerting.Lessons.
func (l lessons) Unmark(ctx context.Context, eventID string) error {
	return unavailable("forget a mark", l.d.Write(ctx, func(tx *Tx) error {
		_, err := tx.Exec("DELETE FROM marks WHERE event_id = ?", eventID)
		return err
	}))
}

// Marks implements alerting.Lessons.
func (l lessons) Marks(ctx context.Context, q schemas.ListQuery) (schemas.Page[schemas.Mark], error) {
	w, err := windowOf(q)
	if err != nil {
		return schemas.Page[schemas.Mark]{}, err
	}
	items, err := readDocs[schemas.Mark](ctx, l.d, `SELECT doc FROM marks WHERE at >= ?1 AND at < ?2 AND (at, event_id) > (?3, ?4)
		ORDER BY at, event_id LIMIT ?5`, w.from, w.to, w.afterAt, w.afterID, w.limit+1)
	if err != nil {
		return schemas.Page[schemas.Mark]{}, unavailable("list marks", err)
	}
	return paged(items, w.limit, func(m schemas.Mark) (time.Time, string) { return m.At, m.EventID }), nil
}

// readDocs reads a query of one column, a document.
func readDocs[T any](ctx context.Context, d *DB, text string, args ...any) ([]T, error) {
	rows, err := d.read.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	return scanDocs[T](rows)
}

// MarksOf implements alerting.Lessons.
func (l lessons) MarksOf(ctx context.Context, eventIDs []string) (map[string]schemas.Mark, error) {
	items, err := readDocs[schemas.Mark](ctx, l.d, "SELECT doc FROM marks WHERE event_id IN (SELECT value FROM json_each(?))", idList(eventIDs))
	out := make(map[string]schemas.Mark, len(items))
	for _, m := range items {
		out[m.EventID] = m
	}
	return out, unavailable("find marks", err)
}

// AddLayer implements alerting.Lessons.
func (l lessons) AddLayer(ctx context.Context, v schemas.Layer) (schemas.Layer, error) {
	err := l.d.Write(ctx, func(tx *Tx) error {
		if err := tx.QueryRow("SELECT coalesce(max(number), 0) + 1 FROM layers").Scan(&v.Number); err != nil {
			return err
		}
		doc, err := json.Marshal(v)
		if err != nil {
			return err
		}
		_, err = tx.Exec("INSERT INTO layers (number, doc) VALUES (?, ?)", v.Number, string(doc))
		return err
	})
	return v, unavailable("store a layer", err)
}

// Layers implements alerting.Lessons.
func (l lessons) Layers(ctx context.Context) ([]schemas.Layer, error) {
	items, err := readDocs[schemas.Layer](ctx, l.d, "SELECT doc FROM layers ORDER BY number DESC")
	return append([]schemas.Layer{}, items...), unavailable("list layers", err)
}

// Layer implements alerting.Lessons.
func (l lessons) Layer(ctx context.Context, number int) (schemas.Layer, error) {
	items, err := readDocs[schemas.Layer](ctx, l.d, "SELECT doc FROM layers WHERE number = ?", number)
	if err == nil && len(items) == 0 {
		return schemas.Layer{}, alerting.ErrNotFound
	}
	if err != nil {
		return schemas.Layer{}, unavailable("find a layer", err)
	}
	return items[0], nil
}

// UseLayer implements alerting.Lessons.
func (l lessons) UseLayer(ctx context.Context, u schemas.LayerUse) error {
	return unavailable("use a layer", l.d.Write(ctx, func(tx *Tx) error {
		var known bool
		if err := tx.QueryRow("SELECT ?1 = 0 OR EXISTS (SELECT 1 FROM layers WHERE number = ?1)", u.Number).Scan(&known); err != nil {
			return err
		}
		if !known {
			return alerting.ErrNotFound
		}
		if err := tx.QueryRow("SELECT coalesce(max(seq), 0) + 1 FROM layer_uses").Scan(&u.Seq); err != nil {
			return err
		}
		doc, err := json.Marshal(u)
		if err != nil {
			return err
		}
		_, err = tx.Exec("INSERT INTO layer_uses (seq, doc) VALUES (?, ?)", u.Seq, string(doc))
		return err
	}))
}

// LayerUses implements alerting.Lessons.
func (l lessons) LayerUses(ctx context.Context, limit int) ([]schemas.LayerUse, error) {
	if limit <= 0 {
		limit = 100
	}
	items, err := readDocs[schemas.LayerUse](ctx, l.d, "SELECT doc FROM layer_uses ORDER BY seq DESC LIMIT ?", limit)
	return append([]schemas.LayerUse{}, items...), unavailable("list uses of layers", err)
}
