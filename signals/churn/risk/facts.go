package risk

import (
	"cmp"
	"slices"
	"time"

	"redalert/schemas"
	"redalert/signals/churn"
)

// FromFacts folds a customer's order events into a History; their order does not
// matter, and an event that comes twice counts once. Days are those of loc (nil:
// UTC). A cancellation or full refund of an order among the facts ends that
// order; of an order that is not among them, and a refund of a part, it is a
// Return. An event without an order number is an order of its own.
func FromFacts(facts []schemas.OrderFact, loc *time.Location) History {
	if loc == nil {
		loc = time.UTC
	}
	sorted := slices.Clone(facts)
	slices.SortFunc(sorted, func(a, b schemas.OrderFact) int {
		return cmp.Or(a.OccurredAt.Compare(b.OccurredAt), cmp.Compare(rank(a.Type), rank(b.Type)), cmp.Compare(a.EventID, b.EventID))
	})
	f := folding{index: map[string]int{}}
	seen := make(map[string]bool, len(facts))
	for _, x := range sorted {
		if x.EventID != "" && seen[x.EventID] {
			continue
		}
		seen[x.EventID] = true
		f.take(x, dayOf(x.OccurredAt.In(loc)))
	}
	return f.History
}

// rank orders events of one instant as they can only have happened.
func rank(t schemas.EventType) int {
	return slices.Index([]schemas.EventType{schemas.OrderPlaced, schemas.OrderChanged, schemas.OrderFulfilled,
		schemas.OrderRefunded, schemas.OrderCancelled}, t)
}

// dayOf is the calendar day that t shows.
func dayOf(t time.Time) churn.Day {
	y, m, d := t.Date()
	return churn.Day(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

type folding struct {
	History
	index map[string]int // of orders, by number
}

func (f *folding) take(x schemas.OrderFact, day churn.Day) {
	ref := cmp.Or(x.OrderRef, "event:"+x.EventID)
	i, known := f.index[ref]
	total := max(x.Total, 0)
	switch x.Type {
	case schemas.OrderPlaced, schemas.OrderChanged, schemas.OrderFulfilled:
		switch {
		case !known:
			f.index[ref] = len(f.Orders)
			f.Orders = append(f.Orders, Order{Day: day, Total: total})
		case x.Type == schemas.OrderChanged || x.Type == schemas.OrderPlaced:
			f.Orders[i].Changes = append(f.Orders[i].Changes, Change{day, total})
		}
	case schemas.OrderCancelled, schemas.OrderRefunded:
		part := x.Type == schemas.OrderRefunded && known && total > 0 && total < f.Orders[i].totalAt(day)
		switch {
		case !known || part:
			f.Returns = append(f.Returns, Return{day, total})
		case f.Orders[i].Gone == 0:
			f.Orders[i].Gone = day
		}
	}
}
