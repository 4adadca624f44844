package export_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"redalert/alerting"
	"redalert/internal/export"
	"redalert/internal/memstore"
	"redalert/schemas"
	"redalert/signals"
)

var day = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func source(st *memstore.Store) export.Source {
	return export.Source{History: st, Records: st, Lists: st.Lists(), Outbox: st.Outbox(), Identities: st, Quarantine: st.Quarantine(), Currency: "EUR"}
}

// filled is a store with one of everything.
func filled(t *testing.T) *memstore.Store {
	t.Helper()
	st, ctx := memstore.New(), t.Context()
	ids, err := st.Resolve(ctx, []schemas.Sighting{{Customer: schemas.CustomerRef{Email: "maria@example.com", Name: "=HYPERLINK(\"x\")", Phone: "+49 171 5550123"}, Location: "North", At: day}})
	must(t, err)
	total := schemas.Money{Amount: 1240, Currency: "EUR"}
	data, err := json.Marshal(schemas.Order{OrderRef: "INV-1", PlacedAt: &day, OccurredAt: &day, Total: &total})
	must(t, err)
	ev := schemas.Event{ID: "e1", Source: "shop", Type: schemas.OrderPlaced, NativeID: "INV-1", OccurredAt: day, CollectedAt: day,
		LocalDate: "2026-03-02", CustomerID: ids[0], Location: "North", OrderRef: "INV-1", Data: data}
	_, err = st.Store(ctx, []schemas.Scored{{Event: ev, Verdict: schemas.Verdict{EventID: "e1", ModelVersion: "m", Level: schemas.LevelNone, Severity: schemas.SeverityNone, ScoredAt: day}}})
	must(t, err)
	later, err := st.Resolve(ctx, []schemas.Sighting{{Customer: schemas.CustomerRef{Ref: "K-7", Email: "maria@example.com"}, Location: "North", At: day}})
	must(t, err)
	if later[0] == ids[0] {
		t.Fatal("no alias was made")
	}
	c := schemas.Case{ID: "c1", Key: ids[0], CustomerID: ids[0], State: schemas.StateNew, Kind: schemas.KindRisk, Priority: schemas.PriorityLow,
		Location: "North", OpenedAt: day, Episode: 1, EventIDs: []string{"e1"}, Excerpt: "+1 for honesty"}
	sending := note("n1", "c1")
	digest := note("n2", "")
	digest.Key.Kind = schemas.NotifyDigest
	_, err = st.Cases().Apply(ctx, alerting.Change{Case: c, Notifications: []schemas.Notification{sending},
		Audit: []schemas.CaseEvent{{At: day, Actor: "system", Kind: schemas.AuditOpened, EventID: "e1"}},
		Filed: &schemas.Alert{EventID: "e1", CaseID: &c.ID, RaisedAt: day, OpenedCase: true}})
	must(t, err)
	must(t, st.Outbox().Enqueue(ctx, []schemas.Notification{digest}))
	_, err = st.Outbox().Take(ctx, day, time.Minute, 10)
	must(t, err)
	must(t, st.Cases().RecordAlert(ctx, schemas.Alert{EventID: "old", RaisedAt: day}))
	must(t, st.Quarantine().Put(ctx, []schemas.Quarantined{{ID: "q1", Source: "shop", Code: schemas.QInvalid, Reason: "@home", At: day, State: schemas.QuarantineOpen}}))
	return st
}

