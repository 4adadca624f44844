package e2e

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestContractEqualEventsAtOnce: of a hundred at once one is accepted.
func TestContractEqualEventsAtOnce(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	body := cloudEvent("shop", "1", "feedback.survey.answered", nps("C1", 1))
	got := make([]string, 100)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			code, b, err := s.request(http.MethodPost, "/v1/events", s.ingest, oneEvent, body)
			if err != nil || code != 202 {
				got[i] = fmt.Sprint(code, err)
				return
			}
			got[i] = results(t, b)[0].Status
		})
	}
	wg.Wait()
	count := map[string]int{}
	for _, g := range got {
		count[g]++
	}
	if count["accepted"] != 1 || count["duplicate"] != 99 {
		t.Errorf("%v", count)
	}
	eventually(t, 10*time.Second, "one case", func() bool { return len(s.items(t, "/v1/cases")) == 1 })
	// Within one batch, too.
	two := []byte("[" + strings.Repeat(string(cloudEvent("shop", "2", "feedback.survey.answered", nps("C1", 1)))+",", 2) + string(body) + "]")
	code, b, err := s.request(http.MethodPost, "/v1/events", s.ingest, batch, two)
	if rs := results(t, b); err != nil || code != 202 || len(rs) != 3 || rs[0].Status != "accepted" || rs[1].Status != "duplicate" || rs[2].Status != "duplicate" {
		t.Errorf("twice in one batch: %d %v %s", code, err, b)
	}
}

