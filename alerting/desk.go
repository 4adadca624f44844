package alerting

import (
	"context"
	"log/slog"
	"time"

	"redalert/schemas"
)

// DeskConfig is what a Desk needs.
type DeskConfig struct {
	Cases      Cases
	Identities Identities
	Settings   SettingsStore
	People     People
	Business   schemas.Business
	Composer   Composer
	PublicURL  string // links in mail, without a trailing slash
	From       string // our address in mail: "Name <address>" or a bare address
	Now        func() time.Time
	Log        *slog.Logger
}

// Call is one phone call to the customer.
type Call struct {
	Outcome       string // CallReached, CallVoicemail or CallNoAnswer
	Note          string
	NextAttemptAt *time.Time // nil after voicemail or no answer: four business hours later
}

// What a call may end in.
const (
	CallReached   = "reached"
	CallVoicemail = "voicemail"
	CallNoAnswer  = "no_answer"
)

// ReplyDraft is an answer to the customer, in the thread they wrote in.
type ReplyDraft struct {
	Subject string // "" = "Re: " and the subject of the thread
	Text    string
}

// Desk is where people work cases: every door (pages, API, bulk, clock) goes
// through it, so that no rule can be got round. Each method answers the case
// as stored, or *Conflict, ErrNotFound (also when the actor may not see the
// case), *PlaybookIncomplete, *NotAllowed, *NotATransition or *Invalid.
// Version is the one the actor saw. Methods may be called concurrently.
type Desk struct{ cfg DeskConfig }

// NewDesk builds a Desk.
func NewDesk(cfg DeskConfig) *Desk { return &Desk{cfg: cfg} }

// Claim makes the actor the assignee and moves a new case to acknowledged.
// Another's case is a *Conflict naming its assignee.
func (d *Desk) Claim(ctx context.Context, actor schemas.Actor, id string, version int64) (schemas.Case, error) {
	return schemas.Case{}, nil
}

// Assign hands the case to an enabled user who sees its location ("" = to
// nobody) and tells them by mail unless they did it themselves.
func (d *Desk) Assign(ctx context.Context, actor schemas.Actor, id string, version int64, assignee, reason string) (schemas.Case, error) {
	return schemas.Case{}, nil
}

// Transition moves the case along the table. Lost and dismissed need a reason;
// lost, and dismissing what is critical, need a manager; recovered needs the
// whole playbook. A closed case goes to new by reopening.
func (d *Desk) Transition(ctx context.Context, actor schemas.Actor, id string, version int64, to schemas.CaseState, reason string) (schemas.Case, error) {
	return schemas.Case{}, nil
}

// CompleteStep marks a step of the playbook as done.
func (d *Desk) CompleteStep(ctx context.Context, actor schemas.Actor, id string, version int64, step schemas.Step, evidence string) (schemas.Case, error) {
	return schemas.Case{}, nil
}

// OverrideStep lets a manager pass over a step, with a reason.
func (d *Desk) OverrideStep(ctx context.Context, actor schemas.Actor, id string, version int64, step schemas.Step, reason string) (schemas.Case, error) {
	return schemas.Case{}, nil
}

// LogCall notes a phone call.
func (d *Desk) LogCall(ctx context.Context, actor schemas.Actor, id string, version int64, call Call) (schemas.Case, error) {
	return schemas.Case{}, nil
}

// AddNote adds a note for colleagues; closed cases take notes too.
func (d *Desk) AddNote(ctx context.Context, actor schemas.Actor, id string, version int64, text string) (schemas.Case, error) {
	return schemas.Case{}, nil
}

// Reply queues a mail to the customer.
func (d *Desk) Reply(ctx context.Context, actor schemas.Actor, id string, version int64, draft ReplyDraft) (schemas.Case, error) {
	return schemas.Case{}, nil
}

// SetKind changes the playbook. Mistake to risk needs a manager.
func (d *Desk) SetKind(ctx context.Context, actor schemas.Actor, id string, version int64, kind schemas.CaseKind, reason string) (schemas.Case, error) {
	return schemas.Case{}, nil
}

// Merge moves everything of case id into intoID and closes id. It answers the
// case that stays: intoID.
func (d *Desk) Merge(ctx context.Context, actor schemas.Actor, id string, version int64, intoID string) (schemas.Case, error) {
	return schemas.Case{}, nil
}

// Split moves events into a new case and answers the new one.
func (d *Desk) Split(ctx context.Context, actor schemas.Actor, id string, version int64, eventIDs []string) (schemas.Case, error) {
	return schemas.Case{}, nil
}

// Snooze hides the case from triage until an instant in the future. Its timers
// go on.
func (d *Desk) Snooze(ctx context.Context, actor schemas.Actor, id string, version int64, until time.Time, reason string) (schemas.Case, error) {
	return schemas.Case{}, nil
}