func note(id, caseID string) schemas.Notification {
	return schemas.Notification{ID: id, MessageID: "<" + id + "@x>", State: schemas.NotificationQueued, At: day, NotBefore: day, Body: []byte("secret body"),
		Key: schemas.NotificationKey{CaseID: caseID, Episode: 1, Kind: schemas.NotifyCritical, Recipient: "boss@example.com", Channel: schemas.ChannelEmail}}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, s export.Source, k export.Kind, f export.Format) string {
	t.Helper()
	var b bytes.Buffer
	if _, err := s.Write(t.Context(), &b, k, f, time.Time{}, time.Time{}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestRecordsHaveTheContractsFields holds the keys of CONTRACT.md's "Exported
// records"; more may stand beside them.
func TestRecordsHaveTheContractsFields(t *testing.T) {
	s := source(filled(t))
	for kind, want := range map[export.Kind]string{
		export.Events:   "specversion id source type time nativeid collectedat data",
		export.Verdicts: "event_id model_version level red probability severity flagged_by reasons categories scored_at",
		export.Alerts:   "event_id case_id raised_at opened_case",
		export.Cases: "id number state kind priority version customer_id location assignee reasons event_ids value_at_risk opened_at " +
			"first_response_due sla_status closed_at close_reason episode reopened_count got_there_first playbook",
		export.CaseEvents:    "case_id seq at actor kind from to reason event_id",
		export.Notifications: "id case_id episode kind cause recipient channel message_id state attempts at error",
		export.Quarantine:    "id source code reason locator at raw_sha256 state",
		export.Customers:     "id refs name email phone location opted_out orders revenue first_order_at last_order_at churn_risk",
		export.Orders:        "order_ref customer_id state placed_at changed_at total previous_total location",
	} {
		lines := strings.Split(strings.TrimSpace(write(t, s, kind, export.JSONL)), "\n")
		var rec map[string]json.RawMessage
		if err := json.Unmarshal([]byte(lines[0]), &rec); err != nil {
			t.Fatalf("%s: %v in %q", kind, err, lines[0])
		}
		for _, f := range strings.Fields(want) {
			v, ok := rec[f]
			if !ok {
				t.Errorf("%s: no %s in %s", kind, f, lines[0])
			}
			if slices.Contains([]string{"reasons", "categories", "event_ids", "playbook", "refs"}, f) && string(v) == "null" {
				t.Errorf("%s: %s is null", kind, f)
			}
		}
		header, _, _ := strings.Cut(write(t, s, kind, export.CSV), "\n")
		for f := range rec {
			if !slices.Contains(strings.Split(header, ","), f) {
				t.Errorf("%s: CSV has no column %s", kind, f)
			}
		}
	}
}

func TestNotificationsHideBodiesAndSending(t *testing.T) {
	out := write(t, source(filled(t)), export.Notifications, export.JSONL)
	if strings.Contains(out, "secret") || strings.Contains(out, "sending") || strings.Count(out, `"state":"queued"`) != 2 {
		t.Errorf("got %s", out)
	}
	if !strings.Contains(out, `"id":"n2","case_id":null,"episode":null`) || !strings.Contains(out, `"id":"n1","case_id":"c1","episode":1`) {
		t.Errorf("digests belong to no case: %s", out)
	}
}

func TestCaseAndCustomerAgree(t *testing.T) {
	s := source(filled(t))
	var c schemas.Case
	var who schemas.Customer
	must(t, json.Unmarshal([]byte(write(t, s, export.Cases, export.JSONL)), &c))
	must(t, json.Unmarshal([]byte(write(t, s, export.Customers, export.JSONL)), &who))
	if c.CustomerID != who.ID || who.Orders != 1 || who.Revenue != (schemas.Money{Amount: 1240, Currency: "EUR"}) || who.LastOrderAt == nil {
		t.Fatalf("case of %s, customer %+v", c.CustomerID, who)
	}
}

// TestFault_20: what a spreadsheet would run as a formula is stored raw and
// neutralised on export.
func TestFault_20_Formulas(t *testing.T) {
	for in, want := range map[string]string{
		"=HYPERLINK(\"x\")": "'=HYPERLINK(\"x\")", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\t=1": "'\t=1", "\r=1": "'\r=1",
		"plain": "plain", "": "", "1+1": "1+1", "ü=": "ü=",
	} {
		if got := export.Neutralise(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	s := source(filled(t))
	for kind, want := range map[export.Kind]string{export.Customers: "'=HYPERLINK(\"x\")", export.Quarantine: "'@home", export.Cases: "'+1 for honesty"} {
		rows, err := csv.NewReader(strings.NewReader(write(t, s, kind, export.CSV))).ReadAll()
		if err != nil || len(rows) != 2 || !slices.Contains(rows[1], want) {
			t.Errorf("%s: %q %v", kind, rows, err)
		}
	}
	if out := write(t, s, export.Customers, export.JSONL); !strings.Contains(out, `"name":"=HYPERLINK(\"x\")"`) {
		t.Errorf("JSON is not raw: %s", out)
	}
}

func TestWriteGoesThroughEveryPage(t *testing.T) {
	st := memstore.New()
	for i := range schemas.MaxPage + 5 {
		must(t, st.Cases().RecordAlert(t.Context(), schemas.Alert{EventID: fmt.Sprintf("e%04d", i), RaisedAt: day.Add(time.Duration(i/10) * time.Second)}))
	}
	var b bytes.Buffer
	n, err := source(st).Write(t.Context(), &b, export.Alerts, export.JSONL, day.Add(time.Second), time.Time{})
	if err != nil || n != schemas.MaxPage-5 || strings.Count(b.String(), "\n") != n {
		t.Fatalf("%d records, %v", n, err)
	}
}

func TestNamesAreChecked(t *testing.T) {
	if _, err := export.ParseKind("all"); err == nil || !strings.Contains(err.Error(), "case-events") {
		t.Errorf("kind: %v", err)
	}
	if _, err := export.ParseFormat("xlsx"); err == nil {
		t.Error("format xlsx was taken")
	}
	for _, k := range export.Kinds() {
		if got, err := export.ParseKind(string(k)); err != nil || got != k {
			t.Errorf("%s: %v %v", k, got, err)
		}
	}
	if _, err := source(memstore.New()).Page(t.Context(), export.Cases, schemas.ListQuery{Cursor: "?"}); !errors.Is(err, schemas.ErrBadCursor) {
		t.Errorf("cursor: %v", err)
	}
}

func FuzzNeutralise(f *testing.F) {
	f.Add("=1")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		got := export.Neutralise(s)
		if got != "" && strings.ContainsRune("=+-@\t\r\n", rune(got[0])) || strings.TrimPrefix(got, "'") != strings.TrimPrefix(s, "'") {
			t.Fatalf("%q became %q", s, got)
		}
	})
}

// TestCustomersCarryChurnRisk: a figure for who has ordered, null without one.
func TestCustomersCarryChurnRisk(t *testing.T) {
	st := filled(t)
	s := source(st)
	if got := write(t, s, export.Customers, export.JSONL); !strings.Contains(got, `"churn_risk":null`) {
		t.Errorf("without a scorer: %s", got)
	}
	for days, want := range map[int]string{10: `"churn_risk":0.`, -10: `"churn_risk":null`} { // before the order nobody had ordered
		s.Risks = &signals.Risks{Context: st, Now: func() time.Time { return day.AddDate(0, 0, days) }}
		if got := write(t, s, export.Customers, export.JSONL); !strings.Contains(got, want) {
			t.Errorf("after %d days want %s: %s", days, want, got)
		}
	}
}
