package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// The contract tests drive the binary by docs/contract.md alone, as somebody
// would who has nothing but that page. Each file takes one part of it.

// shop is a running server with its tokens, for tests of the HTTP contract.
type shop struct {
	*server
	data, config         string
	ingest, read, triage string
	mails                *sink
	secret               []byte
	mu                   sync.Mutex
	nextEvent            int
}

// night is a time zone where it is between one and two at night: no digest is
// due there for hours, whenever the tests run.
func night() string {
	east := 1 - time.Now().UTC().Hour()
	if east < -12 {
		east += 24
	}
	return fmt.Sprintf("Etc/GMT%+d", -east) // the sign of these names is that of POSIX
}

// setUp makes a data folder with a token of every scope, a manager, and a
// configuration with a mail sink and a signed source; nothing runs yet.
func setUp(t testing.TB) *shop {
	t.Helper()
	s := &shop{data: t.TempDir(), mails: newSink(t), secret: []byte("0123456789abcdef0123456789abcdef")}
	dir := t.TempDir()
	secretFile := writeFile(t, dir, "hook", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n")
	s.config = writeFile(t, dir, "redalert.yaml", fmt.Sprintf(`
business: {name: Contract, timezone: %s, currency: EUR, rates: {GBP: "1.20"}}
smtp: {host: 127.0.0.1, port: %d, tls: none, from: Shop <care@shop.example>}
sources: [{name: shop, kind: webhook, webhook_secret_file: %q}]
network: {allow_private: [127.0.0.0/8]}
log: {level: warn}
`, night(), s.mails.port, secretFile))
	must(t, s.args("user", "add", "manager@shop.example", "--role", "manager")...)
	for scope, into := range map[string]*string{"ingest": &s.ingest, "read": &s.read, "triage": &s.triage} {
		*into = strings.TrimSpace(must(t, s.args("token", "add", scope, "--scope", scope)...))
	}
	return s
}

func openShop(t testing.TB) *shop {
	t.Helper()
	s := setUp(t)
	s.server = start(t, s.args("run")...)
	return s
}

func (s *shop) args(cmd ...string) []string { return append(cmd, "-c", s.config, "--data", s.data) }

func writeFile(t testing.TB, dir, name, text string) string {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// result is one row of the answer to posted events.
type result struct {
	Index   int
	EventID string `json:"event_id"`
	Status  string
	Reason  string
}

// post sends one event and wants 202.
func (s *shop) post(t testing.TB, event []byte) result {
	t.Helper()
	code, b, err := s.request(http.MethodPost, "/v1/events", s.ingest, "application/cloudevents+json", event)
	if err != nil || code != http.StatusAccepted {
		t.Fatalf("POST /v1/events: %d %v %s\n%s", code, err, b, event)
	}
	rs := results(t, b)
	if len(rs) != 1 {
		t.Fatalf("one event has %d results: %s", len(rs), b)
	}
	return rs[0]
}

func results(t testing.TB, b []byte) []result {
	t.Helper()
	var a struct{ Results []result }
	if err := json.Unmarshal(b, &a); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	return a.Results
}

// accepted posts an event of a new id and wants it accepted.
func (s *shop) accepted(t testing.TB, typ string, data map[string]any) result {
	t.Helper()
	s.mu.Lock()
	s.nextEvent++
	id := fmt.Sprintf("e-%d", s.nextEvent)
	s.mu.Unlock()
	r := s.post(t, cloudEvent("till", id, typ, data))
	if r.Status != "accepted" || r.EventID == "" {
		t.Fatalf("%s %v: %+v", typ, data, r)
	}
	return r
}

// api is a request with a JSON body; it answers the status and the decoded
// object.
func (s *shop) api(t testing.TB, method, path, token string, body any) (int, map[string]any) {
	t.Helper()
	var b []byte
	if body != nil {
		var err error
		if b, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	code, answer, err := s.request(method, path, token, "application/json", b)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(answer, &m); err != nil {
		t.Fatalf("%s %s: %d, no JSON object: %v\n%s", method, path, code, err, answer)
	}
	return code, m
}

// items lists everything under a path of the API.
func (s *shop) items(t testing.TB, path string) []map[string]any {
	t.Helper()
	var page struct {
		Items []map[string]any
		Next  string
	}
	s.getJSON(s.read, path, &page)
	return page.Items
}

// caseOf waits for the case that holds an event.
func (s *shop) caseOf(t testing.TB, event string) map[string]any {
	t.Helper()
	var found map[string]any
	eventually(t, 10*time.Second, "the case of "+event, func() bool {
		for _, c := range s.items(t, "/v1/cases?limit=1000") {
			if slices.Contains(list(c, "event_ids"), event) {
				found = c
				return true
			}
		}
		return false
	})
	return found
}

func version(c map[string]any) int64 { v, _ := c["version"].(float64); return int64(v) }

// wantCode wants a problem answer with a status and a code.
func wantCode(t testing.TB, what string, code int, body map[string]any, status int, problem string) {
	t.Helper()
	if code != status || problem != "" && str(body, "code") != problem {
		t.Errorf("%s: %d %v, want %d %s", what, code, body, status, problem)
	}
}

// person is a browser's worth of HTTP client: cookies, no redirects followed.
type person struct {
	base string
	http *http.Client
}

func newPerson(base string) *person {
	jar, _ := cookiejar.New(nil)
	return &person{base, &http.Client{Jar: jar, Timeout: 20 * time.Second, CheckRedirect: client.CheckRedirect}}
}

// do sends a request as a browser on the same site would.
func (p *person) do(t testing.TB, method, path string, form url.Values) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, p.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("Accept", "text/html")
	if method != http.MethodGet {
		req.Header.Set("Origin", p.base)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	resp, err := p.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

// signIn signs a user in and answers the session cookie.
func (p *person) signIn(t testing.TB, email, password string) *http.Cookie {
	t.Helper()
	resp, body := p.do(t, http.MethodPost, "/login", url.Values{"email": {email}, "password": {password}})
	if resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("sign in of %s: %d\n%s", email, resp.StatusCode, body)
	}
	for _, c := range resp.Cookies() {
		if c.Name == "redalert_session" {
			return c
		}
	}
	t.Fatalf("no cookie redalert_session: %v", resp.Header)
	return nil
}

var inputTag = regexp.MustCompile(`<(?:input|textarea|select)\b[^>]*>`)
var attribute = regexp.MustCompile(`([a-z-]+)="([^"]*)"`)

// fields reads the names and values of a page's form controls.
func fields(html string) url.Values {
	v := url.Values{}
	for _, tag := range inputTag.FindAllString(html, -1) {
		a := map[string]string{}
		for _, m := range attribute.FindAllStringSubmatch(tag, -1) {
			a[m[1]] = m[2]
		}
		if a["name"] != "" {
			v.Set(a["name"], a["value"])
		}
	}
	return v
}

// sink is a mail server that keeps what it gets.
type sink struct {
	port  int
	mu    sync.Mutex
	mails []received
}

type received struct {
	to     string
	header mail.Header
	body   string
}

func newSink(t testing.TB) *sink {
	t.Helper()
	k := &sink{}
	srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &sinkSession{sink: k}, nil }))
	srv.Domain = "localhost"
	ln, port := listen(t)
	k.port = port
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close() })
	return k
}

func (k *sink) to(address string) (got []received) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, m := range k.mails {
		if m.to == address {
			got = append(got, m)
		}
	}
	return got
}

type sinkSession struct {
	sink *sink
	to   string
}

func (s *sinkSession) Mail(string, *smtp.MailOptions) error      { return nil }
func (s *sinkSession) Rcpt(to string, _ *smtp.RcptOptions) error { s.to = to; return nil }
func (s *sinkSession) Reset()                                    {}
func (s *sinkSession) Logout() error                             { return nil }
func (s *sinkSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	s.sink.mu.Lock()
	defer s.sink.mu.Unlock()
	s.sink.mails = append(s.sink.mails, received{s.to, m.Header, string(raw)})
	return nil
}
