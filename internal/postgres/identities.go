package postgres

import (
	"context"
	"math"
	"slices"
	"strings"

	"redalert/ingest"
	"redalert/schemas"
)

var _ ingest.Identities = (*DB)(nil)

// Resolve answers the customer of each sighting; see ingest.Identities and
// ingest.Identify. Sightings that teach nothing new cost one read together.
// Otherwise what is known of the people concerned is read, taught and written
// under one lock: on whatever machine, one call at a time learns, so equal
// sightings at once give equal ids, and no alias is ever chained.
func (d *DB) Resolve(ctx context.Context, sightings []schemas.Sighting) ([]string, error) {
	var keys []ingest.CustomerKey
	for _, s := range sightings {
		keys = append(keys, ingest.CustomerKeys(s.Customer)...)
	}
	if len(keys) == 0 {
		return make([]string, len(sightings)), nil
	}
	var ids []string
	var p *people
	err := d.read(ctx, func(ctx context.Context, q querier) (err error) {
		if p, err = loadPeople(ctx, q, keys); err != nil {
			return err
		}
		ids, err = p.identify(sightings)
		return err
	})
	if err != nil || !p.learnt() {
		return ids, unavailable("resolve customers", err)
	}
	err = d.write(ctx, func(ctx context.Context, tx querier) error {
		if _, err := tx.exec(ctx, takeLock, lockIdentities); err != nil {
			return err
		}
		p, err := loadPeople(ctx, tx, keys)
		if err != nil {
			return err
		}
		if ids, err = p.identify(sightings); err != nil {
			return err
		}
		return p.store(ctx, tx)
	})
	if err != nil {
		return nil, unavailable("resolve customers", err)
	}
	return ids, nil
}

// people is what is known of the customers that some keys name: each of them
// whole. It is the ingest.IdentityStore of one call.
type people struct {
	owner  map[ingest.CustomerKey]string
	rows   map[string]*person
	merged map[string]string // from → into, in this call
	moved  map[ingest.CustomerKey]bool
	now    schemas.Sighting // the one being identified
}

// person is a row of customers with all keys.
type person struct {
	name, email, phone, location dated
	optedOut                     bool
	seenAt                       int64
	keys                         []ingest.CustomerKey
	dirty                        bool
}

// dated is a fact and when it was last said.
type dated struct {
	text string
	at   int64
}

const never = math.MinInt64

func newPerson(seenAt int64) *person {
	unknown := dated{at: never}
	return &person{name: unknown, email: unknown, phone: unknown, location: unknown, seenAt: seenAt, dirty: true}
}

// loadPeople reads the customers that keys name; two round trips, or one.
func loadPeople(ctx context.Context, q querier, keys []ingest.CustomerKey) (*people, error) {
	p := &people{owner: map[ingest.CustomerKey]string{}, rows: map[string]*person{}, merged: map[string]string{}, moved: map[ingest.CustomerKey]bool{}}
	var kinds, values []string
	for _, k := range keys {
		kinds, values = append(kinds, k.Kind), append(values, k.Value)
	}
	const concerned = `SELECT DISTINCT k.customer_id FROM unnest($1::text[], $2::text[]) AS g(kind, value) JOIN customer_keys k USING (kind, value)`
	_, err := all(ctx, q, p.scan, `SELECT c.id, c.name, c.name_at, c.email, c.email_at, c.phone, c.phone_at, c.location, c.location_at, c.opted_out, c.seen_at,
			array(SELECT k.kind FROM customer_keys k WHERE k.customer_id = c.id ORDER BY k.kind, k.value),
			array(SELECT k.value FROM customer_keys k WHERE k.customer_id = c.id ORDER BY k.kind, k.value)
		FROM customers c WHERE c.id IN (`+concerned+")", kinds, values)
	return p, err
}

func (p *people) scan(r row) (struct{}, error) {
	var id string
	var c person
	var kinds, values []string
	err := r.Scan(&id, &c.name.text, &c.name.at, &c.email.text, &c.email.at, &c.phone.text, &c.phone.at, &c.location.text, &c.location.at,
		&c.optedOut, &c.seenAt, &kinds, &values)
	for i := range kinds {
		k := ingest.CustomerKey{Kind: kinds[i], Value: values[i]}
		c.keys = append(c.keys, k)
		p.owner[k] = id
	}
	p.rows[id] = &c
	return struct{}{}, err
}

