package alerting

import (
	"fmt"
	"strings"

	"redalert/schemas"
)

// PlaybookIncomplete refuses to close a case as recovered: steps of its kind
// are neither done nor overridden.
type PlaybookIncomplete struct {
	Missing []schemas.Step // in playbook order
}

func (p *PlaybookIncomplete) Error() string {
	names := make([]string, len(p.Missing))
	for i, s := range p.Missing {
		names[i] = string(s)
	}
	return "the playbook is not finished: " + strings.Join(names, ", ")
}

// NotAllowed refuses what needs a higher role. The attempt stands in the
// case's audit.
type NotAllowed struct {
	Action string // what was tried, for people: "mark a case as lost"
	Need   schemas.Role
}

func (n *NotAllowed) Error() string {
	return fmt.Sprintf("only a %s may %s", n.Need, n.Action)
}

// NotATransition refuses a move that is not in the transition table.
type NotATransition struct {
	From, To schemas.CaseState
}

func (n *NotATransition) Error() string {
	return fmt.Sprintf("a case cannot go from %s to %s", n.From, n.To)
}

// Invalid refuses a command because of one of its fields; Message says what to
// do about it and is fit to stand beside the field.
type Invalid struct {
	Field   string // version, reason, evidence, assignee, until, state …
	Message string
}

func (i *Invalid) Error() string { return i.Field + ": " + i.Message }
