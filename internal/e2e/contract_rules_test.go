package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func field(kind string, n float64, more ...any) map[string]any {
	d := map[string]any{"source_type": "survey", "field_type": kind, "value_number": n}
	for i := 0; i < len(more); i += 2 {
		d[more[i].(string)] = more[i+1]
	}
	return d
}

func said(text string) map[string]any {
	return map[string]any{"source_type": "email", "field_type": "text", "value_text": text}
}

// hardRules is one event for each hard rule of the design, and its quiet
// neighbours.
var hardRules = []struct {
	what, typ string
	data      map[string]any
	severity  string // "" = not red
}{
	{"cancelled by the customer", "order.cancelled", map[string]any{"order_ref": "A1", "caused_by": "customer", "total": euro(5000)}, "high"},
	{"cancelled, nobody knows by whom", "order.cancelled", map[string]any{"order_ref": "A2"}, "high"},
	{"cancelled by the seller", "order.cancelled", map[string]any{"order_ref": "A3", "caused_by": "seller"}, "high"},
	{"changed by the seller, to a higher total", "order.changed", map[string]any{"order_ref": "A4", "caused_by": "seller", "total": euro(9000), "previous_total": euro(5000)}, "high"},
	{"changed by the seller, the same total", "order.changed", map[string]any{"order_ref": "A5", "caused_by": "seller", "total": euro(5000), "previous_total": euro(5000)}, "high"},
	{"refunded", "order.refunded", map[string]any{"order_ref": "A6", "total": euro(5000)}, "medium"},
	{"reduced", "order.changed", map[string]any{"order_ref": "A7", "caused_by": "customer", "total": euro(4000), "previous_total": euro(5000)}, "medium"},
	{"raised by the customer", "order.changed", map[string]any{"order_ref": "A8", "caused_by": "customer", "total": euro(6000), "previous_total": euro(5000)}, ""},
	{"placed", "order.placed", map[string]any{"order_ref": "A9", "total": euro(5000)}, ""},
	{"fulfilled", "order.fulfilled", map[string]any{"order_ref": "A9", "total": euro(5000)}, ""},
	{"a mistake reported", "service.mistake_reported", map[string]any{"reported_by": "ana@shop.example", "what_happened": "We delivered to the neighbour."}, "medium"},
	{"nps 0", "feedback.survey.answered", field("nps", 0), "high"}, {"nps 3", "feedback.survey.answered", field("nps", 3), "high"},
	{"nps 4", "feedback.survey.answered", field("nps", 4), "medium"}, {"nps 6", "feedback.survey.answered", field("nps", 6), "medium"},
	{"nps 7", "feedback.survey.answered", field("nps", 7), ""}, {"nps 10", "feedback.survey.answered", field("nps", 10), ""},
	{"csat 1", "feedback.survey.answered", field("csat", 1), "high"}, {"csat 2", "feedback.survey.answered", field("csat", 2), "medium"},
	{"csat 3", "feedback.survey.answered", field("csat", 3), ""}, {"csat 5", "feedback.survey.answered", field("csat", 5), ""},
	{"rating 1 of 5", "feedback.review.posted", field("rating", 1, "scale_min", 1, "scale_max", 5), "high"},
	{"rating 2 of 5", "feedback.review.posted", field("rating", 2, "scale_min", 1, "scale_max", 5), "medium"},
	{"rating 3 of 5", "feedback.review.posted", field("rating", 3, "scale_min", 1, "scale_max", 5), ""},
	{"rating 1 of 10", "feedback.review.posted", field("rating", 1, "scale_min", 0, "scale_max", 10), "high"},
	{"lower is better, worst", "feedback.survey.answered", field("rating", 6, "scale_min", 1, "scale_max", 6, "higher_is_better", false), "high"},
	{"lower is better, best", "feedback.survey.answered", field("rating", 1, "scale_min", 1, "scale_max", 6, "higher_is_better", false), ""},
	{"wants money back", "feedback.email.received", said("I want a refund for this."), "medium"},
	{"needs no refund", "feedback.email.received", said("No refund needed, thanks."), ""},
	{"will not return", "feedback.email.received", said("I will never order from you again."), "high"},
	{"warns in public", "feedback.review.posted", said("Stay away from this shop."), "high"},
	{"a lawyer", "feedback.email.received", said("You will hear from my lawyer."), "critical"},
	{"a text beside a fine number", "feedback.survey.answered", field("nps", 10, "value_text", "I want a refund for this."), "medium"},
	{"happy", "feedback.email.received", said("Thank you so much, it was lovely."), ""},
}

