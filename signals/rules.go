package signals

import (
	"fmt"
	"strconv"

	"redalert/schemas"
	"redalert/signals/orders"
)

// rule is one hard rule: what it is called, how severe, what it is about and
// how a manager reads it. A rule cannot be out-voted: the model ranks and adds,
// it never removes.
type rule struct {
	severity schemas.Severity
	category schemas.Category
	message  string // for rules that do not make their own
}

// The hard rules by their stable codes (docs: DESIGN "Hard rules"). Codes are
// part of the contract; they are never renamed.
const (
	RuleCancelled     = "order_cancelled"
	RuleCancelledByUs = "order_cancelled_by_seller"
	RuleChangedByUs   = "order_changed_by_seller"
	RuleRefunded      = "order_refunded"
	RuleReduced       = "order_reduced"
	RuleBelowHabit    = "order_below_habit"
	RuleMistake       = "mistake_reported"
	RuleOverdue       = "order_overdue"
	RuleUnanswered    = "unanswered"
	RuleNPSVeryLow    = "nps_very_low"
	RuleNPSLow        = "nps_low"
	RuleCSATVeryLow   = "csat_very_low"
	RuleCSATLow       = "csat_low"
	RuleRatingVeryLow = "rating_very_low"
	RuleRatingLow     = "rating_low"
	RuleRefundRequest = "refund_request"
	RuleChurnThreat   = "churn_threat"
	RulePublicWarning = "public_warning"
	RuleLegalSafety   = "legal_safety"
	reasonModel       = "sounds_unhappy"
	veryLowRating     = 0.1
	lowRating         = 0.25
)

var hardRules = map[string]rule{
	RuleCancelled:     {schemas.SeverityHigh, schemas.CatCancellation, "order cancelled by the customer"},
	RuleCancelledByUs: {schemas.SeverityHigh, schemas.CatCancellation, "we cancelled the order"},
	RuleChangedByUs:   {schemas.SeverityHigh, schemas.CatOther, "we changed the order"},
	RuleRefunded:      {schemas.SeverityMedium, schemas.CatRefundRequest, "order refunded"},
	RuleReduced:       {schemas.SeverityMedium, schemas.CatReduction, ""},
	RuleBelowHabit:    {schemas.SeverityMedium, schemas.CatReduction, ""},
	RuleMistake:       {schemas.SeverityMedium, schemas.CatOther, "staff reported a mistake of ours"},
	RuleOverdue:       {schemas.SeverityMedium, schemas.CatReduction, "no order when one was due"},
	RuleUnanswered:    {schemas.SeverityMedium, schemas.CatNoReply, "nobody answered"},
	RuleNPSVeryLow:    {schemas.SeverityHigh, schemas.CatOther, ""},
	RuleNPSLow:        {schemas.SeverityMedium, schemas.CatOther, ""},
	RuleCSATVeryLow:   {schemas.SeverityHigh, schemas.CatOther, ""},
	RuleCSATLow:       {schemas.SeverityMedium, schemas.CatOther, ""},
	RuleRatingVeryLow: {schemas.SeverityHigh, schemas.CatOther, ""},
	RuleRatingLow:     {schemas.SeverityMedium, schemas.CatOther, ""},
	RuleRefundRequest: {schemas.SeverityMedium, schemas.CatRefundRequest, "asks for the money back"},
	RuleChurnThreat:   {schemas.SeverityHigh, schemas.CatChurnThreat, "says they are leaving"},
	RulePublicWarning: {schemas.SeverityHigh, schemas.CatPublicWarning, "warns others"},
	RuleLegalSafety:   {schemas.SeverityCritical, schemas.CatLegalSafety, "speaks of a lawyer, an injury or a danger"},
}

// hit is a hard rule that applies to an event.
type hit struct {
	code    string
	message string        // "" = the rule's
	span    *schemas.Span // in the scored text
}

