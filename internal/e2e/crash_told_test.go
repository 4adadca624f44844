package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// occasion is an episode of a case.
type occasion struct {
	caseID  string
	episode float64
}

// occasions answers the first critical event of each episode that has one, and
// which of the critical events are filed at all.
func occasions(critical map[string]bool, caseEvents []map[string]any) (due map[occasion]string, filed map[string]bool) {
	rows := slices.Clone(caseEvents)
	slices.SortStableFunc(rows, func(a, b map[string]any) int {
		if c := strings.Compare(str(a, "case_id"), str(b, "case_id")); c != 0 {
			return c
		}
		x, _ := a["seq"].(float64)
		y, _ := b["seq"].(float64)
		return int(x - y)
	})
	due, filed = map[occasion]string{}, map[string]bool{}
	at := occasion{}
	for _, row := range rows {
		if id := str(row, "case_id"); id != at.caseID {
			at = occasion{id, 1}
		}
		if str(row, "kind") == "reopened" {
			at.episode++
		}
		if id := str(row, "event_id"); critical[id] {
			filed[id] = true
			if due[at] == "" {
				due[at] = id
			}
		}
	}
	return due, filed
}

// untold compares who was told of what is critical with who had to be: each of
// managers, once in every episode with a critical event, of that case. It takes
// the ids of the critical events and the exported records, and says what is
// wrong, and of how many episodes somebody had to be told.
func untold(critical map[string]bool, caseEvents, notifications []map[string]any, managers ...string) (wrong []string, episodes int) {
	due, filed := occasions(critical, caseEvents)
	for id := range critical {
		if !filed[id] {
			wrong = append(wrong, fmt.Sprintf("critical event %s is filed in no case", id))
		}
	}
	told := map[occasion]map[string]int{}
	for _, n := range notifications {
		if str(n, "kind") != "critical" {
			continue
		}
		episode, _ := n["episode"].(float64)
		o := occasion{str(n, "case_id"), episode}
		if told[o] == nil {
			told[o] = map[string]int{}
		}
		told[o][str(n, "recipient")]++
		if due[o] == "" {
			wrong = append(wrong, fmt.Sprintf("%s was told of episode %v of case %s, in which nothing is critical", str(n, "recipient"), episode, o.caseID))
		}
	}
	for o, event := range due {
		for _, m := range managers {
			if n := told[o][m]; n != 1 {
				wrong = append(wrong, fmt.Sprintf("%s was told %d times of critical event %s, in episode %v of case %s", m, n, event, o.episode, o.caseID))
			}
		}
	}
	return wrong, len(due)
}

// checkTold: of everything critical the manager, who has no locations and so
// all of them, was told.
func (c *crash) checkTold(critical map[string]bool, notifications []map[string]any) {
	wrong, episodes := untold(critical, c.export("case-events"), notifications, manager)
	for _, w := range wrong {
		c.t.Error(w)
	}
	c.t.Logf("%d critical events, told of in %d episodes", len(critical), episodes)
	if episodes == 0 {
		c.t.Error("nothing was critical, so nobody had to be told")
	}
}

// checkOrders: every order that was placed is there once, and no other.
func (c *crash) checkOrders(events []map[string]any) {
	placed, named := map[string]bool{}, map[string]bool{}
	for _, e := range events {
		if data, _ := e["data"].(map[string]any); strings.HasPrefix(str(e, "type"), "order.") {
			named[str(data, "order_ref")] = true
			placed[str(data, "order_ref")] = placed[str(data, "order_ref")] || str(e, "type") == "order.placed"
		}
	}
	have := map[string]int{}
	for _, o := range c.export("orders") {
		ref := str(o, "order_ref")
		if have[ref]++; have[ref] > 1 || !named[ref] {
			c.t.Errorf("order %s is exported %d times; is there an event of it: %v", ref, have[ref], named[ref])
		}
	}
	for ref := range placed {
		if placed[ref] && have[ref] == 0 {
			c.t.Errorf("order %s was placed and is not exported", ref)
		}
	}
	c.t.Logf("%d orders", len(have))
}

// checkTrend: what the chart counts is what is exported, of every kind of
// event, and red as often as the verdicts say.
func (c *crash) checkTrend(red int) {
	s := start(c.t, c.args("run")...)
	now := time.Now()
	path := fmt.Sprintf("/v1/trends/alerts?period=month&from=%s&to=%s", now.AddDate(0, -3, 0).Format(time.DateOnly), now.AddDate(0, 0, 2).Format(time.DateOnly))
	code, body, err := request(s.url, http.MethodGet, path, c.read, "", nil)
	s.stop()
	var trend struct {
		Series []struct {
			Name   string
			Points []struct{ Value, N float64 }
		}
	}
	if err == nil {
		err = json.Unmarshal(body, &trend)
	}
	if err != nil || code != http.StatusOK || len(trend.Series) != 1 {
		c.t.Fatalf("trend: %d %s, %v", code, body, err)
	}
	n, value := 0.0, 0.0
	for _, p := range trend.Series[0].Points {
		n, value = n+p.N, value+p.Value
	}
	if events := len(c.export("events")); n != float64(events) || value != float64(red) {
		c.t.Errorf("the trend counts %v events, %v of them red; exported are %d and %d", n, value, events, red)
	}
}

// TestUntold: the check of the crash test sees what it is for.
func TestUntold(t *testing.T) {
	row := func(caseID string, seq float64, kind, event string) map[string]any {
		return map[string]any{"case_id": caseID, "seq": seq, "kind": kind, "event_id": event}
	}
	mail := func(caseID string, episode float64, kind, to string) map[string]any {
		return map[string]any{"case_id": caseID, "episode": episode, "kind": kind, "recipient": to}
	}
	critical := map[string]bool{"e2": true, "e3": true, "e5": true}
	rows := []map[string]any{
		row("b", 1, "opened", "e4"), row("a", 1, "opened", "e1"), row("a", 3, "event_added", "e3"), row("a", 2, "event_added", "e2"),
		row("a", 4, "state", ""), row("a", 5, "reopened", "e5"), row("a", 6, "note", ""),
	}
	all := []map[string]any{mail("a", 1, "critical", "m"), mail("a", 2, "critical", "m"), mail("a", 2, "overdue", "m"), mail("b", 1, "overdue", "m")}
	for name, c := range map[string]struct {
		rows, mails []map[string]any
		want        []string
	}{
		"as it should be":        {rows, all, nil},
		"no row of the outbox":   {rows, all[1:], []string{"m was told 0 times of critical event e2, in episode 1 of case a"}},
		"none of a reopening":    {rows, []map[string]any{all[0]}, []string{"m was told 0 times of critical event e5, in episode 2 of case a"}},
		"told another":           {rows, []map[string]any{mail("a", 1, "critical", "x"), all[1]}, []string{"m was told 0 times of critical event e2, in episode 1 of case a"}},
		"told twice":             {rows, append([]map[string]any{all[0]}, all...), []string{"m was told 2 times of critical event e2, in episode 1 of case a"}},
		"told of nothing":        {rows, append([]map[string]any{mail("b", 1, "critical", "m")}, all...), []string{"m was told of episode 1 of case b, in which nothing is critical"}},
		"a critical event apart": {rows[:5], all[:1], []string{"critical event e5 is filed in no case"}},
	} {
		if got, _ := untold(critical, c.rows, c.mails, "m"); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if _, n := untold(critical, rows, all, "m"); n != 2 {
		t.Errorf("%d episodes, want 2", n)
	}
}
