package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"redalert/alerting"
	"redalert/internal/memstore"
	"redalert/schemas"
)

// business is the alerting stage as it really runs, over one world.
type business struct {
	world
	desk   *alerting.Desk
	worker *alerting.Worker
	clock  *alerting.Clock
	log    *memstore.Store
}

type fewPeople struct{}

func (fewPeople) Staff(context.Context) ([]alerting.Person, error) {
	return []alerting.Person{{Email: "ana@firm.example", Name: "Ana", Role: schemas.RoleStaff}, {Email: "mo@firm.example", Name: "Mo", Role: schemas.RoleManager}}, nil
}

type plainComposer struct{}

func (plainComposer) Compose(m alerting.Mail) ([]byte, error) {
	return fmt.Appendf(nil, "To: %s\r\nSubject: %s\r\n\r\n%s", m.To, m.Subject, m.Text), nil
}

func businessOver(w world, now *time.Time) *business {
	b := &business{world: w, log: memstore.New()}
	b.desk = alerting.NewDesk(alerting.DeskConfig{Cases: w.cases, Identities: w.people, Settings: w.settings, People: fewPeople{}, Composer: plainComposer{},
		Business: schemas.Business{Name: "Firm", Currency: "EUR"}, PublicURL: "https://firm.example", From: "care@firm.example", Now: func() time.Time { return *now }})
	b.worker = alerting.NewWorker(alerting.WorkerConfig{Desk: b.desk, Reader: b.log.AlertReader("alert"), Wait: func(context.Context, time.Duration) error { return nil }})
	b.clock = alerting.NewClock(alerting.ClockConfig{Desk: b.desk, Lists: w.lists, Schedule: w.schedule, Outbox: w.outbox,
		Digests: alerting.NewDigests(alerting.DigestsConfig{Desk: b.desk, Lists: w.lists, Schedule: w.schedule, Outbox: w.outbox})})
	return b
}

func (b *business) publish(ctx context.Context, n schemas.Notice) error {
	return b.log.PublishAlerts(ctx, []schemas.Notice{n})
}

// drain files everything that waits.
func (b *business) drain(ctx context.Context) error {
	for {
		if n, err := b.worker.Step(ctx); n == 0 || err != nil {
			return err
		}
	}
}

func notice(kind schemas.NoticeKind, id, customer string, sev schemas.Severity, at time.Time) schemas.Notice {
	typ := schemas.EmailReceived
	if kind == schemas.NoticeReply {
		typ = schemas.ReplySent
	}
	return schemas.Notice{Kind: kind, Priority: schemas.PriorityOf(sev, false), ValueAtRisk: schemas.Money{Amount: 124000, Currency: "EUR"},
		Event: schemas.Event{ID: id, Source: "inbox", Type: typ, NativeID: id, CustomerID: customer, ThreadID: "<root@home.example>", Location: "North",
			OccurredAt: at, CollectedAt: at, Data: fmt.Appendf(nil, `{"value_text":"Nobody came, %s","metadata":{"message_id":"<%s@home.example>"}}`, id, id)},
		Verdict: schemas.Verdict{EventID: id, Level: schemas.LevelRed, Red: true, Severity: sev, Probability: 0.9,
			Reasons: []schemas.Reason{{Code: "missed", Message: "waited in vain", Weight: 0.7}}, Categories: []schemas.Category{schemas.CatMissedAppointment}}}
}

// TestBusinessAsInSQLite: the same random commands at the same times — red
// events, words, desk commands at old and new versions, clock, aliases, mail —
// over both stores. Every answer, refusals included, and everything stored
// afterwards is the same, and the rules of cases hold.
func TestBusinessAsInSQLite(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			d := dice{rand.New(rand.NewPCG(seed, 5))}
			now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
			ws := worlds(t)
			bs := [2]*business{businessOver(ws[0], &now), businessOver(ws[1], &now)}
			of := func(w world) *business {
				if w.name == bs[0].name {
					return bs[0]
				}
				return bs[1]
			}
			mails := []string{"a@home.example", "b@home.example", "c@home.example"}
			var customers []string
			for _, m := range mails {
				customers = append(customers, agree(t, ws, "resolve", func(w world) ([]string, error) {
					return w.people.Resolve(t.Context(), []schemas.Sighting{{Customer: schemas.CustomerRef{Email: m, Name: m}, At: now}})
				})...)
			}
			customers = append(customers, "")
			for step := range 45 {
				now = now.Add(time.Duration(1+d.IntN(400)) * time.Minute)
				what := fmt.Sprintf("step %d", step)
				switch d.IntN(8) {
				case 0, 1:
					kind := pick(d, schemas.NoticeRed, schemas.NoticeRed, schemas.NoticeMessage, schemas.NoticeReply)
					n := notice(kind, fmt.Sprint("e", step), pick(d, customers...), pick(d, schemas.SeverityLow, schemas.SeverityHigh, schemas.SeverityCritical), now)
					n.Mistake = d.IntN(2) == 0
					agree(t, ws, what+": file", func(w world) (int, error) {
						if err := of(w).publish(t.Context(), n); err != nil {
							return 0, err
						}
						return 0, of(w).drain(t.Context())
					})
				case 2:
					agree(t, ws, what+": clock", func(w world) (int, error) { return 0, of(w).clock.Due(t.Context(), now) })
				case 3:
					both := schemas.CustomerRef{Ref: pick(d, "K-1", "K-2"), Email: pick(d, mails...)}
					agree(t, ws, what+": alias", func(w world) ([]string, error) {
						return w.people.Resolve(t.Context(), []schemas.Sighting{{Customer: both, At: now}})
					})
				case 4:
					agree(t, ws, what+": mail", func(w world) ([]schemas.Notification, error) { return takeAndFinish(t.Context(), w.outbox, now) })
				default:
					deskCommand(t, d, ws, of, what)
				}
				compareAll(t, ws, what)
			}
			if n := count(t, bs[1].people.(*DB), "case_events"); n < 30 {
				t.Errorf("only %d audit entries came of it; the test proves little", n)
			}
		})
	}
}