// factHits applies the rules that need no text: what kind of event it is, the
// order against what went before, the score.
func factHits(ev schemas.Event, ctx CustomerContext) []hit {
	switch {
	case ev.Type.IsOrder():
		if o, err := ev.Order(); err == nil {
			return orderHits(ev.Type, o, ctx)
		}
		return orderHits(ev.Type, schemas.Order{}, ctx)
	case ev.Type == schemas.MistakeReported:
		return []hit{{code: RuleMistake}}
	case ev.Type == schemas.OrderOverdue:
		return []hit{signalHit(RuleOverdue, ev)}
	case ev.Type == schemas.Unanswered:
		return []hit{signalHit(RuleUnanswered, ev)}
	case ev.Type.IsFeedback():
		if f, err := ev.Feedback(); err == nil {
			return scoreHits(f)
		}
	}
	return nil
}

func signalHit(code string, ev schemas.Event) hit {
	s, err := ev.Signal()
	if err != nil {
		return hit{code: code}
	}
	return hit{code: code, message: s.Detail}
}

func orderHits(t schemas.EventType, o schemas.Order, ctx CustomerContext) []hit {
	bySeller := o.CausedBy == schemas.BySeller
	switch t {
	case schemas.OrderCancelled:
		if bySeller {
			return []hit{{code: RuleCancelledByUs, message: withReason("we cancelled the order", o.Reason)}}
		}
		message := "order cancelled"
		if o.CausedBy == schemas.ByCustomer {
			message = "order cancelled by the customer"
		}
		return []hit{{code: RuleCancelled, message: withReason(message, o.Reason)}}
	case schemas.OrderRefunded:
		return []hit{{code: RuleRefunded, message: withReason("order refunded", o.Reason)}}
	case schemas.OrderChanged:
		var hits []hit
		if bySeller {
			hits = append(hits, hit{code: RuleChangedByUs, message: withReason("we changed the order", o.Reason)})
		}
		if h, ok := reduced(o, ctx); ok {
			hits = append(hits, h)
		}
		return hits
	case schemas.OrderPlaced:
		if o.Total != nil {
			if r, ok := orders.BelowHabit(o.Total.Amount, ctx.Facts); ok {
				return []hit{{code: RuleBelowHabit, message: r.Message(ctx.Currency)}}
			}
		}
	}
	return nil
}

func withReason(message, reason string) string {
	if reason == "" {
		return message
	}
	return message + ": " + reason
}

func reduced(o schemas.Order, ctx CustomerContext) (hit, bool) {
	if o.Total == nil {
		return hit{}, false
	}
	var previous *int64
	if o.PreviousTotal != nil {
		previous = &o.PreviousTotal.Amount
	}
	before, lower := orders.Changed(o.OrderRef, o.Total.Amount, previous, ctx.Facts)
	if !lower {
		return hit{}, false
	}
	currency := o.Total.Currency
	return hit{code: RuleReduced, message: fmt.Sprintf("order cut from %s to %s",
		schemas.Money{Amount: before, Currency: currency}, schemas.Money{Amount: o.Total.Amount, Currency: currency})}, true
}

// scoreHits applies the rules on scores: NPS and CSAT by their own scales
// (Reichheld 2003: 0–6 are detractors), any other rating by its share of the
// scale.
func scoreHits(f schemas.Feedback) []hit {
	if f.ValueNumber == nil {
		return nil
	}
	x := *f.ValueNumber
	told := "gave " + number(x)
	if lo, hi, ok := f.Scale(); ok {
		told = fmt.Sprintf("gave %s on a scale from %s to %s", number(x), number(lo), number(hi))
		if lo == 0 || lo == 1 {
			told = fmt.Sprintf("gave %s of %s", number(x), number(hi))
		}
	}
	switch {
	case f.FieldType == schemas.FieldNPS:
		return pick(told, x >= 0 && x <= 3, RuleNPSVeryLow, x > 3 && x <= 6, RuleNPSLow)
	case f.FieldType == schemas.FieldCSAT && f.OnFive():
		return pick(told, x == 1, RuleCSATVeryLow, x == 2, RuleCSATLow)
	case f.FieldType == schemas.FieldRating || f.FieldType == schemas.FieldCSAT || f.FieldType == schemas.FieldCES:
		r, ok := f.NormalisedRating()
		return pick(told, ok && r <= veryLowRating, RuleRatingVeryLow, ok && r > veryLowRating && r <= lowRating, RuleRatingLow)
	}
	return nil
}

func pick(message string, first bool, one string, second bool, two string) []hit {
	switch {
	case first:
		return []hit{{code: one, message: message}}
	case second:
		return []hit{{code: two, message: message}}
	}
	return nil
}

func number(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }
