package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var mistakeSteps = strings.Fields("own_up apologise contain fix make_good written_proof root_cause tell_change")

// act posts a command under a case.
func (s *shop) act(t testing.TB, c map[string]any, command string, body map[string]any) (int, map[string]any) {
	t.Helper()
	if _, ok := body["version"]; !ok {
		body["version"] = version(c)
	}
	return s.api(t, http.MethodPost, "/v1/cases/"+str(c, "id")+"/"+command, s.triage, body)
}

// done wants a command to succeed and answers the case as it is then.
func (s *shop) done(t testing.TB, c map[string]any, command string, body map[string]any) map[string]any {
	t.Helper()
	code, now := s.act(t, c, command, body)
	if code != 200 || version(now) <= version(c) {
		t.Fatalf("%s %v: %d %v", command, body, code, now)
	}
	return now
}

func (s *shop) open(t testing.TB, customer string) map[string]any {
	t.Helper()
	d := nps(customer, 1)
	d["customer"].(map[string]any)["email"] = strings.ToLower(customer) + "@mail.example"
	return s.caseOf(t, s.accepted(t, "feedback.survey.answered", d).EventID)
}

func (s *shop) signedIn(t testing.TB, name, role string) *person {
	t.Helper()
	if _, errs, code := redalert(t, "long enough secret\n", s.args("user", "add", name+"@shop.example", "--role", role, "--password-stdin")...); code != 0 {
		t.Fatal(errs)
	}
	p := newPerson(s.url)
	p.signIn(t, name+"@shop.example", "long enough secret")
	return p
}

// send is a JSON request with a session, as a page's script would send it.
func (p *person) send(t testing.TB, method, path string, body any) (int, map[string]any) {
	t.Helper()
	b, _ := json.Marshal(body)
	req, _ := http.NewRequest(method, p.base+path, strings.NewReader(string(b)))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Origin", p.base)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	resp, err := p.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var m map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&m); err != nil {
		t.Fatalf("%s %s: %d %v", method, path, resp.StatusCode, err)
	}
	return resp.StatusCode, m
}

func TestContractClaim(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	c := s.open(t, "C1")
	people := []*person{s.signedIn(t, "ana", "staff"), s.signedIn(t, "ben", "staff")}
	codes, bodies := make([]int, 2), make([]map[string]any, 2)
	var wg sync.WaitGroup
	for i, p := range people {
		wg.Go(func() {
			codes[i], bodies[i] = p.send(t, http.MethodPost, "/v1/cases/"+str(c, "id")+"/claim", map[string]any{"version": version(c)})
		})
	}
	wg.Wait()
	won, lost := 0, 1
	if codes[0] != 200 {
		won, lost = 1, 0
	}
	name := []string{"ana@shop.example", "ben@shop.example"}[won]
	if codes[won] != 200 || str(bodies[won], "assignee") != name || str(bodies[won], "state") != "acknowledged" {
		t.Errorf("the winner: %d %v", codes[won], bodies[won])
	}
	wantCode(t, "the other", codes[lost], bodies[lost], 409, "conflict")
	if str(bodies[lost], "by") != name || version(bodies[lost]) != version(bodies[won]) {
		t.Errorf("the other is told %v; %s won at version %d", bodies[lost], name, version(bodies[won]))
	}
	// With the present version it is still another's case.
	code, body := people[lost].send(t, http.MethodPost, "/v1/cases/"+str(c, "id")+"/claim", map[string]any{"version": version(bodies[won])})
	wantCode(t, "claiming another's case", code, body, 409, "conflict")
	code, body = people[won].send(t, http.MethodPost, "/v1/cases/"+str(c, "id")+"/notes", map[string]any{"version": version(c), "text": "late"})
	wantCode(t, "an old version", code, body, 409, "conflict")
	code, body = people[won].send(t, http.MethodPost, "/v1/cases/"+str(c, "id")+"/notes", map[string]any{"text": "no version"})
	if code/100 != 4 {
		t.Errorf("no version: %d %v", code, body)
	}
	code, body = people[won].send(t, http.MethodPost, "/v1/cases/none/claim", map[string]any{"version": 1})
	wantCode(t, "no such case", code, body, 404, "")
	code, body = s.api(t, http.MethodPost, "/v1/cases/"+str(c, "id")+"/claim", s.read, map[string]any{"version": 1})
	wantCode(t, "a read token", code, body, 403, "")
	code, body = s.api(t, http.MethodPost, "/v1/cases/"+str(c, "id")+"/claim", "", map[string]any{"version": 1})
	wantCode(t, "nobody", code, body, 401, "")
}

