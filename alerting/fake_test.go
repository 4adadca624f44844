package alerting

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"redalert/schemas"
)

// fakeStore is every port of alerting in memory, with the rules an adapter has
// to hold. crash makes the next call fail before or after it took effect.
type fakeStore struct {
	cases    map[string]schemas.Case
	audit    map[string][]schemas.CaseEvent
	alerts   map[string]schemas.Alert
	notes    map[schemas.NotificationKey]schemas.Notification
	aliases  map[string]string
	people   map[string]schemas.Customer
	staff    []Person
	settings schemas.Settings
	done     map[string]bool
	log      []schemas.Notice
	pos      int
	crash    func(op string) (before, after bool)
	versions map[string][]int64
}

var errCrash = errors.New("crashed")

func newFake() *fakeStore {
	return &fakeStore{cases: map[string]schemas.Case{}, audit: map[string][]schemas.CaseEvent{}, alerts: map[string]schemas.Alert{},
		notes: map[schemas.NotificationKey]schemas.Notification{}, aliases: map[string]string{}, people: map[string]schemas.Customer{},
		settings: schemas.DefaultSettings(), done: map[string]bool{}, versions: map[string][]int64{}}
}

func (f *fakeStore) faults(op string) (before, after bool) {
	if f.crash == nil {
		return false, false
	}
	return f.crash(op)
}

func (f *fakeStore) canon(id string) string {
	if c, ok := f.aliases[id]; ok {
		return c
	}
	return id
}

func (f *fakeStore) Case(_ context.Context, id string) (schemas.Case, error) {
	c, ok := f.cases[id]
	if !ok {
		return c, ErrNotFound
	}
	return cloneCase(c), nil
}

func (f *fakeStore) ByKeys(_ context.Context, keys []string) ([]schemas.Case, error) {
	want := map[string]bool{}
	for _, k := range keys {
		want[f.canon(k)] = true
	}
	var out []schemas.Case
	for _, c := range f.cases {
		if c.MergedInto == "" && (want[f.canon(c.Key)] || (c.CustomerID != "" && want[f.canon(c.CustomerID)])) {
			out = append(out, cloneCase(c))
		}
	}
	slices.SortFunc(out, func(a, b schemas.Case) int { return cmp.Compare(b.Number, a.Number) })
	return out, nil
}

func (f *fakeStore) Audit(_ context.Context, id string) ([]schemas.CaseEvent, error) {
	return slices.Clone(f.audit[id]), nil
}

func (f *fakeStore) RecordAlert(_ context.Context, a schemas.Alert) error {
	if before, _ := f.faults("record"); before {
		return errCrash
	}
	if _, ok := f.alerts[a.EventID]; !ok {
		f.alerts[a.EventID] = a
	}
	return nil
}

func (f *fakeStore) Apply(_ context.Context, changes ...Change) ([]schemas.Case, error) {
	before, after := f.faults("apply")
	if before {
		return nil, errCrash
	}
	if err := f.check(changes); err != nil {
		return nil, err
	}
	var out []schemas.Case
	for _, ch := range changes {
		c := cloneCase(ch.Case)
		c.Version = ch.Before + 1
		if ch.Before == 0 {
			c.Number = int64(len(f.cases) + 1)
		}
		f.cases[c.ID] = c
		f.versions[c.ID] = append(f.versions[c.ID], c.Version)
		for _, a := range ch.Audit {
			a.Seq = int64(len(f.audit[c.ID]) + 1)
			a.Detail = throughJSON(a.Detail)
			f.audit[c.ID] = append(f.audit[c.ID], a)
		}
		if ch.Filed != nil {
			f.alerts[ch.Filed.EventID] = *ch.Filed
		}
		_ = f.Enqueue(context.Background(), ch.Notifications)
		out = append(out, c)
	}
	if after {
		return nil, errCrash
	}
	return out, nil
}

func throughJSON(d map[string]any) map[string]any {
	if d == nil {
		return nil
	}
	b, err := json.Marshal(d)
	if err != nil {
		panic(err)
	}
	var out map[string]any
	if err := json.Unmarshal(b, &out); err != nil {
		panic(err)
	}
	return out
}

