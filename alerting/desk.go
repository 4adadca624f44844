package alerting

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
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
	PublicURL  string // links in mail
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
type Desk struct {
	cfg    DeskConfig
	domain string // of Message-IDs
}

// NewDesk builds a Desk. Now defaults to time.Now, Log to silence.
func NewDesk(cfg DeskConfig) *Desk {
	cfg.PublicURL = strings.TrimRight(cfg.PublicURL, "/")
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Log = orSilent(cfg.Log)
	return &Desk{cfg: cfg, domain: mailDomain(cfg.From, cfg.PublicURL)}
}

func orSilent(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}

// instant is the time in the form that stores keep: UTC, whole milliseconds.
func instant(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// permission is what a command needs of its actor, given the case.
type permission func(c schemas.Case) (schemas.Role, string)

func anyone(schemas.Case) (schemas.Role, string) { return schemas.RoleStaff, "work cases" }

// do runs one command: find, see, may, version, change, store.
func (d *Desk) do(ctx context.Context, actor schemas.Actor, id string, version int64, need permission, cmd func(*edit) error) (schemas.Case, error) {
	e, err := d.open(ctx, actor, id, version, need)
	if err != nil {
		return schemas.Case{}, err
	}
	if err := cmd(e); err != nil {
		return schemas.Case{}, err
	}
	if len(e.audit) == 0 {
		return e.before, nil // nothing to do, such as a second click
	}
	cs, err := d.store(ctx, e)
	if err != nil {
		return schemas.Case{}, err
	}
	return cs[0], nil
}

// open loads a case for a command and checks sight, permission and version.
func (d *Desk) open(ctx context.Context, actor schemas.Actor, id string, version int64, need permission) (*edit, error) {
	e, err := d.load(ctx, actor, id)
	if err != nil {
		return nil, err
	}
	if role, action := need(e.before); !actor.AtLeast(role) {
		n := &NotAllowed{Action: action, Need: role}
		if _, err := d.cfg.Cases.Apply(ctx, e.denied(n)); err != nil && !isConflict(err) {
			return nil, fmt.Errorf("note a denied attempt on case %s: %w", id, err)
		}
		return nil, n
	}
	if version <= 0 {
		return nil, &Invalid{"version", "Say which version of the case you saw."}
	}
	if !e.seen(version) {
		return nil, &Conflict{By: lastActor(e.past, actor.Email), Version: e.before.Version}
	}
	return e, nil
}

// load finds a case the actor may see, with its audit.
func (d *Desk) load(ctx context.Context, actor schemas.Actor, id string) (*edit, error) {
	c, err := d.cfg.Cases.Case(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("case %s: %w", id, err)
	}
	if !actor.Sees(c.Location) {
		return nil, fmt.Errorf("case %s: %w", id, ErrNotFound)
	}
	return d.edit(ctx, actor, c)
}

// edit begins an edit of a case that has been read.
func (d *Desk) edit(ctx context.Context, actor schemas.Actor, c schemas.Case) (*edit, error) {
	past, err := d.cfg.Cases.Audit(ctx, c.ID)
	if err != nil {
		return nil, fmt.Errorf("audit of case %s: %w", c.ID, err)
	}
	s, err := d.cfg.Settings.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("load settings: %w", err)
	}
	return newEdit(c, past, actor, instant(d.cfg.Now()), s, d.cfg.Business), nil
}

// store renders and applies edits in one transaction.
func (d *Desk) store(ctx context.Context, edits ...*edit) ([]schemas.Case, error) {
	changes := make([]Change, len(edits))
	for i, e := range edits {
		ns, err := d.render(ctx, e)
		if err != nil {
			return nil, err
		}
		changes[i] = e.change()
		changes[i].Notifications = ns
	}
	return d.cfg.Cases.Apply(ctx, changes...)
}

func isConflict(err error) bool {
	var c *Conflict
	return errors.As(err, &c)
}

// lastActor is who made the newest change, a person rather than the system if
// one is to be named.
func lastActor(past []schemas.CaseEvent, not string) string {
	by := schemas.SystemActor
	for i := len(past) - 1; i >= 0; i-- {
		switch a := past[i].Actor; {
		case past[i].Kind == schemas.AuditDenied:
		case a != schemas.SystemActor && a != not:
			return a
		case a == not:
			by = a
		}
	}
	return by
}

// Claim makes the actor the assignee and moves a new case to acknowledged.
// Another's case is a *Conflict naming its assignee, whatever the version.
func (d *Desk) Claim(ctx context.Context, actor schemas.Actor, id string, version int64) (schemas.Case, error) {
	c, err := d.do(ctx, actor, id, version, anyone, claim)
	var conflict *Conflict
	if errors.As(err, &conflict) {
		if now, lerr := d.cfg.Cases.Case(ctx, id); lerr == nil && now.Assignee != "" && now.Assignee != actor.Email {
			return c, &Conflict{By: now.Assignee, Version: now.Version}
		}
	}
	return c, err
}

// Assign hands the case to an enabled user who sees its location ("" = to
// nobody) and tells them by mail unless they did it themselves.
func (d *Desk) Assign(ctx context.Context, actor schemas.Actor, id string, version int64, assignee, reason string) (schemas.Case, error) {
	staff, err := d.cfg.People.Staff(ctx)
	if err != nil {
		return schemas.Case{}, fmt.Errorf("list staff: %w", err)
	}
	return d.do(ctx, actor, id, version, anyone, func(e *edit) error { return assign(e, assignee, reason, staff) })
}

