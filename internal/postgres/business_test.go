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
		Event: schemas.Event{ID: id, Source: "inbox", Type: typ, NativeID: id, CustomerID: customer, ThreadID: "<root of " + customer + ">", Location: "North",
			OccurredAt: at, CollectedAt: at, Data: fmt.Appendf(nil, `{"value_text":"Nobody came, %s","metadata":{"message_id":"<%s@home.example>"}}`, id, id)},
		Verdict: schemas.Verdict{EventID: id, Level: schemas.LevelRed, Red: true, Severity: sev, Probability: 0.9,
			Reasons: []schemas.Reason{{Code: "missed", Message: "waited in vain", Weight: 0.7}}, Categories: []schemas.Category{schemas.CatMissedAppointment}}}
}

// twins are the same business over both stores, at the same time.
type twins struct {
	dice
	ws        [2]world
	of        map[string]*business
	now       time.Time
	customers []string
}

var homes = []string{"a@home.example", "b@home.example", "c@home.example", "d@home.example", "e@home.example"}

func twinsOf(t *testing.T, seed uint64) *twins {
	tw := &twins{dice: dice{rand.New(rand.NewPCG(seed, 5))}, ws: worlds(t), now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	tw.of = map[string]*business{}
	for _, w := range tw.ws {
		tw.of[w.name] = businessOver(w, &tw.now)
	}
	for _, m := range homes {
		tw.customers = append(tw.customers, agree(t, tw.ws, "resolve", func(w world) ([]string, error) {
			return w.people.Resolve(t.Context(), []schemas.Sighting{{Customer: schemas.CustomerRef{Email: m, Name: m}, At: tw.now}})
		})...)
	}
	tw.customers = append(tw.customers, "")
	return tw
}

// TestBusinessAsInSQLite: the same random commands at the same times — red
// events, words, desk commands at old and new versions, clock, aliases, mail —
// over both stores. Every answer, refusals included, and everything stored
// afterwards is the same, and the rules of cases hold.
func TestBusinessAsInSQLite(t *testing.T) {
	entries := 0
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			tw := twinsOf(t, seed)
			for step := range 50 {
				tw.now = tw.now.Add(time.Duration(1+tw.IntN(400)) * time.Minute)
				tw.step(t, fmt.Sprint("step ", step))
				compareAll(t, tw.ws, fmt.Sprint("step ", step))
			}
			entries += count(t, tw.ws[1].people.(*DB), "case_events")
		})
	}
	if entries < 100 {
		t.Errorf("only %d audit entries came of it; the test proves little", entries)
	}
}

func (tw *twins) step(t *testing.T, what string) {
	t.Helper()
	switch d := tw.dice; d.IntN(10) {
	case 0, 1, 2:
		kind := pick(d, schemas.NoticeRed, schemas.NoticeRed, schemas.NoticeMessage, schemas.NoticeReply)
		n := notice(kind, "event of "+what, pick(d, tw.customers...), pick(d, schemas.SeverityLow, schemas.SeverityHigh, schemas.SeverityCritical), tw.now)
		n.Mistake = d.IntN(2) == 0
		agree(t, tw.ws, what+": file", func(w world) (int, error) {
			if err := tw.of[w.name].publish(t.Context(), n); err != nil {
				return 0, err
			}
			return 0, tw.of[w.name].drain(t.Context())
		})
	case 3:
		agree(t, tw.ws, what+": clock", func(w world) (int, error) { return 0, tw.of[w.name].clock.Due(t.Context(), tw.now) })
	case 4:
		i := d.IntN(len(homes))
		both := schemas.CustomerRef{Ref: fmt.Sprint("K-", i/2), Email: homes[i]}
		agree(t, tw.ws, what+": alias", func(w world) ([]string, error) {
			return w.people.Resolve(t.Context(), []schemas.Sighting{{Customer: both, At: tw.now}})
		})
	case 5:
		agree(t, tw.ws, what+": mail", func(w world) ([]schemas.Notification, error) { return takeAndFinish(t.Context(), w.outbox, tw.now) })
	default:
		tw.deskCommand(t, what)
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
func (tw *twins) deskCommand(t *testing.T, what string) {
	t.Helper()
	d, ws := tw.dice, tw.ws
	all := agree(t, ws, what, func(w world) (schemas.Page[schemas.Case], error) {
		return w.lists.List(t.Context(), schemas.ListQuery{})
	})
	if len(all.Items) == 0 {
		return
	}
	c, other := pick(d, all.Items...), pick(d, all.Items...)
	for range 3 * d.IntN(4) { // mostly one that is open
		if !c.State.Open() {
			c = pick(d, all.Items...)
		}
	}
	actor := pick(d, schemas.Actor{Email: "ana@firm.example", Role: schemas.RoleStaff}, schemas.Actor{Email: "mo@firm.example", Role: schemas.RoleManager}, schemas.System())
	v := c.Version - int64(d.IntN(6)/5)
	state := pick(d, schemas.StateAcknowledged, schemas.StateInRecovery, schemas.StateInRecovery, schemas.StateWaitingCustomer, schemas.StateRecovered, schemas.StateLost, schemas.StateDismissed)
	step := pick(d, alerting.Steps(c.Kind)...)
	n := d.IntN(9)
	agree(t, ws, fmt.Sprint(what, ": command ", n), func(w world) (schemas.Case, error) {
		desk, ctx := tw.of[w.name].desk, t.Context()
		switch n {
		case 0:
			return desk.Claim(ctx, actor, c.ID, v)
		case 1:
			return desk.Assign(ctx, actor, c.ID, v, "mo@firm.example", "")
		case 2:
			return desk.CompleteStep(ctx, actor, c.ID, v, step, "done as agreed")
		case 3:
			return desk.Snooze(ctx, actor, c.ID, v, tw.now.Add(20*time.Hour), "later")
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
