package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"redalert/alerting"
	"redalert/ingest"
	"redalert/schemas"
)

func idOf(kind, value string) string { return ingest.CustomerKey{Kind: kind, Value: value}.ID() }

func resolve(t *testing.T, s Pipeline, n int, refs ...schemas.CustomerRef) []string {
	t.Helper()
	var sightings []schemas.Sighting
	for _, r := range refs {
		sightings = append(sightings, schemas.Sighting{Customer: r, At: mark(n)})
	}
	got, err := s.Identities.Resolve(t.Context(), sightings)
	must(t, "Resolve", err)
	if len(got) != len(refs) {
		t.Fatalf("%d answers for %d sightings", len(got), len(refs))
	}
	return got
}

func canonical(t *testing.T, s Pipeline, id, want string) {
	t.Helper()
	got, err := s.People.Canonical(t.Context(), id)
	must(t, "Canonical", err)
	if got != want {
		t.Fatalf("%s is canonically %s, want %s", id, got, want)
	}
}

func customer(t *testing.T, s Pipeline, id string) schemas.Customer {
	t.Helper()
	c, err := s.People.Customer(t.Context(), id)
	must(t, "Customer", err)
	return c
}

// Identities: one opaque id for each person, the same on every machine, from
// the strongest reference; what is learnt later joins by aliases.
func Identities(t *testing.T, open func(t *testing.T) Pipeline) {
	suite{
		{"ids are derived", false, identitiesDerived},
		{"steps of knowing somebody", false, identitiesSteps},
		{"two refs are two people", false, identitiesTwoRefs},
		{"a shared phone joins nobody", false, identitiesSharedPhone},
		{"later sightings win", false, identitiesLaterWins},
		{"a merge keeps what is newer", false, identitiesMergeKeeps},
		{"lists", false, identitiesLists},
		{"opt out", false, identitiesOptOut},
		{"at once", false, func(t *testing.T, s Pipeline) {
			atOnce(30, func(i int) {
				ref := schemas.CustomerRef{Email: "a@example.com"}
				if i%3 == 0 {
					ref.Ref = "C1"
				}
				if _, err := s.Identities.Resolve(context.WithoutCancel(t.Context()), []schemas.Sighting{{Customer: ref, At: mark(i)}}); err != nil {
					t.Errorf("Resolve: %v", err)
				}
			})
			same(t, "id", resolve(t, s, 50, schemas.CustomerRef{Email: "a@example.com"}), []string{idOf("ref", "C1")})
		}},
		{"crash", true, func(t *testing.T, s Pipeline) {
			resolve(t, s, 0, schemas.CustomerRef{Email: "a@example.com", Name: "Ann"})
			resolve(t, s, 1, schemas.CustomerRef{Ref: "C1", Email: "a@example.com"})
			s = s.Reopen(t)
			canonical(t, s, idOf("email", "a@example.com"), idOf("ref", "C1"))
			same(t, "customer", customer(t, s, idOf("email", "a@example.com")),
				schemas.Customer{ID: idOf("ref", "C1"), Refs: []string{"C1"}, Name: "Ann", Email: "a@example.com"})
		}},
	}.run(t, open)
}

func identitiesDerived(t *testing.T, s Pipeline) {
	got := resolve(t, s, 0,
		schemas.CustomerRef{Ref: " C1 ", Email: "A@Example.com", Phone: "+31 (0)6-1234"},
		schemas.CustomerRef{Email: " B@example.com ", Phone: "55 55 55"},
		schemas.CustomerRef{Phone: "0031 6 99"},
		schemas.CustomerRef{Name: "Nobody"},
		schemas.CustomerRef{Phone: "n/a", Email: "none"},
		schemas.CustomerRef{},
	)
	same(t, "ids", got, []string{idOf("ref", "C1"), idOf("email", "b@example.com"), idOf("phone", "0031699"), "", "", ""})
	same(t, "again, by other references", resolve(t, s, 1,
		schemas.CustomerRef{Email: "a@EXAMPLE.com"}, schemas.CustomerRef{Phone: "310-61234"}, schemas.CustomerRef{Phone: "555.555"}, schemas.CustomerRef{Ref: "c1"},
	), []string{idOf("ref", "C1"), idOf("ref", "C1"), idOf("email", "b@example.com"), idOf("ref", "c1")})
	if id := got[0]; len(id) != 36 || id[14] != '5' {
		t.Fatalf("%q is not a UUID of version 5", id)
	}
}

