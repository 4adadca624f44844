package demo

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/smtp"
	"slices"
	"strings"
	"testing"
	"time"

	"redalert/ingest"
	"redalert/schemas"
)

var now = time.Date(2026, 3, 18, 11, 0, 0, 0, time.UTC)

func TestStoryIsTheSameForTheSameSeed(t *testing.T) {
	a, b := Write(Seed, now), Write(Seed, now)
	if len(a.Items) != len(b.Items) || len(a.Items) < 9000 {
		t.Fatalf("%d and %d items", len(a.Items), len(b.Items))
	}
	for i := range a.Items {
		if a.Items[i].NativeID != b.Items[i].NativeID || string(a.Items[i].Data) != string(b.Items[i].Data) {
			t.Fatalf("item %d differs", i)
		}
	}
	if !slices.IsSortedFunc(a.Items, func(x, y ingest.Item) int { return x.OccurredAt.Compare(y.OccurredAt) }) {
		t.Error("items are not in the order of time")
	}
	if last := a.Items[len(a.Items)-1].OccurredAt; last.After(now) {
		t.Errorf("an item of the future: %v", last)
	}
}

func TestPlantedIncidentsAreThere(t *testing.T) {
	s := Write(Seed, now)
	count := func(from, to int, substr ...string) (n int) {
		for _, it := range s.Items {
			if it.OccurredAt.Before(now.AddDate(0, 0, -from)) || it.OccurredAt.After(now.AddDate(0, 0, -to)) {
				continue
			}
			for _, sub := range substr {
				if strings.Contains(string(it.Data), sub) {
					n++
					break
				}
			}
		}
		return n
	}
	for name, n := range map[string]int{
		"no-show week":     count(10, 0, "nobody came", "No one showed up", "did not turn up", "missed appointment", "Nobody came", "waited in all day"),
		"price rise":       count(131, 95, "new prices", "Too expensive", "bill gone up", "increase from the invoice", "more than my electricity"),
		"leaking valves":   count(64, 30, "leak", "It drips", "broke after ten days"),
		"anonymous review": count(2, 0, "let the cat out"),
		"shy customer":     count(30, 0, "Wanda Lund"),
	} {
		if n < map[string]int{"anonymous review": 1, "shy customer": 2}[name] || (n < 5 && name != "anonymous review" && name != "shy customer") {
			t.Errorf("%s: %d traces", name, n)
		}
	}
}

func TestLiveFeedGoesOnForEver(t *testing.T) {
	s := Write(Seed, now)
	seen := map[string]bool{}
	for i := range 50 {
		it := s.Next(now.Add(time.Duration(i) * time.Minute))
		if seen[it.NativeID] || !it.Type.Known() || len(it.Data) == 0 {
			t.Fatalf("live item %d: %+v", i, it)
		}
		seen[it.NativeID] = true
	}
}

func TestMailboxShowsWhatWasSent(t *testing.T) {
	box, err := OpenMailbox(t.TempDir(), func() time.Time { return now }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	msg := "From: care@riverside.example\r\nTo: manager@riverside.example\r\nSubject: 3 customers need you today\r\nX-Redalert-Notification: n1\r\nContent-Type: text/plain\r\n\r\nMaria <b>first</b>.\r\n"
	if err := smtp.SendMail(box.addr, nil, "care@riverside.example", []string{"manager@riverside.example"}, []byte(msg)); err != nil {
		t.Fatal(err)
	}
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		box.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	if body := get("/demo/mail").Body.String(); !strings.Contains(body, "3 customers need you today") {
		t.Errorf("the list does not show the mail:\n%s", body)
	}
	if body := get("/demo/mail/000001").Body.String(); !strings.Contains(body, "Maria &lt;b&gt;first") {
		t.Errorf("the mail is not shown, or not escaped:\n%s", body)
	}
	for _, path := range []string{"/demo/mail/9", "/demo/mail/..%2F..%2Fetc", "/demo/mail/x"} {
		if code := get(path).Code; code != http.StatusNotFound {
			t.Errorf("%s answered %d", path, code)
		}
	}
	if schemas.MinorDigits(Currency) != 2 {
		t.Error("the demo's prices are in cents")
	}
}
