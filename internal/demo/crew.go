package demo

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"redalert/alerting"
	"redalert/schemas"
)

// Crew is the demo's staff: they claim cases, call, write and win customers
// back, so that the pages show a business at work.
type Crew struct {
	desk  *alerting.Desk
	lists alerting.CaseLists
	r     *rand.Rand
}

// NewCrew makes the crew; seed fixes what it does.
func NewCrew(desk *alerting.Desk, lists alerting.CaseLists, seed uint64) *Crew {
	return &Crew{desk: desk, lists: lists, r: rand.New(rand.NewPCG(seed, 7))}
}

// what was done, as staff would write it down.
var evidence = map[schemas.Step][]string{
	schemas.StepOwnUp:        {"Called and said it was our mistake, in so many words.", "Rang at lunch time; owned it, no excuses."},
	schemas.StepApologise:    {"Apologised on the phone; she was glad somebody rang."},
	schemas.StepContain:      {"Stopped the next invoice and blocked the slot for them."},
	schemas.StepFix:          {"Team went back the next morning and finished the job.", "Second visit done, customer checked it on the spot."},
	schemas.StepMakeGood:     {"This visit is free, and the next at half price."},
	schemas.StepWrittenProof: {"Letter sent: what happened, what is fixed, what we changed so it stays fixed."},
	schemas.StepRootCause:    {"The rota was changed on Friday without telling dispatch. Changes now need a second pair of eyes."},
	schemas.StepTellChange:   {"Wrote to say that the office now confirms every visit the evening before."},
	schemas.StepContact:      {"Reached them in the evening."},
	schemas.StepListen:       {"They felt they had become a number. Wants the same team each time."},
	schemas.StepResolve:      {"Agreed on a smaller plan with a fixed team."},
}

// Work lets the crew do a morning's work at now. What a colleague did in
// between, or a rule forbids, is left alone.
func (c *Crew) Work(ctx context.Context, now time.Time) error {
	q, err := c.lists.Queue(ctx, alerting.QueueQuery{Now: now, Limit: 200})
	if err != nil {
		return err
	}
	for _, one := range q.Cases {
		if c.r.IntN(100) < 30 {
			continue // nobody gets round to everything
		}
		if err := c.workOn(ctx, one); err != nil && !harmless(err) {
			return err
		}
	}
	return nil
}

func harmless(err error) bool {
	var conflict *alerting.Conflict
	var denied *alerting.NotAllowed
	var invalid *alerting.Invalid
	var incomplete *alerting.PlaybookIncomplete
	var move *alerting.NotATransition
	return errors.As(err, &conflict) || errors.As(err, &denied) || errors.As(err, &invalid) ||
		errors.As(err, &incomplete) || errors.As(err, &move) || errors.Is(err, alerting.ErrNotFound)
}

func (c *Crew) actor(location string) schemas.Actor {
	people := People()
	for range 4 {
		p := people[c.r.IntN(len(people))]
		a := schemas.Actor{Email: p.Email, Role: p.Role, Locations: p.Locations}
		if p.Role != schemas.RoleOwner && a.Sees(location) {
			return a
		}
	}
	return schemas.Actor{Email: people[1].Email, Role: people[1].Role}
}

func (c *Crew) workOn(ctx context.Context, one schemas.Case) (err error) {
	if one.Assignee == "" {
		if one, err = c.desk.Claim(ctx, c.actor(one.Location), one.ID, one.Version); err != nil || c.r.IntN(3) == 0 {
			return err
		}
	}
	who := c.person(one.Assignee)
	switch {
	case one.State == schemas.StateAcknowledged || one.State == schemas.StateNew:
		_, err = c.begin(ctx, who, one)
	case one.State == schemas.StateInRecovery && c.r.IntN(9) == 0:
		_, err = c.desk.Transition(ctx, who, one.ID, one.Version, schemas.StateWaitingCustomer, "asked which day suits them")
	case one.State == schemas.StateWaitingCustomer && c.r.IntN(2) == 0:
		_, err = c.desk.Transition(ctx, who, one.ID, one.Version, schemas.StateInRecovery, "they answered")
	case one.State == schemas.StateInRecovery:
		err = c.proceed(ctx, who, one)
	}
	return err
}

func (c *Crew) person(email string) schemas.Actor {
	for _, p := range People() {
		if p.Email == email {
			return schemas.Actor{Email: p.Email, Role: p.Role, Locations: p.Locations}
		}
	}
	return schemas.Actor{Email: email, Role: schemas.RoleStaff}
}

func (c *Crew) begin(ctx context.Context, who schemas.Actor, one schemas.Case) (schemas.Case, error) {
	outcome := alerting.CallReached
	if c.r.IntN(4) == 0 {
		outcome = alerting.CallVoicemail
	}
	one, err := c.desk.LogCall(ctx, who, one.ID, one.Version, alerting.Call{Outcome: outcome, Note: "Introduced myself and asked what happened."})
	if err != nil || outcome != alerting.CallReached {
		return one, err
	}
	if one.State == schemas.StateInRecovery {
		return one, nil
	}
	return c.desk.Transition(ctx, who, one.ID, one.Version, schemas.StateInRecovery, "")
}

// proceed does one to three open steps, and ends the case after the last.
func (c *Crew) proceed(ctx context.Context, who schemas.Actor, one schemas.Case) (err error) {
	left := 1 + c.r.IntN(3)
	for _, s := range one.Playbook {
		if s.State != schemas.StepOpen {
			continue
		}
		if left == 0 {
			return nil
		}
		left--
		texts := evidence[s.Step]
		if one, err = c.desk.CompleteStep(ctx, who, one.ID, one.Version, s.Step, texts[c.r.IntN(len(texts))]); err != nil {
			return err
		}
	}
	if c.r.IntN(6) == 0 {
		_, err = c.desk.Transition(ctx, schemas.Actor{Email: People()[1].Email, Role: schemas.RoleManager}, one.ID, one.Version, schemas.StateLost, "went with another firm")
		return err
	}
	_, err = c.desk.Transition(ctx, who, one.ID, one.Version, schemas.StateRecovered, "")
	return err
}
