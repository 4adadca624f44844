package e2e

import (
	"fmt"
	"strings"
)

// check holds the exports against what was acknowledged.
func (c *crash) check() {
	exported := c.export("events")
	events := c.checkEvents(exported)
	red, critical := c.checkVerdicts(events)
	c.checkCases(red)
	c.checkAudit(red)
	c.checkTold(critical, c.checkNotifications())
	c.checkOrders(exported)
	c.checkTrend(len(red))
	c.t.Logf("%d events, %d red, %d mails sent, %d notes", len(events), len(red), len(c.sent), len(c.notes))
	if len(events) < *kills || len(red) < *kills/4 {
		c.t.Errorf("too little happened to prove anything: %d events, %d red", len(events), len(red))
	}
}

// checkEvents: every accepted item is there once, none is there twice, and
// nothing acknowledged is missing.
func (c *crash) checkEvents(exported []map[string]any) map[string]bool {
	ids := map[string]bool{}
	natives := map[string]int{}
	for _, e := range exported {
		if ids[str(e, "id")] {
			c.t.Errorf("event %s is exported twice", str(e, "id"))
		}
		ids[str(e, "id")] = true
		natives[str(e, "source")+"|"+nativeKey(e)]++
	}
	want := func(key string) {
		if n := natives[key]; n != 1 {
			c.t.Errorf("%s is there %d times", key, n)
		}
	}
	for id, door := range c.acked {
		want(map[string]string{"api": "posts|", "hook": "shop|"}[door] + id)
	}
	for _, id := range c.mails {
		want("care|" + id)
	}
	for _, id := range c.review {
		want("town|https://reviews.example/" + id)
	}
	for _, ref := range c.files {
		want("file|" + ref)
	}
	for key, n := range natives {
		if n > 1 {
			c.t.Errorf("%s is there %d times", key, n)
		}
	}
	if q := c.export("quarantine"); len(q) > 0 {
		c.t.Errorf("%d good items were quarantined, the first: %v", len(q), q[0])
	}
	return ids
}

// nativeKey is the sender's id; of a mail its Message-ID, of an imported order
// its number.
func nativeKey(e map[string]any) string {
	data, _ := e["data"].(map[string]any)
	switch str(e, "source") {
	case "care":
		meta, _ := data["metadata"].(map[string]any)
		return str(meta, "message_id")
	case "file":
		return str(data, "order_ref")
	}
	return str(e, "nativeid")
}

// checkVerdicts: one verdict for each event; every red one has one alert. It
// answers which are red, and which of those critical.
func (c *crash) checkVerdicts(events map[string]bool) (red, critical map[string]bool) {
	red, critical = map[string]bool{}, map[string]bool{}
	seen := map[string]bool{}
	for _, v := range c.export("verdicts") {
		id := str(v, "event_id")
		if seen[id] || !events[id] {
			c.t.Errorf("verdict of %s: twice %v, event known %v", id, seen[id], events[id])
		}
		seen[id] = true
		if v["red"] == true {
			red[id] = true
			if str(v, "severity") == "critical" {
				critical[id] = true
			}
		}
	}
	if len(seen) != len(events) {
		c.t.Errorf("%d verdicts for %d events", len(seen), len(events))
	}
	alerts := map[string]bool{}
	for _, a := range c.export("alerts") {
		id := str(a, "event_id")
		if alerts[id] || !red[id] || str(a, "case_id") == "" {
			c.t.Errorf("alert of %s: twice %v, red %v, case %q", id, alerts[id], red[id], str(a, "case_id"))
		}
		alerts[id] = true
	}
	if len(alerts) != len(red) {
		c.t.Errorf("%d alerts for %d red events", len(alerts), len(red))
	}
	return red, critical
}

// checkCases: every red event is in exactly one case; one open case a customer.
func (c *crash) checkCases(red map[string]bool) {
	in := map[string]string{}
	open := map[string]string{}
	for _, k := range c.export("cases") {
		for _, id := range list(k, "event_ids") {
			if other := in[id]; other != "" {
				c.t.Errorf("event %s is in cases %s and %s", id, other, str(k, "id"))
			}
			in[id] = str(k, "id")
		}
		if key := str(k, "customer_id"); key != "" && !strings.Contains("recovered lost dismissed", str(k, "state")) {
			if open[key] != "" {
				c.t.Errorf("customer %s has two open cases", key)
			}
			open[key] = str(k, "id")
		}
	}
	for id := range red {
		if in[id] == "" {
			c.t.Errorf("red event %s is in no case", id)
		}
	}
}

// checkAudit: numbers without gaps, no event filed twice, every acknowledged
// note there once.
func (c *crash) checkAudit(red map[string]bool) {
	last := map[string]float64{}
	filed, notes := map[string]bool{}, map[string]int{}
	for _, a := range c.export("case-events") {
		seq, _ := a["seq"].(float64)
		if id := str(a, "case_id"); seq != last[id]+1 {
			c.t.Errorf("case %s: entry %v follows %v", id, seq, last[id])
		}
		last[str(a, "case_id")] = seq
		if id := str(a, "event_id"); id != "" && red[id] {
			if filed[id] {
				c.t.Errorf("event %s is filed twice", id)
			}
			filed[id] = true
		}
		if str(a, "kind") == "note" {
			notes[str(a, "reason")]++
		}
	}
	for text := range c.notes {
		if notes[text] != 1 {
			c.t.Errorf("an acknowledged note is there %d times: %s", notes[text], text)
		}
	}
}

// checkNotifications: one Message-ID for each key, in the log and on the wire;
// what the log says is sent has arrived, and nothing else. It answers the log.
func (c *crash) checkNotifications() []map[string]any {
	byKey, logged := map[string]string{}, map[string]bool{}
	notifications := c.export("notifications")
	for _, n := range notifications {
		key := fmt.Sprint(n["case_id"], n["episode"], n["kind"], n["cause"], n["recipient"], n["channel"])
		if other := byKey[key]; other != "" {
			c.t.Errorf("notification %s has two Message-IDs: %s and %s", key, other, str(n, "message_id"))
		}
		byKey[key] = str(n, "message_id")
		logged[str(n, "message_id")] = true
		if str(n, "state") != "sent" {
			c.t.Errorf("notification %s is %s: %s", key, str(n, "state"), str(n, "error"))
		}
	}
	onWire := map[string]bool{}
	for _, m := range c.sent {
		onWire[m.messageID] = true
		if !logged[m.messageID] {
			c.t.Errorf("a mail to %s with Message-ID %s is not in the log", m.to, m.messageID)
		}
	}
	for id := range logged {
		if !onWire[id] {
			c.t.Errorf("notification %s is sent by the log, but never arrived", id)
		}
	}
	if len(logged) == 0 {
		c.t.Error("no notification at all")
	}
	return notifications
}
