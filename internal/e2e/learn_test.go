package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// What the scorer finds unhappy with no hard rule behind it.
const unhappy = "I waited and waited and in the end I just left."

func (s *shop) say(t testing.TB, source, id string) result {
	t.Helper()
	return s.post(t, cloudEvent(source, id, "feedback.survey.answered", map[string]any{"source_type": "survey", "field_type": "text", "value_text": unhappy}))
}

// verdict waits for the standing verdict of an event.
func (s *shop) verdict(t testing.TB, event string) map[string]any {
	t.Helper()
	var found map[string]any
	eventually(t, 30*time.Second, "the verdict of "+event, func() bool {
		for _, v := range s.items(t, "/v1/verdicts?limit=1000") {
			if str(v, "event_id") == event {
				found = v
			}
		}
		return found != nil
	})
	return found
}

// rescored is what redalert rescore --json prints.
type rescored struct {
	Applied         bool
	Model           string `json:"model_version"`
	Events, Changed int
	Moves           []struct {
		Source, From, To string
		N                int
	}
	Examples []map[string]any
}

func (s *shop) rescore(t testing.TB, args ...string) (r rescored) {
	t.Helper()
	out := must(t, s.args(append([]string{"rescore", "--json"}, args...)...)...)
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return r
}

func (r rescored) moved(source, from, to string) int {
	for _, m := range r.Moves {
		if m.Source == source && m.From == from && m.To == to {
			return m.N
		}
	}
	return 0
}

func TestStaffTeachTheScorer(t *testing.T) {
	t.Parallel()
	teachTheScorer(t, openShop(t))
}

// TestStaffTeachTheScorerOnServers is the same with every role in a process of
// its own, on the three servers.
func TestStaffTeachTheScorerOnServers(t *testing.T) {
	f := newFleet(t, false)
	s := &shop{data: f.data, config: f.config}
	for scope, into := range map[string]*string{"ingest": &s.ingest, "read": &s.read, "triage": &s.triage} {
		*into = strings.TrimSpace(must(t, s.args("token", "add", scope, "--scope", scope)...))
	}
	for _, roles := range []string{"score", "alert"} {
		start(t, s.args("run", "--role", roles)...)
	}
	s.server = start(t, s.args("run", "--role", "collect,web")...)
	teachTheScorer(t, s)
}

// teachTheScorer: staff say of forty messages which were red alerts; what is
// learned is shown, scores the next message, can be rolled back, and history is
// scored again only when somebody says so. No case comes or goes by that.
func teachTheScorer(t *testing.T, s *shop) {
	const password = "correct horse battery"
	if out, errs, code := redalert(t, password+"\n", s.args("user", "add", "boss@shop.example", "--role", "manager", "--password-stdin")...); code != 0 {
		t.Fatalf("user add: exit %d %s%s", code, out, errs)
	}
	boss := newPerson(s.url)
	boss.signIn(t, "boss@shop.example", password)
	const each = 20
	shipped, oldest := s.mark(t, each)
	if resp, _ := boss.do(t, http.MethodPost, "/settings/learned/fit", url.Values{}); resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("learn now: %d", resp.StatusCode)
	}
	if _, page := boss.do(t, http.MethodGet, "/settings/learned", nil); !strings.Contains(page, "Learned from 40 decisions: precision 0.50 → 1.00.") || !strings.Contains(page, "kiosk") {
		t.Fatalf("what was learned is not shown:\n%s", page)
	}
	own := shipped + "+own-1"
	if v := s.verdict(t, s.say(t, "kiosk", "after").EventID); str(v, "model_version") != own || str(v, "level") != "review" {
		t.Fatalf("after learning: %v", v)
	}
	if v := s.verdict(t, s.say(t, "desk", "after").EventID); str(v, "model_version") != own || str(v, "level") != "red" {
		t.Fatalf("after learning: %v", v)
	}
	if v := s.verdict(t, oldest); str(v, "model_version") != shipped {
		t.Fatalf("an old verdict changed by itself: %v", v)
	}
	use := func(number string) {
		t.Helper()
		if resp, _ := boss.do(t, http.MethodPost, "/settings/learned/use", url.Values{"number": {number}}); resp.StatusCode != http.StatusSeeOther {
			t.Fatalf("use %s: %d", number, resp.StatusCode)
		}
	}
	use("0")
	if v := s.verdict(t, s.say(t, "kiosk", "rolled back").EventID); str(v, "model_version") != shipped || str(v, "level") != "red" {
		t.Fatalf("after the rollback: %v", v)
	}
	use("1")
	code, learned := s.api(t, http.MethodGet, "/v1/learned", s.read, nil)
	if uses, _ := learned["uses"].([]any); code != 200 || len(uses) != 3 || learned["pinned"] != true {
		t.Fatalf("the audit: %d %v", code, learned)
	}
	s.rescoreHistory(t, own, each)
}

