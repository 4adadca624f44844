// Package demo makes up a business to try Redalert on: Riverside Home
// Services, three locations, about a thousand customers, fourteen months of
// history and a live feed. Everything is synthetic, written for this purpose,
// and the same for the same seed and day.
//
// Planted, to be found again: a week of missed appointments at Riverside East,
// a price rise that some customers do not forgive, a batch of leaking valves
// at Riverside North, a shy customer who shrinks her orders without a word, and
// an anonymous bad review.
package demo

import (
	"fmt"
	"math/rand/v2"
	"time"

	"redalert/schemas"
)

// Name, Timezone and Currency of the demo business.
const (
	Name     = "Riverside Home Services"
	Timezone = "Europe/Dublin"
	Currency = "EUR"
	Seed     = 20260301
)

// The three locations.
const (
	North   = "Riverside North"
	East    = "Riverside East"
	Harbour = "Harbour"
)

// Locations lists the locations of the demo.
func Locations() []string { return []string{North, East, Harbour} }

// Person is one demo user, one a role.
type Person struct {
	Email, Name string
	Role        schemas.Role
	Locations   []string
}

// People are the users of the demo; the first of each role signs in by one click.
func People() []Person {
	return []Person{
		{"owner@riverside.example", "Olive Marsh", schemas.RoleOwner, nil},
		{"manager@riverside.example", "Martin Reed", schemas.RoleManager, nil},
		{"staff@riverside.example", "Sasha Brook", schemas.RoleStaff, nil},
		{"east@riverside.example", "Edda Vale", schemas.RoleManager, []string{East}},
		{"ana@riverside.example", "Ana Weir", schemas.RoleStaff, []string{North, East}},
	}
}

// plan is what a customer buys and how often.
type plan struct {
	service string
	price   int64 // cents of an ordinary visit
	every   int   // days
	share   int   // of customers, in hundredths
}

var plans = []plan{
	{"house cleaning", 8900, 14, 26},
	{"garden care", 12500, 28, 22},
	{"window cleaning", 6400, 42, 18},
	{"boiler service", 18900, 56, 14},
	{"appliance care", 14200, 49, 12},
	{"deep cleaning", 29500, 42, 8},
}

var firstNames = []string{
	"Maria", "Tom", "Aoife", "Brendan", "Chiara", "Dilip", "Ewa", "Fergus", "Grainne", "Hannah", "Ivan", "Joyce",
	"Karim", "Lena", "Mateo", "Niamh", "Orla", "Pavel", "Quentin", "Rosa", "Sean", "Teresa", "Ursula", "Viktor",
	"Wanda", "Xenia", "Yusuf", "Zofia", "Colm", "Deirdre", "Emil", "Fatima", "Gerard", "Helga", "Imran", "Jana",
}

var lastNames = []string{
	"Keller", "Byrne", "Costa", "Doyle", "Eriksen", "Farrell", "Grant", "Hayes", "Iversen", "Joyce", "Kavanagh",
	"Lund", "Moran", "Nowak", "Okafor", "Petrov", "Quinn", "Ryan", "Santos", "Tierney", "Usher", "Vance", "Walsh",
	"Yilmaz", "Zeman", "Brady", "Corrigan", "Delaney", "Egan", "Foley", "Gallagher", "Healy", "Ingram", "Jansen",
}

// customer is one synthetic customer.
type customer struct {
	ref, name, email, phone, location string
	plan                              plan
	first                             time.Time
	scale                             float64 // size of their orders against the plan's price
	leaves                            time.Time
	shy                               bool
}

func (c customer) asRef() *schemas.CustomerRef {
	return &schemas.CustomerRef{Ref: c.ref, Email: c.email, Phone: c.phone, Name: c.name}
}

const customers = 1000

func makeCustomers(r *rand.Rand, start, end time.Time) []customer {
	cs := make([]customer, customers)
	for i := range cs {
		first, last := firstNames[r.IntN(len(firstNames))], lastNames[r.IntN(len(lastNames))]
		c := customer{
			ref:   fmt.Sprintf("R%04d", 1001+i),
			name:  first + " " + last,
			email: fmt.Sprintf("%s.%s%d@mail.example", lower(first), lower(last), i+1),
			phone: fmt.Sprintf("+353 1 555 %04d", i),
			plan:  pickPlan(r),
			scale: 0.8 + 0.5*r.Float64(),
		}
		switch p := r.IntN(100); {
		case p < 45:
			c.location = North
		case p < 78:
			c.location = East
		default:
			c.location = Harbour
		}
		// Two thirds were there from the start; the rest arrived since.
		span := int(end.Sub(start).Hours() / 24)
		c.first = start.AddDate(0, 0, r.IntN(c.plan.every))
		if r.IntN(3) == 0 {
			c.first = start.AddDate(0, 0, r.IntN(span))
		}
		// Some leave quietly, as everywhere.
		if r.IntN(100) < 14 {
			c.leaves = start.AddDate(0, 0, 60+r.IntN(span-60))
		}
		cs[i] = c
	}
	shy := &cs[7]
	shy.name, shy.shy, shy.location, shy.plan = "Wanda Lund", true, Harbour, plans[0]
	shy.email, shy.first, shy.leaves, shy.scale = "wanda.lund8@mail.example", start, time.Time{}, 1.6
	return cs
}

func pickPlan(r *rand.Rand) plan {
	n := r.IntN(100)
	for _, p := range plans {
		if n -= p.share; n < 0 {
			return p
		}
	}
	return plans[0]
}

func lower(s string) string {
	b := []byte(s)
	for i := range b {
		if b[i] >= 'A' && b[i] <= 'Z' {
			b[i] += 'a' - 'A'
		}
	}
	return string(b)
}
