package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	gomail "github.com/emersion/go-message/mail"
	"github.com/emersion/go-smtp"
)

// Mailbox is a mail server on loopback that delivers nothing: what the demo
// sends lands in a folder, and Handler shows it.
type Mailbox struct {
	dir    string
	now    func() time.Time
	server *smtp.Server
	addr   string

	mu   sync.Mutex
	next int
}

// maxMail bounds one mail the demo's server takes.
const maxMail = 5 << 20

// OpenMailbox starts the mail server on a free loopback port and keeps mail in
// dir. Close stops it.
func OpenMailbox(dir string, now func() time.Time, log *slog.Logger) (*Mailbox, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("demo mailbox: %w", err)
	}
	m := &Mailbox{dir: dir, now: now}
	names, err := m.names()
	if err != nil {
		return nil, err
	}
	m.next = len(names)
	m.server = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &mailSession{box: m}, nil
	}))
	m.server.MaxMessageBytes = maxMail
	m.server.Domain = "localhost"
	m.server.ReadTimeout, m.server.WriteTimeout = time.Minute, time.Minute
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("demo mailbox: %w", err)
	}
	m.addr = ln.Addr().String()
	go func() {
		if err := m.server.Serve(ln); err != nil && !errors.Is(err, smtp.ErrServerClosed) {
			log.Error("demo mail server stopped", "error", err)
		}
	}()
	return m, nil
}

// Port is where the mail server listens on 127.0.0.1.
func (m *Mailbox) Port() int {
	a, err := net.ResolveTCPAddr("tcp", m.addr)
	if err != nil {
		return 0
	}
	return a.Port
}

// Close stops the mail server.
func (m *Mailbox) Close() error { return m.server.Shutdown(context.Background()) }

func (m *Mailbox) names() ([]string, error) {
	names, err := filepath.Glob(filepath.Join(m.dir, "*.eml"))
	slices.Sort(names)
	return names, err
}

func (m *Mailbox) store(b []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.next++
	return os.WriteFile(filepath.Join(m.dir, fmt.Sprintf("%06d.eml", m.next)), b, 0o600)
}

type mailSession struct{ box *Mailbox }

func (s *mailSession) Mail(string, *smtp.MailOptions) error { return nil }
func (s *mailSession) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (s *mailSession) Reset()                               {}
func (s *mailSession) Logout() error                        { return nil }

func (s *mailSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	return s.box.store(b)
}

// letter is one mail as the page shows it.
type letter struct {
	N              string
	Subject, To    string
	Date           string
	Text           string
	HTML           []byte
	HasHTML, Reply bool
}

func readLetter(path string) (letter, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return letter{}, err
	}
	l := letter{N: strings.TrimSuffix(filepath.Base(path), ".eml")}
	r, err := gomail.CreateReader(bytes.NewReader(b))
	if err != nil {
		return letter{}, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	l.Subject, _ = r.Header.Subject()
	if to, err := r.Header.AddressList("To"); err == nil && len(to) > 0 {
		l.To = (*mail.Address)(to[0]).Address
	}
	if d, err := r.Header.Date(); err == nil {
		l.Date = d.Local().Format("2 Jan 2006, 15:04")
	}
	l.Reply = r.Header.Has("X-Redalert-Case")
	for {
		p, err := r.NextPart()
		if err != nil {
			break
		}
		ct, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type"))
		body, _ := io.ReadAll(io.LimitReader(p.Body, maxMail))
		switch ct {
		case "text/plain", "":
			l.Text += string(body)
		case "text/html":
			l.HTML, l.HasHTML = body, true
		}
	}
	return l, nil
}

