package churn

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"redalert/schemas"
)

// OrderEvent is what one order event says of its order. Amounts are minor
// units of the business currency, never negative; nil is "not stated".
type OrderEvent struct {
	EventID       string
	OrderRef      string
	Type          schemas.EventType
	Source        string
	OccurredAt    time.Time
	LocalDate     string
	PlacedAt      *time.Time
	Total         *int64
	PreviousTotal *int64
	Tip           *int64
	Currency      string
	CausedBy      schemas.CausedBy
	CustomerID    string
	Location      string
}

// unnamed marks the order of an event without an order number: an order of its
// own.
const unnamed = "event:"

// ReadOrderEvent reads an order event. Negative amounts (a shop that books a
// cancellation as minus the sum) are stored positive. An event without an order
// number is an order of its own.
func ReadOrderEvent(e schemas.Event) (OrderEvent, error) {
	if !e.Type.IsOrder() {
		return OrderEvent{}, fmt.Errorf("%s %s: %w", e.Type, e.ID, schemas.ErrWrongData)
	}
	var o struct { // what is needed of schemas.Order; its lines may be many
		OrderRef      string           `json:"order_ref"`
		PlacedAt      *time.Time       `json:"placed_at"`
		Total         *schemas.Money   `json:"total"`
		PreviousTotal *schemas.Money   `json:"previous_total"`
		Tip           *schemas.Money   `json:"tip"`
		CausedBy      schemas.CausedBy `json:"caused_by"`
	}
	if err := json.Unmarshal(e.Data, &o); err != nil {
		return OrderEvent{}, fmt.Errorf("%s %s: data: %w", e.Type, e.ID, err)
	}
	x := OrderEvent{
		EventID: e.ID, OrderRef: e.OrderRef, Type: e.Type, Source: e.Source, OccurredAt: e.OccurredAt,
		LocalDate: e.LocalDate, PlacedAt: o.PlacedAt, CausedBy: o.CausedBy, CustomerID: e.CustomerID, Location: e.Location,
	}
	if x.OrderRef == "" {
		x.OrderRef = o.OrderRef
	}
	if x.OrderRef == "" {
		x.OrderRef = unnamed + e.ID
	}
	x.Total, x.Currency = positive(o.Total, "")
	x.PreviousTotal, x.Currency = positive(o.PreviousTotal, x.Currency)
	x.Tip, x.Currency = positive(o.Tip, x.Currency)
	return x, nil
}

func positive(m *schemas.Money, currency string) (*int64, string) {
	if m == nil {
		return nil, currency
	}
	v := max(m.Amount, -m.Amount, 0)
	if currency == "" {
		currency = m.Currency
	}
	return &v, currency
}

// Fact is the event as the scorer's context holds it.
func (x OrderEvent) Fact() schemas.OrderFact {
	f := schemas.OrderFact{EventID: x.EventID, Type: x.Type, OrderRef: x.OrderRef, OccurredAt: x.OccurredAt, Tip: x.Tip, CausedBy: x.CausedBy, Location: x.Location}
	if x.OrderRef == unnamed+x.EventID {
		f.OrderRef = ""
	}
	if x.Total != nil {
		f.Total = *x.Total
	}
	return f
}

// Folded is the present state of one order.
type Folded struct {
	schemas.OrderRecord
	Source string // of the last event
	// Known: we were told of the order itself. Otherwise only of its end; it
	// then counts as no order, but takes its total off the revenue.
	Known     bool
	LocalDate string // of the event that placed it
	Net       int64  // what it adds to the customer's net revenue; may be negative
}

// Stands reports whether the order counts as one: known and not cancelled.
func (f Folded) Stands() bool { return f.Known && f.State != schemas.OrderStateCancelled }

// typeRank orders events of one instant as they can only have happened.
var typeRank = map[schemas.EventType]int{
	schemas.OrderPlaced: 0, schemas.OrderChanged: 1, schemas.OrderFulfilled: 2, schemas.OrderRefunded: 3, schemas.OrderCancelled: 4,
}

// CompareOrderEvents orders events by time, then by type as they can only have
// happened, then by id.
func CompareOrderEvents(a, b OrderEvent) int {
	return cmp.Or(a.OccurredAt.Compare(b.OccurredAt), cmp.Compare(typeRank[a.Type], typeRank[b.Type]), cmp.Compare(a.EventID, b.EventID))
}

// Fold computes an order from all its events, in whatever order they came. The
// last event decides the state. Net revenue: the total as last placed or
// changed; a cancellation takes all of it away, a refund its own amount, or all
// when it states none. The end of an order that is unknown (not placed before)
// takes its own total off. Events must not be empty; they are sorted in place.
func Fold(events []OrderEvent) Folded {
	slices.SortFunc(events, CompareOrderEvents)
	var f Folded
	var net, unknown int64
	placed := false
	for _, e := range events {
		first := !f.Known
		before := f.Total.Amount
		switch e.Type {
		case schemas.OrderPlaced, schemas.OrderChanged, schemas.OrderFulfilled:
			f.Known = true
			if e.Total != nil && (first || e.Type != schemas.OrderFulfilled) {
				f.Total.Amount, net = *e.Total, *e.Total
			}
			if e.Type == schemas.OrderChanged {
				f.PreviousTotal = previous(e, before, first)
			}
			if first || e.Type == schemas.OrderPlaced && !placed {
				f.PlacedAt, f.LocalDate = placedAt(e), e.LocalDate
				placed = e.Type == schemas.OrderPlaced
			}
		case schemas.OrderCancelled, schemas.OrderRefunded:
			switch {
			case !f.Known && e.Total != nil:
				unknown += *e.Total
				f.Total.Amount = *e.Total
			case f.Known && e.Type == schemas.OrderRefunded && e.Total != nil && *e.Total != 0:
				net = max(0, net-*e.Total)
			default:
				net = 0
			}
		}
		f.take(e)
	}
	if f.PreviousTotal != nil {
		f.PreviousTotal.Currency = f.Total.Currency
	}
	f.Net = net - unknown
	return f
}

// take keeps what the latest event says of state, customer, place and currency.
func (f *Folded) take(e OrderEvent) {
	if f.PlacedAt.IsZero() {
		f.PlacedAt, f.LocalDate = placedAt(e), e.LocalDate
	}
	f.OrderRef, f.Source, f.ChangedAt = e.OrderRef, e.Source, e.OccurredAt
	f.State = stateOf[e.Type]
	f.CustomerID = cmp.Or(e.CustomerID, f.CustomerID)
	f.Location = cmp.Or(e.Location, f.Location)
	f.Total.Currency = cmp.Or(e.Currency, f.Total.Currency)
}

var stateOf = map[schemas.EventType]schemas.OrderState{
	schemas.OrderPlaced: schemas.OrderStatePlaced, schemas.OrderChanged: schemas.OrderStateChanged,
	schemas.OrderCancelled: schemas.OrderStateCancelled, schemas.OrderRefunded: schemas.OrderStateRefunded,
	schemas.OrderFulfilled: schemas.OrderStateFulfilled,
}

func placedAt(e OrderEvent) time.Time {
	if e.PlacedAt != nil && !e.PlacedAt.IsZero() {
		return e.PlacedAt.UTC()
	}
	return e.OccurredAt
}

func previous(e OrderEvent, before int64, first bool) *schemas.Money {
	switch {
	case e.PreviousTotal != nil:
		return &schemas.Money{Amount: *e.PreviousTotal}
	case first:
		return nil
	}
	return &schemas.Money{Amount: before}
}
