package email

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"

	"redalert/ingest"
)

// cursors is a store of cursors; fail makes the next Save fail.
type cursors struct {
	mu   sync.Mutex
	m    map[string]string
	fail error
}

func (c *cursors) Load(_ context.Context, source string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.m[source]
	if !ok {
		return "", ingest.ErrNotFound
	}
	return s, nil
}

func (c *cursors) Save(_ context.Context, source, cursor string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.fail; err != nil {
		c.fail = nil
		return err
	}
	if c.m == nil {
		c.m = map[string]string{}
	}
	c.m[source] = cursor
	return nil
}

// threads joins mails as the port says.
type threads struct {
	mu sync.Mutex
	m  map[string]string
}

func (s *threads) Thread(_ context.Context, id string, refs []string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = map[string]string{}
	}
	names := ingest.ThreadNames(id, refs)
	thread := ingest.ThreadOf(id, names, func(n string) (string, bool) { t, ok := s.m[n]; return t, ok })
	for _, n := range names {
		if _, ok := s.m[n]; !ok {
			s.m[n] = thread
		}
	}
	return thread, nil
}

// memServer is the library's in-memory server with one account.
type memServer struct {
	user *imapmemserver.User
	ln   net.Listener
	srv  *imapserver.Server
}

const memUser, memPassword = "care@example.com", "not-a-secret"

func newMemServer(t testing.TB, wrap func(imapserver.Session) imapserver.Session) *memServer {
	t.Helper()
	m := &memServer{user: imapmemserver.NewUser(memUser, memPassword)}
	for _, b := range []string{"INBOX", "Sent"} {
		if err := m.user.Create(b, nil); err != nil {
			t.Fatal(err)
		}
	}
	mem := imapmemserver.New()
	mem.AddUser(m.user)
	m.srv = imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			s := imapserver.Session(mem.NewSession())
			if wrap != nil {
				s = wrap(s)
			}
			return s, nil, nil
		},
		Caps:         imap.CapSet{imap.CapIMAP4rev1: {}},
		InsecureAuth: true,
		Logger:       log.New(io.Discard, "", 0),
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.ln = ln
	go m.srv.Serve(ln) //nolint:errcheck // ends with the listener
	t.Cleanup(func() { m.srv.Close() })
	return m
}

func (m *memServer) config() Config {
	a := m.ln.Addr().(*net.TCPAddr)
	return Config{Name: "care", Host: "127.0.0.1", Port: a.Port, TLS: TLSNone, User: memUser, Password: memPassword}
}

func (m *memServer) deliver(t testing.TB, mailbox string, raw []byte) imap.UID {
	t.Helper()
	d, err := m.user.Append(mailbox, literal{bytes.NewReader(raw)}, &imap.AppendOptions{Time: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	return d.UID
}

type literal struct{ *bytes.Reader }

func (l literal) Size() int64 { return l.Reader.Size() }

// quick is a pace for tests: short times, small batches.
func quick() pace {
	return pace{idle: 10 * time.Second, poll: 5 * time.Second, idleAnswer: 5 * time.Second, answer: 5 * time.Second,
		batchMails: 7, batchBytes: 1 << 20, window: 10, sentTurn: 2}
}

func newCollector(cfg Config, cs *cursors, p pace) *IMAP {
	c := NewIMAP(cfg, cs, Decoder{Own: []string{memUser}, Threads: &threads{}}, nil, nil)
	c.pace = p
	return c
}

// collected is what a test has taken in, by native id, as the Door would.
type collected struct {
	items map[string]ingest.Item
	order []string
	dupes int
}

func (g *collected) take(items []ingest.Item) {
	if g.items == nil {
		g.items = map[string]ingest.Item{}
	}
	for _, it := range items {
		id := string(it.Type) + " " + it.NativeID
		if _, ok := g.items[id]; ok {
			g.dupes++
			continue
		}
		g.items[id] = it
		g.order = append(g.order, id)
	}
}

// until reads and acknowledges until n different items are there.
func (g *collected) until(t testing.TB, c *IMAP, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for len(g.items) < n {
		d, err := c.Read(ctx)
		if err != nil {
			t.Fatalf("%d of %d items read: %v", len(g.items), n, err)
		}
		g.take(d.Items)
		g.ack(t, d)
	}
	if len(g.items) > n {
		t.Fatalf("%d items, want %d", len(g.items), n)
	}
}

func (g *collected) ack(t testing.TB, d ingest.Delivery) {
	t.Helper()
	if d.Ack == nil {
		return
	}
	if err := d.Ack(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// quietly reads once more and expects nothing new.
func (g *collected) quietly(t testing.TB, c *IMAP) {
	t.Helper()
	before := len(g.items)
	for {
		d, err := c.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		g.take(d.Items)
		g.ack(t, d)
		if len(d.Items) == 0 && d.Ack == nil {
			break
		}
	}
	if len(g.items) != before {
		t.Fatalf("%d more items than expected", len(g.items)-before)
	}
}

func sample(n int) []byte {
	return fmt.Appendf(nil, "Message-ID: <m%d@customers.example>\r\nFrom: Jane Doe <jane%d@customers.example>\r\nTo: care@example.com\r\n"+
		"Subject: Visit %d\r\nDate: Sun, 01 Mar 2026 08:00:00 +0000\r\n\r\nNobody came for visit %d.\r\n", n, n, n, n)
}
