package web

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"redalert/alerting"
	"redalert/internal/auth"
	"redalert/schemas"
)

// lookup answers names for one request and remembers them while it lasts. It
// is used by one goroutine.
type lookup struct {
	s         *Server
	ctx       context.Context
	people    map[string]auth.User
	customers map[string]schemas.Customer
}

func (s *Server) lookup(r *http.Request) (*lookup, error) {
	users, err := s.Auth.Users(r.Context())
	if err != nil {
		return nil, err
	}
	l := &lookup{s: s, ctx: r.Context(), people: map[string]auth.User{}, customers: map[string]schemas.Customer{}}
	for _, u := range users {
		l.people[u.Email] = u
	}
	return l, nil
}

// name says who an actor is: a colleague's name, else what is known.
func (l *lookup) name(actor string) string {
	if u, ok := l.people[actor]; ok && u.Name != "" {
		return u.Name
	}
	if program, ok := schemas.ProgramOf(actor); ok {
		return "the program “" + program + "”"
	}
	if actor == schemas.SystemActor {
		return "Redalert"
	}
	return actor
}

// customer finds a customer; ok is false while nobody knows who it is.
func (l *lookup) customer(id string) (c schemas.Customer, ok bool, err error) {
	if id == "" {
		return c, false, nil
	}
	if c, ok := l.customers[id]; ok {
		return c, c.ID != "", nil
	}
	c, err = l.s.Identities.Customer(l.ctx, id)
	if errors.Is(err, alerting.ErrNotFound) {
		c, err = schemas.Customer{}, nil
	}
	if err != nil {
		return c, false, err
	}
	l.customers[id] = c
	return c, c.ID != "", nil
}

// who names the customer of a case, or says that nobody knows yet.
func (l *lookup) who(c schemas.Case) (string, error) {
	cust, ok, err := l.customer(c.CustomerID)
	if err != nil || ok {
		return cust.DisplayName(), err
	}
	if c.SourceType == schemas.SourceReview {
		return "Anonymous reviewer", nil
	}
	return "Unknown customer", nil
}

// assignable lists the enabled colleagues who see a location, by name.
func (l *lookup) assignable(location string) []*person {
	var out []*person
	for _, u := range l.people {
		if !u.Disabled && u.Actor().Sees(location) {
			out = append(out, newPerson(u.Email, u.Name, u.Role))
		}
	}
	slices.SortFunc(out, func(a, b *person) int { return strings.Compare(a.Name+a.Email, b.Name+b.Email) })
	return out
}

// locations lists the places the actor may filter by.
func (s *Server) locations(ctx context.Context, a schemas.Actor) ([]string, error) {
	set, err := s.Settings.Load(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, l := range set.Locations {
		if a.Sees(l.Name) {
			out = append(out, l.Name)
		}
	}
	for _, l := range a.Locations {
		if !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	return out, nil
}
