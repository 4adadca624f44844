package postgres

import (
	"context"
	"fmt"
	"strings"

	"redalert/alerting"
	"redalert/ingest"
	"redalert/schemas"
)

var _ alerting.Identities = (*DB)(nil)

// canonicalSQL maps a customer id, given as $1, through the alias table.
const canonicalSQL = "coalesce((SELECT canonical FROM customer_aliases WHERE id = $1::text), $1::text)"

// Canonical maps an id through the alias table; an unknown one to itself.
func (d *DB) Canonical(ctx context.Context, id string) (string, error) {
	canonical, err := first(ctx, d, nil, value[string], "SELECT "+canonicalSQL, id)
	return canonical, unavailable("customer "+id, err)
}

// Keys lists every id of the same customer, canonical first, the others in
// order of their text.
func (d *DB) Keys(ctx context.Context, id string) ([]string, error) {
	keys, err := query(ctx, d, value[string], `WITH c AS (SELECT `+canonicalSQL+` AS id)
		SELECT id FROM (SELECT 0 AS n, id FROM c UNION ALL SELECT 1, a.id FROM customer_aliases a JOIN c ON a.canonical = c.id) k
		ORDER BY n, id COLLATE "C"`, id)
	return keys, unavailable("ids of customer "+id, err)
}

const customerColumns = `c.id, c.name, c.email, c.phone, c.location, c.opted_out,
	array(SELECT k.value FROM customer_keys k WHERE k.customer_id = c.id AND k.kind = 'ref' ORDER BY k.value)`

func scanCustomer(r row) (c schemas.Customer, err error) {
	err = r.Scan(&c.ID, &c.Name, &c.Email, &c.Phone, &c.Location, &c.OptedOut, &c.Refs)
	return c, err
}

// Customer finds a customer by any of its ids; orders and revenue are zero.
func (d *DB) Customer(ctx context.Context, id string) (schemas.Customer, error) {
	c, err := first(ctx, d, alerting.ErrNotFound, scanCustomer, "SELECT "+customerColumns+" FROM customers c WHERE c.id = "+canonicalSQL, id)
	return c, unavailable("customer "+id, err)
}

// Customers lists customers by id; Since and Until bound the first sighting.
func (d *DB) Customers(ctx context.Context, q schemas.ListQuery) (schemas.Page[schemas.Customer], error) {
	var none schemas.Page[schemas.Customer]
	_, after, _, err := schemas.DecodeCursor(q.Cursor)
	if err != nil {
		return none, fmt.Errorf("list customers: %w", err)
	}
	q.Cursor = ""
	w, err := windowOf(q)
	if err != nil {
		return none, fmt.Errorf("list customers: %w", err)
	}
	items, err := query(ctx, d, scanCustomer, "SELECT "+customerColumns+` FROM customers c
		WHERE c.id > $1 AND c.seen_at >= $2 AND c.seen_at < $3 AND `+inLocations("c.location", "$4")+` ORDER BY c.id LIMIT $5`,
		after, w.from, w.to, w.locations, w.limit+1)
	if err != nil {
		return none, unavailable("list customers", err)
	}
	p := schemas.Page[schemas.Customer]{Items: items}
	if len(items) > w.limit {
		p.Items = items[:w.limit]
		p.Next = schemas.EncodeCursor(0, items[w.limit-1].ID)
	}
	return p, nil
}

// SetOptedOut remembers whether a customer wants no mail from us; ErrNotFound.
func (d *DB) SetOptedOut(ctx context.Context, id string, optedOut bool) error {
	return unavailable("customer "+id, d.write(ctx, func(ctx context.Context, tx querier) error {
		if _, err := tx.exec(ctx, takeLock, lockIdentities); err != nil {
			return err
		}
		n, err := tx.exec(ctx, "UPDATE customers SET opted_out = $2 WHERE id = "+canonicalSQL, id, optedOut)
		if err == nil && n == 0 {
			err = alerting.ErrNotFound
		}
		return err
	}))
}

// searchCustomers is the condition that a row c of customers matches what
// somebody typed: every word stands in name, e-mail or ref, or all digits (five
// or more, zeros in front left away) stand in a row in the phone number. text
// has at least one word.
func searchCustomers(a *arguments, text string) string {
	var words []string
	for _, word := range strings.Fields(strings.ToLower(text)) {
		words = append(words, "strpos(c.search, "+a.add(word)+") > 0")
	}
	cond := "(" + strings.Join(words, " AND ") + ")"
	if digits := ingest.PhoneDigits(text); len(digits) >= 5 {
		cond = "(" + cond + " OR strpos(c.digits, " + a.add(strings.TrimLeft(digits[:len(digits)-3], "0")+digits[len(digits)-3:]) + ") > 0)"
	}
	return cond
}
