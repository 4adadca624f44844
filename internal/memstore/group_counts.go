package memstore

import (
	"context"

	"redalert/signals"
)

// GroupCounts counts events by day, source, location and category.
func (s *Store) GroupCounts(_ context.Context, from, to string) ([]signals.GroupCount, error) {
	if err := signals.CheckDays(from, to); err != nil {
		return nil, err
	}
	sums := map[signals.GroupCount]signals.GroupCount{} // by the count without its numbers
	add := func(key signals.GroupCount, red, n int64) {
		c, ok := sums[key]
		if !ok {
			c = key
		}
		c.Red, c.N = c.Red+red, c.N+n
		sums[key] = c
	}
	for _, x := range s.snapshot() {
		e := x.Event
		if e.LocalDate < from || e.LocalDate >= to {
			continue
		}
		key := signals.GroupCount{Day: e.LocalDate, Source: e.Source, Location: e.Location}
		if !x.Verdict.Red {
			add(key, 0, 1)
			continue
		}
		add(key, 1, 1)
		for _, category := range x.Verdict.Categories {
			key.Category = string(category)
			add(key, 1, 0)
		}
	}
	out := make([]signals.GroupCount, 0, len(sums))
	for _, c := range sums {
		out = append(out, c)
	}
	signals.SortGroupCounts(out)
	return out, nil
}
