package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

var missedAtNorth = regexp.MustCompile(`Missed appointments at North: \d+ (this week|in the last 7 days), usually (none|1|2|3)`)

// answers writes 14 weeks of survey answers up to yesterday: two missed
// appointments a week at North, one at South, and in the last three days nine
// more at North.
func answers(now time.Time) string {
	var b strings.Builder
	n := 0
	add := func(days int, place, text string) {
		n++
		fmt.Fprintf(&b, `{"submission_id":"S%d","field_type":"text","value_text":%q,"occurred_at":%q,"location":%q}`+"\n",
			n, text, now.AddDate(0, 0, -days).Format(time.RFC3339), place)
	}
	const quiet, missed = "All fine, thank you.", "Nobody came to the appointment again."
	for d := 98; d > 0; d-- {
		for range 3 {
			add(d, "North", quiet)
			add(d, "South", quiet)
		}
		switch d % 7 {
		case 2, 5:
			add(d, "North", missed)
		case 4:
			add(d, "South", missed)
		}
		if d <= 3 {
			for range 3 {
				add(d, "North", missed)
			}
		}
	}
	return b.String()
}

// TestUnusual: managers are told of what is more than usual at their locations,
// on the pages, by the API and once in the digest; staff and other locations are
// not.
func TestUnusual(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	now := time.Now().UTC()
	for email, role := range map[string][]string{"boss": {"manager"}, "south": {"manager", "--location", "South"}, "sasha": {"staff"}} {
		args := append([]string{"user", "add", email + "@shop.example", "--password-stdin", "--role"}, role...)
		if _, errs, code := redalert(t, "long enough secret", s.args(args...)...); code != 0 {
			t.Fatal(errs)
		}
	}
	must(t, s.args("import", "surveys", writeFile(t, t.TempDir(), "s.jsonl", answers(now)), "--source", "survey")...)
	must(t, s.args("run", "--drain")...)

	digest := func(at time.Time) (boss, south bool) {
		before := map[string]int{}
		for _, who := range []string{"boss", "south"} {
			before[who] = len(s.mails.to(who + "@shop.example"))
		}
		must(t, s.args("tick", "--at", at.Format(time.RFC3339))...)
		told := func(who string) (found bool) {
			mails := s.mails.to(who + "@shop.example")[before[who]:]
			if len(mails) == 0 {
				t.Fatalf("%s got no digest at %s", who, at)
			}
			for _, m := range mails {
				found = found || missedAtNorth.MatchString(m.body)
			}
			return found
		}
		return told("boss"), told("south")
	}
	preview := must(t, s.args("digest", "preview", "--for", "boss@shop.example", "--at", now.Add(8*time.Hour).Format(time.RFC3339))...)
	if !missedAtNorth.MatchString(preview) || !strings.Contains(preview, "/trends/unusual?category=missed_appointment") {
		t.Fatalf("the preview does not tell:\n%s", preview)
	}
	if boss, south := digest(now.Add(8 * time.Hour)); !boss || south {
		t.Errorf("told in the first digest: the manager of all %v, of South %v", boss, south)
	}
	if boss, south := digest(now.Add(32 * time.Hour)); boss || south {
		t.Errorf("told again a day later: the manager of all %v, of South %v", boss, south)
	}

	s.server = start(t, s.args("run")...)
	var page struct {
		Items []struct {
			Location, Category string
			Count              int
			Usual              float64
		}
	}
	s.getJSON(s.read, "/v1/unusual", &page)
	if len(page.Items) != 1 || page.Items[0].Location != "North" || page.Items[0].Category != "missed_appointment" || page.Items[0].Count < 9 {
		t.Fatalf("GET /v1/unusual: %+v", page.Items)
	}
	for who, want := range map[string]struct {
		told bool
		api  int
	}{"boss": {true, 200}, "south": {false, 200}, "sasha": {false, 403}} {
		p := newPerson(s.url)
		p.signIn(t, who+"@shop.example", "long enough secret")
		for _, path := range []string{"/triage", "/trends"} {
			resp, body := p.do(t, http.MethodGet, path, nil)
			if resp.StatusCode != http.StatusOK || missedAtNorth.MatchString(body) != want.told || strings.Contains(body, "More than usual") != want.told {
				t.Errorf("%s on %s: %d, told %v", who, path, resp.StatusCode, !want.told)
			}
			if link := regexp.MustCompile(`href="(/trends/unusual\?[^"]*)"`).FindStringSubmatch(body); want.told && link != nil {
				_, behind := p.do(t, http.MethodGet, strings.ReplaceAll(link[1], "&amp;", "&"), nil)
				if n := strings.Count(behind, "Nobody came to the appointment again."); n != page.Items[0].Count || !strings.Contains(behind, `href="/cases/`) {
					t.Errorf("%d alerts behind the notice of %d", n, page.Items[0].Count)
				}
			} else if want.told {
				t.Errorf("no link on %s", path)
			}
		}
		if resp, _ := p.do(t, http.MethodGet, "/v1/unusual", url.Values(nil)); resp.StatusCode != want.api {
			t.Errorf("%s asked the API: %d", who, resp.StatusCode)
		}
		if resp, _ := p.do(t, http.MethodGet, "/trends/unusual?from=x&through=y", nil); resp.StatusCode != http.StatusNotFound {
			t.Errorf("days that are none: %d", resp.StatusCode)
		}
		if resp, _ := p.do(t, http.MethodGet, "/trends/unusual", nil); resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/trends" {
			t.Errorf("without a notice: %d to %q", resp.StatusCode, resp.Header.Get("Location"))
		}
	}
}
