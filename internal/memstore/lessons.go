package memstore

import (
	"context"
	"maps"
	"slices"

	"redalert/alerting"
	"redalert/schemas"
)

// Lessons is the alerting.Lessons over this store.
func (s *Store) Lessons() alerting.Lessons { return lessons{s} }

type lessons struct{ s *Store }

// Mark implements alerting.Lessons.
func (l lessons) Mark(_ context.Context, m schemas.Mark) error {
	l.s.caseMu.Lock()
	defer l.s.caseMu.Unlock()
	if l.s.marks == nil {
		l.s.marks = map[string]schemas.Mark{}
	}
	l.s.marks[m.EventID] = deepCopy(m)
	return nil
}

// Unmark implements alerting.Lessons.
func (l lessons) Unmark(_ context.Context, eventID string) error {
	l.s.caseMu.Lock()
	defer l.s.caseMu.Unlock()
	delete(l.s.marks, eventID)
	return nil
}

// Marks implements alerting.Lessons.
func (l lessons) Marks(_ context.Context, q schemas.ListQuery) (schemas.Page[schemas.Mark], error) {
	l.s.caseMu.Lock()
	items := slices.Collect(maps.Values(l.s.marks))
	l.s.caseMu.Unlock()
	q.Locations = nil
	return list(items, q, func(m schemas.Mark) row { return row{m.At, m.EventID, ""} })
}

// MarksOf implements alerting.Lessons.
func (l lessons) MarksOf(_ context.Context, eventIDs []string) (map[string]schemas.Mark, error) {
	l.s.caseMu.Lock()
	defer l.s.caseMu.Unlock()
	out := map[string]schemas.Mark{}
	for _, id := range eventIDs {
		if m, ok := l.s.marks[id]; ok {
			out[id] = m
		}
	}
	return out, nil
}

// AddLayer implements alerting.Lessons.
func (l lessons) AddLayer(_ context.Context, v schemas.Layer) (schemas.Layer, error) {
	l.s.caseMu.Lock()
	defer l.s.caseMu.Unlock()
	v.Number = len(l.s.layers) + 1
	l.s.layers = append(l.s.layers, deepCopy(v))
	return v, nil
}

// Layers implements alerting.Lessons.
func (l lessons) Layers(context.Context) ([]schemas.Layer, error) {
	l.s.caseMu.Lock()
	defer l.s.caseMu.Unlock()
	out := make([]schemas.Layer, 0, len(l.s.layers))
	for _, v := range slices.Backward(l.s.layers) {
		out = append(out, deepCopy(v))
	}
	return out, nil
}

// Layer implements alerting.Lessons.
func (l lessons) Layer(_ context.Context, number int) (schemas.Layer, error) {
	l.s.caseMu.Lock()
	defer l.s.caseMu.Unlock()
	if number < 1 || number > len(l.s.layers) {
		return schemas.Layer{}, alerting.ErrNotFound
	}
	return deepCopy(l.s.layers[number-1]), nil
}

// UseLayer implements alerting.Lessons.
func (l lessons) UseLayer(_ context.Context, u schemas.LayerUse) error {
	l.s.caseMu.Lock()
	defer l.s.caseMu.Unlock()
	if u.Number < 0 || u.Number > len(l.s.layers) {
		return alerting.ErrNotFound
	}
	u.Seq = int64(len(l.s.uses) + 1)
	l.s.uses = append(l.s.uses, deepCopy(u))
	return nil
}

// LayerUses implements alerting.Lessons.
func (l lessons) LayerUses(_ context.Context, limit int) ([]schemas.LayerUse, error) {
	l.s.caseMu.Lock()
	defer l.s.caseMu.Unlock()
	if limit <= 0 {
		limit = 100
	}
	out := slices.Clone(l.s.uses)
	slices.Reverse(out)
	return append([]schemas.LayerUse{}, out[:min(limit, len(out))]...), nil
}