func TestContractTransitions(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	boss := s.signedIn(t, "boss", "manager")
	states := strings.Fields("new acknowledged in_recovery waiting_customer recovered lost dismissed")
	allowed := map[string]string{"new": "acknowledged in_recovery lost dismissed", "acknowledged": "in_recovery new lost dismissed",
		"in_recovery": "waiting_customer recovered lost dismissed", "waiting_customer": "in_recovery recovered lost dismissed"}
	reach := map[string][]string{"new": nil, "acknowledged": {"acknowledged"}, "in_recovery": {"in_recovery"}, "waiting_customer": {"in_recovery", "waiting_customer"}}
	for from, way := range reach {
		c := s.open(t, "T-"+from)
		for _, to := range way {
			c = s.done(t, c, "transitions", map[string]any{"to": to})
		}
		for _, to := range append(states, "pending", "") {
			if slices.Contains(strings.Fields(allowed[from]), to) && to != "recovered" {
				continue
			}
			code, body := s.act(t, c, "transitions", map[string]any{"to": to, "reason": "a reason"})
			wantCode(t, from+" to "+to, code, body, 422, "")
		}
		for _, to := range []string{"lost", "dismissed"} {
			path := "/v1/cases/" + str(c, "id") + "/transitions"
			code, body := boss.send(t, http.MethodPost, path, map[string]any{"version": version(c), "to": to})
			wantCode(t, from+" to "+to+" without a reason", code, body, 422, "")
			if code, c = boss.send(t, http.MethodPost, path, map[string]any{"version": version(c), "to": to, "reason": "moved away"}); code != 200 ||
				str(c, "state") != to || str(c, "close_reason") != "moved away" || str(c, "closed_at") == "" {
				t.Fatalf("%s to %s: %d %v", from, to, code, c)
			}
			for _, back := range states[1:] {
				code, body := boss.send(t, http.MethodPost, path, map[string]any{"version": version(c), "to": back, "reason": "x"})
				wantCode(t, to+" to "+back, code, body, 422, "")
			}
			if code, c = boss.send(t, http.MethodPost, path, map[string]any{"version": version(c), "to": "new", "reason": "back again"}); code != 200 ||
				c["episode"] != float64(map[string]int{"lost": 2, "dismissed": 3}[to]) {
				t.Fatalf("reopening: %d %v", code, c)
			}
		}
	}
}

