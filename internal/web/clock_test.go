package web_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"redalert/internal/web"
	"redalert/schemas"
	"redalert/signals"
	"redalert/signals/churn/risk"
)

// TestCustomerPageSaysWhatTheOutlookRestsOn: on what is usual, and from the first
// fit that is used on the business's own customers.
func TestCustomerPageSaysWhatTheOutlookRestsOn(t *testing.T) {
	s := newSite(t, func(d *web.Deps) {
		d.Risks = &signals.Risks{Context: d.Records.(signals.Context), Fits: d.Records.(signals.Fits), Now: d.Now}
	})
	var scored []schemas.Scored
	for i := range 6 {
		ref := fmt.Sprint("weekly-", i)
		ev := s.event(ref, schemas.OrderPlaced, schemas.Order{OrderRef: ref, Total: &schemas.Money{Amount: 9000, Currency: "EUR"}})
		ev.CustomerID, ev.OrderRef, ev.OccurredAt = s.maria.CustomerID, ref, monday.AddDate(0, 0, -7*i-1)
		scored = append(scored, schemas.Scored{Event: ev, Verdict: schemas.Verdict{EventID: ref}})
	}
	if _, err := s.st.Store(t.Context(), scored); err != nil {
		t.Fatal(err)
	}
	b := s.as("manager")
	customer := "/customers/" + s.maria.CustomerID
	b.get(customer).want(t, 200, "Outlook", "by what is usual in general", "!learned from")
	m := risk.Prior(signals.RiskHorizon)
	doc, err := json.Marshal(signals.RiskFit{At: time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC), Customers: 2434, Used: true, Model: &m})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.st.SaveFit(t.Context(), signals.RiskFitName, doc, monday); err != nil {
		t.Fatal(err)
	}
	b.get(customer).want(t, 200, "Outlook", "learned from 2,434 customers, 2 March", "!in general")
	b.get("/cases/"+s.maria.ID).want(t, 200, "learned from 2,434 customers, 2 March")
}
