package signals

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"redalert/schemas"
)

// Evidence is all that the priority of a case rests on, and what stands beside
// it for people.
type Evidence struct {
	Scored      []schemas.Scored // the case's events with their verdicts
	Severity    schemas.Severity // of the case: the highest of its events so far
	Priority    schemas.Priority // of the case: the highest of its events so far
	ValueAtRisk schemas.Money    // net revenue over the 365 days before the last event
	P90         int64            // where the business's tenth of highest value begins, minor units
	Customers   int              // with revenue, among whom P90 was found; 0 = unknown
	ChurnRisk   *float64         // 0–1; nil = not known
	Earlier     int              // red alerts of this customer in other cases
}

// PartKind names what a part of a priority comes from.
type PartKind string

// The parts, in the order in which they are combined.
const (
	PartOrders  PartKind = "orders"
	PartRules   PartKind = "rules"
	PartText    PartKind = "text"
	PartValue   PartKind = "value"
	PartRisk    PartKind = "churn_risk"
	PartEarlier PartKind = "earlier"
)

// Part is the share of one kind of evidence: how many of the priority's steps
// (low 1 to urgent 4) it brought, and why, in words without the customer's name.
type Part struct {
	Kind  PartKind
	Steps int
	Text  string
}

// Joined is a priority with the share of each part; the steps add up to its rank.
type Joined struct {
	Priority schemas.Priority
	Parts    []Part // one of each kind, in order
}

// Join says how evidence makes a priority. It is pure, and the one place where
// the order of combination is written down (docs/scoring.md says it to owners):
//
//  1. Order signals and hard rules (the table Rules) fix the severity: the
//     highest of those that matched in any event of the case. Nothing lowers it.
//  2. Text speaks where no rule did: red by the model alone is medium, or what an
//     older model gave it. It adds only what it brings above the rules.
//  3. Value at risk raises the result by one step, at most to urgent, for
//     customers from the 90th percentile of value on (Priority). What counts is
//     where the customer stood when the alert came; the case remembers that.
//  4. churn_risk and earlier alerts are shown and move nothing: they would count
//     the same silence or the same anger twice.
//
// A case whose events history does not have (yet) rests on its severity alone.
func Join(e Evidence) Joined {
	base := schemas.PriorityOf(e.Severity, false).Rank()
	orders, rules, text := strongest(e.Scored)
	// What cannot be traced to a rule or the text any more counts as a rule: a
	// severity is never explained away.
	top := max(orders.rank, rules.rank, text.rank)
	if top < base {
		rules = claim{rank: base, text: "as severe as when it was filed; its events are not at hand"}
	}
	parts := []Part{
		{Kind: PartOrders, Text: orders.or("nothing odd in orders")},
		{Kind: PartRules, Text: rules.or("no hard rule matched")},
		{Kind: PartText, Text: textWords(text)},
		valuePart(e, base),
		{Kind: PartRisk, Text: riskWords(e.ChurnRisk)},
		{Kind: PartEarlier, Text: earlierWords(e.Earlier)},
	}
	switch {
	case orders.rank >= base:
		parts[0].Steps = base
	case rules.rank >= base:
		parts[1].Steps = base
	default: // the text brings the rest
		lead := 0
		if rules.rank > orders.rank {
			lead = 1
		}
		parts[lead].Steps = max(orders.rank, rules.rank)
		parts[2].Steps = base - parts[lead].Steps
	}
	return Joined{Priority: e.Priority, Parts: parts}
}

// claim is the strongest thing one kind of evidence says.
type claim struct {
	rank int // of its severity
	text string
	p    float64 // of the model, where text made the claim
	also bool    // the model agreed with a rule
	any  bool    // there are words
}

func (c claim) or(none string) string {
	if c.rank == 0 {
		return none
	}
	return c.text
}

// ruleOf finds a hard rule by its code.
func ruleOf(code string) (Rule, bool) {
	i := slices.IndexFunc(Rules, func(r Rule) bool { return r.Code == code })
	if i < 0 {
		return Rule{}, false
	}
	return Rules[i], true
}