// takeAndFinish sends what is due; one is left as a crashed sender would.
func takeAndFinish(ctx context.Context, o alerting.Outbox, now time.Time) ([]schemas.Notification, error) {
	ns, err := o.Take(ctx, now, 2*time.Minute, 5)
	for i, n := range ns {
		if i == 0 || err != nil {
			continue
		}
		n.State, n.At = schemas.NotificationSent, now
		err = o.Finish(ctx, n)
	}
	return ns, err
}

// deskCommand is a random command by anybody on any case, at a version that
// may be old.
func deskCommand(t *testing.T, d dice, ws [2]world, of func(world) *business, what string) {
	t.Helper()
	all := agree(t, ws, what, func(w world) (schemas.Page[schemas.Case], error) {
		return w.lists.List(t.Context(), schemas.ListQuery{})
	})
	if len(all.Items) == 0 {
		return
	}
	c, other := pick(d, all.Items...), pick(d, all.Items...)
	actor := pick(d, schemas.Actor{Email: "ana@firm.example", Role: schemas.RoleStaff}, schemas.Actor{Email: "mo@firm.example", Role: schemas.RoleManager}, schemas.System())
	v := c.Version - int64(d.IntN(6)/5)
	state := pick(d, schemas.StateAcknowledged, schemas.StateInRecovery, schemas.StateInRecovery, schemas.StateWaitingCustomer, schemas.StateRecovered, schemas.StateLost, schemas.StateDismissed)
	step := pick(d, alerting.Steps(c.Kind)...)
	n := d.IntN(9)
	agree(t, ws, fmt.Sprint(what, ": command ", n), func(w world) (schemas.Case, error) {
		desk, ctx := of(w).desk, t.Context()
		switch n {
		case 0:
			return desk.Claim(ctx, actor, c.ID, v)
		case 1:
			return desk.Assign(ctx, actor, c.ID, v, "mo@firm.example", "")
		case 2:
			return desk.CompleteStep(ctx, actor, c.ID, v, step, "done as agreed")
		case 3:
			return desk.Snooze(ctx, actor, c.ID, v, of(w).now().Add(20*time.Hour), "later")
		case 4:
			return desk.Reply(ctx, actor, c.ID, v, alerting.ReplyDraft{Text: "sorry"})
		case 5:
			return desk.Merge(ctx, actor, c.ID, v, other.ID)
		case 6:
			return desk.Split(ctx, actor, c.ID, v, c.EventIDs[:len(c.EventIDs)/2])
		}
		return desk.Transition(ctx, actor, c.ID, v, state, "why")
	})
}

// now is the time of the last change stored; enough to be the same in both.
func (b *business) now() time.Time {
	p, err := b.lists.List(context.Background(), schemas.ListQuery{})
	last := time.Time{}
	for _, c := range p.Items {
		if err == nil && c.UpdatedAt.After(last) {
			last = c.UpdatedAt
		}
	}
	return last
}

func compareAll(t *testing.T, ws [2]world, what string) {
	t.Helper()
	q := schemas.ListQuery{Limit: schemas.MaxPage}
	cases := agree(t, ws, what+": cases", func(w world) (schemas.Page[schemas.Case], error) { return w.lists.List(t.Context(), q) })
	audit := agree(t, ws, what+": audit", func(w world) (schemas.Page[schemas.CaseEvent], error) { return w.lists.CaseEvents(t.Context(), q) })
	agree(t, ws, what+": alerts", func(w world) (schemas.Page[schemas.Alert], error) { return w.lists.Alerts(t.Context(), q) })
	agree(t, ws, what+": mail", func(w world) (schemas.Page[schemas.Notification], error) {
		return w.outbox.Notifications(t.Context(), "", q)
	})
	open, entries := map[string]string{}, map[string]int64{}
	for _, c := range cases.Items {
		if other, ok := open[c.Key]; ok && c.State.Open() {
			t.Fatalf("%s: two open cases of %s: %s and %s", what, c.Key, other, c.ID)
		}
		if c.State.Open() {
			open[c.Key] = c.ID
		}
	}
	for _, e := range audit.Items {
		entries[e.CaseID]++
	}
	for _, e := range audit.Items {
		if e.Seq < 1 || e.Seq > entries[e.CaseID] {
			t.Fatalf("%s: the audit of %s has a gap: %d of %d", what, e.CaseID, e.Seq, entries[e.CaseID])
		}
	}
}