func (f *fakeStore) check(changes []Change) error {
	open := map[string]string{}
	for id, c := range f.cases {
		if c.State.Open() {
			open[id] = f.canon(c.Key)
		}
	}
	for _, ch := range changes {
		old := f.cases[ch.Case.ID]
		if ch.Filed != nil {
			if _, ok := f.alerts[ch.Filed.EventID]; ok {
				return ErrAlreadyFiled
			}
		}
		if old.Version != ch.Before {
			return &Conflict{By: lastActor(f.audit[old.ID], ""), Version: old.Version}
		}
		for _, a := range ch.Audit {
			if a.EventID != "" && f.mentioned(a.EventID) {
				return ErrAlreadyFiled
			}
		}
		delete(open, ch.Case.ID)
		if ch.Case.State.Open() {
			key := f.canon(ch.Case.Key)
			for id, k := range open {
				if k == key && !old.State.Open() {
					return &Conflict{By: "system", Version: f.cases[id].Version}
				}
			}
			open[ch.Case.ID] = key
		}
	}
	return nil
}

func (f *fakeStore) mentioned(eventID string) bool {
	for _, list := range f.audit {
		for _, a := range list {
			if a.EventID == eventID {
				return true
			}
		}
	}
	return false
}

func (f *fakeStore) Canonical(_ context.Context, id string) (string, error) { return f.canon(id), nil }

func (f *fakeStore) Keys(_ context.Context, id string) ([]string, error) {
	keys := []string{f.canon(id)}
	for a, c := range f.aliases {
		if c == keys[0] {
			keys = append(keys, a)
		}
	}
	return keys, nil
}

func (f *fakeStore) Customer(_ context.Context, id string) (schemas.Customer, error) {
	c, ok := f.people[f.canon(id)]
	if !ok {
		return c, ErrNotFound
	}
	return c, nil
}

func (f *fakeStore) Customers(context.Context, schemas.ListQuery) (schemas.Page[schemas.Customer], error) {
	return schemas.Page[schemas.Customer]{}, nil
}
func (f *fakeStore) SetOptedOut(context.Context, string, bool) error  { return nil }
func (f *fakeStore) Staff(context.Context) ([]Person, error)          { return f.staff, nil }
func (f *fakeStore) Load(context.Context) (schemas.Settings, error)   { return f.settings, nil }
func (f *fakeStore) Save(_ context.Context, s schemas.Settings) error { f.settings = s; return nil }
func (f *fakeStore) AlertLag(context.Context) (int64, error)          { return int64(len(f.log) - f.pos), nil }
func (f *fakeStore) Waiting(context.Context) (int64, error)           { return int64(len(f.notes)), nil }
func (f *fakeStore) publish(ns ...schemas.Notice)                     { f.log = append(f.log, ns...) }
func (f *fakeStore) Done(_ context.Context, j, k string, _ time.Time) error {
	f.done[j+"|"+k] = true
	return nil
}
func (f *fakeStore) Finish(_ context.Context, n schemas.Notification) error {
	f.notes[n.Key] = n
	return nil
}

func (f *fakeStore) FetchAlerts(ctx context.Context, max int) (NoticeBatch, error) {
	if f.pos == len(f.log) {
		return NoticeBatch{}, context.Canceled
	}
	end := min(len(f.log), f.pos+max)
	return NoticeBatch{Notices: f.log[f.pos:end], Commit: func(context.Context) error {
		if before, _ := f.faults("commit"); before {
			return errCrash
		}
		f.pos = end
		return nil
	}}, nil
}

func (f *fakeStore) Begin(_ context.Context, job, key string, _ time.Time, _ time.Duration) (bool, error) {
	return !f.done[job+"|"+key], nil
}

func (f *fakeStore) LastDone(_ context.Context, job string) (string, error) {
	last := ""
	for k := range f.done {
		if j, key, _ := strings.Cut(k, "|"); j == job && key > last {
			last = key
		}
	}
	return last, nil
}

