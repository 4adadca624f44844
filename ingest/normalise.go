package ingest

import (
	"bytes"
	"fmt"
	"strings"
	"time"
	"unicode"

	"redalert/schemas"
)

// Caps on the parts of an item's identity, in bytes.
const (
	maxSource   = 200
	maxNativeID = 1024
	maxThread   = 1024
)

// maxFuture is how far ahead of our clock a source's may be.
const maxFuture = 48 * time.Hour

// prepared is an item between reading and publishing.
type prepared struct {
	event    schemas.Event // without CustomerID, RawSHA256 and Data
	hash     string        // of the data as sent, or the item's own
	data     node          // rewritten, but for the customer
	customer schemas.CustomerRef
	broken   *Broken
}

func invalid(format string, args ...any) *Broken {
	return &Broken{Code: schemas.QInvalid, Reason: fmt.Sprintf(format, args...)}
}

// prepare does all of normalising that needs no store. It is pure: the same
// item, business and time give the same result.
func (d *Door) prepare(it *Item, now time.Time) (p prepared) {
	defer func() { d.caught(recover(), &p) }()
	p.event.Source, p.event.Type, p.event.NativeID = it.Source, it.Type, it.NativeID
	if p.broken = it.Broken; p.broken != nil {
		return p
	}
	if p.broken = checkIdentity(it); p.broken != nil {
		return p
	}
	if p.broken = p.read(it); p.broken != nil {
		return p
	}
	p.event.Revision = revision(it, p.hash)
	p.event.ID = EventID(it.Source, it.Type, it.NativeID, p.event.Revision)
	if p.broken = p.times(it, now, d.c.Business); p.broken != nil {
		return p
	}
	if p.broken = d.rewrite(&p); p.broken != nil {
		return p
	}
	p.takeCustomer()
	p.event.ThreadID = it.ThreadID
	return p
}

// caught turns a panic over one item into quarantine of that item.
func (d *Door) caught(panicked any, p *prepared) {
	if panicked == nil {
		return
	}
	d.log.Error("the door failed on an item", "source", p.event.Source, "type", p.event.Type, "panic", fmt.Sprintf("%T", panicked))
	p.broken = &Broken{schemas.QUnreadable, "the door failed on this item; this is a fault of the program: report it, then replay the item"}
}

func checkIdentity(it *Item) *Broken {
	switch {
	case it.Source == "":
		return invalid("source is missing; expected: the name of the source")
	case len(it.Source) > maxSource || strings.ContainsFunc(it.Source, unicode.IsControl):
		return invalid("source is longer than %d bytes or holds control characters; expected: a short name", maxSource)
	case it.NativeID == "":
		return invalid("id is missing; expected: the sender's own id of the thing")
	case len(it.NativeID) > maxNativeID:
		return invalid("id is longer than %d bytes; expected: the sender's own short id", maxNativeID)
	case len(it.ThreadID) > maxThread:
		return invalid("the thread id is longer than %d bytes", maxThread)
	case it.Type == "":
		return invalid("type is missing; expected: an event type such as %s", schemas.SurveyAnswered)
	case !it.Type.Known():
		return &Broken{schemas.QUnknownType, fmt.Sprintf("type %q is unknown; expected one of %s", clip(string(it.Type)), typeNames())}
	case len(it.Data) > schemas.MaxEventBytes:
		return tooLarge(len(it.Data))
	}
	return nil
}

func typeNames() string {
	var b strings.Builder
	for i, t := range schemas.EventTypes() {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(t))
	}
	return b.String()
}

func tooLarge(n int) *Broken {
	return &Broken{schemas.QTooLarge, fmt.Sprintf("the event has %d bytes, more than the %d an event may have; leave lines out or shorten the text", n, schemas.MaxEventBytes)}
}

// read decodes, hashes and validates the data.
func (p *prepared) read(it *Item) *Broken {
	if len(it.Data) == 0 {
		return invalid("data is missing; expected: a JSON object")
	}
	n, err := it.tree()
	if err != nil {
		return unreadable("data", err)
	}
	p.data, p.hash = n, it.ContentHash
	if p.hash == "" {
		p.hash = contentHash(n)
	}
	r := rules[schemas.JSONSchemaOf(it.Type)]
	if v := r.check(&p.data); v != nil {
		return &Broken{schemas.QInvalid, v.text("data")}
	}
	if name := r.misnamed(&p.data); name != "" {
		return invalid("data holds the name %q; expected: names in small letters, %q", clip(name), strings.ToLower(clip(name)))
	}
	return nil
}

// unreadable tells an item too deep from one that cannot be read.
func unreadable(what string, err error) *Broken {
	code := schemas.QUnreadable
	if isDepth(err) {
		code = schemas.QStructure
	}
	return &Broken{code, what + " cannot be read: " + err.Error()}
}

// revision: only …changed types have one; other content under an old id is a
// conflict for all others.
func revision(it *Item, hash string) string {
	switch {
	case !it.Type.IsRevision():
		return ""
	case it.Revision != "":
		return it.Revision
	}
	return hash
}

