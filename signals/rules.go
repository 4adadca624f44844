package signals

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"redalert/schemas"
	"redalert/signals/orders"
	"redalert/signals/text"
)

// Codes of the hard rules. They are stable: exports, filters and staff's
// feedback name them.
const (
	CodeCancelled         = "order_cancelled"
	CodeCancelledBySeller = "order_cancelled_by_seller"
	CodeChangedBySeller   = "order_changed_by_seller"
	CodeRefunded          = "order_refunded"
	CodeReduced           = "order_reduced"
	CodeBelowHabit        = "order_below_habit"
	CodeTipBelowHabit     = "tip_below_habit"
	CodeMistake           = "mistake_reported"
	CodeOverdue           = "order_overdue"
	CodeUnanswered        = "unanswered"
	CodeNPSLow            = "nps_0_3"
	CodeNPSDetractor      = "nps_4_6"
	CodeCSAT1             = "csat_1"
	CodeCSAT2             = "csat_2"
	CodeRatingLowest      = "rating_lowest"
	CodeRatingLow         = "rating_low"
	CodeRefundRequest     = "refund_request"
	CodeChurnThreat       = "churn_threat"
	CodePublicWarning     = "public_warning"
	CodeLegalSafety       = "legal_safety"
)

// Rule is one row of the table of hard rules (DESIGN §5).
type Rule struct {
	Code     string
	Severity schemas.Severity
	Category schemas.Category // "" when the rule says nothing of what it is about
	Message  string           // in plain words; finish may put numbers in its place
	Phrase   bool             // heard in the text
	// match reports whether the rule applies, and may replace Message.
	match func(f *facts) (message string, ok bool)
}

// facts is what the rules look at: an event, decoded once.
type facts struct {
	ev       schemas.Event
	ctx      CustomerContext
	feedback schemas.Feedback
	order    schemas.Order
	text     string // what is scored as text, "" = nothing
	heard    []text.Finding
}

// Rules is the one table of hard rules. They cannot be out-voted: whatever the
// text model says, an event that matches is red with at least this severity.
var Rules = []Rule{
	{CodeCancelled, schemas.SeverityHigh, schemas.CatCancellation, "order cancelled by the customer", false, cancelled(false)},
	{CodeCancelledBySeller, schemas.SeverityHigh, schemas.CatCancellation, "we cancelled the customer's order", false, cancelled(true)},
	{CodeChangedBySeller, schemas.SeverityHigh, schemas.CatOther, "we changed the customer's order", false, changedBySeller},
	{CodeRefunded, schemas.SeverityMedium, schemas.CatRefundRequest, "order refunded", false, ofType(schemas.OrderRefunded)},
	{CodeReduced, schemas.SeverityMedium, schemas.CatReduction, "order reduced", false, reduced},
	{CodeBelowHabit, schemas.SeverityMedium, schemas.CatReduction, "ordered less than usual", false, belowHabit},
	{CodeTipBelowHabit, schemas.SeverityMedium, schemas.CatReduction, "tipped less than usual", false, tipBelowHabit},
	{CodeMistake, schemas.SeverityMedium, schemas.CatOther, "staff reported a mistake of ours", false, ofType(schemas.MistakeReported)},
	{CodeOverdue, schemas.SeverityMedium, schemas.CatOther, "has not ordered for longer than usual", false, bySignal(schemas.OrderOverdue)},
	{CodeUnanswered, schemas.SeverityMedium, schemas.CatNoReply, "still has no answer from us", false, bySignal(schemas.Unanswered)},
	{CodeNPSLow, schemas.SeverityHigh, "", "gave %s of 10", false, nps(0, 3)},
	{CodeNPSDetractor, schemas.SeverityMedium, "", "gave %s of 10", false, nps(3, 6)},
	{CodeCSAT1, schemas.SeverityHigh, "", "gave %s of 5", false, csat(1)},
	{CodeCSAT2, schemas.SeverityMedium, "", "gave %s of 5", false, csat(2)},
	{CodeRatingLowest, schemas.SeverityHigh, "", "gave %s", false, rating(-1, 0.1)},
	{CodeRatingLow, schemas.SeverityMedium, "", "gave %s", false, rating(0.1, 0.25)},
	{CodeRefundRequest, schemas.SeverityMedium, schemas.CatRefundRequest, "asks for the money back", true, nil},
	{CodeChurnThreat, schemas.SeverityHigh, schemas.CatChurnThreat, "says they will not return", true, nil},
	{CodePublicWarning, schemas.SeverityHigh, schemas.CatPublicWarning, "warns others in public", true, nil},
	{CodeLegalSafety, schemas.SeverityCritical, schemas.CatLegalSafety, "mentions a lawyer, an injury or a danger", true, nil},
}

