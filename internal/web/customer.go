package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"redalert/alerting"
	"redalert/schemas"
)

// customerCard is a customer as the case page and the customer page show one.
type customerCard struct {
	schemas.Customer
	URL        string
	Name       string
	Value      string // net revenue
	OrderCount int
	LastOrder  *moment
	Since      *moment
	Risk       string
	RiskBasis  string // what it rests on
	Rhythm     chart
	Recent     []orderRow
}

// orderRow is one order in a list.
type orderRow struct {
	Ref, Total, Before, Location string
	State                        schemas.OrderState
	At                           *moment
}

// customerCard sums a customer up, with the latest orders.
func (s *Server) customerCard(ctx context.Context, cust schemas.Customer, clock reader) (*customerCard, error) {
	totals, err := s.Records.Totals(ctx, []string{cust.ID})
	if err != nil {
		return nil, err
	}
	orders, err := s.Records.CustomerOrders(ctx, cust.ID)
	if err != nil {
		return nil, err
	}
	risks, err := s.Risks.Of(ctx, []string{cust.ID})
	if err != nil {
		return nil, err
	}
	if p, ok := risks[cust.ID]; ok {
		cust.ChurnRisk = &p
	}
	t := totals[cust.ID]
	c := &customerCard{Customer: cust, URL: "/customers/" + url.PathEscape(cust.ID), Name: cust.DisplayName(), OrderCount: int(t.Orders),
		Value:     schemas.Money{Amount: t.Revenue, Currency: s.Business.Currency}.Short(),
		LastOrder: clock.ago(&t.LastOrderAt), Since: clock.ago(&t.FirstOrderAt), Risk: risk(cust.ChurnRisk)}
	if c.Risk != "" {
		if c.RiskBasis, err = s.Risks.Basis(ctx); err != nil {
			return nil, err
		}
	}
	c.Rhythm = s.rhythm(orders, clock.zone)
	slices.SortStableFunc(orders, func(a, b schemas.OrderRecord) int { return b.PlacedAt.Compare(a.PlacedAt) })
	for _, o := range orders[:min(len(orders), 30)] {
		row := orderRow{Ref: o.OrderRef, Total: s.money(o.Total).String(), State: o.State, Location: o.Location, At: clock.ago(&o.PlacedAt)}
		if o.PreviousTotal != nil && *o.PreviousTotal != o.Total {
			row.Before = s.money(*o.PreviousTotal).String()
		}
		c.Recent = append(c.Recent, row)
	}
	return c, nil
}

// customerView is the page that answers: who is this?
type customerView struct {
	Shell
	Customer *customerCard
	Cases    []caseRow
	Messages []letter
}

// customerPage shows one customer. An id that became an alias leads to the
// customer's present one.
func (s *Server) customerPage(w http.ResponseWriter, r *http.Request) error {
	ctx, id := r.Context(), r.PathValue("id")
	canonical, err := s.Identities.Canonical(ctx, id)
	if err != nil {
		return err
	}
	if canonical != id {
		http.Redirect(w, r, "/customers/"+url.PathEscape(canonical), http.StatusSeeOther)
		return nil
	}
	cust, err := s.Identities.Customer(ctx, id)
	if err != nil {
		return err
	}
	if !actorOf(r).Sees(cust.Location) {
		return alerting.ErrNotFound
	}
	clock := s.clock(s.zone(r))
	v := customerView{}
	if v.Customer, err = s.customerCard(ctx, cust, clock); err != nil {
		return err
	}
	keys, err := s.Identities.Keys(ctx, id)
	if err != nil {
		return err
	}
	cases, err := s.Cases.ByKeys(ctx, keys)
	if err != nil {
		return err
	}
	cases = slices.DeleteFunc(cases, func(c schemas.Case) bool { return !actorOf(r).Sees(c.Location) })
	if v.Cases, err = s.caseRows(r, cases); err != nil {
		return err
	}
	events, err := s.Records.CustomerEvents(ctx, id, 100)
	if err != nil {
		return err
	}
	for _, e := range events {
		if wrote(e.Event.Type) && len(v.Messages) < 30 {
			v.Messages = append(v.Messages, s.letter(e, clock, ""))
		}
	}
	v.Shell = s.shell(w, r, v.Customer.Name, "customers")
	s.render(w, r, http.StatusOK, "customer", v)
	return nil
}

// wrote reports whether an event is something said, rather than an order.
func wrote(t schemas.EventType) bool {
	return t.IsFeedback() || t == schemas.ReplySent || t == schemas.MistakeReported
}

// customersView is the list of customers.
type customersView struct {
	Shell
	Search string
	Rows   []customerRow
	More   bool
	Next   string
}

// customerRow is one customer in the list.
type customerRow struct {
	URL, Name, Contact, Location, Value string
	Orders                              int64
	LastOrder                           *moment
}

const (
	customersShown   = 50
	customersScanned = 20_000
)

// customers lists customers, or those whose name, address, number or phone
// holds the words searched for.
func (s *Server) customers(w http.ResponseWriter, r *http.Request) error {
	v := customersView{Search: strings.TrimSpace(r.FormValue("q"))}
	q := schemas.ListQuery{Limit: customersShown, Cursor: r.FormValue("cursor"), Locations: visible(actorOf(r))}
	if v.Search != "" {
		q.Limit = 1000
	}
	var found []schemas.Customer
	for scanned := 0; scanned < customersScanned; {
		page, err := s.Identities.Customers(r.Context(), q)
		if err != nil {
			return err
		}
		for _, c := range page.Items {
			if matches(c, v.Search) {
				found = append(found, c)
			}
		}
		scanned += len(page.Items)
		q.Cursor = page.Next
		if len(found) >= customersShown || page.Next == "" {
			break
		}
	}
	if v.More = len(found) > customersShown || q.Cursor != ""; v.Search == "" && q.Cursor != "" {
		v.Next = "/customers?cursor=" + url.QueryEscape(q.Cursor)
	}
	if err := s.customerRows(r, &v, found[:min(len(found), customersShown)]); err != nil {
		return err
	}
	v.Shell = s.shell(w, r, "Customers", "customers")
	s.render(w, r, http.StatusOK, "customers", v)
	return nil
}

func (s *Server) customerRows(r *http.Request, v *customersView, found []schemas.Customer) error {
	ids := make([]string, len(found))
	for i, c := range found {
		ids[i] = c.ID
	}
	totals, err := s.Records.Totals(r.Context(), ids)
	if err != nil {
		return err
	}
	clock := s.clock(s.zone(r))
	for _, c := range found {
		t := totals[c.ID]
		row := customerRow{URL: "/customers/" + url.PathEscape(c.ID), Name: c.DisplayName(), Location: c.Location, Orders: t.Orders,
			Value: schemas.Money{Amount: t.Revenue, Currency: s.Business.Currency}.Short(), LastOrder: clock.ago(&t.LastOrderAt)}
		if row.Contact = c.Email; row.Contact == "" {
			row.Contact = c.Phone
		}
		v.Rows = append(v.Rows, row)
	}
	return nil
}

// matches reports whether every word searched for stands in the customer's
// name, address or references, or its digits in the phone number.
func matches(c schemas.Customer, search string) bool {
	hay := strings.ToLower(c.Name + " " + c.Email + " " + c.Phone + " " + strings.Join(c.Refs, " "))
	phone := digits(c.Phone)
	for w := range strings.FieldsSeq(strings.ToLower(search)) {
		d := digits(w)
		if !strings.Contains(hay, w) && (len(d) < 4 || !strings.Contains(phone, d)) {
			return false
		}
	}
	return true
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}
