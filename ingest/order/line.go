package order

import (
	"fmt"
	"strconv"
	"strings"

	"redalert/ingest"
	"redalert/ingest/file"
	"redalert/schemas"
)

func (o *Mapper) addMoney(row file.Row) *rowError {
	if v := o.f.currency.Of(row.Fields); len(v) > 0 {
		cur := strings.ToUpper(string(v))
		if o.order.currency != "" && o.order.currency != cur {
			return bad("order %s has amounts in %s and %s", o.key, o.order.currency, cur)
		}
		o.order.currency = cur
	}
	for i, s := range [3]*file.Slot{&o.f.total, &o.f.previous, &o.f.tip} {
		v := s.Of(row.Fields)
		if len(v) == 0 {
			continue
		}
		amount, err := file.ParseDecimal(v, o.comma)
		if err != nil {
			return bad("amount %q: %v", v, err)
		}
		if m := o.money[i]; m.set && m.amount != amount {
			return bad("its lines disagree on what order %s comes to", o.key)
		}
		o.money[i] = stated{amount, true}
	}
	return nil
}

func (o *Mapper) addLine(row file.Row) *rowError {
	qv, pv := o.f.qty.Of(row.Fields), o.f.price.Of(row.Fields)
	if !o.f.qty.Bound() && !o.f.price.Bound() && !o.f.sku.Bound() && !o.f.desc.Bound() {
		return nil
	}
	quantity := int64(1)
	if o.f.qty.Bound() {
		m, err := file.ParseDecimal(qv, o.comma)
		whole, ok := m.Whole()
		if err != nil || !ok {
			return bad("quantity %q is no whole number", qv)
		}
		quantity = whole
	}
	var price file.Micro
	if len(pv) > 0 {
		var err error
		if price, err = file.ParseDecimal(pv, o.comma); err != nil {
			return bad("unit price %q: %v", pv, err)
		}
		amount, ok := price.Times(quantity)
		if sum := o.sum + amount; ok && (sum > o.sum) == (amount > 0) {
			o.sum = sum
		} else {
			return bad("quantity times price is too large a number")
		}
	} else if o.priced = false; !o.money[0].set {
		return bad("it has no unit price")
	}
	if quantity > 0 && price >= 0 {
		o.positive = true
	}
	o.appendLine(row, quantity, price, len(pv) > 0)
	return nil
}

func (o *Mapper) appendLine(row file.Row, quantity int64, price file.Micro, priced bool) {
	if o.prefixed || quantity < 0 && o.takesBack() {
		quantity = -quantity
	}
	b := o.lines
	if o.lined {
		b = append(b, ',')
	}
	o.lined = true
	b = append(b, '{')
	if v := o.f.sku.Of(row.Fields); len(v) > 0 {
		b = append(file.AppendJSON(append(b, `"sku":`...), v), ',')
	}
	if v := o.f.desc.Of(row.Fields); len(v) > 0 {
		b = append(file.AppendJSON(append(b, `"description":`...), v), ',')
	}
	b = strconv.AppendInt(append(b, `"quantity":`...), quantity, 10)
	if priced {
		b = o.appendMoney(append(b, `,"unit_price":`...), price)
	}
	o.lines = append(b, '}')
}

func (o *Mapper) code() string {
	if o.order.currency != "" {
		return o.order.currency
	}
	return o.currency
}

func (o *Mapper) appendMoney(b []byte, m file.Micro) []byte {
	minor, _ := m.Minor(schemas.MinorDigits(o.code()))
	b = strconv.AppendInt(append(b, `{"amount":`...), minor, 10)
	return append(file.AppendJSON(append(b, `,"currency":`...), o.code()), '}')
}

// End answers the order. The mapper is ready for the next Begin.
func (o *Mapper) End() Built {
	out := Built{Type: o.typ, NativeID: o.key, OccurredAt: o.at, Line: o.line}
	if o.broken == nil && o.lined && !o.positive && !o.said && !o.prefixed {
		out.Adjustment = true
		return out
	}
	total, has, err := o.total()
	if o.broken == nil && err != nil {
		o.broken, o.badLine = &ingest.Broken{Code: schemas.QInvalid, Reason: fmt.Sprintf("line %d: %s", o.line, err.msg)}, o.line
	}
	if o.broken != nil {
		out.Broken, out.Line = o.broken, o.badLine
		if o.rows > 1 {
			b := *o.broken
			b.Reason += fmt.Sprintf("; all %d lines of order %s are set aside with it", o.rows, o.key)
			out.Broken = &b
		}
		return out
	}
	out.Data = o.data(total, has)
	return out
}

// total is what the order comes to in minor units: as stated, else the sum of
// its lines.
func (o *Mapper) total() (minor int64, has bool, err *rowError) {
	digits := schemas.MinorDigits(o.code())
	m, has := o.sum, o.lined && o.priced
	if o.money[0].set {
		m, has = o.money[0].amount, true
	}
	minor, exact := m.Minor(digits)
	switch {
	case !has:
		return 0, false, nil
	case o.money[0].set && !exact:
		return 0, false, bad("total has more decimals than %s has", o.code())
	case minor < 0 && !o.takesBack():
		return 0, false, bad("order %s comes to less than nothing; if it takes something back, say so in a type column (cancelled, refunded)", o.key)
	case minor < 0:
		minor = -minor
	}
	return minor, true, nil
}

func (o *Mapper) data(total int64, has bool) []byte {
	d := make([]byte, 0, len(o.lines)+256)
	d = file.AppendJSON(append(d, `{"order_ref":`...), o.key)
	d = o.appendCustomer(d)
	d = file.AppendTime(append(d, `,"occurred_at":`...), o.at)
	if !o.placed.IsZero() {
		d = file.AppendTime(append(d, `,"placed_at":`...), o.placed)
	}
	if has {
		d = strconv.AppendInt(append(d, `,"total":{"amount":`...), total, 10)
		d = append(file.AppendJSON(append(d, `,"currency":`...), o.code()), '}')
	}
	for i, name := range [...]string{1: `,"previous_total":`, 2: `,"tip":`} {
		if i > 0 && o.money[i].set {
			d = o.appendMoney(append(d, name...), o.money[i].amount)
		}
	}
	if o.lined {
		d = append(append(append(d, `,"lines":[`...), o.lines...), ']')
	}
	for i, name := range [...]string{4: `,"reason":`, 5: `,"caused_by":`, 6: `,"location":`} {
		if i >= 4 && len(o.texts[i].value) > 0 {
			d = file.AppendJSON(append(d, name...), o.texts[i].value)
		}
	}
	return append(d, '}')
}

func (o *Mapper) appendCustomer(d []byte) []byte {
	first := true
	for i, name := range [...]string{`"ref":`, `"email":`, `"phone":`, `"name":`} {
		v := o.texts[i].value
		if len(v) == 0 {
			continue
		}
		if first {
			d = append(d, `,"customer":{`...)
		} else {
			d = append(d, ',')
		}
		first = false
		d = file.AppendJSON(append(d, name...), v)
	}
	if !first {
		d = append(d, '}')
	}
	return d
}
