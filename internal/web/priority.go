package web

import (
	"net/http"

	"redalert/schemas"
	"redalert/signals"
)

// priorityView is the block that says what a case's priority rests on.
type priorityView struct {
	Priority schemas.Priority
	Parts    []priorityPart
}

// priorityPart is one line: what it comes from, how many steps it brought.
type priorityPart struct {
	Label, Text, Share string
	Moves              bool
}

var partLabels = map[signals.PartKind]string{
	signals.PartOrders: "Orders", signals.PartRules: "Rules", signals.PartText: "Words", signals.PartValue: "Value at risk",
	signals.PartRisk: "Outlook", signals.PartEarlier: "Earlier alerts",
}

// casePriority explains the priority; others are the customer's other cases. A
// history that does not answer leaves out where the value stands.
func (s *Server) casePriority(r *http.Request, v *caseView, scored []schemas.Scored, others []schemas.Case) {
	c := v.Case
	e := signals.Evidence{Scored: scored, Severity: c.Severity, Priority: c.Priority, ValueAtRisk: s.money(c.ValueAtRisk)}
	for _, o := range others {
		if o.OpenedAt.Before(c.OpenedAt) {
			e.Earlier += len(o.EventIDs)
		}
	}
	if v.Customer != nil {
		e.ChurnRisk = v.Customer.ChurnRisk
	}
	if c.ValueAtRisk.Amount > 0 {
		var err error
		if e.P90, e.Customers, err = s.Standing.P90(r.Context()); err != nil {
			s.Log.Warn("a case is shown without where its value stands: history does not answer", "err", err)
		}
	}
	j := signals.Join(e)
	v.Why = priorityView{Priority: j.Priority}
	for _, p := range j.Parts {
		part := priorityPart{Label: partLabels[p.Kind], Text: sentenceCase(p.Text), Moves: p.Steps > 0}
		if part.Moves {
			part.Share = plural(p.Steps, "step", "steps")
		}
		v.Why.Parts = append(v.Why.Parts, part)
	}
}
