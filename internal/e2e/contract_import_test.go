package e2e

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"redalert/internal/lane"
)

// imported runs import --json and answers its report and exit code.
func imported(t testing.TB, args ...string) (map[string]float64, int) {
	t.Helper()
	out, errs, code := redalert(t, "", append([]string{"import"}, append(args, "--json")...)...)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var r map[string]float64
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil {
		t.Fatalf("import %v: exit %d, %v\n%s%s", args, code, err, out, errs)
	}
	return r, code
}

func wantReport(t testing.TB, what string, got map[string]float64, want string) {
	t.Helper()
	if s := fmt.Sprintf("read %v events %v accepted %v duplicate %v quarantined %v", got["read"], got["events"], got["accepted"], got["duplicate"], got["quarantined"]); s != want {
		t.Errorf("%s: %s, want %s", what, s, want)
	}
}

const retailHead = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"

// TestContractOnlineRetail: orders are invoices, wherever their lines stand; a
// bad line takes its invoice with it; adjustments are no events.
func TestContractOnlineRetail(t *testing.T) {
	t.Parallel()
	dir, data := t.TempDir(), t.TempDir()
	config := writeFile(t, dir, "c.yaml", "business: {timezone: Europe/London, currency: GBP}\n")
	file := writeFile(t, dir, "retail.csv", retailHead+
		"536365,A,LADDER,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n"+
		"536366,B,LAMP,1,2010-12-01 08:28:00,1.85,17850.0,United Kingdom\n"+
		"536365,A,LADDER,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n"+ // the same line again is kept
		"C536367,A,LADDER,-6,2010-12-01 09:00:00,2.55,17850.0,United Kingdom\n"+
		"536368,D,,-20,2010-12-01 09:10:00,0.0,,United Kingdom\n"+ // an adjustment
		"536369,E,VASE,2,2010-12-01 09:20:00,3.00,,United Kingdom\n"+ // no customer
		"536370,F,BOX,many,2010-12-01 09:30:00,1.00,12583.0,France\n"+
		"536370,G,BAG,1,2010-12-01 09:30:00,1.00,12583.0,France\n")
	args := []string{"orders", file, "--source", "shop", "--map", "online-retail", "-c", config, "--data", data}
	dry, _ := imported(t, append(args, "--dry-run")...)
	if n := len(export(t, data, "quarantine")); n != 0 {
		t.Errorf("a dry run quarantined %d", n)
	}
	first, code := imported(t, args...)
	want := "read 8 events 4 accepted 4 duplicate 0 quarantined 2"
	wantReport(t, "first", first, want)
	wantReport(t, "dry run", dry, strings.Replace(want, "accepted 4", "accepted 0", 1))
	if code != 3 {
		t.Errorf("exit %d, want 3", code)
	}
	again, _ := imported(t, args...)
	if again["accepted"] != 0 {
		t.Errorf("the same file again: %v", again)
	}
	must(t, "run", "--drain", "-c", config, "--data", data)
	byRef := map[string]map[string]any{}
	for _, e := range export(t, data, "events") {
		d, _ := e["data"].(map[string]any)
		byRef[str(d, "order_ref")] = e
	}
	one, _ := byRef["536365"]["data"].(map[string]any)
	if lines, _ := one["lines"].([]any); len(lines) != 2 || one["total"].(map[string]any)["amount"] != 3060.0 || str(byRef["536365"], "time") != "2010-12-01T08:26:00Z" {
		t.Errorf("536365: %v", byRef["536365"])
	}
	if len(byRef) != 4 || str(byRef["C536367"], "type") != "order.cancelled" || str(byRef["536369"], "customerid") != "" {
		t.Errorf("events: %v", byRef)
	}
	for _, q := range export(t, data, "quarantine") {
		if !strings.Contains(str(q, "locator"), "retail.csv:") {
			t.Errorf("locator of %v", q)
		}
	}
	// Rows in another order are the same orders.
	b, _ := os.ReadFile(file)
	rows := strings.Split(strings.TrimSpace(strings.TrimPrefix(string(b), retailHead)), "\n")
	for i, j := 0, len(rows)-1; i < j; i, j = i+1, j-1 {
		rows[i], rows[j] = rows[j], rows[i]
	}
	turned := writeFile(t, dir, "turned.csv", retailHead+strings.Join(rows, "\n")+"\n")
	args[1] = turned
	back, _ := imported(t, args...)
	wantReport(t, "rows in another order", back, "read 8 events 4 accepted 0 duplicate 4 quarantined 2")
}