// categoryMessages are the words for what the lexicon or the model says a text
// is about. Lists of the lexicon bear the names of categories.
var categoryMessages = map[schemas.Category]string{
	schemas.CatLate:              "says it came late or took too long",
	schemas.CatQuality:           "is not happy with the quality",
	schemas.CatDamaged:           "says something is damaged",
	schemas.CatWrongItem:         "says it was the wrong thing, or part of it is missing",
	schemas.CatMissedAppointment: "says nobody came",
	schemas.CatNoReply:           "says nobody answers or calls back",
	schemas.CatRude:              "felt treated badly",
	schemas.CatBilling:           "says the bill is wrong",
	schemas.CatPrice:             "finds it too expensive",
	schemas.CatCancellation:      "wants to cancel",
	schemas.CatRefundRequest:     "asks for the money back, or to have it put right",
	schemas.CatReduction:         "wants less than before",
	schemas.CatChurnThreat:       "is leaving, or may leave",
	schemas.CatPublicWarning:     "warns others, or will",
	schemas.CatLegalSafety:       "speaks of harm, the law or privacy",
	schemas.CatOther:             "something went wrong for them",
}

// ofType matches every event of a type.
func ofType(t schemas.EventType) func(*facts) (string, bool) {
	return func(f *facts) (string, bool) { return "", f.ev.Type == t }
}

// bySignal matches a signal of the clock, which says by itself what it saw.
func bySignal(t schemas.EventType) func(*facts) (string, bool) {
	return func(f *facts) (string, bool) {
		if f.ev.Type != t {
			return "", false
		}
		s, err := f.ev.Signal()
		if err != nil {
			return "", true
		}
		return s.Detail, true
	}
}

func cancelled(bySeller bool) func(*facts) (string, bool) {
	return func(f *facts) (string, bool) {
		if f.ev.Type != schemas.OrderCancelled || (f.order.CausedBy == schemas.BySeller) != bySeller {
			return "", false
		}
		if !bySeller && f.order.CausedBy != schemas.ByCustomer {
			return "order cancelled", true
		}
		return "", true
	}
}

func changedBySeller(f *facts) (string, bool) {
	return "", f.ev.Type == schemas.OrderChanged && f.order.CausedBy == schemas.BySeller
}

func reduced(f *facts) (string, bool) {
	if f.ev.Type != schemas.OrderChanged || f.order.Total == nil {
		return "", false
	}
	var previous *int64
	if f.order.PreviousTotal != nil {
		previous = &f.order.PreviousTotal.Amount
	}
	before, lower := orders.Changed(f.order.OrderRef, f.order.Total.Amount, previous, f.ctx.Facts)
	if !lower {
		return "", false
	}
	return fmt.Sprintf("order reduced from %s to %s", f.money(before), f.money(f.order.Total.Amount)), true
}

func belowHabit(f *facts) (string, bool) {
	if f.ev.Type != schemas.OrderPlaced || f.order.Total == nil {
		return "", false
	}
	r, ok := orders.BelowHabit(f.order.Total.Amount, f.ctx.Facts)
	if !ok {
		return "", false
	}
	return r.Message(f.currency()), true
}

