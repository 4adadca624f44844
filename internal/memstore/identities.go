package memstore

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"redalert/alerting"
	"redalert/ingest"
	"redalert/schemas"
)

var (
	_ ingest.Identities   = (*Store)(nil)
	_ alerting.Identities = (*Store)(nil)
)

type people struct {
	mu    sync.Mutex
	owner map[ingest.CustomerKey]string
	alias map[string]string // old id → canonical
	said  map[string]int64  // old id → version of its alias
	last  int64             // version of the newest alias
	rows  map[string]*person
}

// said is a value with the time it was last said at.
type said struct {
	value string
	at    time.Time
	ever  bool
}

// hear takes a value over unless it is older than the one known.
func (s *said) hear(value string, at time.Time) {
	if value = strings.TrimSpace(value); value != "" && (!s.ever || !at.Before(s.at)) {
		*s = said{value, at, true}
	}
}

type person struct {
	name, email, phone, location said
	optedOut                     bool
	seen                         time.Time
}

// Resolve answers the customer of each sighting; see ingest.Identify.
func (s *Store) Resolve(ctx context.Context, sightings []schemas.Sighting) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p := &s.people
	p.mu.Lock()
	defer p.mu.Unlock()
	ids := make([]string, len(sightings))
	for i, x := range sightings {
		id, err := ingest.Identify(sighting{p, x.At}, x.Customer)
		if err != nil {
			return nil, err
		}
		ids[i] = id
		if id != "" {
			p.learn(id, x)
		}
	}
	return ids, nil
}

func (p *people) learn(id string, x schemas.Sighting) {
	r := p.rows[id]
	for _, k := range ingest.CustomerKeys(x.Customer) {
		switch {
		case p.owner[k] != id:
		case k.Kind == ingest.EmailKind:
			r.email.hear(x.Customer.Email, x.At)
		case k.Kind == ingest.PhoneKind:
			r.phone.hear(x.Customer.Phone, x.At)
		}
	}
	r.name.hear(x.Customer.Name, x.At)
	r.location.hear(x.Location, x.At)
	if x.At.Before(r.seen) {
		r.seen = x.At
	}
}

// sighting is the ingest.IdentityStore; its user holds the lock.
type sighting struct {
	*people
	at time.Time
}

func (s sighting) Owner(k ingest.CustomerKey) (string, error) { return s.owner[k], nil }

func (s sighting) Strongest(id string) (strongest int, err error) {
	for k, owner := range s.owner {
		if owner == id {
			strongest = max(strongest, k.Strength())
		}
	}
	return strongest, nil
}

func (s sighting) HasKind(id, kind string) (bool, error) {
	for k, owner := range s.owner {
		if owner == id && k.Kind == kind {
			return true, nil
		}
	}
	return false, nil
}

func (s sighting) Attach(k ingest.CustomerKey, id string) error {
	s.owner[k] = id
	if s.rows[id] == nil {
		s.rows[id] = &person{seen: s.at}
	}
	return nil
}

func (s sighting) Merge(from, into string) error {
	for k, owner := range s.owner {
		if owner == from {
			s.owner[k] = into
		}
	}
	for old, canonical := range s.alias {
		if canonical == from {
			s.setAlias(old, into)
		}
	}
	s.setAlias(from, into)
	f, i := s.rows[from], s.rows[into]
	for _, v := range [][2]*said{{&f.name, &i.name}, {&f.email, &i.email}, {&f.phone, &i.phone}, {&f.location, &i.location}} {
		if v[0].ever && (!v[1].ever || v[0].at.After(v[1].at)) {
			*v[1] = *v[0]
		}
	}
	i.optedOut = i.optedOut || f.optedOut
	if f.seen.Before(i.seen) {
		i.seen = f.seen
	}
	delete(s.rows, from)
	return nil
}

func (p *people) setAlias(id, canonical string) {
	p.last++
	p.alias[id], p.said[id] = canonical, p.last
}

// AliasesSince answers the aliases made or changed after a version, and the
// newest version.
func (s *Store) AliasesSince(_ context.Context, version int64) (rows []schemas.Alias, next int64, err error) {
	p := &s.people
	p.mu.Lock()
	defer p.mu.Unlock()
	if version < p.last {
		for id, v := range p.said {
			if v > version {
				rows = append(rows, schemas.Alias{ID: id, Canonical: p.alias[id], Version: v})
			}
		}
	}
	return rows, p.last, nil
}

func (p *people) canonical(id string) string { return cmp.Or(p.alias[id], id) }

// keys lists every id of the same customer, canonical first.
func (p *people) keys(id string) []string {
	canonical := p.canonical(id)
	var others []string
	for old, c := range p.alias {
		if c == canonical {
			others = append(others, old)
		}
	}
	slices.Sort(others)
	return append([]string{canonical}, others...)
}

// Canonical maps an id through the alias table; an unknown one to itself.
func (s *Store) Canonical(_ context.Context, id string) (string, error) {
	s.people.mu.Lock()
	defer s.people.mu.Unlock()
	return s.people.canonical(id), nil
}

// Keys lists every id of the same customer, canonical first.
func (s *Store) Keys(_ context.Context, id string) ([]string, error) {
	s.people.mu.Lock()
	defer s.people.mu.Unlock()
	return s.people.keys(id), nil
}

func (p *people) customer(id string) schemas.Customer {
	r := p.rows[id]
	c := schemas.Customer{ID: id, Refs: []string{}, Name: r.name.value, Email: r.email.value, Phone: r.phone.value, Location: r.location.value, OptedOut: r.optedOut}
	for k, owner := range p.owner {
		if owner == id && k.Kind == ingest.RefKind {
			c.Refs = append(c.Refs, k.Value)
		}
	}
	slices.Sort(c.Refs)
	return c
}

// Customer finds a customer by any of its ids.
func (s *Store) Customer(_ context.Context, id string) (schemas.Customer, error) {
	p := &s.people
	p.mu.Lock()
	defer p.mu.Unlock()
	id = p.canonical(id)
	if p.rows[id] == nil {
		return schemas.Customer{}, alerting.ErrNotFound
	}
	return p.customer(id), nil
}

// Customers lists customers by id; Since and Until bound the first sighting.
func (s *Store) Customers(_ context.Context, q schemas.ListQuery) (schemas.Page[schemas.Customer], error) {
	p := &s.people
	p.mu.Lock()
	defer p.mu.Unlock()
	var items []schemas.Customer
	for _, id := range slices.Sorted(maps.Keys(p.rows)) {
		seen := p.rows[id].seen
		if (q.Since.IsZero() || !seen.Before(q.Since)) && (q.Until.IsZero() || seen.Before(q.Until)) {
			items = append(items, p.customer(id))
		}
	}
	q.Since, q.Until = time.Time{}, time.Time{}
	return list(items, q, func(c schemas.Customer) row { return row{at: time.UnixMilli(0), id: c.ID, location: c.Location} })
}

// SetOptedOut remembers whether a customer wants no mail from us.
func (s *Store) SetOptedOut(ctx context.Context, id string, optedOut bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p := &s.people
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.rows[p.canonical(id)]
	if r == nil {
		return alerting.ErrNotFound
	}
	r.optedOut = optedOut
	return nil
}