var mailPage = template.Must(template.New("mail").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{if .One}}{{.One.Subject}} · {{end}}Demo mail · Redalert</title>
<link rel="stylesheet" href="/demo/mail.css"></head><body>
<header><a href="/triage">Back to Redalert</a></header>
<main>
{{with .One}}
<h1>{{.Subject}}</h1>
<p class="meta">to {{.To}} · {{.Date}} · <a href="/demo/mail">all mail</a></p>
{{if .HasHTML}}<iframe sandbox title="The mail as a mail program shows it" src="/demo/mail/{{.N}}/html"></iframe>
<details><summary>As plain text</summary><pre>{{.Text}}</pre></details>
{{else}}<pre>{{.Text}}</pre>{{end}}
{{else}}
<h1>Mail the demo has sent</h1>
<p class="meta">Nothing leaves this machine: what Redalert sends in the demo lands here.</p>
{{range .All}}<a class="row" href="/demo/mail/{{.N}}"><b>{{.Subject}}</b><span>to {{.To}}{{if .Reply}} (a customer){{end}} · {{.Date}}</span></a>
{{else}}<p>No mail yet. A critical alert, an assigned case or the daily digest will show up here.</p>{{end}}
{{end}}
</main></body></html>`))

const mailCSS = `:root{color-scheme:light dark;--line:#d8dce2;--soft:#5b6470;--accent:#1f5fbf}
@media(prefers-color-scheme:dark){:root{--line:#333a44;--soft:#a3acb8;--accent:#8ab4f8}}
body{font:16px/1.5 system-ui,sans-serif;margin:0}header,main{max-width:760px;margin:0 auto;padding:16px}
a{color:var(--accent)}h1{font-size:24px;line-height:1.25;margin:8px 0}.meta,.row span{color:var(--soft)}
.row{display:block;padding:12px 0;border-top:1px solid var(--line);text-decoration:none;color:inherit}
.row b{display:block;font-weight:600}iframe{width:100%;height:72vh;border:1px solid var(--line);border-radius:6px;background:#fff}
pre{white-space:pre-wrap;overflow-wrap:anywhere;border:1px solid var(--line);border-radius:6px;padding:16px}`

// Handler serves /demo/mail, /demo/mail/{n} and /demo/mail/{n}/html.
func (m *Mailbox) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /demo/mail.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		io.WriteString(w, mailCSS)
	})
	mux.Handle("GET /demo/{$}", http.RedirectHandler("/demo/mail", http.StatusSeeOther))
	mux.HandleFunc("GET /demo/mail", m.list)
	mux.HandleFunc("GET /demo/mail/{n}", m.one)
	mux.HandleFunc("GET /demo/mail/{n}/html", m.html)
	return mux
}

type mailView struct {
	One *letter
	All []letter
}

// shown bounds the list; older mail stays in the folder.
const shown = 200

func (m *Mailbox) list(w http.ResponseWriter, _ *http.Request) {
	names, err := m.names()
	if err != nil {
		http.Error(w, "The mail folder cannot be read.", http.StatusInternalServerError)
		return
	}
	slices.Reverse(names)
	var v mailView
	for _, n := range names[:min(len(names), shown)] {
		if l, err := readLetter(n); err == nil {
			v.All = append(v.All, l)
		}
	}
	renderMail(w, v)
}

func (m *Mailbox) find(w http.ResponseWriter, r *http.Request) (letter, bool) {
	n := r.PathValue("n")
	if strings.Trim(n, "0123456789") != "" {
		http.NotFound(w, r)
		return letter{}, false
	}
	l, err := readLetter(filepath.Join(m.dir, n+".eml"))
	if err != nil {
		http.NotFound(w, r)
		return letter{}, false
	}
	return l, true
}

func (m *Mailbox) one(w http.ResponseWriter, r *http.Request) {
	if l, ok := m.find(w, r); ok {
		renderMail(w, mailView{One: &l})
	}
}

func (m *Mailbox) html(w http.ResponseWriter, r *http.Request) {
	if l, ok := m.find(w, r); ok {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox")
		w.Write(l.HTML)
	}
}

func renderMail(w http.ResponseWriter, v mailView) {
	var b bytes.Buffer
	if err := mailPage.Execute(&b, v); err != nil {
		http.Error(w, "The page cannot be shown.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write(b.Bytes())
}
