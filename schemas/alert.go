package schemas

import "time"

// Priority orders the triage queue: severity, one step up for the most
// valuable customers.
type Priority string

// Every priority, rising.
const (
	PriorityLow    Priority = "low"
	PriorityMedium Priority = "medium"
	PriorityHigh   Priority = "high"
	PriorityUrgent Priority = "urgent"
)

// Rank orders priorities: low 1 … urgent 4; unknown 0.
func (p Priority) Rank() int {
	switch p {
	case PriorityLow:
		return 1
	case PriorityMedium:
		return 2
	case PriorityHigh:
		return 3
	case PriorityUrgent:
		return 4
	}
	return 0
}

// PriorityOf maps a severity to its priority: low, medium, high, critical →
// low, medium, high, urgent. bump raises it by one step, at most to urgent.
func PriorityOf(s Severity, bump bool) Priority {
	r := s.Rank()
	if bump {
		r++
	}
	switch {
	case r <= 1:
		return PriorityLow
	case r == 2:
		return PriorityMedium
	case r == 3:
		return PriorityHigh
	}
	return PriorityUrgent
}

// NoticeKind says what an entry of the alerts log tells the alerting stage.
type NoticeKind string

// The alerts log carries red alerts, and beside them the two facts of a
// conversation that move an open case: the customer wrote again without being
// red, and we answered (from whichever door).
const (
	NoticeRed     NoticeKind = "red"
	NoticeMessage NoticeKind = "message"
	NoticeReply   NoticeKind = "reply"
)

// Notice is one entry of the alerts log. It holds all that alerting needs, so
// that cases never read history.
type Notice struct {
	Kind        NoticeKind `json:"kind"`
	Event       Event      `json:"event"`
	Verdict     Verdict    `json:"verdict"`
	Priority    Priority   `json:"priority,omitempty"`
	ValueAtRisk Money      `json:"value_at_risk"`
	Mistake     bool       `json:"mistake,omitempty"` // the case becomes (or is) of kind mistake
}

// Alert is the record of a red event having reached alerting.
type Alert struct {
	EventID    string    `json:"event_id"`
	CaseID     *string   `json:"case_id"` // nil when too old for a case
	RaisedAt   time.Time `json:"raised_at"`
	OpenedCase bool      `json:"opened_case"`
}
