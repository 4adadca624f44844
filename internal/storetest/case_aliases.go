package storetest

import (
	"errors"
	"testing"

	"redalert/alerting"
	"redalert/schemas"
)

// aliased makes a customer that was known by e-mail first and has a number now.
func aliased(t *testing.T, s Alerting) (was, is string) {
	t.Helper()
	byMail := schemas.Sighting{Customer: schemas.CustomerRef{Email: "Maria@example.com", Name: "Maria Keller", Phone: "+49 171 555 0123"}, At: day}
	ids, err := s.Identities.Resolve(t.Context(), []schemas.Sighting{byMail})
	if err != nil {
		t.Fatal(err)
	}
	byMail.Customer.Ref = "K-77"
	later, err := s.Identities.Resolve(t.Context(), []schemas.Sighting{byMail})
	if err != nil {
		t.Fatal(err)
	}
	if ids[0] == later[0] || ids[0] == "" || later[0] == "" {
		t.Fatalf("ids %q and %q do not make an alias", ids, later)
	}
	return ids[0], later[0]
}

func casesAliases(t *testing.T, s Alerting) {
	was, is := aliased(t, s)
	apply(t, s, opening(aCase("c1", was, 0)))
	closed := aCase("c2", is, 1)
	closed.State = schemas.StateLost
	apply(t, s, opening(closed))
	for _, key := range []string{was, is} {
		got, err := s.Cases.ByKeys(t.Context(), []string{key})
		if err != nil {
			t.Fatal(err)
		}
		same(t, "by "+key, caseIDs(got), []string{"c2", "c1"})
	}
}

func casesAliasOpen(t *testing.T, s Alerting) {
	was, is := aliased(t, s)
	apply(t, s, opening(aCase("c1", was, 0)))
	_, err := s.Cases.Apply(t.Context(), opening(aCase("c2", is, 1)))
	var conflict *alerting.Conflict
	if !errors.As(err, &conflict) {
		t.Fatalf("open case under the new id beside one under the old: %v", err)
	}
}

func casesRecordAlert(t *testing.T, s Alerting) {
	a := schemas.Alert{EventID: "old", RaisedAt: day}
	for range 2 {
		if err := s.Cases.RecordAlert(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	p, err := s.Lists.Alerts(t.Context(), schemas.ListQuery{})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "alerts", p.Items, []schemas.Alert{a})
	c := aCase("c1", "cust-1", 0)
	c.EventIDs = []string{"old"}
	if _, err := s.Cases.Apply(t.Context(), opening(c)); !errors.Is(err, alerting.ErrAlreadyFiled) {
		t.Fatalf("a recorded event opens no case: %v", err)
	}
}
