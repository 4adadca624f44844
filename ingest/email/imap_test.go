package email

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"redalert/ingest"
	"redalert/schemas"
)

func TestIMAPCollectsBacklogInOrder(t *testing.T) {
	m := newMemServer(t, nil)
	for i := range 45 {
		m.deliver(t, "INBOX", sample(i))
	}
	m.deliver(t, "Sent", []byte("Message-ID: <r1@example.com>\r\nIn-Reply-To: <m3@customers.example>\r\nFrom: care@example.com\r\nTo: jane3@customers.example\r\nSubject: Re: Visit 3\r\n\r\nWe are sorry.\r\n"))
	cs := &cursors{}
	c := newCollector(m.config(), cs, quick())
	defer c.Close()
	var g collected
	g.until(t, c, 46)
	if g.dupes != 0 {
		t.Errorf("%d mails read twice", g.dupes)
	}
	for i, id := range g.order[:45] {
		if !strings.HasPrefix(id, "feedback.email.received <m"+strconv.Itoa(i)+"@") {
			t.Fatalf("item %d is %q", i, id)
		}
	}
	last := g.items[g.order[45]]
	if last.Type != schemas.ReplySent || last.ThreadID != "<m3@customers.example>" {
		t.Errorf("the answer is %s in thread %q", last.Type, last.ThreadID)
	}
	c2 := newCollector(m.config(), cs, quick()) // after a restart
	defer c2.Close()
	g.quietly(t, c2)
	m.deliver(t, "INBOX", sample(99))
	g.until(t, c2, 47)
	if g.dupes != 0 {
		t.Errorf("%d mails read twice", g.dupes)
	}
}

func TestIMAPUnacknowledgedIsDeliveredAgain(t *testing.T) {
	m := newMemServer(t, nil)
	for i := range 20 {
		m.deliver(t, "INBOX", sample(i))
	}
	cs := &cursors{}
	c := newCollector(m.config(), cs, quick())
	defer c.Close()
	first, err := c.Read(t.Context())
	if err != nil || len(first.Items) != 7 {
		t.Fatalf("%d items, %v", len(first.Items), err)
	}
	if want := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC); !first.Newest.Equal(want) {
		t.Errorf("the newest mail waiting is of %v, want %v", first.Newest, want)
	}
	second, err := c.Read(t.Context())
	if err != nil || len(second.Items) != 7 || second.Items[0].NativeID != first.Items[0].NativeID {
		t.Fatalf("unacknowledged items are not delivered again: %v", err)
	}
	cs.fail = errors.New("disk full")
	if err := second.Ack(t.Context()); err == nil {
		t.Fatal("a failed save is acknowledged")
	}
	third, err := c.Read(t.Context())
	if err != nil || third.Items[0].NativeID != first.Items[0].NativeID {
		t.Fatalf("items of a failed acknowledgement are not delivered again: %v", err)
	}
}

// "n:*" answers the last mail whatever its UID; taken at its word it would come
// again at every poll.
func TestIMAPStarRangeIsFiltered(t *testing.T) {
	m := newMemServer(t, nil)
	last := m.deliver(t, "INBOX", sample(1))
	s, err := dial(t.Context(), m.config().withDefaults(), quick())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if _, _, _, err := s.examine("INBOX"); err != nil {
		t.Fatal(err)
	}
	if es, err := s.metadata(uint32(last)+1, 0); err != nil || len(es) != 0 {
		t.Fatalf("%d mails listed beyond the last: %v", len(es), err)
	}
	if es, err := s.metadata(uint32(last), 0); err != nil || len(es) != 1 {
		t.Fatalf("%d mails listed: %v", len(es), err)
	}
}

func TestIMAPNothingIsMarkedSeen(t *testing.T) {
	m := newMemServer(t, nil)
	m.deliver(t, "INBOX", sample(1))
	c := newCollector(m.config(), &cursors{}, quick())
	defer c.Close()
	var g collected
	g.until(t, c, 1)
	st, err := m.user.Status("INBOX", &imap.StatusOptions{NumUnseen: true})
	if err != nil || *st.NumUnseen != 1 {
		t.Fatalf("unseen %v, %v: reading has marked the mail", st.NumUnseen, err)
	}
}

