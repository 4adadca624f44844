package postgres

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"redalert/alerting"
	"redalert/ingest"
	"redalert/internal/sqlite"
	"redalert/schemas"
)

// world is one store behind the ports of alerting.
type world struct {
	name   string
	people interface {
		ingest.Identities
		alerting.Identities
	}
	cases    alerting.Cases
	lists    alerting.CaseLists
	outbox   alerting.Outbox
	schedule alerting.Schedule
	settings alerting.SettingsStore
}

func worldOf(d *DB) world {
	return world{"postgres", d, d.Cases(), d.Lists(), d.Outbox(), d.Schedule(), d.Settings()}
}

// worlds are two empty stores: what the embedded one answers, PostgreSQL must.
func worlds(t *testing.T) [2]world {
	t.Helper()
	lite, err := sqlite.Open(context.Background(), filepath.Join(t.TempDir(), "r.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lite.Close() })
	return [2]world{{"sqlite", lite, lite.Cases(), lite.Lists(), lite.Outbox(), lite.Schedule(), lite.Settings()}, worldOf(open(t))}
}

// agree asks both worlds the same and compares the answers, errors included.
func agree[T any](t *testing.T, ws [2]world, what string, ask func(w world) (T, error)) T {
	t.Helper()
	want, werr := ask(ws[0])
	got, gerr := ask(ws[1])
	if fmt.Sprint(werr) != fmt.Sprint(gerr) {
		t.Fatalf("%s: SQLite says %v, PostgreSQL %v", what, werr, gerr)
	}
	if reflect.DeepEqual(want, got) { // quicker than Diff, which knows that empty is nil
		return got
	}
	if d := gocmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("%s: (-SQLite +PostgreSQL)\n%s", what, d)
	}
	return got
}

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// dice draws from small sets, so that draws meet.
type dice struct{ *rand.Rand }

func pick[T any](d dice, list ...T) T { return list[d.IntN(len(list))] }

func (d dice) time() *time.Time {
	if d.IntN(3) == 0 {
		return nil
	}
	at := noon.Add(time.Duration(d.IntN(7)-3) * time.Hour)
	return &at
}

var (
	locations = []string{"", "North", "East", "Zürich", "north", "east "}
	assignees = []string{"", "ana@example.com", "Ana@example.com", "ben@example.com"}
	scraps    = []string{"100%", "fed_up", "Ärger", "ÄRGER", "ss ß", "İstanbul", "o'clock", `back\slash`, "#7", "2041", "the KETTLE", "\x00nul", "日本語", "  "}
	names     = []string{"Maria Keller", "MÜLLER, Jörg", "Müller", "O'Brien", "Éva", "a_b%c", "2041"}
	mails     = []string{"maria@example.com", "JORG@example.com", "o'brien@example.com", ""}
	phones    = []string{"+49 171 555 0123", "0171 555 0123", "555-0123", "12", ""}
)

// sighting is a random mention of one of few people.
func (d dice) sighting() schemas.Sighting {
	ref := pick(d, "", "K-77", "k-77", "2041", "Z-9")
	return schemas.Sighting{Customer: schemas.CustomerRef{Ref: ref, Email: pick(d, mails...), Phone: pick(d, phones...), Name: pick(d, names...)},
		Location: pick(d, locations...), At: noon.Add(time.Duration(d.IntN(9)) * time.Minute)}
}

func (d dice) aCase(n int, customers []string) alerting.Change {
	id := fmt.Sprintf("%c-case-%d", "aZ_é"[d.IntN(3)], n)
	customer := pick(d, append(customers, "", "unknown")...)
	c := schemas.Case{ID: id, Key: fmt.Sprint("thread:", n), CustomerID: customer, Location: pick(d, locations...), Assignee: pick(d, assignees...),
		State:      pick(d, append(schemas.OpenStates(), schemas.StateLost, schemas.StateRecovered)...),
		Priority:   pick(d, schemas.PriorityLow, schemas.PriorityMedium, schemas.PriorityHigh, schemas.PriorityUrgent),
		SourceType: pick(d, schemas.SourceEmail, schemas.SourceOrder), ValueAtRisk: schemas.Money{Amount: int64(d.IntN(3)) * 1000, Currency: "EUR"},
		Excerpt: pick(d, scraps...) + " " + pick(d, scraps...) + "\n" + pick(d, scraps...), OpenedAt: noon.Add(time.Duration(d.IntN(5)) * time.Hour),
		FirstResponseDue: d.time(), ResolutionDue: d.time(), SnoozedUntil: d.time(), EventIDs: []string{"event-" + id}}
	if d.IntN(5) == 0 {
		c.PausedAt = &noon
	}
	if d.IntN(5) == 0 {
		c.Missed = []schemas.Timer{schemas.TimerFirstResponse}
	}
	if d.IntN(8) == 0 {
		c.MergedInto = "another"
	}
	return alerting.Change{Case: c, OrderRef: pick(d, "", "INV-2041", "2041", "#7"),
		Audit:         []schemas.CaseEvent{{At: c.OpenedAt, Actor: "system", Kind: schemas.AuditOpened}, {At: noon, Actor: "ana@example.com", Kind: schemas.AuditNote}},
		Filed:         &schemas.Alert{EventID: "event-" + id, CaseID: &c.ID, RaisedAt: c.OpenedAt, OpenedCase: true},
		Notifications: []schemas.Notification{{ID: "n-" + id, Key: schemas.NotificationKey{CaseID: id, Kind: "critical"}, MessageID: "m", At: c.OpenedAt, NotBefore: noon}}}
}

func (d dice) queueQuery() alerting.QueueQuery {
	q := alerting.QueueQuery{Now: noon.Add(time.Duration(d.IntN(7)-3) * time.Hour), Snoozed: d.IntN(4) == 0}
	if d.IntN(3) == 0 {
		q.States = []schemas.CaseState{schemas.StateLost, schemas.StateNew}
	}
	if d.IntN(4) == 0 {
		q.Assignee = pick(d, "-", "ana@example.com", "nobody")
	}
	if d.IntN(4) == 0 {
		q.Location = pick(d, locations...)
	}
	if d.IntN(4) == 0 {
		q.SourceType = schemas.SourceOrder
	}
	if d.IntN(3) == 0 {
		q.Visible = locations[1 : 2+d.IntN(3)]
	}
	if d.IntN(3) == 0 {
		q.Limit, q.Offset = 1+d.IntN(4), d.IntN(5)
	}
	if d.IntN(3) > 0 {
		q.Search = d.search()
	}
	return q
}

// search is a piece of something that may be found, in some case, or not.
func (d dice) search() string {
	s := pick(d, pick(d, scraps...), pick(d, names...), pick(d, mails...), pick(d, phones...), "k-77", "inv-2041", fmt.Sprint("#", d.IntN(60)), fmt.Sprint(d.IntN(60)), "-3", "9999999999999999999", "%", "_", "' OR 1=1 --", "nobody")
	if r := []rune(s); len(r) > 2 && d.IntN(2) == 0 {
		from := d.IntN(len(r) - 1)
		s = string(r[from : from+1+d.IntN(len(r)-from)])
	}
	return pick(d, s, strings.ToUpper(s), " "+s+"  "+pick(d, names...), s)
}

// TestListingsAsInSQLite: random cases and customers in both stores; every
// queue, search, list, page and cursor is the same, byte for byte.
func TestListingsAsInSQLite(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(7, 11))}
	ws := worlds(t)
	var customers []string
	for range 25 {
		list := []schemas.Sighting{d.sighting(), d.sighting()}
		customers = append(customers, agree(t, ws, "resolve", func(w world) ([]string, error) { return w.people.Resolve(t.Context(), list) })...)
	}
	for n := range 60 {
		ch := d.aCase(n, customers)
		agree(t, ws, "apply", func(w world) ([]schemas.Case, error) { return w.cases.Apply(t.Context(), ch) })
	}
	found := 0
	for range 200 {
		q := d.queueQuery()
		if d.IntN(4) == 0 {
			q.States = append(schemas.OpenStates(), schemas.StateLost, schemas.StateRecovered)
		}
		got := agree(t, ws, fmt.Sprintf("queue %+v", q), func(w world) (alerting.Queue, error) { return w.lists.Queue(t.Context(), q) })
		if q.Search != "" && got.Total > 0 {
			found++
		}
	}
	if found < 30 {
		t.Errorf("only %d searches found anything; the test proves little", found)
	}
	for hour := -5; hour < 5; hour++ {
		at := noon.Add(time.Duration(hour) * time.Hour)
		agree(t, ws, "due by", func(w world) ([]schemas.Case, error) { return w.lists.DueBy(t.Context(), at) })
	}
	agreeOnPages(t, ws, d)
	for _, id := range customers {
		agree(t, ws, "customer", func(w world) (schemas.Customer, error) { return w.people.Customer(t.Context(), id) })
		agree(t, ws, "keys", func(w world) ([]string, error) { return w.people.Keys(t.Context(), id) })
		agree(t, ws, "by keys", func(w world) ([]schemas.Case, error) { return w.cases.ByKeys(t.Context(), []string{id, "thread:3"}) })
	}
}