// TestContractHardRules posts one event for each hard rule and wants exactly
// one verdict each, with level, severity and probability as the design has it.
func TestContractHardRules(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	events := map[string]int{}
	for i, c := range hardRules {
		if i%2 == 0 { // customers known and unknown
			c.data["customer"] = map[string]any{"ref": fmt.Sprint("R", i)}
		}
		events[s.accepted(t, c.typ, c.data).EventID] = i
	}
	eventually(t, 15*time.Second, "a verdict for each", func() bool { return len(s.items(t, "/v1/verdicts?limit=1000")) == len(hardRules) })
	red := 0
	for _, v := range s.items(t, "/v1/verdicts?limit=1000") {
		c := hardRules[events[str(v, "event_id")]]
		p, _ := v["probability"].(float64)
		isRed := v["red"] == true
		if isRed != (c.severity != "") || isRed != (str(v, "level") == "red") || isRed != (p >= 0.8) {
			t.Errorf("%s: %v, want severity %q", c.what, v, c.severity)
			continue
		}
		if str(v, "level") == "none" && v["flagged_by"] != nil || isRed && v["flagged_by"] == nil {
			t.Errorf("%s: flagged_by %v at %s", c.what, v["flagged_by"], str(v, "level"))
		}
		if reasons, _ := v["reasons"].([]any); isRed && (str(v, "severity") != c.severity || len(reasons) == 0) {
			t.Errorf("%s: severity %s, want %s; reasons %v", c.what, str(v, "severity"), c.severity, reasons)
		}
		if isRed {
			red++
		}
	}
	eventually(t, 10*time.Second, "an alert for each red event", func() bool { return len(s.items(t, "/v1/alerts?limit=1000")) == red })
	rows := 0
	for _, c := range s.items(t, "/v1/cases?limit=1000") {
		rows += len(list(c, "event_ids"))
	}
	if rows != red {
		t.Errorf("%d events in cases, %d are red", rows, red)
	}
}

func TestContractUnscored(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	dir := t.TempDir()
	letter := func(head, body string) string {
		return fmt.Sprintf("From x@y Thu Jan  1 00:00:00 1970\nFrom: %s\nTo: care@shop.example\nDate: %s\nSubject: Hello\n%s\n\n%s\n\n", "c@mail.example", time.Now().Format(time.RFC1123Z), head, body)
	}
	angry := "I want a refund. I will never order from you again."
	mbox := letter("Message-ID: <1@m>\nAuto-Submitted: auto-replied", angry) +
		letter("Message-ID: <2@m>\nList-Unsubscribe: <mailto:u@n.example>\nList-Id: news\nPrecedence: bulk", angry) +
		strings.Replace(letter("Message-ID: <3@m>", angry), "c@mail.example", "care@shop.example", 1) +
		letter("Message-ID: <4@m>", angry) +
		letter("Message-ID: <5@m>", "All fine, thank you.\n\nOn Mon, Ana wrote:\n> "+angry)
	must(t, s.args("import", "mail", writeFile(t, dir, "box.mbox", mbox), "--source", "care")...)
	s.accepted(t, "reply.sent", map[string]any{"customer": map[string]any{"ref": "C1"}, "text": angry})
	verdicts := map[string]map[string]any{}
	eventually(t, 10*time.Second, "six verdicts", func() bool {
		for _, v := range s.items(t, "/v1/verdicts") {
			verdicts[str(v, "event_id")] = v
		}
		return len(verdicts) == 6
	})
	for _, e := range s.items(t, "/v1/events") {
		v, native := verdicts[str(e, "id")], str(e, "nativeid")
		switch {
		case strings.Contains(native, "4@m"):
			if str(v, "level") != "red" {
				t.Errorf("an angry mail: %v", v)
			}
		case strings.Contains(native, "5@m"):
			if str(v, "level") != "none" || str(v, "model_version") == "unscored" {
				t.Errorf("a happy answer above a quoted complaint: %v", v)
			}
		default:
			if str(v, "level") != "none" || str(v, "model_version") != "unscored" || v["flagged_by"] != nil {
				t.Errorf("%s %s is not for scoring: %v", str(e, "type"), native, v)
			}
		}
	}
}

