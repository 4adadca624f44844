package postgres

import (
	"context"
	"encoding/json"
	"time"

	"redalert/alerting"
	"redalert/schemas"
)

// Lessons is the alerting.Lessons over this database.
func (d *DB) Lessons() alerting.Lessons { return lessons{d} }

type lessons struct{ d *DB }

// Mark implements alerting.Lessons.
func (l lessons) Mark(ctx context.Context, m schemas.Mark) error {
	doc, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = l.d.exec(ctx, "INSERT INTO marks (event_id, at, doc) VALUES ($1, $2, $3) ON CONFLICT (event_id) DO UPDATE SET at = excluded.at, doc = excluded.doc",
		m.EventID, m.At.UnixMilli(), string(doc))
	return unavailable("store a mark", err)
}

// Unmark implements alerting.Lessons.
func (l lessons) Unmark(ctx context.Context, eventID string) error {
	_, err := l.d.exec(ctx, "DELETE FROM marks WHERE event_id = $1", eventID)
	return unavailable("forget a mark", err)
}

// Marks implements alerting.Lessons.
func (l lessons) Marks(ctx context.Context, q schemas.ListQuery) (schemas.Page[schemas.Mark], error) {
	w, err := windowOf(q)
	if err != nil {
		return schemas.Page[schemas.Mark]{}, err
	}
	items, err := query(ctx, l.d, scanDoc[schemas.Mark], `SELECT doc FROM marks WHERE at >= $1 AND at < $2 AND (at, event_id) > ($3, $4)
		ORDER BY at, event_id LIMIT $5`, w.from, w.to, w.afterAt, w.afterID, w.limit+1)
	if err != nil {
		return schemas.Page[schemas.Mark]{}, unavailable("list marks", err)
	}
	return paged(items, w.limit, func(m schemas.Mark) (time.Time, string) { return m.At, m.EventID }), nil
}

// MarksOf implements alerting.Lessons.
func (l lessons) MarksOf(ctx context.Context, eventIDs []string) (map[string]schemas.Mark, error) {
	items, err := query(ctx, l.d, scanDoc[schemas.Mark], "SELECT doc FROM marks WHERE event_id = ANY ($1)", append([]string{}, eventIDs...))
	out := make(map[string]schemas.Mark, len(items))
	for _, m := range items {
		out[m.EventID] = m
	}
	return out, unavailable("find marks", err)
}

// AddLayer implements alerting.Lessons. Of two processes that add one at once
// the second waits for the first.
func (l lessons) AddLayer(ctx context.Context, v schemas.Layer) (schemas.Layer, error) {
	err := l.d.write(ctx, func(ctx context.Context, tx querier) error {
		n, err := next(ctx, tx, "layers", "number")
		if err != nil {
			return err
		}
		v.Number = int(n)
		doc, err := json.Marshal(v)
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx, "INSERT INTO layers (number, doc) VALUES ($1, $2)", n, string(doc))
		return err
	})
	return v, unavailable("store a layer", err)
}

// next is the number after the greatest; other writers wait until the
// transaction ends.
func next(ctx context.Context, tx querier, table, column string) (int64, error) {
	if _, err := tx.exec(ctx, "LOCK TABLE "+table+" IN SHARE ROW EXCLUSIVE MODE"); err != nil {
		return 0, err
	}
	return one(ctx, tx, value[int64], "SELECT coalesce(max("+column+"), 0) + 1 FROM "+table)
}

// Layers implements alerting.Lessons.
func (l lessons) Layers(ctx context.Context) ([]schemas.Layer, error) {
	items, err := query(ctx, l.d, scanDoc[schemas.Layer], "SELECT doc FROM layers ORDER BY number DESC")
	return append([]schemas.Layer{}, items...), unavailable("list layers", err)
}

// Layer implements alerting.Lessons.
func (l lessons) Layer(ctx context.Context, number int) (schemas.Layer, error) {
	v, err := first(ctx, l.d, alerting.ErrNotFound, scanDoc[schemas.Layer], "SELECT doc FROM layers WHERE number = $1", int64(number))
	return v, unavailable("find a layer", err)
}

// UseLayer implements alerting.Lessons.
func (l lessons) UseLayer(ctx context.Context, u schemas.LayerUse) error {
	return unavailable("use a layer", l.d.write(ctx, func(ctx context.Context, tx querier) error {
		known, err := one(ctx, tx, value[bool], "SELECT $1::bigint = 0 OR EXISTS (SELECT FROM layers WHERE number = $1)", int64(u.Number))
		if err != nil {
			return err
		}
		if !known {
			return alerting.ErrNotFound
		}
		if u.Seq, err = next(ctx, tx, "layer_uses", "seq"); err != nil {
			return err
		}
		doc, err := json.Marshal(u)
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx, "INSERT INTO layer_uses (seq, doc) VALUES ($1, $2)", u.Seq, string(doc))
		return err
	}))
}

// LayerUses implements alerting.Lessons.
func (l lessons) LayerUses(ctx context.Context, limit int) ([]schemas.LayerUse, error) {
	if limit <= 0 {
		limit = 100
	}
	items, err := query(ctx, l.d, scanDoc[schemas.LayerUse], "SELECT doc FROM layer_uses ORDER BY seq DESC LIMIT $1", int64(limit))
	return append([]schemas.LayerUse{}, items...), unavailable("list uses of layers", err)
}