func identitiesSteps(t *testing.T, s Pipeline) {
	phone, email, ref := idOf("phone", "5551234"), idOf("email", "a@example.com"), idOf("ref", "C1")
	same(t, "by phone", resolve(t, s, 0, schemas.CustomerRef{Phone: "555 1234"}), []string{phone})
	same(t, "with an e-mail", resolve(t, s, 1, schemas.CustomerRef{Phone: "555 1234", Email: "a@example.com"}), []string{email})
	canonical(t, s, phone, email)
	same(t, "with a ref", resolve(t, s, 2, schemas.CustomerRef{Email: "a@example.com", Ref: "C1"}), []string{ref})
	for _, id := range []string{phone, email, ref} {
		canonical(t, s, id, ref) // no chains
		keys, err := s.People.Keys(t.Context(), id)
		must(t, "Keys", err)
		if len(keys) != 3 || keys[0] != ref || !slices.Contains(keys, phone) || !slices.Contains(keys, email) {
			t.Fatalf("keys of %s: %v", id, keys)
		}
	}
	same(t, "by phone alone, later", resolve(t, s, 3, schemas.CustomerRef{Phone: "5551234"}), []string{ref})
	canonical(t, s, "unknown", "unknown")
	keys, err := s.People.Keys(t.Context(), "unknown")
	must(t, "Keys", err)
	same(t, "keys of an unknown id", keys, []string{"unknown"})

	// A customer known by number and phone writes from an address for the first time.
	resolve(t, s, 4, schemas.CustomerRef{Ref: "C2", Phone: "777 0000"})
	same(t, "first e-mail", resolve(t, s, 5, schemas.CustomerRef{Email: "c2@example.com", Phone: "7770000"}), []string{idOf("ref", "C2")})
	same(t, "by that e-mail", resolve(t, s, 6, schemas.CustomerRef{Email: "c2@example.com"}), []string{idOf("ref", "C2")})
}

func identitiesTwoRefs(t *testing.T, s Pipeline) {
	one, two := idOf("ref", "C1"), idOf("ref", "C2")
	same(t, "ids", resolve(t, s, 0,
		schemas.CustomerRef{Ref: "C1", Email: "home@example.com", Phone: "555 1234"},
		schemas.CustomerRef{Ref: "C2", Email: "home@example.com", Phone: "555 1234"},
	), []string{one, two})
	same(t, "the address stays", resolve(t, s, 1, schemas.CustomerRef{Email: "home@example.com"}), []string{one})
	canonical(t, s, two, two)
	if c := customer(t, s, two); c.Email != "" || c.Phone != "" {
		t.Fatalf("the second customer got the first one's address: %+v", c)
	}
}

func identitiesSharedPhone(t *testing.T, s Pipeline) {
	a, b := idOf("email", "a@example.com"), idOf("email", "b@example.com")
	same(t, "ids", resolve(t, s, 0,
		schemas.CustomerRef{Email: "a@example.com", Phone: "555 1234"}, schemas.CustomerRef{Email: "b@example.com", Phone: "555 1234"},
	), []string{a, b})
	same(t, "the phone stays", resolve(t, s, 1, schemas.CustomerRef{Phone: "5551234"}), []string{a})
	canonical(t, s, b, b)
}

func identitiesLaterWins(t *testing.T, s Pipeline) {
	see := func(n int, ref schemas.CustomerRef, location string) {
		t.Helper()
		ref.Ref = "C1"
		_, err := s.Identities.Resolve(t.Context(), []schemas.Sighting{{Customer: ref, Location: location, At: mark(n)}})
		must(t, "Resolve", err)
	}
	see(5, schemas.CustomerRef{Name: "Ann", Email: "ann@example.com", Phone: "555 1234"}, "North")
	see(9, schemas.CustomerRef{}, "")
	see(1, schemas.CustomerRef{Name: "Old Name", Email: "Old@example.com"}, "South")
	want := schemas.Customer{ID: idOf("ref", "C1"), Refs: []string{"C1"}, Name: "Ann", Email: "ann@example.com", Phone: "555 1234", Location: "North"}
	same(t, "older sightings lose", customer(t, s, want.ID), want)
	see(5, schemas.CustomerRef{Name: "Anna"}, "")
	see(7, schemas.CustomerRef{Name: " Anne ", Phone: "+1 555 9999"}, "East")
	want.Name, want.Phone, want.Location = "Anne", "+1 555 9999", "East"
	same(t, "later ones win", customer(t, s, want.ID), want)
	same(t, "and all addresses are hers", resolve(t, s, 8, schemas.CustomerRef{Email: "old@example.com"}, schemas.CustomerRef{Phone: "5551234"}), []string{want.ID, want.ID})
	see(2, schemas.CustomerRef{Name: "Older"}, "West") // "Anna" at 5 must have been forgotten, not 7
	same(t, "still", customer(t, s, want.ID).Name, "Anne")
}

