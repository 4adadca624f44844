package orders

import (
	"strings"

	"redalert/schemas"
)

// sellerWords are reasons that only we can be the cause of. They are looked for
// in the lower-cased reason of an event that does not say who caused it.
var sellerWords = []string{
	"out of stock", "out-of-stock", "sold out", "not in stock", "no stock", "stock shortage", "back order", "backorder", "discontinued",
	"delivery failed", "failed delivery", "could not deliver", "not delivered", "lost in transit", "lost by", "damaged in transit",
	"closed by us", "our mistake", "our error", "staff shortage", "overbooked", "double booked",
	"nicht vorrätig", "nicht auf lager", "nicht lieferbar", "ausverkauft", "vergriffen", "lieferung fehlgeschlagen", "nicht zugestellt",
}

// Cause is who brought a change of an order about: as the event says, else the
// seller where the reason names what only we can cause (out of stock, delivery
// failed), else unknown. It never says customer by itself.
func Cause(o schemas.Order) schemas.CausedBy {
	if o.CausedBy != "" && o.CausedBy != schemas.ByUnknown {
		return o.CausedBy
	}
	reason := strings.ToLower(o.Reason)
	for _, w := range sellerWords {
		if strings.Contains(reason, w) {
			return schemas.BySeller
		}
	}
	return schemas.ByUnknown
}
