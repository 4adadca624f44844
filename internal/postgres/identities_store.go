package postgres

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"redalert/ingest"
	"redalert/schemas"
)

// store writes what a call has learnt, in one round trip.
func (p *people) store(ctx context.Context, tx querier) error {
	var b batch
	p.storeMerges(&b)
	p.storeRows(&b)
	p.storeKeys(&b)
	return tx.send(ctx, &b)
}

// storeMerges lets old ids, and what pointed at them, point at the customer
// they are now. All get the next version: the lock that is held makes it one
// higher than any that anybody has seen.
func (p *people) storeMerges(b *batch) {
	if len(p.merged) == 0 {
		return
	}
	from := slices.Sorted(maps.Keys(p.merged))
	into := make([]string, len(from))
	for i, id := range from {
		for next, ok := p.merged[id]; ok; next, ok = p.merged[id] {
			id = next
		}
		into[i] = id
	}
	b.add(nil, `WITH g AS (SELECT * FROM unnest($1::text[], $2::text[]) AS g(gone, canonical)),
		next AS (SELECT coalesce(max(version), 0) + 1 AS version FROM customer_aliases),
		moved AS (SELECT a.id, g.canonical FROM customer_aliases a JOIN g ON a.canonical = g.gone UNION ALL SELECT gone, canonical FROM g)
		INSERT INTO customer_aliases (id, canonical, version) SELECT moved.id, moved.canonical, next.version FROM moved, next
		ON CONFLICT (id) DO UPDATE SET canonical = excluded.canonical, version = excluded.version`, from, into)
	b.add(nil, "DELETE FROM customers WHERE id = ANY($1)", from)
}

func (p *people) storeRows(b *batch) {
	var texts [7][]string
	var times [5][]int64
	var optedOut []bool
	for _, id := range slices.Sorted(maps.Keys(p.rows)) {
		c := p.rows[id]
		if !c.dirty {
			continue
		}
		search, digits := c.search()
		for i, v := range []string{id, c.name.text, c.email.text, c.phone.text, c.location.text, search, digits} {
			texts[i] = append(texts[i], v)
		}
		for i, v := range []int64{c.name.at, c.email.at, c.phone.at, c.location.at, c.seenAt} {
			times[i] = append(times[i], v)
		}
		optedOut = append(optedOut, c.optedOut)
	}
	if len(optedOut) == 0 {
		return
	}
	b.add(nil, `INSERT INTO customers (id, name, email, phone, location, search, digits, name_at, email_at, phone_at, location_at, seen_at, opted_out)
		SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
			$8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::boolean[])
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, email = excluded.email, phone = excluded.phone, location = excluded.location,
			search = excluded.search, digits = excluded.digits, name_at = excluded.name_at, email_at = excluded.email_at,
			phone_at = excluded.phone_at, location_at = excluded.location_at, seen_at = excluded.seen_at, opted_out = excluded.opted_out`,
		texts[0], texts[1], texts[2], texts[3], texts[4], texts[5], texts[6], times[0], times[1], times[2], times[3], times[4], optedOut)
}

func (p *people) storeKeys(b *batch) {
	if len(p.moved) == 0 {
		return
	}
	keys := slices.SortedFunc(maps.Keys(p.moved), func(a, b ingest.CustomerKey) int {
		return strings.Compare(a.Kind+" "+a.Value, b.Kind+" "+b.Value)
	})
	var kinds, values, owners []string
	for _, k := range keys {
		kinds, values, owners = append(kinds, k.Kind), append(values, k.Value), append(owners, p.owner[k])
	}
	b.add(nil, `INSERT INTO customer_keys (kind, value, customer_id) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
		ON CONFLICT (kind, value) DO UPDATE SET customer_id = excluded.customer_id`, kinds, values, owners)
}

// aliasPage bounds one answer of AliasesSince. All aliases of one version are
// answered together.
const aliasPage = 10000

// AliasesSince lists the aliases that changed after a version, by (version,
// id), and the version to ask from next time, which is the one asked from when
// nothing changed. One call may not answer all: ask until it answers none. No
// alias is ever missed: versions are given out and committed one by one.
func (d *DB) AliasesSince(ctx context.Context, version int64) ([]schemas.Alias, int64, error) {
	found, err := query(ctx, d, func(r row) (a schemas.Alias, err error) {
		err = r.Scan(&a.ID, &a.Canonical, &a.Version)
		return a, err
	}, `SELECT id, canonical, version FROM customer_aliases WHERE version > $1
		ORDER BY version FETCH FIRST ($2) ROWS WITH TIES`, version, aliasPage)
	if err != nil {
		return nil, version, unavailable("list aliases", err)
	}
	slices.SortFunc(found, func(a, b schemas.Alias) int {
		return cmp.Or(cmp.Compare(a.Version, b.Version), cmp.Compare(a.ID, b.ID))
	})
	if n := len(found); n > 0 {
		version = found[n-1].Version
	}
	return found, version, nil
}