// Transition moves the case along the table. Lost and dismissed need a reason;
// lost, and dismissing what is critical, need a manager; recovered needs the
// whole playbook. A closed case goes to new by reopening.
func (d *Desk) Transition(ctx context.Context, actor schemas.Actor, id string, version int64, to schemas.CaseState, reason string) (schemas.Case, error) {
	return d.do(ctx, actor, id, version,
		func(c schemas.Case) (schemas.Role, string) { return needsRole(c, to) },
		func(e *edit) error { return transition(e, to, reason) })
}

// CompleteStep marks a step of the playbook as done. Evidence may be empty
// where the episode holds some: a call that reached the customer for own_up
// and contact, a reply by mail for written_proof. A phone call alone is no
// written proof.
func (d *Desk) CompleteStep(ctx context.Context, actor schemas.Actor, id string, version int64, step schemas.Step, evidence string) (schemas.Case, error) {
	return d.do(ctx, actor, id, version, anyone, func(e *edit) error { return completeStep(e, step, evidence) })
}

// OverrideStep lets a manager pass over a step, with a reason.
func (d *Desk) OverrideStep(ctx context.Context, actor schemas.Actor, id string, version int64, step schemas.Step, reason string) (schemas.Case, error) {
	return d.do(ctx, actor, id, version,
		func(schemas.Case) (schemas.Role, string) { return schemas.RoleManager, "leave a step out" },
		func(e *edit) error { return overrideStep(e, step, reason) })
}

// LogCall notes a phone call. Reached and voicemail count as a response.
func (d *Desk) LogCall(ctx context.Context, actor schemas.Actor, id string, version int64, call Call) (schemas.Case, error) {
	return d.do(ctx, actor, id, version, anyone, func(e *edit) error { return logCall(e, call) })
}

// AddNote adds a note for colleagues; closed cases take notes too.
func (d *Desk) AddNote(ctx context.Context, actor schemas.Actor, id string, version int64, text string) (schemas.Case, error) {
	return d.do(ctx, actor, id, version, anyone, func(e *edit) error { return addNote(e, text) })
}

// Reply queues a mail to the customer in the thread of their last mail; it
// counts as a response. It is *Invalid (field customer) when no address is
// known or the customer asked not to be written to.
func (d *Desk) Reply(ctx context.Context, actor schemas.Actor, id string, version int64, draft ReplyDraft) (schemas.Case, error) {
	return d.do(ctx, actor, id, version, anyone, func(e *edit) error {
		customer, err := d.customer(ctx, e.c.CustomerID)
		if err != nil {
			return err
		}
		return reply(e, draft, customer)
	})
}

// SetKind changes the playbook: risk to mistake adds steps and keeps what is
// done; mistake to risk needs a manager.
func (d *Desk) SetKind(ctx context.Context, actor schemas.Actor, id string, version int64, kind schemas.CaseKind, reason string) (schemas.Case, error) {
	need := func(c schemas.Case) (schemas.Role, string) {
		if c.Kind == schemas.KindMistake && kind == schemas.KindRisk {
			return schemas.RoleManager, "turn a mistake into a risk"
		}
		return anyone(c)
	}
	return d.do(ctx, actor, id, version, need, func(e *edit) error { return setKind(e, kind, reason) })
}

// Merge moves everything of case id into intoID, both open, and closes id
// (dismissed, MergedInto set). It answers the case that stays: intoID.
func (d *Desk) Merge(ctx context.Context, actor schemas.Actor, id string, version int64, intoID string) (schemas.Case, error) {
	from, err := d.open(ctx, actor, id, version, anyone)
	if err != nil {
		return schemas.Case{}, err
	}
	if id == intoID {
		return schemas.Case{}, &Invalid{"into", "Pick another case to merge into."}
	}
	into, err := d.load(ctx, actor, intoID)
	if errors.Is(err, ErrNotFound) {
		return schemas.Case{}, &Invalid{"into", "There is no such case."}
	}
	if err != nil {
		return schemas.Case{}, err
	}
	for _, c := range []schemas.Case{from.c, into.c} {
		if err := closed(c); err != nil {
			return schemas.Case{}, err
		}
	}
	into.now = from.now
	mergeInto(into, from, "merged by hand")
	cs, err := d.store(ctx, from, into)
	if err != nil {
		return schemas.Case{}, err
	}
	return cs[1], nil
}

// Split moves some of the case's events into a new case, which belongs to no
// known customer until a person or a later event says to whom, and answers the
// new case.
func (d *Desk) Split(ctx context.Context, actor schemas.Actor, id string, version int64, eventIDs []string) (schemas.Case, error) {
	e, err := d.open(ctx, actor, id, version, anyone)
	if err != nil {
		return schemas.Case{}, err
	}
	n, err := splitOff(e, eventIDs, d.cfg.Business)
	if err != nil {
		return schemas.Case{}, err
	}
	cs, err := d.store(ctx, e, n)
	if err != nil {
		return schemas.Case{}, err
	}
	return cs[1], nil
}

// Snooze hides the case from triage until an instant in the future. Its timers
// go on, and a word from the customer ends it.
func (d *Desk) Snooze(ctx context.Context, actor schemas.Actor, id string, version int64, until time.Time, reason string) (schemas.Case, error) {
	return d.do(ctx, actor, id, version, anyone, func(e *edit) error { return snooze(e, until, reason) })
}