func (f *fakeStore) Enqueue(_ context.Context, ns []schemas.Notification) error {
	for _, n := range ns {
		if _, ok := f.notes[n.Key]; !ok {
			f.notes[n.Key] = n
		}
	}
	return nil
}

func (f *fakeStore) Take(_ context.Context, now time.Time, _ time.Duration, max int) ([]schemas.Notification, error) {
	var out []schemas.Notification
	for k, n := range f.notes {
		if n.State == schemas.NotificationQueued && !n.NotBefore.After(now) && len(out) < max {
			n.State, n.Attempts = schemas.NotificationSending, n.Attempts+1
			f.notes[k] = n
			out = append(out, n)
		}
	}
	return out, nil
}

func (f *fakeStore) Notifications(context.Context, string, schemas.ListQuery) (schemas.Page[schemas.Notification], error) {
	return schemas.Page[schemas.Notification]{}, nil
}

func (f *fakeStore) Queue(_ context.Context, q QueueQuery) (Queue, error) {
	var out Queue
	for _, c := range f.cases {
		snoozed := c.SnoozedUntil != nil && c.SnoozedUntil.After(q.Now)
		if c.State.Open() && snoozed == q.Snoozed {
			out.Cases = append(out.Cases, cloneCase(c))
		}
	}
	slices.SortFunc(out.Cases, func(a, b schemas.Case) int { return cmp.Compare(a.Number, b.Number) })
	out.Cases = out.Cases[min(q.Offset, len(out.Cases)):]
	return out, nil
}

func (f *fakeStore) List(_ context.Context, q schemas.ListQuery) (schemas.Page[schemas.Case], error) {
	var p schemas.Page[schemas.Case]
	for _, c := range f.cases {
		if !c.OpenedAt.Before(q.Since) {
			p.Items = append(p.Items, cloneCase(c))
		}
	}
	slices.SortFunc(p.Items, func(a, b schemas.Case) int { return cmp.Compare(a.Number, b.Number) })
	return p, nil
}

func (f *fakeStore) Alerts(context.Context, schemas.ListQuery) (schemas.Page[schemas.Alert], error) {
	return schemas.Page[schemas.Alert]{}, nil
}

func (f *fakeStore) CaseEvents(context.Context, schemas.ListQuery) (schemas.Page[schemas.CaseEvent], error) {
	return schemas.Page[schemas.CaseEvent]{}, nil
}

func (f *fakeStore) DueBy(_ context.Context, t time.Time) ([]schemas.Case, error) {
	var out []schemas.Case
	for _, c := range f.cases {
		c = cloneCase(c)
		probe := cloneCase(c)
		woken := c.SnoozedUntil != nil && !c.SnoozedUntil.After(t)
		if c.State.Open() && (woken || c.PausedAt == nil && len(missTimers(&probe, t)) > 0) {
			out = append(out, c)
		}
	}
	return out, nil
}

// plainComposer writes a mail so that tests can read it.
type plainComposer struct{}

func (plainComposer) Compose(m Mail) ([]byte, error) {
	if !strings.Contains(m.To, "@") {
		return nil, fmt.Errorf("no address: %q", m.To)
	}
	return fmt.Appendf(nil, "Date: %s\r\nTo: %s\r\nSubject: %s\r\nMessage-ID: %s\r\nIn-Reply-To: %s\r\nReferences: %s\r\nX-Redalert-Case: %s\r\n\r\n%s",
		m.Date.Format(time.RFC1123Z), m.To, m.Subject, m.MessageID, m.InReplyTo, strings.Join(m.References, " "), m.Headers[HeaderCase], m.Text), nil
}

// monday is a Monday at 09:00 UTC, within the default hours.
var monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// rig is a fake store with everything built on it.
type rig struct {
	*fakeStore
	now     time.Time
	desk    *Desk
	worker  *Worker
	clock   *Clock
	digests *Digests
}