func TestContractCustomers(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	who := func(c map[string]any, d map[string]any) map[string]any { d["customer"] = c; return d }
	plain := func() map[string]any { return field("nps", 1) }
	first := s.accepted(t, "feedback.survey.answered", who(map[string]any{"ref": "C1", "email": "Maria@Mail.example", "phone": "+49 30 1234", "name": "Maria Muster"}, plain()))
	c := s.caseOf(t, first.EventID)
	byMail := s.accepted(t, "feedback.survey.answered", who(map[string]any{"email": "maria@mail.example"}, plain()))
	joined := s.caseOf(t, byMail.EventID)
	if str(c, "id") != str(joined, "id") || str(c, "kind") != "risk" {
		t.Errorf("by e-mail alone: case %s joins %s, kind %s", str(joined, "id"), str(c, "id"), str(c, "kind"))
	}
	mistake := s.caseOf(t, s.accepted(t, "service.mistake_reported", who(map[string]any{"ref": "C2"}, map[string]any{"reported_by": "a@shop.example", "what_happened": "We forgot the visit."})).EventID)
	if str(mistake, "kind") != "mistake" {
		t.Errorf("a reported mistake opens a %s case", str(mistake, "kind"))
	}
	steps := []string{}
	for _, p := range mistake["playbook"].([]any) {
		steps = append(steps, str(p.(map[string]any), "step"))
	}
	if !slices.Equal(steps, strings.Fields("own_up apologise contain fix make_good written_proof root_cause tell_change")) {
		t.Errorf("the playbook of a mistake: %v", steps)
	}
	changed := s.accepted(t, "order.changed", who(map[string]any{"ref": "C1"}, map[string]any{"order_ref": "A", "caused_by": "seller", "total": euro(9000), "previous_total": euro(1000)}))
	if got := s.caseOf(t, changed.EventID); str(got, "id") != str(c, "id") || str(got, "kind") != "mistake" {
		t.Errorf("a seller's change joins %s as %s", str(got, "id"), str(got, "kind"))
	}
	a, b := field("nps", 1, "submission_id", "s-1"), field("nps", 1, "submission_id", "s-2")
	same := field("csat", 1, "submission_id", "s-1", "field_id", "other")
	one, two := s.caseOf(t, s.accepted(t, "feedback.survey.answered", a).EventID), s.caseOf(t, s.accepted(t, "feedback.survey.answered", b).EventID)
	three := s.caseOf(t, s.accepted(t, "feedback.survey.answered", same).EventID)
	if str(one, "id") == str(two, "id") || str(one, "id") != str(three, "id") {
		t.Errorf("submissions without a customer are threads of their own: %s, %s, the first one's other field %s", str(one, "id"), str(two, "id"), str(three, "id"))
	}
	for _, e := range export(t, s.data, "events") {
		text := fmt.Sprint(e)
		for _, secret := range []string{"aria@", "1234", "Muster"} {
			if strings.Contains(text, secret) {
				t.Errorf("an exported event holds %q: %s", secret, text)
			}
		}
	}
	found := false
	for _, k := range s.items(t, "/v1/customers") {
		found = found || str(k, "id") == str(c, "customer_id") && strings.EqualFold(str(k, "email"), "maria@mail.example") && str(k, "name") == "Maria Muster"
	}
	if !found {
		t.Errorf("customers: %v", s.items(t, "/v1/customers"))
	}
}

// TestContractOldEvents: what is older than 14 days gets a verdict and an
// alert, but no case and no mail, unless asked for.
func TestContractOldEvents(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	old := time.Now().Add(-15 * 24 * time.Hour).UTC().Format(time.RFC3339)
	dir := t.TempDir()
	rows := func(ref string) string {
		return writeFile(t, dir, ref+".csv", "submission_id,customer.ref,occurred_at,field_type,value_number,value_text\n"+ref+","+ref+","+old+",nps,1,You will hear from my lawyer.\n")
	}
	must(t, s.args("import", "surveys", rows("A"), "--source", "s")...)
	must(t, s.args("import", "surveys", rows("B"), "--source", "s", "--open-cases")...)
	must(t, s.args("run", "--drain")...)
	if v := export(t, s.data, "verdicts"); len(v) != 2 || v[0]["red"] != true || v[1]["red"] != true {
		t.Fatalf("verdicts: %v", v)
	}
	cases, alerts := export(t, s.data, "cases"), export(t, s.data, "alerts")
	if len(cases) != 1 || len(alerts) != 2 || len(s.mails.to("manager@shop.example")) != 1 {
		t.Errorf("%d cases, %d alerts, %d mails; want 1, 2, 1", len(cases), len(alerts), len(s.mails.to("manager@shop.example")))
	}
	without := 0
	for _, a := range alerts {
		if id, ok := a["case_id"]; ok && id == nil && a["opened_case"] == false {
			without++
		}
	}
	if without != 1 {
		t.Errorf("alerts: %v", alerts)
	}
}
