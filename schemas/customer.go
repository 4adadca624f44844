package schemas

import "time"

// Customer is what the business knows of a person; the only place with names,
// addresses and numbers.
type Customer struct {
	ID           string     `json:"id"`
	Refs         []string   `json:"refs"` // external numbers, strongest first
	Name         string     `json:"name"`
	Email        string     `json:"email"`
	Phone        string     `json:"phone"`
	Location     string     `json:"location"`
	OptedOut     bool       `json:"opted_out"`
	Orders       int64      `json:"orders"`
	Revenue      Money      `json:"revenue"` // net: placed as last changed, less cancelled and refunded
	FirstOrderAt *time.Time `json:"first_order_at"`
	LastOrderAt  *time.Time `json:"last_order_at"`
	ChurnRisk    *float64   `json:"churn_risk"` // 0–1, up is worse; nil while unknown
}

// DisplayName is the name, else the strongest way to tell the person apart.
func (c Customer) DisplayName() string {
	switch {
	case c.Name != "":
		return c.Name
	case c.Email != "":
		return c.Email
	case c.Phone != "":
		return c.Phone
	case len(c.Refs) > 0:
		return "Customer " + c.Refs[0]
	}
	return "Unknown customer"
}

// Alias says that an id given out before is the same customer as Canonical,
// which is never an alias itself. Version grows with every change of the alias
// table, so that a reader can ask for what is new.
type Alias struct {
	ID, Canonical string
	Version       int64
}

// Sighting is one mention of a customer at the door.
type Sighting struct {
	Customer CustomerRef
	Location string
	At       time.Time // of the event; later sightings win name and location
}

// OrderState is what became of an order.
type OrderState string

// Every order state.
const (
	OrderStatePlaced    OrderState = "placed"
	OrderStateChanged   OrderState = "changed"
	OrderStateCancelled OrderState = "cancelled"
	OrderStateRefunded  OrderState = "refunded"
	OrderStateFulfilled OrderState = "fulfilled"
)

// OrderRecord is the present state of one order, folded from its events.
type OrderRecord struct {
	OrderRef      string     `json:"order_ref"`
	CustomerID    string     `json:"customer_id"`
	State         OrderState `json:"state"`
	PlacedAt      time.Time  `json:"placed_at"`
	ChangedAt     time.Time  `json:"changed_at"`
	Total         Money      `json:"total"`
	PreviousTotal *Money     `json:"previous_total"`
	Location      string     `json:"location"`
}

// OrderFact is one order event as the scorer's customer context holds it.
type OrderFact struct {
	EventID    string
	Type       EventType
	OrderRef   string
	OccurredAt time.Time
	Total      int64  // minor units of the business currency, never negative
	Tip        *int64 // the same, as stated; nil = not stated
	CausedBy   CausedBy
	Location   string
}