func TestContractPlaybook(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	c := s.caseOf(t, s.accepted(t, "service.mistake_reported", map[string]any{"reported_by": "a@shop.example", "what_happened": "We forgot the visit.",
		"customer": map[string]any{"ref": "C1", "email": "c1@mail.example"}}).EventID)
	c = s.done(t, c, "claim", map[string]any{})
	c = s.done(t, c, "transitions", map[string]any{"to": "in_recovery"})
	put := func(step string, body map[string]any) (int, map[string]any) {
		body["version"] = version(c)
		return s.api(t, http.MethodPut, "/v1/cases/"+str(c, "id")+"/playbook/"+step, s.triage, body)
	}
	missing := func(want []string) {
		t.Helper()
		code, body := s.act(t, c, "transitions", map[string]any{"to": "recovered"})
		wantCode(t, "recovered", code, body, 422, "playbook_incomplete")
		if !slices.Equal(list(body, "missing"), want) {
			t.Errorf("missing %v, want %v", list(body, "missing"), want)
		}
	}
	missing(mistakeSteps)
	code, body := put("root_cause", map[string]any{"override_reason": "not needed"})
	wantCode(t, "override by a token", code, body, 403, "")
	staff := s.signedIn(t, "ana", "staff")
	code, body = staff.send(t, http.MethodPut, "/v1/cases/"+str(c, "id")+"/playbook/root_cause", map[string]any{"version": 999, "override_reason": "x"})
	wantCode(t, "permission before order", code, body, 403, "")
	denied := 0
	for _, e := range export(t, s.data, "case-events") {
		if strings.Contains(str(e, "kind"), "denied") {
			denied++
		}
	}
	if denied != 2 {
		t.Errorf("%d audit entries of the two refusals", denied)
	}
	c = s.caseNow(t, c)
	code, body = put("dance", map[string]any{"evidence": "x"})
	if code/100 != 4 {
		t.Errorf("a step there is not: %d %v", code, body)
	}
	c = s.done(t, c, "calls", map[string]any{"outcome": "no_answer"})
	c = s.done(t, c, "calls", map[string]any{"outcome": "voicemail", "note": "asked to call back"})
	c = s.done(t, c, "calls", map[string]any{"outcome": "reached", "note": "apologised"})
	code, body = s.act(t, c, "calls", map[string]any{"outcome": "shouted"})
	wantCode(t, "a call's outcome", code, body, 422, "")
	left := slices.Clone(mistakeSteps)
	code, body = put("written_proof", map[string]any{"evidence": "Called her by phone"})
	wantCode(t, "closing by phone alone", code, body, 422, "")
	for _, step := range []string{"fix", "own_up", "written_proof", "apologise", "contain", "make_good", "root_cause"} {
		evidence := "Done: " + step + ", letter handed over"
		if code, body = put(step, map[string]any{"evidence": evidence}); code != 200 {
			t.Fatalf("%s: %d %v", step, code, body)
		}
		c = body
		left = slices.DeleteFunc(left, func(s string) bool { return s == step })
		missing(left)
	}
	boss := s.signedIn(t, "boss", "manager")
	if code, c = boss.send(t, http.MethodPut, "/v1/cases/"+str(c, "id")+"/playbook/tell_change",
		map[string]any{"version": version(c), "override_reason": "nobody else is affected"}); code != 200 {
		t.Fatalf("a manager's override: %d %v", code, c)
	}
	c = s.done(t, c, "transitions", map[string]any{"to": "recovered"})
	for _, p := range c["playbook"].([]any) {
		p := p.(map[string]any)
		if want := map[bool]string{true: "overridden", false: "done"}[str(p, "step") == "tell_change"]; str(p, "state") != want || str(p, "actor") == "" || str(p, "at") == "" {
			t.Errorf("step %v", p)
		}
	}
	last := map[string]float64{}
	for _, e := range export(t, s.data, "case-events") {
		if seq, _ := e["seq"].(float64); seq != last[str(e, "case_id")]+1 {
			t.Errorf("seq %v after %v", seq, last[str(e, "case_id")])
		} else {
			last[str(e, "case_id")] = seq
		}
	}
}

// caseNow reads a case again.
func (s *shop) caseNow(t testing.TB, c map[string]any) map[string]any {
	t.Helper()
	code, now := s.api(t, http.MethodGet, "/v1/cases/"+str(c, "id"), s.read, nil)
	if code != 200 {
		t.Fatalf("case %s: %d %v", str(c, "id"), code, now)
	}
	return now
}

func TestContractCaseCommands(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	c := s.open(t, "C1")
	c = s.done(t, c, "notes", map[string]any{"text": "asked the driver"})
	c = s.done(t, c, "assign", map[string]any{"assignee": "manager@shop.example", "reason": "knows her"})
	if str(c, "assignee") != "manager@shop.example" {
		t.Errorf("assignee %v", c["assignee"])
	}
	c = s.done(t, c, "kind", map[string]any{"kind": "mistake", "reason": "it was us"})
	if str(c, "kind") != "mistake" || len(c["playbook"].([]any)) != 8 {
		t.Errorf("kind %v, playbook %v", c["kind"], c["playbook"])
	}
	code, body := s.act(t, c, "kind", map[string]any{"kind": "risk", "reason": "it was not"})
	wantCode(t, "mistake to risk by staff", code, body, 403, "")
	c = s.done(t, s.caseNow(t, c), "snooze", map[string]any{"until": time.Now().Add(time.Hour).UTC().Format(time.RFC3339), "reason": "on holiday"})
	other := s.open(t, "C2")
	if code, other = s.act(t, c, "merge", map[string]any{"into": str(other, "id")}); code != 200 || len(list(other, "event_ids")) != 2 {
		t.Fatalf("merged: %d %v", code, other)
	}
	if code, body = s.act(t, other, "split", map[string]any{"event_ids": list(other, "event_ids")[1:]}); code != 200 {
		t.Fatalf("split: %d %v", code, body)
	}
	rows, last := map[string]int{}, map[string]float64{}
	for _, e := range export(t, s.data, "case-events") {
		if id := str(e, "event_id"); id != "" {
			rows[id]++
		}
		if seq, _ := e["seq"].(float64); seq != last[str(e, "case_id")]+1 {
			t.Errorf("seq %v after %v", seq, last[str(e, "case_id")])
		}
		last[str(e, "case_id")]++
	}
	for id, n := range rows {
		if n != 1 {
			t.Errorf("event %s stands on %d rows", id, n)
		}
	}
	if len(rows) != 2 || len(last) != 3 {
		t.Errorf("%d events on rows of %d cases", len(rows), len(last))
	}
	eventually(t, 10*time.Second, "the mail to the assignee", func() bool { return len(s.mails.to("manager@shop.example")) == 1 })
}