func identitiesMergeKeeps(t *testing.T, s Pipeline) {
	resolve(t, s, 5, schemas.CustomerRef{Email: "a@example.com", Name: "Newer"})
	must(t, "SetOptedOut", s.People.SetOptedOut(t.Context(), idOf("email", "a@example.com"), true))
	resolve(t, s, 3, schemas.CustomerRef{Ref: "C1", Name: "Older", Phone: "555 1234"})
	resolve(t, s, 4, schemas.CustomerRef{Ref: "C1", Email: "a@example.com"})
	want := schemas.Customer{ID: idOf("ref", "C1"), Refs: []string{"C1"}, Name: "Newer", Email: "a@example.com", Phone: "555 1234", OptedOut: true}
	for _, id := range []string{want.ID, idOf("email", "a@example.com")} {
		same(t, "customer "+id, customer(t, s, id), want)
	}
	p, err := s.People.Customers(t.Context(), schemas.ListQuery{})
	must(t, "Customers", err)
	same(t, "customers", p.Items, []schemas.Customer{want})
}

func identitiesLists(t *testing.T, s Pipeline) {
	var all []string
	for i, location := range []string{"North", "South", "", "North", "South"} {
		ref := ids("C", 0, 5)[i]
		got, err := s.Identities.Resolve(t.Context(), []schemas.Sighting{{Customer: schemas.CustomerRef{Ref: ref}, Location: location, At: mark(i)}})
		must(t, "Resolve", err)
		all = append(all, got[0])
	}
	listed := func(q schemas.ListQuery) (ids []string) {
		t.Helper()
		for _, c := range pages(t, q, func(q schemas.ListQuery) (schemas.Page[schemas.Customer], error) {
			return s.People.Customers(t.Context(), q)
		}) {
			ids = append(ids, c.ID)
		}
		return ids
	}
	sorted := func(ids ...string) []string { slices.Sort(ids); return ids }
	same(t, "all", listed(schemas.ListQuery{}), sorted(slices.Clone(all)...))
	same(t, "of one location", listed(schemas.ListQuery{Locations: []string{"North"}}), sorted(all[0], all[3]))
	same(t, "of two", listed(schemas.ListQuery{Locations: []string{"North", "South"}}), sorted(all[0], all[1], all[3], all[4]))
	same(t, "by first sighting", listed(schemas.ListQuery{Since: mark(1), Until: mark(3)}), sorted(all[1], all[2]))
	badCursor(t, func(q schemas.ListQuery) error { _, err := s.People.Customers(t.Context(), q); return err })
}

func identitiesOptOut(t *testing.T, s Pipeline) {
	resolve(t, s, 0, schemas.CustomerRef{Email: "a@example.com"})
	id := idOf("email", "a@example.com")
	for _, want := range []bool{true, true, false} {
		must(t, "SetOptedOut", s.People.SetOptedOut(t.Context(), id, want))
		same(t, "opted out", customer(t, s, id).OptedOut, want)
	}
	if err := s.People.SetOptedOut(t.Context(), "unknown", true); !errors.Is(err, alerting.ErrNotFound) {
		t.Fatalf("unknown: %v, want ErrNotFound", err)
	}
	if _, err := s.People.Customer(t.Context(), "unknown"); !errors.Is(err, alerting.ErrNotFound) {
		t.Fatalf("unknown: %v, want ErrNotFound", err)
	}
}

