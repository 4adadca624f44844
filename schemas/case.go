package schemas

import "time"

// CaseState is where a case stands. "Pending" is not a word here.
type CaseState string

// Every state. New, Acknowledged, InRecovery and WaitingCustomer are open.
const (
	StateNew             CaseState = "new"
	StateAcknowledged    CaseState = "acknowledged"
	StateInRecovery      CaseState = "in_recovery"
	StateWaitingCustomer CaseState = "waiting_customer"
	StateRecovered       CaseState = "recovered"
	StateLost            CaseState = "lost"
	StateDismissed       CaseState = "dismissed"
)

// Open reports whether a case in this state still needs work.
func (s CaseState) Open() bool {
	return s == StateNew || s == StateAcknowledged || s == StateInRecovery || s == StateWaitingCustomer
}

// OpenStates lists the open states.
func OpenStates() []CaseState {
	return []CaseState{StateNew, StateAcknowledged, StateInRecovery, StateWaitingCustomer}
}

// CaseKind decides which playbook a case follows.
type CaseKind string

// A mistake is ours to own up to; a risk is a customer drifting away.
const (
	KindMistake CaseKind = "mistake"
	KindRisk    CaseKind = "risk"
)

// Step is one step of a recovery playbook.
type Step string

// Every step of both playbooks.
const (
	StepOwnUp        Step = "own_up"
	StepApologise    Step = "apologise"
	StepContain      Step = "contain"
	StepFix          Step = "fix"
	StepMakeGood     Step = "make_good"
	StepWrittenProof Step = "written_proof"
	StepRootCause    Step = "root_cause"
	StepTellChange   Step = "tell_change"
	StepContact      Step = "contact"
	StepListen       Step = "listen"
	StepResolve      Step = "resolve"
)

// StepState is how far a step is.
type StepState string

// A step is open, done with evidence, or overridden with a reason.
const (
	StepOpen       StepState = "open"
	StepDone       StepState = "done"
	StepOverridden StepState = "overridden"
)

// PlaybookStep is one step of a case's playbook, in playbook order.
type PlaybookStep struct {
	Step           Step       `json:"step"`
	State          StepState  `json:"state"`
	Actor          string     `json:"actor"`
	At             *time.Time `json:"at"`
	Evidence       string     `json:"evidence"`
	OverrideReason string     `json:"override_reason"`
}

// SLAStatus sums up a case's response times.
type SLAStatus string

// Active: nothing missed, still open. Hit: closed, nothing missed. Missed:
// closed with a miss. ActiveWithMisses: open with a miss.
const (
	SLAActive           SLAStatus = "active"
	SLAHit              SLAStatus = "hit"
	SLAMissed           SLAStatus = "missed"
	SLAActiveWithMisses SLAStatus = "active_with_misses"
)

// Timer names one of a case's deadlines.
type Timer string

// Every timer.
const (
	TimerFirstResponse Timer = "first_response"
	TimerNextResponse  Timer = "next_response"
	TimerResolution    Timer = "resolution"
)

// Case is one customer (or one thread, while the customer is unknown) that the
// business is about to lose, and its recovery. Version rises by one with each
// change; every update names the version it was made against.
type Case struct {
	ID               string         `json:"id"`
	Number           int64          `json:"number"` // counts up from 1; for people
	State            CaseState      `json:"state"`
	Kind             CaseKind       `json:"kind"`
	Priority         Priority       `json:"priority"`
	Severity         Severity       `json:"severity"`
	Version          int64          `json:"version"`
	Key              string         `json:"key"`         // Event.CaseKey of the first event
	CustomerID       string         `json:"customer_id"` // "" while unknown
	ThreadID         string         `json:"thread_id"`   // last mail thread; replies go there
	Location         string         `json:"location"`
	SourceType       SourceType     `json:"source_type"` // of the first event
	Assignee         string         `json:"assignee"`    // e-mail address; "" = nobody
	Reasons          []Reason       `json:"reasons"`     // of all events, one per code
	Categories       []Category     `json:"categories"`
	EventIDs         []string       `json:"event_ids"`
	Excerpt          string         `json:"excerpt"` // what the customer wrote, first 280 characters, or what happened
	ValueAtRisk      Money          `json:"value_at_risk"`
	OpenedAt         time.Time      `json:"opened_at"`
	UpdatedAt        time.Time      `json:"updated_at"`
	FirstResponseDue *time.Time     `json:"first_response_due"`
	NextResponseDue  *time.Time     `json:"next_response_due"`
	ResolutionDue    *time.Time     `json:"resolution_due"`
	FirstRespondedAt *time.Time     `json:"first_responded_at"`
	PausedAt         *time.Time     `json:"paused_at"` // since when timers stand still
	Missed           []Timer        `json:"missed"`
	SLAStatus        SLAStatus      `json:"sla_status"`
	NextAttemptAt    *time.Time     `json:"next_attempt_at"` // next call, after voicemail or no answer
	SnoozedUntil     *time.Time     `json:"snoozed_until"`
	ClosedAt         *time.Time     `json:"closed_at"`
	CloseReason      string         `json:"close_reason"`
	MergedInto       string         `json:"merged_into"`
	Episode          int            `json:"episode"` // 1, then one more with each reopening
	ReopenedCount    int            `json:"reopened_count"`
	GotThereFirst    bool           `json:"got_there_first"`
	Playbook         []PlaybookStep `json:"playbook"`
}

