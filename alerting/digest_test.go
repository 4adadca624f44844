package alerting

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redalert/schemas"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with testdata/name; -update writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got), run with -update if that is meant:\n%s", name, d)
	}
}

// tuesday is when the digests of the tests are written.
var tuesday = time.Date(2026, 3, 3, 7, 30, 0, 0, time.UTC)

// busy is a rig with a morning's worth of cases.
func busy() *rig {
	r := newRig()
	hours := func(h float64) *time.Time {
		t := tuesday.Add(time.Duration(h * float64(time.Hour)))
		return &t
	}
	r.people["cust-3"] = schemas.Customer{Name: "Ines Duarte", Email: "ines@home.example"}
	r.people["cust-4"] = schemas.Customer{Name: "Café Lindner <b>& Söhne</b>"}
	r.people["cust-5"] = schemas.Customer{Name: "Piet de Vries"}
	add := func(id, customer, place, owner string, p schemas.Priority, opened, due float64, value int64, why ...string) schemas.Case {
		c := schemas.Case{ID: id, Number: int64(len(r.cases) + 1), State: schemas.StateNew, Kind: schemas.KindMistake, Priority: p, CustomerID: customer,
			Key: customer, Location: place, Assignee: owner, OpenedAt: *hours(opened), FirstResponseDue: hours(due), Episode: 1, Version: 1,
			ValueAtRisk: schemas.Money{Amount: value, Currency: "EUR"}}
		for i, w := range why {
			c.Reasons = append(c.Reasons, schemas.Reason{Code: w, Message: w, Weight: 1 / float64(i+1)})
		}
		r.cases[id] = c
		return c
	}
	add("7d1f", "cust-1", "North", "", "urgent", -40, -2.2, 124000, "asks twice without an answer", "will not return")
	add("a3c9", "cust-2", "North", "ana@firm.example", "high", -60, -50, 86000, "order cut by 67 % against the usual")
	add("c0de", "cust-3", "North", "", "medium", -10, 4, 0, "waited in vain for an appointment")
	add("beef", "cust-4", "North", "ben@firm.example", "medium", -3, 30, 5050, "asks for money back")
	add("e1e1", "cust-5", "East", "", "low", -100, 60, 31000, "rated the visit 2 of 5")
	won := add("f00d", "cust-3", "North", "ana@firm.example", "high", -200, 0, 45000, "boiler broke again")
	won.State, won.ClosedAt = schemas.StateRecovered, hours(-14)
	r.cases[won.ID] = won
	lost := add("dead", "cust-5", "East", "", "low", -150, 0, 1000, "moved away")
	lost.State, lost.ClosedAt = schemas.StateLost, hours(-30)
	r.cases[lost.ID] = lost
	snoozed := add("5100", "cust-5", "North", "", "low", -90, 0, 1000, "asleep")
	snoozed.SnoozedUntil = hours(24)
	r.cases[snoozed.ID] = snoozed
	r.done[digestJob("mo@firm.example")+"|2026-03-02"] = true
	return r
}

func TestDigestGolden(t *testing.T) {
	r := busy()
	for name, p := range map[string]Person{"manager": r.staff[2], "owner": r.staff[3]} {
		m, err := r.digests.Preview(bg, p, tuesday)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "digest_"+name+".txt", "Subject: "+m.Subject+"\nTo: "+m.ToName+" <"+m.To+">\n\n"+m.Text)
		golden(t, "digest_"+name+".html", m.HTML)
		for _, id := range []string{"7d1f", "a3c9", "c0de", "beef", "f00d"} {
			link := "https://alerts.firm.example/cases/" + id
			if !strings.Contains(m.Text, link) || !strings.Contains(m.HTML, link) {
				t.Errorf("%s: no link to %s", name, id)
			}
		}
		if strings.Contains(m.HTML, "<b>") || strings.Contains(m.Text, "asleep") {
			t.Errorf("%s: shows what it must not", name)
		}
		if strings.Contains(m.Text, "Piet de Vries") != (name == "owner") {
			t.Errorf("%s: locations are not kept apart", name)
		}
	}
	if len(r.notes) != 0 {
		t.Error("a preview queued something")
	}
}

