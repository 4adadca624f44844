// Package order maps the lines of order files onto order.* events.
//
// An order is all lines with one number, wherever they stand in the file. Its
// time is that of its earliest line, repeated lines are kept, and a customer may
// be missing. A number with the mapping's cancel prefix is an order.cancelled of
// its own. An order of nothing but negative lines that cancels nothing is an
// adjustment and no event. One bad line makes the whole order bad. Where no
// number is mapped each row is an order of its own.
//
// Money is exact: prices are read to millionths, summed as integers and rounded
// once, half away from zero. Amounts and the quantities of a cancellation are
// stored positive.
package order

import (
	"bytes"
	"fmt"

	"strings"
	"time"

	"redalert/ingest"
	"redalert/ingest/file"
	"redalert/schemas"
)

// Mapper turns the rows of one table into orders: Begin, Add for each row,
// End. Not for concurrent use.
type Mapper struct {
	clock    *file.Clock
	currency string
	comma    bool
	prefix   []byte
	hash     *file.Hasher
	ordinals file.Ordinals
	f        slots

	order
}

type slots struct {
	ref, typ, sku, desc, qty, price, total, previous, tip, currency file.Slot
	custRef, email, phone, name, at, placed, reason, caused, place  file.Slot
}

// order is the one being put together.
type order struct {
	key      string
	line     int // first line
	rows     int
	typ      schemas.EventType
	said     bool // the type is said in the row
	prefixed bool // the number has the cancel prefix
	at       time.Time
	placed   time.Time
	sum      file.Micro
	priced   bool // every line has a price
	lined    bool // there are lines
	positive bool // some line is not negative
	money    [3]stated
	currency string
	texts    [7]text
	lines    []byte
	broken   *ingest.Broken
	badLine  int
}

type stated struct {
	amount file.Micro
	set    bool
}

type text struct {
	value []byte
	line  int
}

// Built is one finished order, or what is wrong with it.
type Built struct {
	Type       schemas.EventType
	NativeID   string
	OccurredAt time.Time
	Data       []byte // own memory
	Line       int    // where it begins; of a bad one the bad line
	Adjustment bool   // no event
	Broken     *ingest.Broken
}

// New makes a mapper for one table. Currency is that of amounts without one.
func New(m file.Mapping, t *file.Table, clock *file.Clock, currency string) (*Mapper, error) {
	b := m.Bind(t)
	at := "occurred_at"
	if !b.Has(at) { // an order that only says when it was placed occurred then
		at = "placed_at"
	}
	if !b.Has(at) {
		return nil, fmt.Errorf("%w: no column is mapped to occurred_at or placed_at; name one in a mapping (--map)", file.ErrForm)
	}
	if !b.Has("total") && (!b.Has("quantity") || !b.Has("unit_price")) {
		return nil, fmt.Errorf("%w: an order needs a total, or lines with quantity and unit_price; map columns to them (--map)", file.ErrForm)
	}
	if m.Currency != "" {
		currency = m.Currency
	}
	o := &Mapper{clock: clock, currency: currency, comma: m.Comma, prefix: []byte(m.CancelPrefix), hash: file.NewHasher(t.Header)}
	o.f = slots{
		ref: b.Slot("order_ref"), typ: b.Slot("type"), sku: b.Slot("sku"), desc: b.Slot("description"), qty: b.Slot("quantity"),
		price: b.Slot("unit_price"), total: b.Slot("total"), previous: b.Slot("previous_total"), tip: b.Slot("tip"),
		currency: b.Slot("currency"), custRef: b.Slot("customer.ref"), email: b.Slot("customer.email"), phone: b.Slot("customer.phone"),
		name: b.Slot("customer.name"), at: b.Slot(at), placed: b.Slot("placed_at"), reason: b.Slot("reason"),
		caused: b.Slot("caused_by"), place: b.Slot("location"),
	}
	return o, nil
}

// Grouped reports whether rows belong together by an order number.
func (o *Mapper) Grouped() bool { return o.f.ref.Bound() }

// Key appends what the row's order is known by: number and type. Empty when it
// has no number that can be read.
func (o *Mapper) Key(dst []byte, row file.Row) []byte {
	ref := o.f.ref.Of(row.Fields)
	if len(ref) == 0 {
		return dst
	}
	dst = append(dst, ref...)
	if typ := o.f.typ.Of(row.Fields); len(typ) > 0 {
		dst = append(append(dst, 0), typ...)
	}
	return dst
}