func TestContractImportRealData(t *testing.T) {
	t.Parallel()
	data, dir := t.TempDir(), t.TempDir()
	config := writeFile(t, dir, "c.yaml", "business: {timezone: Europe/London, currency: GBP, rates: {USD: \"0.8\"}}\n")
	common := []string{"-c", config, "--data", data}
	run := func(what, kind, file, preset string, rows float64) {
		r, code := imported(t, append([]string{kind, file, "--source", what, "--map", preset}, common...)...)
		if r["read"] != rows || r["events"] != r["accepted"]+r["duplicate"] || r["accepted"] == 0 || code != 0 && code != 3 || (code == 3) != (r["quarantined"] > 0) {
			t.Errorf("%s: exit %d %v, %v rows", what, code, r, rows)
		}
		again, _ := imported(t, append([]string{kind, file, "--source", what, "--map", preset}, common...)...)
		if again["accepted"] != 0 {
			t.Errorf("%s again: %v", what, again)
		}
	}
	head := func(name string, n int) string {
		in, err := os.Open(lane.Data(t, name))
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		var r io.Reader = in
		if strings.HasSuffix(name, ".gz") {
			if r, err = gzip.NewReader(in); err != nil {
				t.Fatal(err)
			}
		}
		var b strings.Builder
		sc := bufio.NewScanner(r)
		for sc.Buffer(nil, 1<<20); n > 0 && sc.Scan(); n-- {
			b.WriteString(sc.Text() + "\n")
		}
		return writeFile(t, dir, strings.TrimSuffix(filepath.Base(name), ".gz"), b.String())
	}
	run("retail", "orders", head("orders/online_retail_2010-12_2011-06.csv.gz", 4001), "online-retail", 4000)
	run("cdnow", "orders", head("orders/CDNOW_master.txt", 2001), "cdnow", 2000)
	run("lounge", "reviews", lane.Data(t, "shapes/reviews_lounge.csv"), "lounge-reviews", 2264)
	run("forms", "surveys", lane.Data(t, "shapes/survey_google_forms_export.csv"), "google-forms", 190)
	mails, err := filepath.Glob(lane.Data(t, "mail/paired/*.mail.txt"))
	if err != nil || len(mails) == 0 {
		t.Fatal("no mails")
	}
	r, _ := imported(t, append(append([]string{"mail", "--source", "box", "--map", "mail-text"}, mails...), common...)...)
	if r["read"] != float64(len(mails)) || r["accepted"] == 0 {
		t.Errorf("%d mails: %v", len(mails), r)
	}
	must(t, append([]string{"run", "--drain"}, common...)...)
	events, verdicts, cases := export(t, data, "events"), export(t, data, "verdicts"), export(t, data, "cases")
	if len(events) == 0 || len(events) != len(verdicts) {
		t.Errorf("%d events have %d verdicts", len(events), len(verdicts))
	}
	for _, e := range events {
		if str(e, "source") == "cdnow" && !strings.HasSuffix(str(e, "time"), "T00:00:00Z") && !strings.HasSuffix(str(e, "time"), "T23:00:00Z") {
			t.Errorf("a CDNOW row is an order at 00:00 local: %s", str(e, "time"))
			break
		}
	}
	if n := len(export(t, data, "notifications")); n != 0 {
		t.Errorf("a first import of years mailed %d", n)
	}
	if len(cases) > len(mails) { // only the mails may be dated today, by their file
		t.Errorf("%d cases of years ago", len(cases))
	}
}

// TestContractImportGeneric: columns named as the fields of an event need no
// mapping; rates convert, and what has none is quarantined.
func TestContractImportGeneric(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	dir := t.TempDir()
	for _, c := range []struct{ kind, name, text, want string }{
		{"customers", "c.csv", "ref,email,name,location\nC1,c1@mail.example,Maria,North\n", "read 1 events 1 accepted 1 duplicate 0 quarantined 0"},
		{"orders", "o.csv", "order_ref,customer_ref,placed_at,total,currency\nA,C1,2026-01-02T10:00:00Z,12.00,EUR\nB,C1,2026-01-02T10:00:00Z,10.00,GBP\nC,C1,2026-01-02T10:00:00Z,10.00,USD\nD,C1,9999-01-02T10:00:00Z,NaN,EUR\n", "read 4 events 3 accepted 2 duplicate 0 quarantined 2"},
		{"orders", "o.jsonl", `{"order_ref":"E","customer":{"ref":"C1"},"placed_at":"2026-01-02T10:00:00Z","total":{"amount":1200,"currency":"EUR"}}` + "\n", "read 1 events 1 accepted 1 duplicate 0 quarantined 0"},
		{"reviews", "r.csv", "id,rating,text,date\nR1,1,Awful,2026-01-02T10:00:00Z\n", "read 1 events 1 accepted 1 duplicate 0 quarantined 0"},
		{"surveys", "s.jsonl", `{"submission_id":"S1","field_type":"nps","value_number":2,"occurred_at":"2026-01-02T10:00:00Z","customer":{"email":"c1@mail.example"}}` + "\n", "read 1 events 1 accepted 1 duplicate 0 quarantined 0"},
	} {
		r, _ := imported(t, s.args(c.kind, writeFile(t, dir, c.name, c.text), "--source", "g")...)
		wantReport(t, c.name, r, c.want)
	}
	must(t, s.args("run", "--drain")...)
	reasons := ""
	for _, q := range export(t, s.data, "quarantine") {
		reasons += str(q, "reason") + "\n"
	}
	if !strings.Contains(reasons, "no rate for USD") {
		t.Errorf("reasons:\n%s", reasons)
	}
	r, _ := imported(t, s.args("orders", writeFile(t, dir, "tz.csv", "order_ref,customer_ref,placed_at,total,currency\nTZ,C1,2026-01-03T10:00:00,12.00,EUR\n"),
		"--source", "g", "--tz", "America/New_York")...)
	wantReport(t, "a local time", r, "read 1 events 1 accepted 1 duplicate 0 quarantined 0")
	must(t, s.args("run", "--drain")...)
	for _, o := range export(t, s.data, "orders") {
		if str(o, "order_ref") == "TZ" && str(o, "placed_at") != "2026-01-03T15:00:00Z" {
			t.Errorf("10:00 in New York: %v", o)
		}
		if total := o["total"].(map[string]any); str(o, "order_ref") == "B" && (total["amount"] != 1200.0 || str(total, "currency") != "EUR") {
			t.Errorf("£10 at 1.20: %v", o)
		}
	}
	people := map[string]bool{}
	for _, e := range export(t, s.data, "events") {
		if str(e, "type") != "feedback.review.posted" {
			people[str(e, "customerid")] = true
		}
	}
	if len(people) != 1 {
		t.Errorf("one customer by number and by e-mail is %d people", len(people))
	}
}
