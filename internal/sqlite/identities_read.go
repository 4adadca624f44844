package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"redalert/alerting"
	"redalert/ingest"
	"redalert/schemas"
)

var _ alerting.Identities = (*DB)(nil)

// canonicalOf is the SQL that maps a customer id through the alias table.
func canonicalOf(expr string) string {
	return "coalesce((SELECT canonical FROM customer_aliases WHERE id = " + expr + "), " + expr + ")"
}

// Canonical maps an id through the alias table; an unknown one to itself.
func (d *DB) Canonical(ctx context.Context, id string) (canonical string, err error) {
	err = d.read.QueryRowContext(ctx, "SELECT "+canonicalOf("?1"), id).Scan(&canonical)
	return canonical, unavailable("customer "+id, err)
}

// Keys lists every id of the same customer, canonical first, the others in
// order of their text.
func (d *DB) Keys(ctx context.Context, id string) ([]string, error) {
	var keys []string
	rows, err := d.query(ctx, keysQuery, id)
	err = each(rows, err, func(r *sql.Rows) error {
		var k string
		err := r.Scan(&k)
		keys = append(keys, k)
		return err
	})
	return keys, unavailable("ids of customer "+id, err)
}

var keysQuery = "WITH c (id) AS MATERIALIZED (SELECT " + canonicalOf("?1") + `)
	SELECT id FROM (SELECT 0 AS alias, id FROM c UNION ALL SELECT 1, a.id FROM c CROSS JOIN customer_aliases a ON a.canonical = c.id)
	ORDER BY alias, id`

const customerColumns = `c.id, c.name, c.email, c.phone, c.location, c.opted_out,
	(SELECT json_group_array(value) FROM (SELECT value FROM customer_keys k WHERE k.customer_id = c.id AND k.kind = 'ref' ORDER BY value))`

func scanCustomer(r interface{ Scan(...any) error }) (c schemas.Customer, err error) {
	var refs string
	if err := r.Scan(&c.ID, &c.Name, &c.Email, &c.Phone, &c.Location, &c.OptedOut, &refs); err != nil {
		return c, err
	}
	return c, decodeList(refs, &c.Refs)
}

// Customer finds a customer by any of its ids; orders and revenue are zero.
func (d *DB) Customer(ctx context.Context, id string) (schemas.Customer, error) {
	c, err := scanCustomer(d.read.QueryRowContext(ctx, "SELECT "+customerColumns+" FROM customers c WHERE c.id = "+canonicalOf("?1"), id))
	if errors.Is(err, sql.ErrNoRows) {
		err = alerting.ErrNotFound
	}
	return c, unavailable("customer "+id, err)
}

// Customers lists customers by id; Since and Until bound the first sighting.
func (d *DB) Customers(ctx context.Context, q schemas.ListQuery) (schemas.Page[schemas.Customer], error) {
	var w where
	w.visible("c.location", q.Locations)
	_, after, ok, err := schemas.DecodeCursor(q.Cursor)
	if err != nil {
		return schemas.Page[schemas.Customer]{}, fmt.Errorf("list customers: %w", err)
	}
	if ok {
		w.add("c.id > ?", after)
	}
	if !q.Since.IsZero() {
		w.add("c.seen_at >= ?", ms(q.Since))
	}
	if !q.Until.IsZero() {
		w.add("c.seen_at < ?", ms(q.Until))
	}
	limit := q.PageLimit()
	rows, err := d.read.QueryContext(ctx, "SELECT "+customerColumns+" FROM customers c"+w.String()+" ORDER BY c.id LIMIT ?", append(w.args, limit+1)...)
	p, err := readPage(rows, err, limit, func(r *sql.Rows) (k keyed[schemas.Customer], err error) {
		k.item, err = scanCustomer(r)
		k.id = k.item.ID
		return k, err
	})
	return p, unavailable("list customers", err)
}

// SetOptedOut remembers whether a customer wants no mail from us; ErrNotFound.
func (d *DB) SetOptedOut(ctx context.Context, id string, optedOut bool) error {
	return unavailable("customer "+id, d.Write(ctx, func(tx *Tx) error {
		res, err := tx.Exec("UPDATE customers SET opted_out = ?2 WHERE id = "+canonicalOf("?1"), id, optedOut)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, alerting.ErrNotFound)
		}
		return nil
	}))
}

// SearchCustomers is the condition, with its arguments, that a row c of
// customers matches what somebody typed: every word stands in name, e-mail or
// ref, or all digits (five or more, zeros in front left away) stand in a row in
// the phone number.
func SearchCustomers(text string) (cond string, args []any) {
	var all []string
	for _, word := range strings.Fields(strings.ToLower(text)) {
		all = append(all, "instr(c.search, ?) > 0")
		args = append(args, word)
	}
	if len(all) == 0 {
		return "0", nil
	}
	cond = "(" + strings.Join(all, " AND ") + ")"
	if digits := ingest.PhoneDigits(text); len(digits) >= 5 {
		cond = "(" + cond + " OR instr(c.digits, ?) > 0)"
		args = append(args, strings.TrimLeft(digits[:len(digits)-3], "0")+digits[len(digits)-3:])
	}
	return cond, args
}