// times settles when it happened, and writes the times of the data in one form.
func (p *prepared) times(it *Item, now time.Time, b schemas.Business) *Broken {
	var sent, placed time.Time
	var bad *Broken
	if sent, bad = p.timeOf("occurred_at", now); bad != nil {
		return bad
	}
	if placed, bad = p.timeOf("placed_at", now); bad != nil {
		return bad
	}
	at := it.OccurredAt
	if at.IsZero() {
		at = sent
	}
	if at.IsZero() && it.Type == schemas.OrderPlaced {
		at = placed
	}
	if at.IsZero() {
		at = now
	}
	if bad := plausible("time", at, now); bad != nil {
		return bad
	}
	p.event.OccurredAt = at.UTC().Truncate(time.Millisecond)
	p.event.CollectedAt = now.UTC().Truncate(time.Millisecond)
	p.event.LocalDate = b.LocalDate(p.event.OccurredAt)
	return nil
}

func (p *prepared) timeOf(name string, now time.Time) (time.Time, *Broken) {
	n := p.data.get(name)
	if n == nil || n.kind != stringNode {
		return time.Time{}, nil
	}
	if n.text == "" {
		p.data.drop(name)
		return time.Time{}, nil
	}
	t, err := schemas.ParseTime(n.text)
	if err != nil {
		return t, &Broken{schemas.QTime, fmt.Sprintf("data.%s: %q is not an RFC 3339 time such as 2026-03-01T09:00:00Z", name, clip(n.text))}
	}
	if bad := plausible("data."+name, t, now); bad != nil {
		return t, bad
	}
	n.text = schemas.FormatTime(t)
	return t, nil
}

func plausible(what string, t, now time.Time) *Broken {
	if y := t.UTC().Year(); y < 1970 || y > 2100 {
		return &Broken{schemas.QTime, fmt.Sprintf("%s lies in the year %d; expected: 1970 to 2100", what, y)}
	}
	if t.After(now.Add(maxFuture)) {
		return &Broken{schemas.QTime, fmt.Sprintf("%s is %s, more than 48 hours ahead of our clock; check the sender's clock and time zone", what, schemas.FormatTime(t))}
	}
	return nil
}

// takeCustomer moves the customer out of the data.
func (p *prepared) takeCustomer() {
	if c := p.data.get("customer"); c != nil {
		p.customer = schemas.CustomerRef{
			Ref: strings.TrimSpace(c.str("ref")), Email: strings.TrimSpace(c.str("email")),
			Phone: strings.TrimSpace(c.str("phone")), Name: strings.TrimSpace(c.str("name")),
		}
	}
	p.data.drop("customer")
}

// finish completes the event with what the stores answered: the customer's id
// and the raw bytes' hash.
func (d *Door) finish(p *prepared, customerID, rawSHA256 string) (b *Broken) {
	defer func() {
		if r := recover(); r != nil {
			d.caught(r, p)
			b = p.broken
		}
	}()
	return p.finish(customerID, rawSHA256)
}

// finish reports an event that has grown too large.
func (p *prepared) finish(customerID, rawSHA256 string) *Broken {
	e := &p.event
	e.CustomerID, e.RawSHA256 = customerID, rawSHA256
	if e.ThreadID == "" && customerID == "" {
		e.ThreadID = p.thread()
	}
	if p.customer.Ref != "" {
		p.data.kids = append(p.data.kids, member{"customer", node{kind: objectNode, kids: []member{
			{"ref", node{kind: stringNode, text: p.customer.Ref}}}}})
	}
	if customerID != "" {
		p.data.kids = append(p.data.kids, member{"customer_id", node{kind: stringNode, text: customerID}})
	}
	p.data.kids = append(p.data.kids, member{"local_date", node{kind: stringNode, text: e.LocalDate}})
	w := writer{b: make([]byte, 0, 512)}
	w.node(p.data)
	e.Data = w.b
	if n := encodedSize(e); n > schemas.MaxEventBytes {
		e.Data = nil
		return tooLarge(n)
	}
	return nil
}

// thread keeps together what belongs together while the customer is unknown:
// the answers of one submission, the versions of one review, the life of one
// order. Anything else is a thread of its own.
func (p *prepared) thread() string {
	e := &p.event
	switch {
	case e.Type == schemas.ReviewPosted || e.Type == schemas.ReviewChanged:
		return derive(eventSpace, "review", e.Source, e.NativeID)
	case e.Type == schemas.SurveyAnswered && p.data.str("submission_id") != "":
		return derive(eventSpace, "submission", e.Source, p.data.str("submission_id"))
	case e.OrderRef != "" && (e.Type.IsOrder() || e.Type == schemas.MistakeReported):
		return derive(eventSpace, "order", e.OrderRef)
	}
	return ""
}

// encodedSize is the size of the event's JSON form: exact when it may be near
// the cap, else an upper bound. encoding/json writes <, >, &, U+2028 and U+2029
// as six bytes.
func encodedSize(e *schemas.Event) int {
	envelope := 6*(len(e.Source)+len(e.NativeID)+len(e.Revision)+len(e.ThreadID)+len(e.Location)+len(e.OrderRef)) + 1024
	n := envelope + len(e.Data) + 3*bytes.Count(e.Data, []byte("\xe2\x80"))
	for _, c := range []byte("<>&") {
		n += 5 * bytes.Count(e.Data, []byte{c})
	}
	if n <= schemas.MaxEventBytes {
		return n
	}
	raw, err := e.MarshalJSON()
	if err != nil {
		return schemas.MaxEventBytes + 1
	}
	return len(raw)
}
