package signals

import (
	"context"
	"slices"
	"time"

	"redalert/schemas"
)

// overlay answers the order facts of a batch's customers: history, and the
// batch's own events, which are not in history yet.
type overlay struct {
	context Context
	loaded  map[string][]schemas.OrderFact
	batch   map[string][]schemas.OrderFact
}

func newOverlay(c Context, events []schemas.Event) *overlay {
	o := &overlay{context: c, loaded: map[string][]schemas.OrderFact{}, batch: map[string][]schemas.OrderFact{}}
	for _, ev := range events {
		if ev.CustomerID == "" {
			continue
		}
		if f, ok := Fact(ev); ok {
			o.batch[ev.CustomerID] = append(o.batch[ev.CustomerID], f)
		}
	}
	return o
}

// load fetches, in one call, the customers that are not loaded yet.
func (o *overlay) load(ctx context.Context, customers []string) error {
	return o.loading(ctx, customers)()
}

// loading begins to fetch the customers that are not loaded yet. The answer
// waits until they are; it must be called, and nothing else before it.
func (o *overlay) loading(ctx context.Context, customers []string) (wait func() error) {
	var missing []string
	seen := map[string]bool{}
	for _, id := range customers {
		if _, ok := o.loaded[id]; !ok && id != "" && !seen[id] {
			seen[id] = true
			missing = append(missing, id)
		}
	}
	if len(missing) == 0 {
		return func() error { return nil }
	}
	var facts map[string][]schemas.OrderFact
	done := make(chan error, 1)
	go func() {
		var err error
		facts, err = o.context.OrderFacts(ctx, missing)
		done <- err
	}()
	return func() error {
		if err := <-done; err != nil {
			return err
		}
		for _, id := range missing {
			o.loaded[id] = merge(facts[id], o.batch[id])
		}
		return nil
	}
}

func (o *overlay) facts(customer string) []schemas.OrderFact { return o.loaded[customer] }

// merge puts the batch's facts behind those of history, without the ones a
// replay finds there already. NewContext puts them in order.
func merge(history, batch []schemas.OrderFact) []schemas.OrderFact {
	if len(batch) == 0 {
		return history
	}
	seen := make(map[string]bool, len(history))
	for _, f := range history {
		seen[f.EventID] = true
	}
	out := slices.Clone(history)
	for _, f := range batch {
		if !seen[f.EventID] {
			seen[f.EventID] = true
			out = append(out, f)
		}
	}
	return out
}

// p90Cache remembers the 90th percentile of value by UTC day of the event: it
// reads all of history, and moves slowly. What it knows grows old after a
// minute, so that a first import does not fix it too early.
type p90Cache struct {
	context Context
	now     func() time.Time
	days    map[time.Time]p90Entry
}

type p90Entry struct {
	value     int64
	customers int
	until     time.Time
}

const (
	p90Lives = time.Minute
	p90Days  = 64 // days remembered at most
)

func (c *p90Cache) at(ctx context.Context, t time.Time) (int64, int, error) {
	day, now := t.UTC().Truncate(24*time.Hour), c.now()
	if e, ok := c.days[day]; ok && now.Before(e.until) {
		return e.value, e.customers, nil
	}
	value, customers, err := c.context.RevenueP90(ctx, day)
	if err != nil {
		return 0, 0, err
	}
	if c.days == nil || len(c.days) >= p90Days {
		c.days = map[time.Time]p90Entry{}
	}
	c.days[day] = p90Entry{value, customers, now.Add(p90Lives)}
	return value, customers, nil
}
