package importer

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"redalert/ingest"
	"redalert/schemas"
)

const retailHead = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"

func TestOrdersFromInvoices(t *testing.T) {
	rows := []string{
		"1,A,apple,2,2026-01-05 10:30:00,2.55,17.0,UK",
		"2,A,apple,1,2026-01-05 11:00:00,0.001,,UK", // nobody, and a price below a penny
		"1,B,\"pear, big\",3,2026-01-05 10:00:00,1.10,17.0,UK",
		"C3,A,apple,-2,2026-01-06 09:00:00,2.55,17.0,UK",
		"4,A,broken,-5,2026-01-06 09:00:00,0,,UK", // adjustment
		"5,A,apple,1,2026-01-06 09:00:00,2.55,18.0,UK",
		"5,A,apple,one,2026-01-06 09:00:00,2.55,18.0,UK", // bad
		"1,A,apple,2,2026-01-05 10:30:00,2.55,17.0,UK",   // repeated, far away
		",A,apple,2,2026-01-05 10:30:00,2.55,17.0,UK",    // no number
		"6,A,apple",
		"5,B,pear,1,2026-01-06 09:00:00,2.55,18.0,UK",
		"7,A,apple,1,2026-01-06 09:00:00,2.55,18.0,UK",
		"7,A,apple,1,2026-01-06 09:00:00,2.55,19.0,UK", // two customers
	}
	d := newDoor()
	rep := mustRun(t, d, options(Orders, "online-retail", write(t, "f.csv", retailHead+strings.Join(rows, "\n")+"\n")))
	if want := (Report{Read: 13, Events: 3, Accepted: 3, Quarantined: 7, Adjustments: 1}); rep != want {
		t.Fatalf("%+v, want %+v", rep, want)
	}
	good, bad := d.split()
	for i, want := range []string{
		`{"order_ref":"1","customer":{"ref":"17"},"occurred_at":"2026-01-05T10:00:00Z","total":{"amount":1350,"currency":"GBP"},"lines":[{"sku":"A","description":"apple","quantity":2,"unit_price":{"amount":255,"currency":"GBP"}},{"sku":"B","description":"pear, big","quantity":3,"unit_price":{"amount":110,"currency":"GBP"}},{"sku":"A","description":"apple","quantity":2,"unit_price":{"amount":255,"currency":"GBP"}}]}`,
		`{"order_ref":"2","occurred_at":"2026-01-05T11:00:00Z","total":{"amount":0,"currency":"GBP"},"lines":[{"sku":"A","description":"apple","quantity":1,"unit_price":{"amount":0,"currency":"GBP"}}]}`,
		`{"order_ref":"C3","customer":{"ref":"17"},"occurred_at":"2026-01-06T09:00:00Z","total":{"amount":510,"currency":"GBP"},"lines":[{"sku":"A","description":"apple","quantity":2,"unit_price":{"amount":255,"currency":"GBP"}}]}`,
	} {
		if string(good[i].Data) != want {
			t.Errorf("order %d:\n%s\nwant\n%s", i, good[i].Data, want)
		}
	}
	if good[2].Type != schemas.OrderCancelled || good[2].NativeID != "C3" || good[0].Locator != "f.csv:2" {
		t.Errorf("cancellation %+v", good[2])
	}
	for i, want := range []string{"f.csv:8", "f.csv:10", "f.csv:11", "f.csv:14"} {
		if bad[i].Locator != want || bad[i].Replay != "row:online-retail" {
			t.Errorf("%s %s: %s", bad[i].Locator, bad[i].Replay, bad[i].Broken.Reason)
		}
	}
	if n := strings.Count(string(bad[0].Raw), "\n"); n != 3 || !strings.Contains(bad[0].Broken.Reason, "all 3 lines of order 5") {
		t.Errorf("of the bad order %d lines are kept: %s", n, bad[0].Broken.Reason)
	}
}

func TestReplayedRows(t *testing.T) {
	decode := Decoder(schemas.Business{Currency: "GBP", Timezone: time.UTC}, func() time.Time { return noon })
	raw := retailHead + "1,A,apple,2,2026-01-05 10:30:00,2.55,17.0,UK\n1,B,pear,1,2026-01-05 10:30:00,1,17.0,UK"
	items, err := decode([]byte(raw), schemas.Quarantined{Source: "till", Replay: "row:online-retail", Locator: "f.csv:2"})
	if err != nil || len(items) != 1 || items[0].NativeID != "1" || items[0].Source != "till" || items[0].Locator != "f.csv:2" {
		t.Errorf("%+v %v", items, err)
	}
	for _, replay := range []string{"row:file", "row:customers", "row:mail-text", "row:nonsense"} {
		if _, err := decode([]byte(raw), schemas.Quarantined{Replay: replay}); !errors.Is(err, ErrImportAgain) {
			t.Errorf("%s: %v", replay, err)
		}
	}
	if _, err := decode([]byte(retailHead+"1,A,apple,-2,2026-01-05 10:30:00,2.55,17.0,UK"), schemas.Quarantined{Replay: "row:online-retail"}); err == nil {
		t.Error("an adjustment gave an event")
	}
}