func TestContractHostileRequests(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = z.Write(bytes.Repeat([]byte(" "), 64<<20))
	z.Close()
	var small bytes.Buffer
	z = gzip.NewWriter(&small)
	_, _ = z.Write(cloudEvent("shop", "z", "feedback.survey.answered", nps("C1", 9)))
	z.Close()
	send := func(path string, body []byte, head ...string) int {
		req, _ := http.NewRequest(http.MethodPost, s.url+path, bytes.NewReader(body))
		for i := 0; i < len(head); i += 2 {
			req.Header.Set(head[i], head[i+1])
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	token := []string{"Authorization", "Bearer " + s.ingest, "Content-Type", oneEvent, "Content-Encoding", "gzip"}
	if code := send("/v1/events", small.Bytes(), token...); code != 202 {
		t.Errorf("gzip: %d", code)
	}
	if code := send("/v1/events", bomb.Bytes(), token...); code != 413 {
		t.Errorf("a gzip bomb: %d", code)
	}
	if code := send("/login", []byte("email=a&password=b"), "Content-Type", "application/x-www-form-urlencoded", "Origin", "http://evil.example", "Sec-Fetch-Site", "cross-site"); code != 403 {
		t.Errorf("a cross-site POST: %d", code)
	}
	for range 3 { // GET changes nothing
		for _, path := range []string{"/logout", "/v1/cases/x/claim"} {
			if code, _, _ := s.request(http.MethodGet, path, s.triage, "", nil); code < 300 {
				t.Errorf("GET %s: %d", path, code)
			}
		}
	}
}

// TestContractEpisodes: a closed case reopens with the customer's next red
// event, and is critical anew.
func TestContractEpisodes(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	c := s.open(t, "C1")
	code, body := s.act(t, c, "transitions", map[string]any{"to": "lost", "reason": "gone"})
	wantCode(t, "lost by a token", code, body, 403, "")
	c = s.done(t, s.caseNow(t, c), "claim", map[string]any{})
	c = s.done(t, c, "transitions", map[string]any{"to": "dismissed", "reason": "a test order"})
	lawyer := func() map[string]any {
		return map[string]any{"field_type": "text", "value_text": "You will hear from my lawyer.", "customer": map[string]any{"ref": "C1"}}
	}
	again := s.caseOf(t, s.accepted(t, "feedback.survey.answered", lawyer()).EventID)
	if str(again, "id") != str(c, "id") || str(again, "state") != "new" || again["episode"] != 2.0 || again["reopened_count"] != 1.0 || str(again, "assignee") != str(c, "assignee") {
		t.Errorf("after closing: %v", again)
	}
	if str(again, "priority") != "urgent" && str(again, "priority") != "high" {
		t.Errorf("priority of a critical case: %v", again["priority"])
	}
	eventually(t, 10*time.Second, "the critical mail", func() bool { return len(s.mails.to("manager@shop.example")) == 1 })
	var n map[string]any
	for _, r := range s.items(t, "/v1/notifications") {
		if str(r, "kind") == "critical" {
			n = r
		}
	}
	if n["episode"] != 2.0 || str(n, "cause") != "" || str(n, "channel") != "email" {
		t.Errorf("notification %v", n)
	}
	code, body = s.act(t, again, "transitions", map[string]any{"to": "dismissed", "reason": "no"})
	wantCode(t, "dismissing a critical case by a token", code, body, 403, "")
}

// TestContractGotThereFirst: in both orders of events.
func TestContractGotThereFirst(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	for _, first := range []bool{true, false} {
		who := map[string]any{"ref": fmt.Sprint("G", first)}
		mistake := map[string]any{"reported_by": "a@shop.example", "what_happened": "We forgot the visit.", "customer": who}
		complaint := map[string]any{"field_type": "nps", "value_number": 1, "customer": who}
		var c map[string]any
		if first {
			s.caseOf(t, s.accepted(t, "service.mistake_reported", mistake).EventID)
			c = s.caseOf(t, s.accepted(t, "feedback.survey.answered", complaint).EventID)
		} else {
			s.caseOf(t, s.accepted(t, "feedback.survey.answered", complaint).EventID)
			c = s.caseOf(t, s.accepted(t, "service.mistake_reported", mistake).EventID)
		}
		if c["got_there_first"] != first || str(c, "kind") != "mistake" || len(list(c, "event_ids")) != 2 {
			t.Errorf("mistake first %v: %v", first, c)
		}
	}
}

// TestContractValueAtRisk: net revenue of the 365 days before.
func TestContractValueAtRisk(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	order := func(typ, ref string, days, total int) {
		at := time.Now().Add(-time.Duration(days) * 24 * time.Hour).UTC().Format(time.RFC3339)
		d := map[string]any{"order_ref": ref, "customer": map[string]any{"ref": "V"}, "total": euro(total), "occurred_at": at}
		if typ == "order.placed" {
			d["placed_at"] = at
		}
		s.accepted(t, typ, d)
	}
	order("order.placed", "O1", 400, 90000) // too long ago
	order("order.placed", "O2", 100, 5000)
	order("order.placed", "O3", 90, 7000)
	order("order.changed", "O3", 80, 6000)
	order("order.placed", "O4", 70, 3000)
	order("order.cancelled", "O4", 60, 3000)
	eventually(t, 10*time.Second, "six verdicts", func() bool { return len(s.items(t, "/v1/verdicts")) == 6 })
	c := s.caseOf(t, s.accepted(t, "feedback.survey.answered", nps("V", 1)).EventID)
	if v, _ := c["value_at_risk"].(map[string]any); v["amount"] != 11000.0 || v["currency"] != "EUR" {
		t.Errorf("value at risk %v, want 110.00", c["value_at_risk"])
	}
}

// TestContractReplay: what was quarantined for a missing rate gets in once the
// rate is there.
func TestContractReplay(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	file := writeFile(t, t.TempDir(), "o.csv", "order_ref,customer_ref,placed_at,total,currency\nA,C1,2026-01-02T10:00:00Z,10.00,USD\n")
	if _, code := imported(t, s.args("orders", file, "--source", "g")...); code != 3 {
		t.Fatalf("exit %d", code)
	}
	id := str(export(t, s.data, "quarantine")[0], "id")
	b, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, strings.TrimSuffix(s.config, "/redalert.yaml"), "redalert.yaml", strings.Replace(string(b), `{GBP: "1.20"}`, `{USD: "0.50"}`, 1))
	if out := must(t, s.args("quarantine", "replay", id)...); !strings.Contains(out, "accepted") {
		t.Errorf("replay: %s", out)
	}
	must(t, s.args("run", "--drain")...)
	o := export(t, s.data, "orders")
	if len(o) != 1 || o[0]["total"].(map[string]any)["amount"] != 500.0 || str(o[0], "placed_at") != "2026-01-02T10:00:00Z" {
		t.Errorf("orders %v", o)
	}
	if q := export(t, s.data, "quarantine"); len(q) != 1 || str(q[0], "state") != "replayed" {
		t.Errorf("quarantine %v", q)
	}
}

// TestContractPasswordLink: user add without a password prints a link that
// sets one.
func TestContractPasswordLink(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	out := must(t, s.args("user", "add", "late@shop.example", "--role", "owner")...)
	u, err := url.Parse(regexp.MustCompile(`http\S+`).FindString(out))
	if err != nil || u.Path == "" {
		t.Fatalf("no link: %s", out)
	}
	p := newPerson(s.url)
	resp, page := p.do(t, http.MethodGet, u.RequestURI(), nil)
	form := fields(page)
	if resp.StatusCode != 200 || !form.Has("password") {
		t.Fatalf("the link: %d, fields %v", resp.StatusCode, form)
	}
	for name := range form {
		if strings.Contains(name, "password") {
			form.Set(name, "a long enough pass phrase")
		}
	}
	if resp, page = p.do(t, http.MethodPost, u.Path, form); resp.StatusCode != 303 {
		t.Fatalf("the form: %d\n%s", resp.StatusCode, page)
	}
	newPerson(s.url).signIn(t, "late@shop.example", "a long enough pass phrase")
}

// TestContractAliases: known by e-mail first and by number later is one
// customer, one case, one id wherever it is read.
func TestContractAliases(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	low := func(customer map[string]any) map[string]any { d := field("nps", 1); d["customer"] = customer; return d }
	first := s.caseOf(t, s.accepted(t, "feedback.survey.answered", low(map[string]any{"email": "Eva@mail.example"})).EventID)
	second := s.caseOf(t, s.accepted(t, "feedback.survey.answered", low(map[string]any{"ref": "C7", "email": "eva@mail.example"})).EventID)
	third := s.caseOf(t, s.accepted(t, "order.cancelled", map[string]any{"order_ref": "A", "customer": map[string]any{"ref": "C7"}}).EventID)
	if str(first, "id") != str(second, "id") || str(second, "id") != str(third, "id") {
		t.Errorf("three cases of one person: %s %s %s", str(first, "id"), str(second, "id"), str(third, "id"))
	}
	id := str(s.caseNow(t, first), "customer_id")
	for _, e := range append(export(t, s.data, "events"), s.items(t, "/v1/events")...) {
		if str(e, "customerid") != id {
			t.Errorf("an event is of %s, the case of %s", str(e, "customerid"), id)
		}
	}
	if all := s.items(t, "/v1/customers"); len(all) != 1 || str(all[0], "id") != id {
		t.Errorf("customers %v", all)
	}
	if o := export(t, s.data, "orders"); len(o) != 1 || str(o[0], "customer_id") != id || str(o[0], "state") != "cancelled" {
		t.Errorf("orders %v", o)
	}
}

// TestContractSinceUntil: since is inclusive, until exclusive, on collected_at.
func TestContractSinceUntil(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	d := nps("C1", 9)
	d["occurred_at"] = "2020-01-02T10:00:00Z"
	s.accepted(t, "feedback.survey.answered", d)
	eventually(t, 10*time.Second, "the event", func() bool { return len(s.items(t, "/v1/events")) == 1 })
	at := str(s.items(t, "/v1/events")[0], "collectedat")
	for args, want := range map[string]int{"--since " + at: 1, "--until " + at: 0, "--until 2021-01-01T00:00:00Z": 0, "--since 2021-01-01T00:00:00Z --until 2999-01-01T00:00:00Z": 1} {
		if n := len(export(t, s.data, "events", strings.Fields(args)...)); n != want {
			t.Errorf("export events %s: %d, want %d", args, n, want)
		}
		q := strings.NewReplacer(" --until ", "&until=", "--since ", "since=", "--until ", "until=").Replace(args)
		if n := len(s.items(t, "/v1/events?"+q)); n != want {
			t.Errorf("GET /v1/events?%s: %d, want %d", q, n, want)
		}
	}
}