// RowID is the id of a row that is an order of its own. It counts identical
// rows: call it once for each, in file order.
func (o *Mapper) RowID(row file.Row) (string, error) {
	h := o.hash.Hash(row)
	n, err := o.ordinals.Next(h)
	return file.RowID(h, n), err
}

// Begin starts an order. ID is its number when rows are not grouped, else "".
func (o *Mapper) Begin(id string) {
	lines := o.lines[:0]
	o.order = order{key: id, lines: lines, priced: true}
}

// Add takes one row of the order.
func (o *Mapper) Add(row file.Row) {
	o.rows++
	if o.line == 0 {
		o.line = row.Line
	}
	if o.broken != nil {
		return
	}
	if row.Broken != nil {
		o.broken, o.badLine = row.Broken, row.Line
		return
	}
	if err := o.add(row); err != nil {
		code := schemas.QInvalid
		if err.time {
			code = schemas.QTime
		}
		o.broken = &ingest.Broken{Code: code, Reason: fmt.Sprintf("line %d: %s", row.Line, err.msg)}
		o.badLine = row.Line
	}
}

type rowError struct {
	msg  string
	time bool
}

func bad(format string, args ...any) *rowError { return &rowError{msg: fmt.Sprintf(format, args...)} }

func (o *Mapper) add(row file.Row) *rowError {
	if o.key == "" {
		if o.key = string(o.f.ref.Of(row.Fields)); o.key == "" {
			return bad("it has no order number")
		}
	}
	if err := o.addType(row); err != nil {
		return err
	}
	if err := o.addTimes(row); err != nil {
		return err
	}
	if err := o.addTexts(row); err != nil {
		return err
	}
	if err := o.addMoney(row); err != nil {
		return err
	}
	return o.addLine(row)
}

var types = map[string]schemas.EventType{
	"placed": schemas.OrderPlaced, "changed": schemas.OrderChanged, "cancelled": schemas.OrderCancelled, "canceled": schemas.OrderCancelled,
	"refunded": schemas.OrderRefunded, "fulfilled": schemas.OrderFulfilled, "": schemas.OrderPlaced,
}

func (o *Mapper) addType(row file.Row) *rowError {
	name := strings.TrimPrefix(strings.ToLower(string(o.f.typ.Of(row.Fields))), "order.")
	typ, ok := types[name]
	if !ok {
		return bad("type %q is none of placed, changed, cancelled, refunded, fulfilled", name)
	}
	o.typ, o.said = typ, name != ""
	if o.prefixed = !o.said && len(o.prefix) > 0 && strings.HasPrefix(o.key, string(o.prefix)); o.prefixed {
		o.typ = schemas.OrderCancelled
	}
	return nil
}

// takesBack reports whether the order's amounts may be written negative.
func (o *Mapper) takesBack() bool {
	return o.typ == schemas.OrderCancelled || o.typ == schemas.OrderRefunded
}

func (o *Mapper) addTimes(row file.Row) *rowError {
	at, err := o.clock.Parse(o.f.at.Of(row.Fields))
	if err != nil {
		return &rowError{msg: err.Error(), time: true}
	}
	if o.at.IsZero() || at.Before(o.at) {
		o.at = at
	}
	if v := o.f.placed.Of(row.Fields); len(v) > 0 {
		if o.placed, err = o.clock.Parse(v); err != nil {
			return &rowError{msg: err.Error(), time: true}
		}
	}
	return nil
}

var textNames = [7]string{"customer number", "customer e-mail", "customer phone", "customer name", "reason", "caused_by", "location"}

// addTexts takes what is the same for the whole order; lines may leave it out,
// and may not disagree on who the customer is.
func (o *Mapper) addTexts(row file.Row) *rowError {
	slots := [7]*file.Slot{&o.f.custRef, &o.f.email, &o.f.phone, &o.f.name, &o.f.reason, &o.f.caused, &o.f.place}
	for i, s := range slots {
		v := s.Of(row.Fields)
		if len(v) == 0 {
			continue
		}
		t := &o.texts[i]
		if len(t.value) == 0 {
			t.value, t.line = bytes.Clone(v), row.Line
		} else if i < 3 && !bytes.Equal(t.value, v) {
			return bad("order %s has another %s here than on line %d", o.key, textNames[i], t.line)
		}
	}
	switch schemas.CausedBy(o.texts[5].value) {
	case "", schemas.ByCustomer, schemas.BySeller, schemas.ByUnknown:
		return nil
	}
	return bad("caused_by %q is none of customer, seller, unknown", o.texts[5].value)
}