func TestOrdersWithTotalsAndTypes(t *testing.T) {
	rows := "Order ID;Status;Order date;Total;Currency;Email;Branch\n" +
		"A1;placed;2026-01-05;120,50;EUR;m@example.org;North\n" +
		"A1;cancelled;2026-01-06;-120,50;EUR;m@example.org;North\n" +
		"A2;placed;2026-01-06;-3,00;EUR;m@example.org;North\n" +
		"A3;placed;2026-01-06;1,005;EUR;m@example.org;North\n" +
		"A4;vanished;2026-01-06;1,00;EUR;m@example.org;North\n"
	mapping := write(t, "m.yaml", "kind: orders\ndecimal_comma: true\ncolumns: {Order ID: order_ref, Status: type, Order date: occurred_at, Total: total, Currency: currency, Email: customer.email, Branch: location}\n")
	d := newDoor()
	rep := mustRun(t, d, options(Orders, mapping, write(t, "f.csv", rows)))
	if rep.Accepted != 2 || rep.Quarantined != 3 {
		t.Fatalf("%+v", rep)
	}
	good, _ := d.split()
	want := `{"order_ref":"A1","customer":{"email":"m@example.org"},"occurred_at":"2026-01-06T00:00:00Z","total":{"amount":12050,"currency":"EUR"},"location":"North"}`
	if string(good[1].Data) != want || good[1].Type != schemas.OrderCancelled {
		t.Errorf("%s", good[1].Data)
	}
}

func TestOpenCasesTravelsWithTheEvent(t *testing.T) {
	d := newDoor()
	o := options(Reviews, "", write(t, "r.csv", reviewHead+"A,2026-01-05,fine,5\n"))
	o.OpenCases = true
	mustRun(t, d, o)
	var data map[string]any
	if err := json.Unmarshal(d.items[0].Data, &data); err != nil || data["open_cases"] != true || data["value_text"] != "fine" {
		t.Errorf("%s %v", d.items[0].Data, err)
	}
	if got := string(withOpenCases([]byte("{}"))); got != `{"open_cases":true}` {
		t.Errorf("%s", got)
	}
}

func TestDryRunWritesNothing(t *testing.T) {
	o := options(Reviews, "", write(t, "r.csv", reviewHead+"A,2026-01-05,fine,5\nB,never,fine,5\n"))
	o.DryRun = true
	rep, err := Run(t.Context(), o, Ports{})
	if err != nil || rep != (Report{Read: 2, Events: 1, Quarantined: 1}) {
		t.Errorf("%+v %v", rep, err)
	}
}

func TestCustomers(t *testing.T) {
	path := write(t, "c.csv", "Customer number,Name,E-mail,Phone,Branch\n17,Maria Keller,m@example.org,+49 30 1234567,North\n,Only A Name,,,\n18,Tom,,,East\n")
	d := newDoor()
	rep := mustRun(t, d, options(Customers, "", path))
	if want := (Report{Read: 3, Events: 2, Accepted: 2, Quarantined: 1}); rep != want {
		t.Errorf("%+v, want %+v", rep, want)
	}
	if d.people[schemas.CustomerRef{Ref: "17", Name: "Maria Keller", Email: "m@example.org", Phone: "+49 30 1234567"}] != 1 {
		t.Errorf("%v", d.people)
	}
	if rep := mustRun(t, d, options(Customers, "", path)); rep.Duplicate != 2 || rep.Accepted != 0 {
		t.Errorf("again: %+v", rep)
	}
}

