package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"redalert/ingest"
	"redalert/schemas"
)

var _ ingest.Identities = (*DB)(nil)

// Resolve answers the customer of each sighting; see ingest.Identities and
// ingest.Identify. Sightings that teach nothing new cost one read together.
func (d *DB) Resolve(ctx context.Context, sightings []schemas.Sighting) ([]string, error) {
	ids, err := d.alreadyKnown(ctx, sightings)
	if err != nil {
		return nil, unavailable("resolve customers", err)
	}
	var learning []int
	for i, s := range sightings {
		if ids[i] == "" && len(ingest.CustomerKeys(s.Customer)) > 0 {
			learning = append(learning, i)
		}
	}
	if len(learning) == 0 {
		return ids, nil
	}
	merged := map[string]string{}
	err = d.Write(ctx, func(tx *Tx) error {
		for _, i := range learning {
			s := sightings[i]
			var err error
			if ids[i], err = ingest.Identify(identityTx{tx, s, merged}, s.Customer); err != nil {
				return err
			}
			if err := learn(tx, ids[i], s); err != nil {
				return fmt.Errorf("customer %s: %w", ids[i], err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, unavailable("resolve customers", err)
	}
	for i, id := range ids { // what was known may have become an alias
		for into, ok := merged[id]; ok; into, ok = merged[id] {
			ids[i], id = into, into
		}
	}
	return ids, nil
}

// alreadyKnown answers the customers of those sightings that have one
// reference, known, and nothing to add; "" for all others.
func (d *DB) alreadyKnown(ctx context.Context, sightings []schemas.Sighting) ([]string, error) {
	ids := make([]string, len(sightings))
	var asked [][4]any
	for i, s := range sightings {
		keys := ingest.CustomerKeys(s.Customer)
		if len(keys) == 1 && strings.TrimSpace(s.Customer.Name) == "" && s.Location == "" {
			asked = append(asked, [4]any{i, keys[0].Kind, keys[0].Value, ms(s.At)})
		}
	}
	if len(asked) == 0 {
		return ids, nil
	}
	list, err := json.Marshal(asked)
	if err != nil {
		return nil, err
	}
	rows, err := d.query(ctx, `SELECT j.value ->> 0, c.id FROM json_each(?) j
		CROSS JOIN customer_keys k ON k.kind = j.value ->> 1 AND k.value = j.value ->> 2
		CROSS JOIN customers c ON c.id = k.customer_id
		WHERE c.seen_at <= j.value ->> 3 AND (k.kind <> 'email' OR c.email <> '') AND (k.kind <> 'phone' OR c.phone <> '')`, string(list))
	return ids, each(rows, err, func(r *sql.Rows) error {
		var at int
		var id string
		err := r.Scan(&at, &id)
		ids[at] = id
		return err
	})
}

// identityTx is the ingest.IdentityStore of one sighting within a transaction.
type identityTx struct {
	tx     *Tx
	s      schemas.Sighting
	merged map[string]string // from → into, filled by Merge
}

func (x identityTx) Owner(k ingest.CustomerKey) (id string, err error) {
	err = x.tx.QueryRow("SELECT customer_id FROM customer_keys WHERE kind = ? AND value = ?", k.Kind, k.Value).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return id, err
}

func (x identityTx) Strongest(id string) (int, error) {
	strongest := 0
	rows, err := x.tx.Query("SELECT DISTINCT kind FROM customer_keys WHERE customer_id = ?", id)
	return strongest, each(rows, err, func(r *sql.Rows) error {
		var k ingest.CustomerKey
		err := r.Scan(&k.Kind)
		strongest = max(strongest, k.Strength())
		return err
	})
}

func (x identityTx) HasKind(id, kind string) (has bool, err error) {
	err = x.tx.QueryRow("SELECT EXISTS (SELECT 1 FROM customer_keys WHERE customer_id = ? AND kind = ?)", id, kind).Scan(&has)
	return has, err
}

func (x identityTx) Attach(k ingest.CustomerKey, id string) error {
	if _, err := x.tx.Exec("INSERT INTO customers (id, seen_at) VALUES (?, ?) ON CONFLICT DO NOTHING", id, ms(x.s.At)); err != nil {
		return err
	}
	if _, err := x.tx.Exec("INSERT INTO customer_keys (kind, value, customer_id) VALUES (?, ?, ?)", k.Kind, k.Value, id); err != nil {
		return err
	}
	if k.Kind == ingest.RefKind {
		return reindex(x.tx, id)
	}
	return nil
}

func (x identityTx) Merge(from, into string) error {
	for _, q := range []string{
		"UPDATE customer_keys SET customer_id = ?1 WHERE customer_id = ?2",
		"UPDATE customer_aliases SET canonical = ?1 WHERE canonical = ?2",
		"INSERT INTO customer_aliases (id, canonical) VALUES (?2, ?1)",
		"INSERT INTO customers (id, seen_at) SELECT ?1, seen_at FROM customers WHERE id = ?2 ON CONFLICT DO NOTHING",
		`UPDATE customers AS i SET
			seen_at     = min(i.seen_at, f.seen_at),
			opted_out   = max(i.opted_out, f.opted_out),
			name        = CASE WHEN f.name_at > i.name_at THEN f.name ELSE i.name END,
			name_at     = max(f.name_at, i.name_at),
			email       = CASE WHEN f.email_at > i.email_at THEN f.email ELSE i.email END,
			email_at    = max(f.email_at, i.email_at),
			phone       = CASE WHEN f.phone_at > i.phone_at THEN f.phone ELSE i.phone END,
			phone_at    = max(f.phone_at, i.phone_at),
			location    = CASE WHEN f.location_at > i.location_at THEN f.location ELSE i.location END,
			location_at = max(f.location_at, i.location_at)
			FROM customers AS f WHERE i.id = ?1 AND f.id = ?2`,
	} {
		if _, err := x.tx.Exec(q, into, from); err != nil {
			return fmt.Errorf("merge %s into %s: %w", from, into, err)
		}
	}
	if _, err := x.tx.Exec("DELETE FROM customers WHERE id = ?", from); err != nil {
		return err
	}
	x.merged[from] = into
	return reindex(x.tx, into)
}

// learn takes name, e-mail, phone and location of a sighting over where they
// are not older than what is known. An address or number that belongs to
// somebody else is not taken.
func learn(tx *Tx, id string, s schemas.Sighting) error {
	at, changed := ms(s.At), false
	set := func(column, value string) error {
		value = strings.TrimSpace(value)
		if value == "" {
			return nil
		}
		res, err := tx.Exec("UPDATE customers SET "+column+" = ?1, "+column+"_at = ?2 WHERE id = ?3 AND "+column+"_at <= ?2 AND ("+column+"_at < ?2 OR "+column+" <> ?1)",
			value, at, id)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		changed = changed || n > 0 && column != "location"
		return err
	}
	for _, k := range ingest.CustomerKeys(s.Customer) {
		value := map[string]string{ingest.EmailKind: s.Customer.Email, ingest.PhoneKind: s.Customer.Phone}[k.Kind]
		if value == "" {
			continue
		}
		if owner, err := (identityTx{tx: tx}).Owner(k); err != nil {
			return err
		} else if owner != id {
			continue
		}
		if err := set(k.Kind, value); err != nil {
			return err
		}
	}
	if err := errors.Join(set("name", s.Customer.Name), set("location", s.Location)); err != nil {
		return err
	}
	if _, err := tx.Exec("UPDATE customers SET seen_at = ?1 WHERE id = ?2 AND seen_at > ?1", at, id); err != nil {
		return err
	}
	if changed {
		return reindex(tx, id)
	}
	return nil
}

// reindex writes the columns that searches look at.
func reindex(tx *Tx, id string) error {
	var name, email, phone string
	if err := tx.QueryRow("SELECT name, email, phone FROM customers WHERE id = ?", id).Scan(&name, &email, &phone); err != nil {
		return err
	}
	words := []string{name, email}
	rows, err := tx.Query("SELECT value FROM customer_keys WHERE customer_id = ? AND kind <> 'phone' AND value <> ? ORDER BY kind DESC, value", id, strings.ToLower(email))
	if err := each(rows, err, func(r *sql.Rows) error {
		var v string
		err := r.Scan(&v)
		words = append(words, v)
		return err
	}); err != nil {
		return err
	}
	search := strings.ToLower(strings.Join(strings.Fields(strings.Join(words, " ")), " "))
	_, err = tx.Exec("UPDATE customers SET search = ?1, digits = ?2 WHERE id = ?3 AND (search <> ?1 OR digits <> ?2)", search, ingest.PhoneDigits(phone), id)
	return err
}