// tipBelowHabit looks at orders as they are placed or changed; a tip that is only
// told when an order is done belongs to the habit of the next.
func tipBelowHabit(f *facts) (string, bool) {
	o := f.order
	if f.ev.Type != schemas.OrderPlaced && f.ev.Type != schemas.OrderChanged || o.Tip == nil || o.Total == nil {
		return "", false
	}
	t, ok := orders.TipBelowHabit(o.Tip.Amount, o.Total.Amount, f.earlierOrders())
	if !ok {
		return "", false
	}
	return t.Message(), true
}

// earlierOrders are the facts of the customer's other orders: what an order's own
// tip was before a change is no habit.
func (f *facts) earlierOrders() []schemas.OrderFact {
	if f.order.OrderRef == "" {
		return f.ctx.Facts
	}
	return slices.DeleteFunc(slices.Clone(f.ctx.Facts), func(x schemas.OrderFact) bool { return x.OrderRef == f.order.OrderRef })
}

func (f *facts) currency() string {
	if f.order.Total != nil && f.order.Total.Currency != "" {
		return f.order.Total.Currency
	}
	return f.ctx.Currency
}

func (f *facts) money(n int64) string {
	return schemas.Money{Amount: n, Currency: f.currency()}.String()
}

// nps matches scores in (above, to], or [0, to] where above is 0.
func nps(above, to float64) func(*facts) (string, bool) {
	return func(f *facts) (string, bool) {
		n := f.feedback.ValueNumber
		if f.feedback.FieldType != schemas.FieldNPS || n == nil || *n < 0 || *n > to || above > 0 && *n <= above {
			return "", false
		}
		return number(*n), true
	}
}

// csat matches one step of a scale of 1–5; lower-is-better answers are turned
// round. Other scales are ratings.
func csat(step float64) func(*facts) (string, bool) {
	return func(f *facts) (string, bool) {
		n, ok := csatStep(f.feedback)
		if !ok || n <= step-1 || n > step {
			return "", false
		}
		return number(*f.feedback.ValueNumber), true
	}
}

func csatStep(fb schemas.Feedback) (float64, bool) {
	if fb.FieldType != schemas.FieldCSAT || fb.ValueNumber == nil || *fb.ValueNumber < 1 || *fb.ValueNumber > 5 ||
		fb.ScaleMin != nil && *fb.ScaleMin != 1 || fb.ScaleMax != nil && *fb.ScaleMax != 5 {
		return 0, false
	}
	if fb.HigherIsBetter != nil && !*fb.HigherIsBetter {
		return 6 - *fb.ValueNumber, true
	}
	return *fb.ValueNumber, true
}

// rating matches normalised ratings in (above, to]. It covers ratings, CSAT on
// other scales than 1–5, and CES that states its direction: without one nobody
// knows which end is bad (DESIGN §4).
func rating(above, to float64) func(*facts) (string, bool) {
	const eps = 1e-9 // (value − min)/(max − min) is rarely a round number
	return func(f *facts) (string, bool) {
		switch f.feedback.FieldType {
		case schemas.FieldRating:
		case schemas.FieldCSAT:
			if _, ok := csatStep(f.feedback); ok {
				return "", false
			}
		case schemas.FieldCES:
			if f.feedback.HigherIsBetter == nil {
				return "", false
			}
		default:
			return "", false
		}
		v, ok := f.feedback.NormalisedRating()
		if !ok || v > to+eps || v <= above+eps {
			return "", false
		}
		n := number(*f.feedback.ValueNumber)
		if f.feedback.ScaleMax != nil {
			n += " of " + number(*f.feedback.ScaleMax)
		}
		return n, true
	}
}

func number(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.FormatInt(int64(v), 10)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}