// TestContractReply: the mail reaches the customer, in the thread of theirs.
func TestContractReply(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	mbox := fmt.Sprintf("From x@y Thu Jan  1 00:00:00 1970\nFrom: Eva <eva@mail.example>\nTo: care@shop.example\nDate: %s\nSubject: My order\nMessage-ID: <first@mail.example>\n\nI want a refund.\n\n", time.Now().Format(time.RFC1123Z))
	must(t, s.args("import", "mail", writeFile(t, t.TempDir(), "box.mbox", mbox), "--source", "care")...)
	var c map[string]any
	eventually(t, 10*time.Second, "the case", func() bool {
		if all := s.items(t, "/v1/cases"); len(all) == 1 {
			c = all[0]
		}
		return c != nil
	})
	code, body := s.act(t, c, "replies", map[string]any{"text": " "})
	wantCode(t, "an empty reply", code, body, 422, "")
	c = s.done(t, c, "replies", map[string]any{"text": "We are sorry. It was our fault, and the money is on its way.", "subject": "Re: My order\r\nBcc: all@mail.example"})
	eventually(t, 10*time.Second, "the reply", func() bool { return len(s.mails.to("eva@mail.example")) == 1 })
	m := s.mails.to("eva@mail.example")[0]
	if m.header.Get("In-Reply-To") != "<first@mail.example>" || !strings.Contains(m.header.Get("References"), "<first@mail.example>") ||
		m.header.Get("Message-Id") == "" || m.header.Get("Bcc") != "" || !strings.Contains(m.body, "money is on its way") {
		t.Errorf("the mail: %v\n%s", m.header, m.body)
	}
	var sent map[string]any
	eventually(t, 5*time.Second, "the reply in the log of notifications", func() bool {
		for _, n := range s.items(t, "/v1/notifications") {
			if str(n, "kind") == "reply" && str(n, "state") == "sent" {
				sent = n
			}
		}
		return sent != nil
	})
	if str(sent, "message_id") != m.header.Get("Message-Id") || str(sent, "case_id") != str(c, "id") || str(sent, "recipient") != "eva@mail.example" {
		t.Errorf("notification %v", sent)
	}
}

// TestContractCriticalMail: once an episode, at once, to managers of the
// location and of all, also when the event joins an open case.
func TestContractCriticalMail(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	for _, u := range []string{"north --role manager --location North", "south --role manager --location South", "staff --role staff"} {
		f := strings.SplitN(u, " ", 2)
		must(t, append(s.args("user", "add", f[0]+"@shop.example"), strings.Fields(f[1])...)...)
	}
	at := func(d map[string]any) map[string]any {
		d["location"] = "North"
		d["customer"] = map[string]any{"ref": "C1"}
		return d
	}
	c := s.caseOf(t, s.accepted(t, "feedback.survey.answered", at(field("nps", 1))).EventID)
	for range 2 {
		s.caseOf(t, s.accepted(t, "feedback.email.received", at(said("You will hear from my lawyer."))).EventID)
	}
	eventually(t, 10*time.Second, "two mails", func() bool {
		return len(s.mails.to("north@shop.example")) == 1 && len(s.mails.to("manager@shop.example")) == 1
	})
	if n := len(s.mails.to("south@shop.example")) + len(s.mails.to("staff@shop.example")); n != 0 {
		t.Errorf("%d mails to others", n)
	}
	m := s.mails.to("north@shop.example")[0]
	if !strings.Contains(m.body, "/cases/"+url.PathEscape(str(c, "id"))) {
		t.Errorf("the mail has no link to the case:\n%s", m.body)
	}
}
