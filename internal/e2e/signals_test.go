package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// signalsOf are the events of one type of signal in an export, by customer.
func signalsOf(t testing.TB, s *shop, typ string) map[string][]map[string]any {
	t.Helper()
	out := map[string][]map[string]any{}
	for _, e := range export(t, s.data, "events") {
		if str(e, "type") == typ {
			out[str(e, "customerid")] = append(out[str(e, "customerid")], e)
		}
	}
	return out
}

func dataOf(e map[string]any, key string) string {
	d, _ := e["data"].(map[string]any)
	return str(d, key)
}

// customerOf answers who an event is about.
func customerOf(t testing.TB, s *shop, event string) string {
	t.Helper()
	for _, e := range export(t, s.data, "events") {
		if str(e, "id") == event {
			return str(e, "customerid")
		}
	}
	t.Fatalf("event %s is not in history", event)
	return ""
}

// openCase is the one case of a customer in an export.
func openCase(t testing.TB, s *shop, customer string) map[string]any {
	t.Helper()
	var found []map[string]any
	for _, c := range export(t, s.data, "cases") {
		if str(c, "customer_id") == customer {
			found = append(found, c)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d cases of customer %s", len(found), customer)
	}
	return found[0]
}

func reasonsOf(c map[string]any) (out []string) {
	rs, _ := c["reasons"].([]any)
	for _, r := range rs {
		m, _ := r.(map[string]any)
		out = append(out, str(m, "code")+": "+str(m, "message"))
	}
	return out
}

// TestClockSignals: what nobody sends is raised by the clock of the real program,
// once, says why in numbers, stands in a case, and an answer ends it.
func TestClockSignals(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	now := time.Now().UTC().Truncate(time.Second)
	person := func(ref string) map[string]any {
		return map[string]any{"ref": ref, "email": strings.ToLower(ref) + "@mail.example", "name": ref}
	}
	event := map[string]string{}
	for i := range 6 { // the last orders were yesterday
		for who, days := range map[string]int{"OTTO": 7, "IDA": 60} {
			event[who] = s.accepted(t, "order.placed", map[string]any{"order_ref": fmt.Sprint(who, "-", i), "customer": person(who), "location": "North",
				"occurred_at": now.AddDate(0, 0, days*(i-5)-1).Format(time.RFC3339), "total": euro(9000)}).EventID
		}
	}
	mail := func(who, text string, meta map[string]any) {
		meta["message_id"], meta["subject"] = "<"+who+"@mail.example>", "Sunday"
		event[who] = s.accepted(t, "feedback.email.received", map[string]any{"value_text": text, "customer": person(who), "location": "North",
			"occurred_at": now.Format(time.RFC3339), "metadata": meta}).EventID
	}
	mail("LOST", "Are you open on Sunday?", map[string]any{})
	mail("ANSWERED", "Are you open on Sunday?", map[string]any{})
	mail("THANKS", "Thank you, that was lovely!", map[string]any{})
	mail("AWAY", "I am away until Monday.", map[string]any{"mail_kind": "auto_reply"})
	s.accepted(t, "reply.sent", map[string]any{"customer": person("ANSWERED"), "text": "Yes.", "occurred_at": now.Add(time.Second).Format(time.RFC3339)})
	s.stop()

	tick := func(at time.Time) { t.Helper(); must(t, s.args("tick", "--at", at.Format(time.RFC3339))...) }
	tick(now.Add(time.Hour))
	if n := len(signalsOf(t, s, "signal.unanswered")) + len(signalsOf(t, s, "signal.order_overdue")); n != 0 {
		t.Fatalf("%d signals within the hour", n)
	}
	lost, otto, ida := customerOf(t, s, event["LOST"]), customerOf(t, s, event["OTTO"]), customerOf(t, s, event["IDA"])
	for range 2 {
		tick(now.AddDate(0, 0, 6))
		tick(now.AddDate(0, 0, 6).Add(5 * time.Hour))
	}
	got := signalsOf(t, s, "signal.unanswered")
	if len(got) != 1 || len(got[lost]) != 1 || dataOf(got[lost][0], "about") != event["LOST"] {
		t.Fatalf("unanswered: %v", got)
	}
	c := openCase(t, s, lost)
	if str(c, "kind") != "mistake" || len(reasonsOf(c)) != 1 || !strings.HasPrefix(reasonsOf(c)[0], "unanswered: wrote on ") || !strings.Contains(reasonsOf(c)[0], ", no answer by ") {
		t.Errorf("case %v", c)
	}

	s.server = start(t, s.args("run")...) // somebody answers from the page
	code, after := s.api(t, http.MethodPost, "/v1/cases/"+str(c, "id")+"/replies", s.triage, map[string]any{"version": version(c), "text": "We are open from ten."})
	if code != http.StatusOK || after["first_response_due"] != nil {
		t.Errorf("the answer: %d %v", code, after)
	}
	staff := s.signedIn(t, "ana", "staff")
	if _, page := staff.do(t, http.MethodGet, "/cases/"+str(c, "id"), nil); !strings.Contains(page, "Nobody has answered") || !strings.Contains(page, "Are you open on Sunday?") || !strings.Contains(page, "wrote to the customer") {
		t.Error("the case page does not tell the story")
	}
	s.stop()

	for day := range 8 {
		tick(now.AddDate(0, 0, 13+day))
	}
	tick(now.AddDate(0, 0, 20))
	overdue := signalsOf(t, s, "signal.order_overdue")
	if len(overdue) != 1 || len(overdue[otto]) != 1 || len(overdue[ida]) != 0 {
		t.Fatalf("overdue: %v", overdue)
	}
	c = openCase(t, s, otto)
	if i := slices.IndexFunc(reasonsOf(c), func(r string) bool {
		return strings.HasPrefix(r, "order_overdue: usually every 7 days, ") && strings.HasSuffix(r, " days since the last")
	}); i < 0 {
		t.Errorf("reasons %v", reasonsOf(c))
	}
	if str(c, "location") != "North" || str(c, "kind") != "risk" {
		t.Errorf("case %v", c)
	}
	if got := signalsOf(t, s, "signal.unanswered"); len(got) != 1 || len(got[lost]) != 1 {
		t.Errorf("after the answer: %v", got)
	}
}
