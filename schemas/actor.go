package schemas

import (
	"slices"
	"strings"
)

// Role is what a person may do.
type Role string

// Every role, rising.
const (
	RoleStaff   Role = "staff"
	RoleManager Role = "manager"
	RoleOwner   Role = "owner"
)

// Rank orders roles: staff 1, manager 2, owner 3; unknown 0.
func (r Role) Rank() int {
	switch r {
	case RoleStaff:
		return 1
	case RoleManager:
		return 2
	case RoleOwner:
		return 3
	}
	return 0
}

// Actor is who does something: a signed-in person, an API token or the system.
type Actor struct {
	Email     string   // or SystemActor, or ProgramActor
	Role      Role     //
	Locations []string // nil or empty = all, records without a location included
}

// programDomain ends the address of a program: reserved by RFC 2606, so that no
// mail can ever be sent to it.
const programDomain = "@token.invalid"

// ProgramActor is the address under which the holder of an API token acts.
func ProgramActor(token string) string { return token + programDomain }

// ProgramOf answers the name of the token that acts under an address.
func ProgramOf(email string) (token string, ok bool) {
	return strings.CutSuffix(email, programDomain)
}

// System is the actor of clock jobs and workers; it may do everything.
func System() Actor { return Actor{Email: SystemActor, Role: RoleOwner} }

// AtLeast reports whether the actor's role is r or above.
func (a Actor) AtLeast(r Role) bool { return a.Role.Rank() >= r.Rank() && r.Rank() > 0 }

// Sees reports whether a record of this location is for the actor. Records
// without a location are for unrestricted users.
func (a Actor) Sees(location string) bool {
	return len(a.Locations) == 0 || slices.Contains(a.Locations, location)
}