// mark says of as many messages of the desk that they were red alerts, and of as
// many of the kiosk that they were none. It answers the version that scored them
// and the first event.
func (s *shop) mark(t *testing.T, each int) (shipped, oldest string) {
	t.Helper()
	said := map[string]bool{}
	for i := range each {
		for _, source := range []string{"kiosk", "desk"} {
			id := s.say(t, source, fmt.Sprint(source, i)).EventID
			if said[id] = source == "desk"; oldest == "" {
				oldest = id
			}
		}
	}
	for id, red := range said {
		v := s.verdict(t, id)
		if str(v, "level") != "red" || str(v, "flagged_by") != "model" {
			t.Fatalf("the message is no longer red by the model alone; choose another: %v", v)
		}
		shipped = str(v, "model_version")
		if code, m := s.api(t, http.MethodPut, "/v1/events/"+id+"/mark", s.triage, map[string]any{"red": red}); code != 200 {
			t.Fatalf("mark: %d %v", code, m)
		}
	}
	return shipped, oldest
}

// rescoreHistory scores kiosk's and desk's messages again: first to look, then
// for good.
func (s *shop) rescoreHistory(t *testing.T, own string, each int) {
	t.Helper()
	cases := func() (n int) {
		eventually(t, 20*time.Second, "every red event in a case", func() bool {
			n = len(s.items(t, "/v1/cases?limit=1000"))
			return n == 2*each+2
		})
		return n
	}
	before := cases()
	for range 2 { // looking changes nothing
		r := s.rescore(t)
		if r.Applied || r.Model != own || r.Changed != 2*each+1 || r.moved("kiosk", "red", "review") != each+1 || r.moved("desk", "red", "red") != each || len(r.Examples) != 20 {
			t.Fatalf("dry run: %+v", r)
		}
	}
	if out := must(t, s.args("rescore")...); !strings.Contains(out, "would change") || !strings.Contains(out, "--apply") || !strings.Contains(out, unhappy) {
		t.Errorf("in words:\n%s", out)
	}
	if r := s.rescore(t, "--since", "2999-01-01T00:00:00Z"); r.Events != 0 {
		t.Errorf("of the future: %+v", r)
	}
	if r := s.rescore(t, "--apply"); !r.Applied || r.Changed != 2*each+1 {
		t.Fatalf("apply: %+v", r)
	}
	if r := s.rescore(t, "--apply"); r.Changed != 0 || r.Events == 0 {
		t.Fatalf("apply again: %+v", r)
	}
	for _, line := range strings.Split(strings.TrimSpace(must(t, s.args("export", "verdicts")...)), "\n") {
		if !strings.Contains(line, `"model_version":"`+own+`"`) {
			t.Fatalf("not scored again: %s", line)
		}
	}
	if _, errs, code := redalert(t, "", s.args("rescore", "--apply", "--dry-run")...); code != 2 || !strings.Contains(errs, "exclude") {
		t.Errorf("both flags: exit %d %s", code, errs)
	}
	if after := cases(); after != before {
		t.Errorf("%d cases before, %d after", before, after)
	}
}
