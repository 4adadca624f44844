package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// startDemo starts a fresh demo and waits until its history is in.
func startDemo(t testing.TB, data string) *server {
	t.Helper()
	s := start(t, "demo", "--data", data, "--no-browser", "--pause", "1h")
	eventually(t, 120*time.Second, "the demo's history is told", func() bool {
		_, err := os.Stat(filepath.Join(data, "history-complete"))
		return err == nil
	})
	return s
}

// pages of the demo, for screenshots and the accessibility check.
var pages = []struct{ name, path string }{
	{"triage", "/triage"}, {"case", "first case"}, {"customer", "first customer"}, {"customers", "/customers"}, {"trends", "/trends"},
	{"collectors", "/collectors"}, {"quarantine", "/quarantine"}, {"settings", "/settings"}, {"learned", "/settings/learned"},
}

// resolve turns the two pages that need an id into their address.
func (b *browser) resolve(base, path string) string {
	b.t.Helper()
	link := map[string]string{"first case": `#queue a[href^="/cases/"]`, "first customer": `a[href^="/customers/"]`}[path]
	if link == "" {
		return base + path
	}
	if path == "first customer" {
		b.visit(b.resolve(base, "first case"))
	} else {
		b.visit(base + "/triage")
	}
	return base + js[string](b, fmt.Sprintf(`document.querySelector(%q).getAttribute("href")`, link))
}

// TestDemo starts the demo as its user would: alerts within ten seconds of the
// start is measured by eye (timings are no tests); here it is that they come,
// that a second start goes on and that --fresh begins anew.
func TestDemo(t *testing.T) {
	data := t.TempDir()
	s := startDemo(t, data)
	s.stop()
	count := func() int { return len(export(t, data, "cases")) }
	first := count()
	if first < 20 {
		t.Errorf("a lively business has more than %d cases", first)
	}
	states := map[string]int{}
	for _, c := range export(t, data, "cases") {
		states[str(c, "state")]++
	}
	for _, want := range []string{"new", "in_recovery", "recovered"} {
		if states[want] == 0 {
			t.Errorf("no case is %s: %v", want, states)
		}
	}
	s = startDemo(t, data)
	s.stop()
	if again := count(); again < first {
		t.Errorf("a second start has %d cases, the first had %d", again, first)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "letters.txt"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := redalert(t, "", "demo", "--data", other, "--fresh"); code == 0 || !strings.Contains(errs, "not a demo") {
		t.Errorf("--fresh on a folder that is no demo: exit %d, %s", code, errs)
	}
}

// TestBrowser signs in, works a case through the whole playbook by keyboard,
// reads the trends, and holds every page against axe-core, wide and on a phone.
func TestBrowser(t *testing.T) {
	b := newBrowser(t)
	s := startDemo(t, t.TempDir())
	b.size(1280, 900, false)
	b.signInDemo(s.url, "owner")
	for _, dark := range []bool{false, true} {
		for _, width := range []int64{1280, 390} {
			b.size(width, 900, dark)
			for _, p := range pages {
				b.visit(b.resolve(s.url, p.path))
				where := fmt.Sprintf("%s at %d px, dark %v", p.name, width, dark)
				b.axe(where)
				if over := js[float64](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); over > 0 {
					t.Errorf("%s: the page is %v px too wide", where, over)
				}
			}
		}
	}
	b.size(1280, 900, false)
	b.visit(s.url + "/trends")
	tables := js[int](b, `[...document.querySelectorAll("details")].filter(d => /numbers/i.test(d.querySelector("summary").innerText) && d.querySelector("table")).length`)
	if tables < 2 {
		t.Errorf("%d charts have their table", tables)
	}
	b.visit(s.url + "/login")
	b.axe("login")
}

// TestFirstAlertByCurl is the README's example, to the letter.
func TestFirstAlertByCurl(t *testing.T) {
	data := t.TempDir()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(readme), "-d '")
	body, _, ok2 := strings.Cut(after, "'\n")
	if !ok || !ok2 || !json.Valid([]byte(body)) {
		t.Fatalf("the README's example is no JSON: %s", body)
	}
	s := start(t, "run", "--data", data)
	eventually(t, 20*time.Second, "the link for the first owner", func() bool { return strings.Contains(s.stdout.String(), "/first-owner?key=") })
	ingest := strings.TrimSpace(must(t, "token", "add", "shop", "--scope", "ingest", "--data", data))
	read := strings.TrimSpace(must(t, "token", "add", "look", "--scope", "read", "--data", data))
	for i, want := range []string{"accepted", "duplicate"} {
		code, answer, err := s.request(http.MethodPost, "/v1/events", ingest, "application/cloudevents+json", []byte(body))
		if err != nil || code != http.StatusAccepted || !strings.Contains(string(answer), want) {
			t.Fatalf("post %d: %d %v %s", i, code, err, answer)
		}
	}
	var cases struct{ Items []map[string]any }
	eventually(t, 10*time.Second, "Maria's case", func() bool {
		s.getJSON(read, "/v1/cases", &cases)
		return len(cases.Items) == 1
	})
	codes := ""
	for _, r := range cases.Items[0]["reasons"].([]any) {
		codes += str(r.(map[string]any), "code") + " "
	}
	if !strings.Contains(codes, "refund_request") {
		t.Errorf("reasons %s", codes)
	}
	s.stop()
}
