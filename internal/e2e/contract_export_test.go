package e2e

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// exported names the fields of each kind of record, as the page does.
var exported = map[string]string{
	"events":        "specversion id source type time nativeid collectedat data",
	"verdicts":      "event_id model_version level red probability severity flagged_by reasons categories scored_at",
	"alerts":        "event_id case_id raised_at opened_case",
	"cases":         "id number state kind priority version customer_id location assignee reasons event_ids value_at_risk opened_at first_response_due sla_status closed_at close_reason episode reopened_count got_there_first playbook",
	"case-events":   "case_id seq at actor kind from to reason event_id",
	"notifications": "id case_id episode kind cause recipient channel message_id state attempts at error",
	"quarantine":    "id source code reason locator at raw_sha256 state",
	"customers":     "id refs name email phone location opted_out orders revenue first_order_at last_order_at churn_risk",
	"orders":        "order_ref customer_id state placed_at changed_at total previous_total location",
}

var playbookFields = "step state actor at evidence override_reason"

// lists are the fields that are lists even when empty.
var listFields = []string{"reasons", "categories", "event_ids", "playbook", "refs"}

// TestContractExports tells a shop's small story and holds the shape of every
// exported record, and of every list of the API, against the page.
func TestContractExports(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	story(t, s)
	for kind, names := range exported {
		records := export(t, s.data, kind)
		if len(records) == 0 {
			t.Errorf("export %s: nothing", kind)
		}
		listed := records
		if kind != "orders" && kind != "case-events" {
			listed = append(slices.Clone(records), s.items(t, "/v1/"+kind)...)
		}
		for _, r := range listed {
			for _, f := range strings.Fields(names) {
				v, ok := r[f]
				if _, isList := v.([]any); !ok || slices.Contains(listFields, f) && !isList {
					t.Errorf("%s: %s is %v in %v", kind, f, v, r)
				}
			}
		}
		if n := len(export(t, s.data, kind, "--since", "2999-01-01T00:00:00Z")) + len(export(t, s.data, kind, "--until", "1999-01-01T00:00:00Z")); n != 0 {
			t.Errorf("export %s: %d records of another time", kind, n)
		}
		csvOf(t, s, kind, names, len(records))
	}
	checkStory(t, s)
}

// story is one of everything: a case, an old alert, a mail, a quarantined
// event, orders.
func story(t *testing.T, s *shop) {
	c := s.open(t, "C1")
	s.accepted(t, "feedback.survey.answered", nps("C9", 10))
	old := nps("C3", 1)
	old["occurred_at"] = time.Now().Add(-30 * 24 * time.Hour).UTC().Format(time.RFC3339)
	s.accepted(t, "feedback.survey.answered", old)
	s.accepted(t, "order.placed", map[string]any{"order_ref": "O1", "customer": map[string]any{"ref": "C1"}, "total": euro(8000),
		"lines": []map[string]any{{"sku": "S", "description": "Ladder", "quantity": 2, "unit_price": euro(4000)}}, "placed_at": "2026-01-02T10:00:00Z"})
	s.accepted(t, "order.placed", map[string]any{"order_ref": "O2", "customer": map[string]any{"ref": "C1"}, "total": map[string]any{"amount": 1000, "currency": "GBP"}})
	s.accepted(t, "order.changed", map[string]any{"order_ref": "O1", "customer": map[string]any{"ref": "C1"}, "total": euro(5000), "previous_total": euro(8000)})
	s.accepted(t, "feedback.email.received", map[string]any{"source_type": "email", "field_type": "text", "value_text": "You will hear from my lawyer.",
		"customer": map[string]any{"ref": "C4", "name": `=HYPERLINK("http://evil.example")`}})
	if r := s.post(t, cloudEvent("till", "bad", "order.placed", map[string]any{})); r.Status != "quarantined" {
		t.Fatalf("a bad order: %+v", r)
	}
	s.done(t, s.caseNow(t, c), "notes", map[string]any{"text": "=1+1"})
	eventually(t, 15*time.Second, "everything is worked off", func() bool {
		return len(export(t, s.data, "verdicts")) == 7 && len(export(t, s.data, "orders")) == 2 && len(s.mails.to("manager@shop.example")) == 1
	})
}

func checkStory(t *testing.T, s *shop) {
	for _, c := range export(t, s.data, "cases") {
		for _, p := range c["playbook"].([]any) {
			for _, f := range strings.Fields(playbookFields) {
				if _, ok := p.(map[string]any)[f]; !ok {
					t.Errorf("a step has no %s: %v", f, p)
				}
			}
		}
	}
	for _, v := range export(t, s.data, "verdicts") {
		if (str(v, "level") == "none") != (v["flagged_by"] == nil) {
			t.Errorf("flagged_by %v at %s", v["flagged_by"], str(v, "level"))
		}
	}
	for _, o := range export(t, s.data, "orders") {
		total, _ := o["total"].(map[string]any)
		switch str(o, "order_ref") {
		case "O1":
			previous, _ := o["previous_total"].(map[string]any)
			if total["amount"] != 5000.0 || previous["amount"] != 8000.0 || str(o, "state") != "changed" || str(o, "placed_at") != "2026-01-02T10:00:00Z" || str(o, "changed_at") == "" {
				t.Errorf("O1: %v", o)
			}
		case "O2":
			if total["amount"] != 1200.0 || total["currency"] != "EUR" {
				t.Errorf("O2 by a rate of 1.20: %v", o)
			}
		}
	}
	for _, k := range export(t, s.data, "customers") {
		if slices.Contains(list(k, "refs"), "C1") && (k["orders"] != 2.0 || k["revenue"].(map[string]any)["amount"] != 6200.0) {
			t.Errorf("C1: %v", k)
		}
	}
}