func TestJSONLines(t *testing.T) {
	lines := `{"order_ref":"A1","occurred_at":"2026-01-05T10:00:00Z","total":{"amount":100,"currency":"GBP"},"lines":[{"quantity":1}]}
{"order_ref":"A1","type":"order.cancelled","occurred_at":"2026-01-06T10:00:00Z","total":{"amount":100,"currency":"GBP"}}

{"specversion":"1.0","id":"x","nativeid":"A2","type":"order.placed","source":"elsewhere","time":"2026-01-06T10:00:00Z","data":{"order_ref":"A2"}}
{"order_ref":"A3","type":"feedback.review.posted"}
not json
`
	d := newDoor()
	rep := mustRun(t, d, options(Orders, "", write(t, "o.jsonl", lines)))
	good, bad := d.split()
	if rep.Read != 5 || rep.Accepted != 3 || rep.Quarantined != 2 {
		t.Fatalf("%+v", rep)
	}
	if good[1].Type != schemas.OrderCancelled || good[2].NativeID != "A2" || good[2].Source != "till" || string(good[2].Data) != `{"order_ref":"A2"}` {
		t.Errorf("%+v", good[2])
	}
	if bad[1].Locator != "o.jsonl:6" {
		t.Errorf("locator %s", bad[1].Locator)
	}
	mapping := write(t, "m.yaml", "kind: reviews\ncolumns: {who.name: metadata.author, stars: value_number, when: occurred_at}\n")
	d = newDoor()
	mustRun(t, d, options(Reviews, mapping, write(t, "r.jsonl", `{"who":{"name":"A"},"stars":4.5,"when":"2026-01-05"}`)))
	if len(d.items) != 1 || !strings.Contains(string(d.items[0].Data), `"value_number":4.5`) {
		t.Errorf("%+v", d.items)
	}
}

func TestSurveyAnswers(t *testing.T) {
	text := "Timestamp,Email Address,How is it? [Speed],How is it? [Price],How likely are you to recommend us?,Anything else?,\n" +
		"1/5/2026 10:00:00,m@example.org,Very satisfied,Mostly,9,\"Well, no\",Spring\n" +
		"1/5/2026 11:00:00,,N/A,,,,\n" +
		"1/5/2026 12:00:00,,Dissatisfied,,11,,\n"
	d := newDoor()
	rep := mustRun(t, d, options(Surveys, "google-forms", write(t, "s.csv", text)))
	if rep.Read != 3 || rep.Accepted != 4 || rep.Quarantined != 1 {
		t.Fatalf("%+v", rep)
	}
	var got []string
	for _, it := range d.items[:4] {
		var f schemas.Feedback
		if err := json.Unmarshal(it.Data, &f); err != nil {
			t.Fatal(err)
		}
		if f.Metadata["column_7"] != "Spring" || f.Customer.Email != "m@example.org" || !strings.HasSuffix(it.NativeID, "/"+f.FieldID) {
			t.Errorf("%s %s", it.NativeID, it.Data)
		}
		n, _ := f.NormalisedRating()
		b, _ := json.Marshal([]any{f.FieldType, f.ValueText, n})
		got = append(got, string(b))
	}
	want := `["csat","Very satisfied",1] ["categorical","Mostly",0] ["nps","",0.9] ["text","Well, no",0]`
	if strings.Join(got, " ") != want {
		t.Errorf("%s", got)
	}
}

func TestMailFolders(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"1.eml":   "Subject: x\n\nHello\n",
		"2.eml":   "Hello, no header\n",
		"b.mbox":  "From a@b Mon Jan  5 10:00:00 2026\nSubject: y\n\n>From here on\n\nFrom now on I write.\n\nFrom c@d Mon Jan  5 11:00:00 2026\nSubject: z\n\nBye\n",
		"no.html": "<p>",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := newDoor()
	rep := mustRun(t, d, options(Mail, "", dir))
	if want := (Report{Read: 4, Events: 3, Accepted: 3, Quarantined: 1}); rep != want {
		t.Fatalf("%+v, want %+v", rep, want)
	}
	good, _ := d.split()
	if got := string(good[1].Raw); got != "Subject: y\n\nFrom here on\n\nFrom now on I write.\n" || good[1].Locator != "b.mbox:1" || good[2].Locator != "b.mbox:8" {
		t.Errorf("%q at %s, then %s", got, good[1].Locator, good[2].Locator)
	}
}

// A mail over 25 MB is set aside with its id and without its bytes.
func TestMailTooLarge(t *testing.T) {
	big := "From a@b Mon Jan  5 10:00:00 2026\nMessage-ID: <big@x>\n\n" + strings.Repeat(strings.Repeat("x", 999)+"\n", 26<<10) + "\nFrom c@d Mon Jan  5 11:00:00 2026\nSubject: z\n\nBye\n"
	d := newDoor()
	rep := mustRun(t, d, options(Mail, "", write(t, "m.mbox", big)))
	if rep.Accepted != 1 || rep.Quarantined != 1 {
		t.Fatalf("%+v", rep)
	}
	if _, bad := d.split(); bad[0].Raw != nil || bad[0].Broken.Code != schemas.QTooLarge || !strings.Contains(bad[0].Broken.Reason, "<big@x>") {
		t.Errorf("%+v", bad[0].Broken)
	}
}

