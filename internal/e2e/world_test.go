package e2e

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
	"github.com/emersion/go-smtp"
)

// world is everything around a redalert that survives its death: a mailbox, a
// review page, a mail server, a signed sender.
type world struct {
	t      testing.TB
	data   string
	config string
	user   *imapmemserver.User
	secret []byte

	mu      sync.Mutex
	sent    []sentMail
	reviews []map[string]any
}

type sentMail struct{ to, messageID, notification string }

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, data: t.TempDir(), secret: []byte("0123456789abcdef0123456789abcdef")}
	imapPort, smtpPort, page := w.serveIMAP(), w.serveSMTP(), w.serveReviews()
	dir := t.TempDir()
	secretFile := filepath.Join(dir, "hook")
	w.config = filepath.Join(dir, "redalert.yaml")
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(secretFile, "whsec_"+base64.StdEncoding.EncodeToString(w.secret)+"\n")
	write(w.config, fmt.Sprintf(`
business: {name: Crash test, timezone: Europe/Berlin, currency: EUR}
imap: [{name: care, host: 127.0.0.1, port: %d, tls: none, user: care@shop.example, password: secret}]
smtp: {host: 127.0.0.1, port: %d, tls: none, from: Shop <care@shop.example>}
reviews: [{name: town, url: %q, every: 1s}]
sources: [{name: shop, kind: webhook, webhook_secret_file: %q}]
network: {allow_private: [127.0.0.0/8]}
log: {level: warn}
`, imapPort, smtpPort, page, secretFile))
	return w
}

func (w *world) args(cmd ...string) []string {
	return append(cmd, "-c", w.config, "--data", w.data)
}

// export answers the records of one kind, out of whichever stores are in use.
func (w *world) export(kind string) []map[string]any {
	w.t.Helper()
	return export(w.t, w.data, kind, "-c", w.config)
}

func listen(t testing.TB) (net.Listener, int) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln, ln.Addr().(*net.TCPAddr).Port
}

func (w *world) serveIMAP() int {
	mem := imapmemserver.New()
	w.user = imapmemserver.NewUser("care@shop.example", "secret")
	for _, box := range []string{"INBOX", "Sent"} {
		if err := w.user.Create(box, nil); err != nil {
			w.t.Fatal(err)
		}
	}
	mem.AddUser(w.user)
	srv := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return mem.NewSession(), nil, nil
		},
		Caps:         imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapIMAP4rev2: {}},
		InsecureAuth: true,
	})
	ln, port := listen(w.t)
	go srv.Serve(ln)
	w.t.Cleanup(func() { srv.Close() })
	return port
}

// deliver puts one mail into a mailbox.
func (w *world) deliver(box, raw string) {
	w.t.Helper()
	if _, err := w.user.Append(box, literal{strings.NewReader(raw), int64(len(raw))}, &imap.AppendOptions{Time: time.Now()}); err != nil {
		w.t.Fatal(err)
	}
}

type literal struct {
	io.Reader
	n int64
}

func (l literal) Size() int64 { return l.n }

func (w *world) serveSMTP() int {
	srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &smtpSession{w: w}, nil }))
	srv.Domain = "localhost"
	ln, port := listen(w.t)
	go srv.Serve(ln)
	w.t.Cleanup(func() { srv.Close() })
	return port
}

type smtpSession struct {
	w  *world
	to string
}

func (s *smtpSession) Mail(string, *smtp.MailOptions) error      { return nil }
func (s *smtpSession) Rcpt(to string, _ *smtp.RcptOptions) error { s.to = to; return nil }
func (s *smtpSession) Reset()                                    {}
func (s *smtpSession) Logout() error                             { return nil }
func (s *smtpSession) Data(r io.Reader) error {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	s.w.sent = append(s.w.sent, sentMail{s.to, m.Header.Get("Message-Id"), m.Header.Get("X-Redalert-Notification")})
	return nil
}

func (w *world) serveReviews() string {
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		b, _ := json.Marshal(map[string]any{"@context": "https://schema.org", "@type": "LocalBusiness", "name": "Shop", "review": w.reviews})
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(rw, `<!doctype html><title>Reviews</title><script type="application/ld+json">%s</script>`, b)
	}))
	w.t.Cleanup(srv.Close)
	return srv.URL + "/reviews"
}

// review posts a review on the page.
func (w *world) review(id string, stars int, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reviews = append(w.reviews, map[string]any{
		"@type": "Review", "@id": "https://reviews.example/" + id, "author": map[string]any{"@type": "Person", "name": "N. " + id},
		"datePublished": time.Now().UTC().Format(time.RFC3339), "reviewBody": text,
		"reviewRating": map[string]any{"@type": "Rating", "ratingValue": stars, "bestRating": 5, "worstRating": 1},
	})
}

// hook posts a signed webhook (Standard Webhooks).
func (w *world) hook(base, source, id string, body []byte) (int, []byte, error) {
	now := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, w.secret)
	fmt.Fprintf(mac, "%s.%s.%s", id, now, body)
	req, err := http.NewRequest(http.MethodPost, base+"/v1/hooks/"+source, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/cloudevents+json")
	req.Header.Set("webhook-id", id)
	req.Header.Set("webhook-timestamp", now)
	req.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, b, err
}

// cloudEvent is one event as a sender writes it.
func cloudEvent(source, id, typ string, data map[string]any) []byte {
	b, err := json.Marshal(map[string]any{"specversion": "1.0", "source": source, "id": id, "type": typ,
		"time": time.Now().UTC().Format(time.RFC3339), "data": data})
	if err != nil {
		panic(err)
	}
	return b
}
