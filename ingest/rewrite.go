package ingest

import (
	"strconv"

	"redalert/schemas"
)

// rewrite brings the data into our form: defaults, money in the business
// currency, whole numbers as digits; and holds it against the rules that a
// schema cannot state.
func (d *Door) rewrite(p *prepared) *Broken {
	p.data.drop("customer_id", "local_date")
	p.event.Location, p.event.OrderRef = p.data.str("location"), p.data.str("order_ref")
	switch {
	case p.event.Type.IsFeedback():
		return rewriteFeedback(p)
	case p.event.Type.IsOrder():
		return d.rewriteOrder(p)
	}
	return nil
}

func rewriteFeedback(p *prepared) *Broken {
	if p.data.str("source_type") == "" {
		p.data.set("source_type", stringNode, string(schemas.SourceTypeOf(p.event.Type)))
	}
	value, ok := p.data.float("value_number")
	lo, hasLo := p.data.float("scale_min")
	hi, hasHi := p.data.float("scale_max")
	if hasLo && hasHi && lo >= hi {
		return invalid("data.scale_min %g is not below data.scale_max %g", lo, hi)
	}
	field := schemas.FieldType(p.data.str("field_type"))
	switch {
	case !ok:
		return nil
	case field == schemas.FieldNPS && (value < 0 || value > 10 || value != float64(int(value))):
		return invalid("data.value_number is %g, which is no NPS answer; expected: a whole number from 0 to 10, or another field_type", value)
	case field == schemas.FieldNPS && ((hasLo && lo != 0) || (hasHi && hi != 10)):
		return invalid("data.scale_min and scale_max of an NPS answer are 0 and 10; expected: another field_type for another scale")
	case field == schemas.FieldCSAT && !(hasLo && hasHi):
		lo, hi, hasLo, hasHi = 1, 5, true, true
	}
	if isScore(field) && hasLo && hasHi && (value < lo || value > hi) {
		return invalid("data.value_number %g lies outside the scale %g to %g; expected: a value on the scale, or the right scale_min and scale_max", value, lo, hi)
	}
	return nil
}

func isScore(f schemas.FieldType) bool {
	return f == schemas.FieldCSAT || f == schemas.FieldCES || f == schemas.FieldRating || f == schemas.FieldNPS
}

func (d *Door) rewriteOrder(p *prepared) *Broken {
	total := p.data.get("total")
	if p.event.Type == schemas.OrderPlaced && (total == nil || total.kind != objectNode) {
		return invalid(`data.total is missing; expected: {"amount": 12900, "currency": "EUR"}, the total of the order in minor units`)
	}
	p.data.drop("original_total")
	var original node
	if total != nil {
		original = *total
	}
	foreign, b := d.rates.money(total)
	if b != nil {
		return b
	}
	for _, name := range []string{"previous_total", "tip"} {
		if _, b := d.rates.money(p.data.get(name)); b != nil {
			return b
		}
	}
	if foreign {
		p.data.kids = append(p.data.kids, member{"original_total", original})
	}
	return d.rewriteLines(p.data.get("lines"))
}

func (d *Door) rewriteLines(lines *node) *Broken {
	if lines == nil {
		return nil
	}
	for i := range lines.kids {
		line := &lines.kids[i].node
		if q := line.get("quantity"); !plainInteger(q.text) {
			q.text = strconv.FormatInt(wholeOf(q.text), 10)
		}
		if _, b := d.rates.money(line.get("unit_price")); b != nil {
			return b
		}
	}
	return nil
}