// badCursor: a listing refuses a cursor it never gave out.
func badCursor(t *testing.T, list func(schemas.ListQuery) error) {
	t.Helper()
	for _, c := range []string{"x", "%%%", "WzFd"} {
		if err := list(schemas.ListQuery{Cursor: c}); !errors.Is(err, schemas.ErrBadCursor) {
			t.Errorf("cursor %q: %v, want ErrBadCursor", c, err)
		}
	}
}

// Quarantine: what failed is kept until somebody decides, and listed.
func Quarantine(t *testing.T, open func(t *testing.T) Pipeline) {
	item := func(id string, n int) schemas.Quarantined {
		return schemas.Quarantined{ID: id, Source: "shop", Code: schemas.QInvalid, Reason: "no date", Locator: "a.csv:7", At: mark(n), RawSHA256: "ab",
			State: schemas.QuarantineOpen, Replay: "cloudevent"}
	}
	put := func(t *testing.T, s Pipeline, items ...schemas.Quarantined) {
		t.Helper()
		must(t, "Put", s.Quarantine.Put(t.Context(), items))
	}
	get := func(t *testing.T, s Pipeline, want schemas.Quarantined) {
		t.Helper()
		got, err := s.Quarantine.Get(t.Context(), want.ID)
		must(t, "Get", err)
		same(t, "item", got, want)
	}
	suite{
		{"states", false, func(t *testing.T, s Pipeline) {
			put(t, s, item("a", 0), item("a", 1))
			put(t, s, item("a", 2))
			get(t, s, item("a", 0)) // an open one stays
			want := item("a", 0)
			for i, state := range []schemas.QuarantineState{schemas.QuarantineDropped, schemas.QuarantineReplayed} {
				must(t, "SetState", s.Quarantine.SetState(t.Context(), "a", state, mark(5)))
				want.State = state
				get(t, s, want)
				want = item("a", 6+i)
				want.Reason = "still no date"
				put(t, s, want)
				get(t, s, want) // open again
			}
			if err := s.Quarantine.SetState(t.Context(), "b", schemas.QuarantineDropped, mark(0)); !errors.Is(err, ingest.ErrNotFound) {
				t.Fatalf("SetState of an unknown item: %v, want ErrNotFound", err)
			}
			if _, err := s.Quarantine.Get(t.Context(), "b"); !errors.Is(err, ingest.ErrNotFound) {
				t.Fatalf("Get of an unknown item: %v, want ErrNotFound", err)
			}
			put(t, s)
		}},
		{"lists", false, func(t *testing.T, s Pipeline) {
			put(t, s, item("d", 1), item("b", 1), item("c", 2), item("a", 3), item("e", 0))
			must(t, "SetState", s.Quarantine.SetState(t.Context(), "c", schemas.QuarantineDropped, mark(9)))
			listed := func(state schemas.QuarantineState, q schemas.ListQuery) (ids []string) {
				t.Helper()
				for _, it := range pages(t, q, func(q schemas.ListQuery) (schemas.Page[schemas.Quarantined], error) {
					return s.Quarantine.List(t.Context(), state, q)
				}) {
					ids = append(ids, it.ID)
				}
				return ids
			}
			same(t, "all", listed("", schemas.ListQuery{}), []string{"e", "b", "d", "c", "a"})
			same(t, "open", listed(schemas.QuarantineOpen, schemas.ListQuery{}), []string{"e", "b", "d", "a"})
			same(t, "dropped", listed(schemas.QuarantineDropped, schemas.ListQuery{}), []string{"c"})
			same(t, "since inclusive, until exclusive", listed("", schemas.ListQuery{Since: mark(1), Until: mark(3)}), []string{"b", "d", "c"})
			same(t, "for one location: none", listed("", schemas.ListQuery{Locations: []string{"North"}}), []string{})
			badCursor(t, func(q schemas.ListQuery) error { _, err := s.Quarantine.List(t.Context(), "", q); return err })
		}},
		{"crash", true, func(t *testing.T, s Pipeline) {
			put(t, s, item("a", 0))
			get(t, s.Reopen(t), item("a", 0))
		}},
		{"keeps milliseconds", false, func(t *testing.T, s Pipeline) {
			it := item("a", 0)
			it.At = it.At.Add(123456789 * time.Nanosecond)
			put(t, s, it)
			it.At = it.At.Truncate(time.Millisecond)
			get(t, s, it)
		}},
	}.run(t, open)
}