// csvOf: the same fields as columns, and no cell that runs as a formula.
func csvOf(t *testing.T, s *shop, kind, names string, n int) {
	file := filepath.Join(t.TempDir(), kind+".csv")
	if out := must(t, "export", kind, "--data", s.data, "--format", "csv", "-o", file); out != "" {
		t.Errorf("export -o %s prints %s", kind, out)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(b))).ReadAll()
	if err != nil || len(rows) != n+1 {
		t.Fatalf("%s as CSV: %d rows of %d, %v", kind, len(rows)-1, n, err)
	}
	for _, f := range strings.Fields(names) {
		if !slices.Contains(rows[0], f) {
			t.Errorf("%s as CSV has no column %s: %v", kind, f, rows[0])
		}
	}
	for _, row := range rows {
		for i, cell := range row {
			if strings.ContainsAny(cell[:min(1, len(cell))], "=+@\t\r") {
				t.Errorf("%s: the cell %s runs as a formula: %s", kind, rows[0][i], cell)
			}
		}
	}
}

// TestContractDigest: preview, the clock's mail once a person and day, with
// link and name; overdue notices.
func TestContractDigest(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	d := nps("C1", 1)
	d["customer"].(map[string]any)["name"] = "Maria Muster"
	c := s.caseOf(t, s.accepted(t, "feedback.survey.answered", d).EventID)
	s.stop()
	link := "/cases/" + str(c, "id")
	for name, args := range map[string][]string{"stdout": nil, "text": {"-o", "d.txt"}, "html": {"-o", "d.html"}} {
		if args != nil {
			args = []string{"-o", filepath.Join(t.TempDir(), args[1])}
		}
		out := must(t, s.args(append([]string{"digest", "preview", "--for", "manager@shop.example"}, args...)...)...)
		if args != nil {
			b, err := os.ReadFile(args[1])
			if err != nil {
				t.Fatal(err)
			}
			out = string(b)
		}
		if !strings.Contains(out, link) || !strings.Contains(out, "Maria Muster") {
			t.Errorf("digest preview to %s:\n%s", name, out)
		}
	}
	if len(s.mails.to("manager@shop.example")) != 0 {
		t.Error("a preview sends nothing")
	}
	if _, _, code := redalert(t, "", s.args("digest", "preview", "--for", "nobody@shop.example")...); code != 1 && code != 2 {
		t.Errorf("a digest for nobody: exit %d", code)
	}
	at := time.Now().UTC().Add(12 * time.Hour) // early afternoon, the digest is due
	for range 2 {
		must(t, s.args("tick", "--at", at.Format(time.RFC3339))...)
	}
	digests := 0
	for _, n := range export(t, s.data, "notifications") {
		if str(n, "kind") != "digest" {
			continue
		}
		digests++
		if n["case_id"] != nil || n["episode"] != nil || str(n, "cause") == "" || str(n, "state") != "sent" {
			t.Errorf("a digest's row: %v", n)
		}
	}
	mails := 0
	for _, m := range s.mails.to("manager@shop.example") {
		if strings.Contains(m.body, "Maria Muster") && strings.Contains(strings.ReplaceAll(m.body, "=\r\n", ""), link) {
			mails++
		}
	}
	if digests == 0 || mails < digests {
		t.Errorf("%d digests in the log, %d mails with link and name", digests, mails)
	}
	days := map[string]bool{}
	for _, n := range export(t, s.data, "notifications") {
		key := str(n, "kind") + str(n, "recipient") + str(n, "cause") + str(n, "case_id")
		if days[key] {
			t.Errorf("twice: %v", n)
		}
		days[key] = true
	}
}

func TestContractOpenAPI(t *testing.T) {
	t.Parallel()
	s := start(t, "run", "--data", t.TempDir())
	_, b, err := s.request(http.MethodGet, "/openapi.json", "", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]any
	}
	if err := json.Unmarshal(b, &doc); err != nil || !strings.HasPrefix(doc.OpenAPI, "3.") {
		t.Fatalf("openapi.json: %v %.100s", err, b)
	}
	want := strings.Fields("post:/v1/events post:/v1/hooks/{source} get:/v1/cases/{id} put:/v1/cases/{id}/playbook/{step} get:/v1/trends/{kind}")
	for _, k := range strings.Fields("events verdicts alerts cases customers quarantine notifications collectors") {
		want = append(want, "get:/v1/"+k)
	}
	for _, k := range strings.Fields("claim transitions notes calls replies assign kind merge split snooze") {
		want = append(want, "post:/v1/cases/{id}/"+k)
	}
	for _, w := range append(want, "get:/openapi.json", "get:/healthz", "get:/readyz", "get:/metrics") {
		method, path, _ := strings.Cut(w, ":")
		if doc.Paths[path][method] == nil {
			t.Errorf("openapi.json has no %s %s", method, path)
		}
	}
	// Everything it lists is there: no token → 401, never 404 or 405.
	for path, methods := range doc.Paths {
		for method := range methods {
			if method == "parameters" || strings.Contains(path, "hooks") {
				continue
			}
			real := strings.NewReplacer("{id}", "x", "{step}", "fix", "{kind}", "alerts").Replace(path)
			code, _, _ := s.request(strings.ToUpper(method), real, "", "application/json", []byte("{}"))
			if open := !strings.HasPrefix(path, "/v1/"); !open && code != 401 || open && code >= 404 {
				t.Errorf("%s %s without a token: %d", method, path, code)
			}
		}
	}
}