// Due is the earliest deadline that is still running; nil when the case is
// closed, paused or has none.
func (c Case) Due() *time.Time {
	if !c.State.Open() || c.PausedAt != nil {
		return nil
	}
	var due *time.Time
	for _, d := range []*time.Time{c.FirstResponseDue, c.NextResponseDue, c.ResolutionDue} {
		if d != nil && (due == nil || d.Before(*due)) {
			due = d
		}
	}
	return due
}

// NextMiss is the earliest deadline that is still running and not counted as
// missed yet; nil when there is none, or the case was merged.
func (c Case) NextMiss() *time.Time {
	for _, m := range c.Missed {
		switch m {
		case TimerFirstResponse:
			c.FirstResponseDue = nil
		case TimerNextResponse:
			c.NextResponseDue = nil
		case TimerResolution:
			c.ResolutionDue = nil
		}
	}
	if c.MergedInto != "" {
		return nil
	}
	return c.Due()
}

// Wakes is when a snoozed case that still matters wakes up; nil when it is
// awake, closed or merged.
func (c Case) Wakes() *time.Time {
	if !c.State.Open() || c.MergedInto != "" {
		return nil
	}
	return c.SnoozedUntil
}

// CaseEventKind names what an audit entry tells.
type CaseEventKind string

// Every kind of audit entry.
const (
	AuditOpened          CaseEventKind = "opened"
	AuditEventAdded      CaseEventKind = "event_added"
	AuditReopened        CaseEventKind = "reopened"
	AuditTransition      CaseEventKind = "transition"
	AuditAssigned        CaseEventKind = "assigned"
	AuditNote            CaseEventKind = "note"
	AuditCall            CaseEventKind = "call"
	AuditReply           CaseEventKind = "reply"            // we wrote to the customer
	AuditCustomerMessage CaseEventKind = "customer_message" // the customer wrote, not red
	AuditStepDone        CaseEventKind = "step_done"
	AuditStepOverridden  CaseEventKind = "step_overridden"
	AuditKindChanged     CaseEventKind = "kind_changed"
	AuditMerged          CaseEventKind = "merged"
	AuditSplit           CaseEventKind = "split"
	AuditSnoozed         CaseEventKind = "snoozed"
	AuditTimerMissed     CaseEventKind = "timer_missed"
	AuditDenied          CaseEventKind = "denied" // somebody tried what they may not
)

// SystemActor is the actor of what no person did.
const SystemActor = "system"

// CaseEvent is one entry of a case's audit: who did what, when and why. Seq
// starts at 1 and has no gaps. Entries are never changed or removed.
type CaseEvent struct {
	CaseID  string         `json:"case_id"`
	Seq     int64          `json:"seq"`
	At      time.Time      `json:"at"`
	Actor   string         `json:"actor"` // e-mail address or SystemActor
	Kind    CaseEventKind  `json:"kind"`
	From    string         `json:"from"`
	To      string         `json:"to"`
	Reason  string         `json:"reason"`
	EventID string         `json:"event_id"` // "" when no event caused it
	Detail  map[string]any `json:"detail,omitempty"`
}