// agreeOnPages walks every listing with small pages and random bounds.
func agreeOnPages(t *testing.T, ws [2]world, d dice) {
	for range 12 {
		q := schemas.ListQuery{Limit: 1 + d.IntN(9)}
		if d.IntN(2) == 0 {
			q.Since = noon.Add(time.Duration(d.IntN(4))*time.Hour + time.Duration(d.IntN(2))*time.Microsecond)
		}
		if d.IntN(2) == 0 {
			q.Until = noon.Add(time.Duration(1+d.IntN(4)) * time.Hour)
		}
		if d.IntN(2) == 0 {
			q.Locations = locations[1 : 2+d.IntN(3)]
		}
		walk(t, ws, q, "cases", func(w world, q schemas.ListQuery) (schemas.Page[schemas.Case], error) {
			return w.lists.List(t.Context(), q)
		})
		walk(t, ws, q, "alerts", func(w world, q schemas.ListQuery) (schemas.Page[schemas.Alert], error) {
			return w.lists.Alerts(t.Context(), q)
		})
		walk(t, ws, q, "case events", func(w world, q schemas.ListQuery) (schemas.Page[schemas.CaseEvent], error) {
			return w.lists.CaseEvents(t.Context(), q)
		})
		walk(t, ws, q, "notifications", func(w world, q schemas.ListQuery) (schemas.Page[schemas.Notification], error) {
			return w.outbox.Notifications(t.Context(), "", q)
		})
		q.Since, q.Until = time.Time{}, time.Time{}
		walk(t, ws, q, "customers", func(w world, q schemas.ListQuery) (schemas.Page[schemas.Customer], error) {
			return w.people.Customers(t.Context(), q)
		})
	}
}