func TestWrongUsage(t *testing.T) {
	good := write(t, "r.csv", reviewHead+"A,2026-01-05,fine,5\n")
	yaml := func(text string) string { return write(t, "m.yaml", text) }
	for name, c := range map[string]struct {
		o    Options
		says string
	}{
		"kind":            {options("things", "", good), "unknown kind"},
		"no file":         {options(Reviews, ""), "no file"},
		"missing file":    {options(Reviews, "", good+"x"), "no such file"},
		"folder":          {options(Reviews, "", t.TempDir()), "no regular file"},
		"preset":          {options(Reviews, "lounge-review", good), `did you mean "lounge-reviews"`},
		"preset's kind":   {options(Reviews, "cdnow", good), "maps orders, not reviews"},
		"unknown key":     {options(Reviews, yaml("kind: reviews\ncolums: {a: b}\n"), good), `m.yaml:2: unknown key "colums"; did you mean "columns"`},
		"unknown field":   {options(Reviews, yaml("kind: reviews\ncolumns:\n  date: occured_at\n"), good), `m.yaml:3: unknown field "occured_at" for reviews; did you mean "occurred_at"`},
		"missing column":  {options(Reviews, yaml("kind: reviews\ncolumns: {texts: value_text}\n"), good), `no column "texts"; did you mean "text"`},
		"nothing to read": {options(Reviews, "", write(t, "x.csv", "a,b\n1,2\n")), "a review needs its text or a rating"},
		"no number":       {options(Customers, "", write(t, "x.csv", "a,b\n1,2\n")), "a customer needs"},
		"zone":            {options(Reviews, yaml("kind: reviews\ntimezone: Mars/North\n"), good), "timezone"},
	} {
		_, err := Run(t.Context(), c.o, newDoor().ports())
		if !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	o := options(Reviews, "", good)
	o.TZ = "Nowhere"
	if _, err := Run(t.Context(), o, newDoor().ports()); !errors.Is(err, ErrUsage) {
		t.Errorf("zone: %v", err)
	}
}

func TestMappingBuildsOnPreset(t *testing.T) {
	m := write(t, "m.yaml", "preset: online-retail\nkind: orders\ncurrency: USD\n")
	d := newDoor()
	rep := mustRun(t, d, options(Orders, m, write(t, "f.csv", retailHead+"C1,A,apple,-2,2026-01-05 10:30:00,2.55,17.0,UK\n")))
	if rep.Accepted != 1 || !strings.Contains(string(d.items[0].Data), `"total":{"amount":510,"currency":"USD"}`) {
		t.Errorf("%+v %s", rep, d.items[0].Data)
	}
}

// Every preset reads, and its name says what --help prints.
func TestPresets(t *testing.T) {
	want := map[string]Kind{"online-retail": Orders, "cdnow": Orders, "lounge-reviews": Reviews, "google-forms": Surveys, MailText: Mail}
	for _, p := range Presets() {
		if want[p.Name] != p.Kind || p.Description == "" || strings.Contains(p.Description, "\n") {
			t.Errorf("%+v", p)
		}
		delete(want, p.Name)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

type steps struct{ rows, calls int64 }

func (s *steps) Step(_ string, done, total, rows int64) {
	s.calls++
	s.rows = rows
	if done > total {
		panic("more done than there is")
	}
}
func (s *steps) Done() { s.calls += 1000 }

func TestProgress(t *testing.T) {
	s := &steps{}
	o := options(Reviews, "", write(t, "r.csv", reviewHead+strings.Repeat("A,2026-01-05,fine,5\n", 2500)))
	o.Progress = s
	mustRun(t, newDoor(), o)
	if s.rows != 2500 || s.calls < 1003 {
		t.Errorf("%+v", s)
	}
	var out strings.Builder
	bar := NewBar(&out)
	bar.Step("f.csv", 10, 100, 5)
	bar.Step("f.csv", 100, 100, 50)
	bar.Done()
	if !strings.Contains(out.String(), "f.csv, 50 rows") {
		t.Errorf("%q", out.String())
	}
}

var _ ingest.Acceptor = (*door)(nil)