func TestIMAPSparseUIDs(t *testing.T) {
	m := newMemServer(t, nil)
	var uids imap.UIDSet
	for i := range 3000 {
		uids.AddNum(m.deliver(t, "INBOX", sample(i)))
	}
	m.deliver(t, "INBOX", sample(5000))
	expunge(t, m, uids)
	c := newCollector(m.config(), &cursors{}, quick())
	defer c.Close()
	var g collected
	g.until(t, c, 1)
}

// expunge deletes mails through a session of its own.
func expunge(t testing.TB, m *memServer, uids imap.UIDSet) {
	t.Helper()
	s, err := dial(t.Context(), m.config().withDefaults(), quick())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if _, err := s.client.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	if err := s.client.Store(uids, &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagDeleted}}, nil).Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.client.Expunge().Close(); err != nil {
		t.Fatal(err)
	}
}

func TestFault_35_ExpungedWhileFetching(t *testing.T) {
	m := newMemServer(t, nil)
	var gone imap.UIDSet
	for i := range 5 {
		uid := m.deliver(t, "INBOX", sample(i))
		if i == 1 || i == 3 {
			gone.AddNum(uid)
		}
	}
	c := newCollector(m.config(), &cursors{}, quick())
	defer c.Close()
	if err := c.connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.listed(); err != nil { // listed, then expunged by somebody else
		t.Fatal(err)
	}
	expunge(t, m, gone)
	d, err := c.Read(t.Context())
	if err != nil || len(d.Items) != 3 {
		t.Fatalf("%d items, want the 3 that are left: %v", len(d.Items), err)
	}
	for _, it := range d.Items {
		if it.Broken != nil {
			t.Errorf("%s: %v", it.Locator, it.Broken)
		}
	}
}

// refuser hands every mail out but one.
type refuser struct {
	imapserver.SessionIMAP4rev2
	bad imap.UID
}

func (r refuser) Fetch(w *imapserver.FetchWriter, set imap.NumSet, o *imap.FetchOptions) error {
	uids, ok := set.(imap.UIDSet)
	if ok && uids.Contains(r.bad) && len(o.BodySection) > 0 {
		return &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeServerBug, Text: "mail is corrupt"}
	}
	return r.SessionIMAP4rev2.Fetch(w, set, o)
}

func (r refuser) Move(*imapserver.MoveWriter, imap.NumSet, string) error { return nil }

func TestIMAPRefusedMailIsQuarantinedAndPassed(t *testing.T) {
	m := newMemServer(t, func(s imapserver.Session) imapserver.Session {
		return refuser{s.(imapserver.SessionIMAP4rev2), 3}
	})
	for i := range 5 {
		m.deliver(t, "INBOX", sample(i))
	}
	c := newCollector(m.config(), &cursors{}, quick())
	defer c.Close()
	var g collected
	g.until(t, c, 5)
	broken := 0
	for _, it := range g.items {
		if it.Broken != nil {
			broken++
			if it.Broken.Code != schemas.QUnreadable || !strings.Contains(it.Broken.Reason, "corrupt") || !strings.Contains(it.Locator, "UID=3") {
				t.Errorf("%s: %v", it.Locator, it.Broken)
			}
		}
	}
	if broken != 1 {
		t.Errorf("%d mails quarantined, want 1", broken)
	}
}