func walk[T any](t *testing.T, ws [2]world, q schemas.ListQuery, what string, list func(world, schemas.ListQuery) (schemas.Page[T], error)) {
	t.Helper()
	for {
		p := agree(t, ws, fmt.Sprintf("%s %+v", what, q), func(w world) (schemas.Page[T], error) { return list(w, q) })
		if q.Cursor = p.Next; p.Next == "" {
			return
		}
	}
}

// TestIdentitiesAsInSQLite: random sightings, one call of several at a time.
func TestIdentitiesAsInSQLite(t *testing.T) {
	for seed := range uint64(5) {
		d := dice{rand.New(rand.NewPCG(seed, 3))}
		ws := worlds(t)
		var seen []string
		for range 20 {
			var list []schemas.Sighting
			for range 1 + d.IntN(5) {
				list = append(list, d.sighting())
			}
			seen = append(seen, agree(t, ws, fmt.Sprintf("resolve %+v", list), func(w world) ([]string, error) { return w.people.Resolve(t.Context(), list) })...)
			if d.IntN(4) == 0 {
				agree(t, ws, "opt out", func(w world) (int, error) {
					return 0, w.people.SetOptedOut(t.Context(), cmp.Or(seen[0], seen[len(seen)-1]), true)
				})
			}
			agree(t, ws, "customers", func(w world) (schemas.Page[schemas.Customer], error) {
				return w.people.Customers(t.Context(), schemas.ListQuery{})
			})
		}
		for _, id := range seen {
			agree(t, ws, "keys", func(w world) ([]string, error) { return w.people.Keys(t.Context(), id) })
		}
	}
}