func TestQuietDigest(t *testing.T) {
	r := busy()
	for id, c := range r.cases {
		if c.State.Open() && c.SnoozedUntil == nil {
			delete(r.cases, id)
		} else if c.State.Open() {
			until := tuesday.AddDate(0, 0, 7)
			c.SnoozedUntil = &until
			r.cases[id] = c
		}
	}
	m, err := r.digests.Preview(bg, r.staff[3], tuesday.AddDate(0, 0, 2))
	if err != nil {
		t.Fatal(err)
	}
	want := "Nobody needs you today. This week: 1 won back, 1 lost, 1 still open with €10 at risk."
	if m.Subject != "All quiet, Riverside Home Services" || !strings.Contains(m.Text, want) || !strings.Contains(m.HTML, want) {
		t.Errorf("%s\n%s", m.Subject, m.Text)
	}
	golden(t, "digest_quiet.txt", "Subject: "+m.Subject+"\n\n"+m.Text)
}

func TestSubjects(t *testing.T) {
	one := []schemas.Case{{}}
	for want, s := range map[string]sorted{
		"All quiet, North":                              {},
		"1 customer needs you today, North":             {fresh: one},
		"1 customer needs you today (1 overdue), North": {overdue: one},
		"3 customers need you today (1 overdue), North": {overdue: one, fresh: one, waiting: one},
	} {
		if got := subjectOf(s, "North"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestCaseMailsGolden(t *testing.T) {
	r := newRig()
	bodies := map[schemas.NotificationKind]string{}
	r.desk.cfg.Composer = composerFunc(func(m Mail) ([]byte, error) {
		kind := schemas.NotificationKind(strings.ToLower(strings.Fields(m.Subject)[0]))
		bodies[kind] = "Subject: " + m.Subject + "\n\n" + m.Text
		if kind == "critical:" {
			bodies["html"] = m.HTML
		}
		return []byte(m.Text), nil
	})
	n := r.red("e1", "cust-1", "critical")
	n.Event.Data = []byte(`{"value_text":"Third time I write. The boiler \"leaks\" gas & nobody came.\nI call my lawyer."}`)
	r.publish(n)
	if err := r.drain(); err != nil {
		t.Fatal(err)
	}
	c := r.only()
	c = must(t)(r.desk.Assign(bg, mo, c.ID, c.Version, ana.Email, "you know the house"))
	if err := r.clock.timers(bg, monday.Add(90*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if len(bodies) != 4 {
		t.Fatalf("%d kinds of mail", len(bodies))
	}
	golden(t, "mail_critical.txt", bodies["critical:"])
	golden(t, "mail_critical.html", bodies["html"])
	golden(t, "mail_overdue.txt", bodies["overdue:"])
	golden(t, "mail_assigned.txt", bodies["yours"])
	if strings.Contains(c.Excerpt, "\n") {
		t.Error("the excerpt has line breaks")
	}
}

type composerFunc func(Mail) ([]byte, error)

func (f composerFunc) Compose(m Mail) ([]byte, error) { return f(m) }

func TestWords(t *testing.T) {
	for want, got := range map[string]string{
		"1 min": spanWords(0), "59 min": spanWords(59 * time.Minute), "2 h": spanWords(150 * time.Minute), "47 h": spanWords(47 * time.Hour), "2 days": spanWords(49 * time.Hour),
		"10:00": clockWords(monday.Add(time.Hour), monday, time.UTC), "tomorrow 09:00": clockWords(monday.AddDate(0, 0, 1), monday, time.UTC),
		"yesterday 09:00": clockWords(monday.AddDate(0, 0, -1), monday, time.UTC), "Thu 09:00": clockWords(monday.AddDate(0, 0, 3), monday, time.UTC),
		"1 Apr 09:00": clockWords(monday.AddDate(0, 0, 30), monday, time.UTC),
		"Firm":        placeWords(nil, "Firm"), "A and B": placeWords([]string{"A", "B"}, ""), "3 locations": placeWords([]string{"A", "B", "C"}, ""),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