// identify works every sighting and answers the ids; nothing is stored.
func (p *people) identify(sightings []schemas.Sighting) ([]string, error) {
	ids := make([]string, len(sightings))
	for i, s := range sightings {
		p.now = s
		id, err := ingest.Identify(p, s.Customer)
		if err != nil {
			return nil, err
		}
		if ids[i] = id; id != "" {
			p.learn(id, s)
		}
	}
	for i, id := range ids { // an id may have become an alias later in the call
		for into, ok := p.merged[id]; ok; into, ok = p.merged[id] {
			ids[i], id = into, into
		}
	}
	return ids, nil
}

// Owner, Strongest, HasKind, Attach and Merge implement ingest.IdentityStore.
func (p *people) Owner(k ingest.CustomerKey) (string, error) { return p.owner[k], nil }

func (p *people) Strongest(id string) (int, error) {
	strongest := 0
	if c := p.rows[id]; c != nil {
		for _, k := range c.keys {
			strongest = max(strongest, k.Strength())
		}
	}
	return strongest, nil
}

func (p *people) HasKind(id, kind string) (bool, error) {
	c := p.rows[id]
	return c != nil && slices.ContainsFunc(c.keys, func(k ingest.CustomerKey) bool { return k.Kind == kind }), nil
}

func (p *people) Attach(k ingest.CustomerKey, id string) error {
	c := p.rows[id]
	if c == nil {
		c = newPerson(ms(p.now.At))
		p.rows[id] = c
	}
	c.keys, c.dirty = append(c.keys, k), true
	p.owner[k], p.moved[k] = id, true
	return nil
}

func (p *people) Merge(from, into string) error {
	f, i := p.rows[from], p.rows[into]
	if i == nil {
		i = newPerson(f.seenAt)
		p.rows[into] = i
	}
	for _, k := range f.keys {
		p.owner[k], p.moved[k] = into, true
	}
	i.keys = append(i.keys, f.keys...)
	i.seenAt, i.optedOut, i.dirty = min(i.seenAt, f.seenAt), i.optedOut || f.optedOut, true
	for _, pair := range [][2]*dated{{&i.name, &f.name}, {&i.email, &f.email}, {&i.phone, &f.phone}, {&i.location, &f.location}} {
		if pair[1].at > pair[0].at {
			*pair[0] = *pair[1]
		}
	}
	delete(p.rows, from)
	p.merged[from] = into
	return nil
}

// learn takes name, e-mail, phone and location of a sighting over where they
// are not older than what is known. An address or number that belongs to
// somebody else is not taken.
func (p *people) learn(id string, s schemas.Sighting) {
	c, at := p.rows[id], ms(s.At)
	set := func(d *dated, text string) {
		text = strings.TrimSpace(text)
		if text != "" && (d.at < at || d.at == at && d.text != text) {
			d.text, d.at, c.dirty = text, at, true
		}
	}
	for _, k := range ingest.CustomerKeys(s.Customer) {
		switch {
		case p.owner[k] != id:
		case k.Kind == ingest.EmailKind:
			set(&c.email, s.Customer.Email)
		case k.Kind == ingest.PhoneKind:
			set(&c.phone, s.Customer.Phone)
		}
	}
	set(&c.name, s.Customer.Name)
	set(&c.location, s.Location)
	if at < c.seenAt {
		c.seenAt, c.dirty = at, true
	}
}

func (p *people) learnt() bool {
	if len(p.moved)+len(p.merged) > 0 {
		return true
	}
	for _, c := range p.rows {
		if c.dirty {
			return true
		}
	}
	return false
}

// search writes the columns that searches look at.
func (c *person) search() (words, digits string) {
	list := []string{c.name.text, c.email.text}
	mail := strings.ToLower(c.email.text)
	keys := slices.SortedFunc(slices.Values(c.keys), func(a, b ingest.CustomerKey) int {
		if a.Kind != b.Kind {
			return strings.Compare(b.Kind, a.Kind)
		}
		return strings.Compare(a.Value, b.Value)
	})
	for _, k := range keys {
		if k.Kind != ingest.PhoneKind && k.Value != mail {
			list = append(list, k.Value)
		}
	}
	return strings.ToLower(strings.Join(strings.Fields(strings.Join(list, " ")), " ")), ingest.PhoneDigits(c.phone.text)
}