var (
	ana   = schemas.Actor{Email: "ana@firm.example", Role: schemas.RoleStaff, Locations: []string{"North"}}
	ben   = schemas.Actor{Email: "ben@firm.example", Role: schemas.RoleStaff}
	mo    = schemas.Actor{Email: "mo@firm.example", Role: schemas.RoleManager, Locations: []string{"North"}}
	olive = schemas.Actor{Email: "olive@firm.example", Role: schemas.RoleOwner}
)

func newRig() *rig {
	r := &rig{fakeStore: newFake(), now: monday}
	for _, a := range []struct {
		schemas.Actor
		name string
	}{{ana, "Ana"}, {ben, "Ben"}, {mo, "Mo"}, {olive, "Olive"}, {schemas.Actor{Email: "east@firm.example", Role: schemas.RoleManager, Locations: []string{"East"}}, "Eva"}} {
		r.staff = append(r.staff, Person{Email: a.Email, Name: a.name, Role: a.Role, Locations: a.Locations})
	}
	r.people["cust-1"] = schemas.Customer{ID: "cust-1", Name: "Maria Keller", Email: "maria@home.example"}
	r.people["cust-2"] = schemas.Customer{ID: "cust-2", Name: "Tom's Bakery", Email: "tom@bakery.example", OptedOut: true}
	r.build()
	return r
}

func (r *rig) build() {
	f := r.fakeStore
	r.desk = NewDesk(DeskConfig{Cases: f, Identities: f, Settings: f, People: f, Composer: plainComposer{},
		Business:  schemas.Business{Name: "Riverside Home Services", Timezone: time.UTC, Currency: "EUR"},
		PublicURL: "https://alerts.firm.example/", From: "Riverside <care@firm.example>", Now: func() time.Time { return r.now }})
	r.worker = NewWorker(WorkerConfig{Desk: r.desk, Reader: f, Wait: func(context.Context, time.Duration) error { return nil }})
	r.digests = NewDigests(DigestsConfig{Desk: r.desk, Lists: f, Schedule: f, Outbox: f})
	r.clock = NewClock(ClockConfig{Desk: r.desk, Lists: f, Schedule: f, Outbox: f, Digests: r.digests})
}

// red is a notice of a red mail.
func (r *rig) red(id, customer string, sev schemas.Severity) schemas.Notice {
	return schemas.Notice{Kind: schemas.NoticeRed, Priority: schemas.PriorityOf(sev, false),
		ValueAtRisk: schemas.Money{Amount: 124000, Currency: "EUR"},
		Event: schemas.Event{ID: id, Source: "inbox", Type: schemas.EmailReceived, NativeID: "n-" + id, CustomerID: customer, ThreadID: "<root@home.example>",
			Location: "North", OccurredAt: r.now, CollectedAt: r.now,
			Data: fmt.Appendf(nil, `{"value_text":"Nobody came, %s","metadata":{"message_id":"<%s@home.example>","subject":"Boiler"}}`, id, id)},
		Verdict: schemas.Verdict{EventID: id, Level: schemas.LevelRed, Red: true, Severity: sev, Probability: 0.9,
			Reasons:    []schemas.Reason{{Code: "missed", Message: "waited in vain for an appointment", Weight: 0.7}},
			Categories: []schemas.Category{schemas.CatMissedAppointment}}}
}

// drain lets the worker read the log to its end.
func (r *rig) drain() error {
	for r.pos < len(r.log) {
		if _, err := r.worker.Step(context.Background()); err != nil {
			return err
		}
	}
	return nil
}

// only answers the one case there is.
func (r *rig) only() schemas.Case {
	for _, c := range r.cases {
		return c
	}
	return schemas.Case{}
}

func (r *rig) kinds(id string) (out []schemas.CaseEventKind) {
	for _, a := range r.audit[id] {
		out = append(out, a.Kind)
	}
	return out
}

func (r *rig) mailed(kind schemas.NotificationKind) (out []string) {
	for k := range r.notes {
		if k.Kind == kind {
			out = append(out, k.Recipient)
		}
	}
	slices.Sort(out)
	return out
}
