package signals_test

import (
	"testing"

	"redalert/schemas"
	"redalert/signals"
)

// TestSellersReasonIsOurMistake: a shop's export that says only why, not who, is
// filed as our mistake when the reason is ours; the customer's own word stands.
func TestSellersReasonIsOurMistake(t *testing.T) {
	for _, c := range []struct {
		story   string
		typ     schemas.EventType
		order   schemas.Order
		code    string
		mistake bool
	}{
		{"cancelled, out of stock", schemas.OrderCancelled, schemas.Order{OrderRef: "7", Total: eur(900), Reason: "Out of stock"}, signals.CodeCancelledBySeller, true},
		{"a line taken out, sold out", schemas.OrderChanged, schemas.Order{OrderRef: "7", Total: eur(900), PreviousTotal: eur(1200), Reason: "candles sold out"}, signals.CodeChangedBySeller, true},
		{"refunded after a failed delivery", schemas.OrderRefunded, schemas.Order{OrderRef: "7", Total: eur(900), Reason: "delivery failed"}, signals.CodeRefunded, true},
		{"cancelled, no reason", schemas.OrderCancelled, schemas.Order{OrderRef: "7", Total: eur(900)}, signals.CodeCancelled, false},
		{"cancelled by the customer", schemas.OrderCancelled, schemas.Order{OrderRef: "7", CausedBy: schemas.ByCustomer, Reason: "you are always out of stock"}, signals.CodeCancelled, false},
	} {
		ev := event(t, c.typ, c.order)
		v := signals.Score(ev, signals.CustomerContext{Currency: "EUR"}, nil)
		if len(v.Reasons) == 0 || v.Reasons[0].Code != c.code || signals.IsMistake(ev, v) != c.mistake {
			t.Errorf("%s: %+v, mistake %v", c.story, v.Reasons, signals.IsMistake(ev, v))
		}
	}
}