func TestFault_28_MailOver25MB(t *testing.T) {
	m := newMemServer(t, nil)
	big := append([]byte("Message-ID: <big@customers.example>\r\nFrom: Jane <jane@customers.example>\r\nSubject: Photos of the damage\r\nX-Pad: "+strings.Repeat("y", 1000)+"\r\n\r\n"),
		[]byte(strings.Repeat(strings.Repeat("x", 76)+"\r\n", (MaxMailBytes/78)+2))...)
	m.deliver(t, "INBOX", big)
	m.deliver(t, "INBOX", sample(1))
	c := newCollector(m.config(), &cursors{}, quick())
	defer c.Close()
	var g collected
	g.until(t, c, 2)
	it := g.items[g.order[0]]
	if it.Broken == nil || it.Broken.Code != schemas.QTooLarge || it.Raw != nil {
		t.Fatalf("broken %v, %d raw bytes kept", it.Broken, len(it.Raw))
	}
	if !strings.Contains(string(it.Data), "Photos of the damage") || !strings.Contains(string(it.Data), "jane@customers.example") {
		t.Errorf("data says not who wrote: %s", it.Data)
	}
	if next := g.items[g.order[1]]; next.Broken != nil {
		t.Errorf("the next mail did not proceed: %v", next.Broken)
	}
}

func TestFault_33_UIDValidityChange(t *testing.T) {
	m := newMemServer(t, nil)
	for i := range 10 {
		m.deliver(t, "INBOX", sample(i))
	}
	cs := &cursors{}
	c := newCollector(m.config(), cs, quick())
	var g collected
	g.until(t, c, 10)
	c.Close()
	if err := m.user.Delete("INBOX"); err != nil { // as a restored mailbox: other numbers, one mail more
		t.Fatal(err)
	}
	if err := m.user.Create("INBOX", nil); err != nil {
		t.Fatal(err)
	}
	m.deliver(t, "INBOX", sample(100))
	for i := range 10 {
		m.deliver(t, "INBOX", sample(i))
	}
	c = newCollector(m.config(), cs, quick())
	defer c.Close()
	g.until(t, c, 11)
	g.quietly(t, c)
	if g.dupes != 10 {
		t.Errorf("%d mails came again with the id they had, want 10", g.dupes)
	}
}

func TestIMAPCloseWhileReading(t *testing.T) {
	m := newMemServer(t, nil)
	c := newCollector(m.config(), &cursors{}, quick())
	if _, err := c.Read(t.Context()); err != nil { // connected, nothing there
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := c.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v, want context canceled", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestCheck(t *testing.T) {
	m := newMemServer(t, nil)
	if err := Check(t.Context(), m.config()); err != nil {
		t.Errorf("a working mailbox: %v", err)
	}
	for _, tc := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"password", func(c *Config) { c.Password = "wrong" }, "check user and password"},
		{"mailbox", func(c *Config) { c.Mailbox = "Nowhere" }, "check mailbox"},
		{"sent", func(c *Config) { c.SentMailbox = "Nowhere" }, "check sent_mailbox"},
		{"tls", func(c *Config) { c.TLS = TLSImplicit }, "starttls"},
		{"unknown tls", func(c *Config) { c.TLS = "ssl" }, "none, starttls or tls"},
		{"port", func(c *Config) { c.Port = 1 }, "check host and port"},
		{"user", func(c *Config) { c.User = "" }, "must be set"},
	} {
		cfg := m.config()
		tc.change(&cfg)
		if err := Check(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), memPassword) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
}

func TestSignInAdvice(t *testing.T) {
	for host, want := range map[string]string{
		"outlook.office365.com": "OAuth", "imap.gmail.com": "app password", "IMAP.GMAIL.COM": "app password",
		"imap.mail.yahoo.com": "app password", "notgmail.com": "check user and password",
	} {
		if got := signInError(Config{Host: host}, &imap.Error{Type: imap.StatusResponseTypeNo, Text: "no"}).Error(); !strings.Contains(got, want) {
			t.Errorf("%s: %q lacks %q", host, got, want)
		}
	}
}

func TestIMAPMissingSentMailboxDoesNotStopTheInbox(t *testing.T) {
	m := newMemServer(t, nil)
	m.deliver(t, "INBOX", sample(1))
	cfg := m.config()
	cfg.SentMailbox = "Nowhere"
	c := newCollector(cfg, &cursors{}, quick())
	defer c.Close()
	var g collected
	g.until(t, c, 1)
	g.quietly(t, c)
}

var _ ingest.Cursors = (*cursors)(nil)
