package alerting

import "redalert/schemas"

// transitions is the one table of moves. What is not in it does not happen, by
// whatever door. A closed case goes to new by reopening, which starts another
// episode.
var transitions = map[schemas.CaseState][]schemas.CaseState{
	schemas.StateNew: {schemas.StateAcknowledged, schemas.StateInRecovery,
		schemas.StateLost, schemas.StateDismissed},
	schemas.StateAcknowledged: {schemas.StateInRecovery, schemas.StateNew,
		schemas.StateLost, schemas.StateDismissed},
	schemas.StateInRecovery: {schemas.StateWaitingCustomer, schemas.StateRecovered,
		schemas.StateLost, schemas.StateDismissed},
	schemas.StateWaitingCustomer: {schemas.StateInRecovery, schemas.StateRecovered,
		schemas.StateLost, schemas.StateDismissed},
	schemas.StateRecovered: {schemas.StateNew},
	schemas.StateLost:      {schemas.StateNew},
	schemas.StateDismissed: {schemas.StateNew},
}

// Transitions lists where a case in this state may go, for pages. It does not
// know of permissions or playbooks.
func Transitions(from schemas.CaseState) []schemas.CaseState {
	return append([]schemas.CaseState(nil), transitions[from]...)
}

// CanTransition reports whether the table holds the move.
func CanTransition(from, to schemas.CaseState) bool {
	for _, s := range transitions[from] {
		if s == to {
			return true
		}
	}
	return false
}

// needsRole answers who may make a move, and what to call it; RoleStaff for
// everything that is not reserved.
func needsRole(c schemas.Case, to schemas.CaseState) (schemas.Role, string) {
	switch {
	case to == schemas.StateLost:
		return schemas.RoleManager, "mark a case as lost"
	case to == schemas.StateDismissed && c.Severity == schemas.SeverityCritical:
		return schemas.RoleManager, "dismiss a critical case"
	}
	return schemas.RoleStaff, "work cases"
}