// strongest looks for the loudest order signal, the loudest rule on something
// said, and the loudest text that no rule needed.
func strongest(scored []schemas.Scored) (orders, rules, text claim) {
	for _, s := range scored {
		v := s.Verdict
		text.any = text.any || read(s.Event, CustomerContext{}).text != ""
		if !v.Red || v.FlaggedBy == nil {
			continue
		}
		if *v.FlaggedBy == schemas.FlaggedByModel {
			if r := v.Severity.Rank(); r > text.rank || r == text.rank && v.Probability > text.p {
				text.rank, text.p = r, v.Probability
			}
			continue
		}
		text.also = text.also || *v.FlaggedBy == schemas.FlaggedByBoth
		into := &rules
		if s.Event.Type.IsOrder() || s.Event.Type == schemas.OrderOverdue {
			into = &orders
		}
		if c := ruled(v); c.rank > into.rank {
			*into = c
		}
	}
	return orders, rules, text
}

// ruled is the loudest rule of a verdict. Rules that this version does not know
// any more keep the severity they gave.
func ruled(v schemas.Verdict) claim {
	c := claim{rank: v.Severity.Rank(), text: "a hard rule"}
	for _, r := range v.Reasons {
		if rule, ok := ruleOf(r.Code); ok && rule.Severity == v.Severity {
			c.text = r.Message
			return c
		}
	}
	if len(v.Reasons) > 0 {
		c.text = v.Reasons[0].Message
	}
	return c
}

func textWords(text claim) string {
	switch {
	case text.rank > 0:
		return fmt.Sprintf("the words alone are a red alert, with %d %% probability", percent(text.p))
	case text.also:
		return "the words agree, and add nothing to the rule"
	case text.any:
		return "the words alone would not have been enough"
	}
	return "no words to read"
}

// valuePart says what value at risk does. Whether it raised the priority is told
// by the case: base and priority then differ.
func valuePart(e Evidence, base int) Part {
	p := Part{Kind: PartValue, Steps: max(0, e.Priority.Rank()-base)}
	money := e.ValueAtRisk.Short() + " in the year before"
	switch {
	case e.ValueAtRisk.Amount <= 0:
		p.Text = "no orders known in the year before"
	case p.Steps > 0:
		p.Text = money + ", among the highest tenth of customers"
	case e.Customers == 0:
		p.Text = money
	case e.Customers < minCustomersForP90:
		p.Text = fmt.Sprintf("%s; value counts from %d customers with orders on, there are %d", money, minCustomersForP90, e.Customers)
	case e.ValueAtRisk.Amount >= e.P90 && base == schemas.PriorityUrgent.Rank():
		p.Text = money + ", among the highest tenth of customers; it is as urgent as can be without that"
	case e.ValueAtRisk.Amount >= e.P90:
		p.Text = fmt.Sprintf("%s, among the highest tenth of %d customers now, but not when the alert came", money, e.Customers)
	default:
		p.Text = fmt.Sprintf("%s; the highest tenth of %d customers begins at %s", money, e.Customers,
			schemas.Money{Amount: e.P90, Currency: e.ValueAtRisk.Currency}.Short())
	}
	return p
}

func riskWords(p *float64) string {
	if p == nil || math.IsNaN(*p) {
		return "not known: no orders"
	}
	return fmt.Sprintf("%d %% probability of no order in the next %d days", percent(*p), RiskHorizon)
}

func earlierWords(n int) string {
	switch n {
	case 0:
		return "none"
	case 1:
		return "1 red alert before"
	}
	return fmt.Sprintf("%d red alerts before", n)
}

func percent(p float64) int { return int(float64(clamp(p)*100) + 0.5) }

// Standing answers where the business's highest value begins now, remembered for
// some minutes. Safe for concurrent use when its port is.
type Standing struct {
	Context Context
	Now     func() time.Time

	asking    turn // of whoever reads and writes what follows
	at        time.Time
	value     int64
	customers int
}

// standingFor is how long the same answer is good.
const standingFor = 10 * time.Minute

// P90 is the 90th percentile of net revenue over the 365 days up to now, and
// among how many customers with revenue. A nil Standing knows of none.
func (s *Standing) P90(ctx context.Context) (value int64, customers int, err error) {
	if s == nil {
		return 0, 0, nil
	}
	const what = "where the highest value begins"
	now := s.Now()
	if err := s.asking.take(ctx); err != nil {
		return 0, 0, fmt.Errorf("%s: another asks history: %w", what, err)
	}
	defer s.asking.give()
	if age := now.Sub(s.at); age < 0 || age > standingFor {
		value, customers, err := s.Context.RevenueP90(ctx, now)
		if err != nil {
			return 0, 0, fmt.Errorf("%s: %w", what, err)
		}
		s.value, s.customers, s.at = value, customers, now
	}
	return s.value, s.customers, nil
}
