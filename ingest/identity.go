package ingest

import "redalert/schemas"

// IdentityStore is what Identify needs of a store. Owner answers who has a
// key ("" = nobody); Strongest the greatest CustomerKey.Strength among a
// customer's keys; HasKind whether it has a key of this kind. Attach gives a
// free key to a customer (creating it), Merge makes from an alias of into: its
// keys and what is known of it move there.
type IdentityStore interface {
	Owner(k CustomerKey) (customerID string, err error)
	Strongest(customerID string) (int, error)
	HasKind(customerID, kind string) (bool, error)
	Attach(k CustomerKey, customerID string) error
	Merge(from, into string) error
}

// Identify decides which customer a sighting is of, and records what it
// teaches (DESIGN §3). It is the one place for these rules:
//
//   - The strongest reference given decides. Its owner, if it has one, it is.
//   - Else a customer known by a weaker given reference: one known only by
//     weaker references becomes an alias of the new, stronger id; one known by
//     a stronger reference, and by none of this kind, gets the reference.
//   - Else a new customer, with the id that the reference derives.
//   - Weaker references are attached when free. One that belongs to a customer
//     known only by references weaker than the deciding one moves over with
//     that customer; else it stays where it is. So two refs are never one
//     customer, and neither are two e-mail addresses that share a phone.
//
// It answers "" when c identifies nobody. It must run in one transaction.
func Identify(s IdentityStore, c schemas.CustomerRef) (string, error) {
	keys := CustomerKeys(c)
	if len(keys) == 0 {
		return "", nil
	}
	id, err := identifyBy(s, keys)
	if err != nil {
		return "", err
	}
	for _, k := range keys {
		owner, err := s.Owner(k)
		if err != nil {
			return "", err
		}
		switch {
		case owner == "":
			err = s.Attach(k, id)
		case owner != id:
			var strength int
			if strength, err = s.Strongest(owner); err == nil && strength < keys[0].Strength() {
				err = s.Merge(owner, id)
			}
		}
		if err != nil {
			return "", err
		}
	}
	return id, nil
}

func identifyBy(s IdentityStore, keys []CustomerKey) (string, error) {
	anchor := keys[0]
	if owner, err := s.Owner(anchor); owner != "" || err != nil {
		return owner, err
	}
	for _, k := range keys[1:] {
		owner, err := s.Owner(k)
		if err != nil {
			return "", err
		}
		if owner == "" {
			continue
		}
		strength, err := s.Strongest(owner)
		if err != nil {
			return "", err
		}
		has, err := s.HasKind(owner, anchor.Kind)
		if err != nil {
			return "", err
		}
		if strength > anchor.Strength() && !has {
			return owner, nil
		}
	}
	return anchor.ID(), nil
}
