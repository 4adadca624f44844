package email

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-message/charset"
	"github.com/emersion/go-sasl"
)

// session is one connection.
type session struct {
	conn     *patientConn
	client   *imapclient.Client
	pace     pace
	news     chan struct{} // holds one: the server announced something
	selected string
}

// patientConn gives every read a deadline of its own. The IMAP library lifts
// the read deadline while it waits for an answer: on a connection that died
// silently it would wait for good.
type patientConn struct {
	net.Conn
	mu    sync.Mutex
	limit time.Duration
	asked int // commands under way, as begin and end count them
}

// SetReadDeadline does nothing: expect decides.
func (c *patientConn) SetReadDeadline(time.Time) error { return nil }

func (c *patientConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	err := c.Conn.SetReadDeadline(time.Now().Add(c.limit))
	c.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// expect gives the read under way, and each one after it, so long.
func (c *patientConn) expect(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limit = d
	_ = c.Conn.SetReadDeadline(time.Now().Add(d)) // fails on a closed connection only
}

// begin is expect for one of several commands under way at the same time.
func (c *patientConn) begin(d time.Duration) {
	c.mu.Lock()
	c.asked++
	c.mu.Unlock()
	c.expect(d)
}

// end says that a command begun is answered.
func (c *patientConn) end() {
	c.mu.Lock()
	c.asked--
	idle := c.asked == 0
	c.mu.Unlock()
	if idle {
		c.expect(rest)
	}
}

// rest is how long a connection may be silent while nothing is asked of it.
const rest = time.Hour

func dial(ctx context.Context, cfg Config, p pace) (*session, error) {
	d := net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	raw, err := d.DialContext(ctx, "tcp", cfg.address())
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w; check host and port", cfg.address(), err)
	}
	s := &session{conn: &patientConn{Conn: raw, limit: p.answer}, pace: p, news: make(chan struct{}, 1)}
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	if err := s.protect(cfg); err != nil {
		raw.Close()
		return nil, err
	}
	if err := s.login(cfg); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *session) protect(cfg Config) error {
	tc := &tls.Config{}
	if cfg.TLSConfig != nil {
		tc = cfg.TLSConfig.Clone()
	}
	if tc.ServerName == "" {
		tc.ServerName = cfg.Host
	}
	opts := &imapclient.Options{
		TLSConfig:   tc,
		WordDecoder: &mime.WordDecoder{CharsetReader: charset.Reader},
		// Handlers must not issue commands; this one only leaves word.
		UnilateralDataHandler: &imapclient.UnilateralDataHandler{Mailbox: func(d *imapclient.UnilateralDataMailbox) {
			if d.NumMessages != nil {
				select {
				case s.news <- struct{}{}:
				default:
				}
			}
		}},
	}
	switch cfg.TLS {
	case TLSNone:
		s.client = imapclient.New(s.conn, opts)
	case TLSStartTLS:
		c, err := imapclient.NewStartTLS(s.conn, opts)
		if err != nil {
			return fmt.Errorf("STARTTLS with %s: %w; if the port speaks TLS from the start, use tls: tls", cfg.address(), err)
		}
		s.client = c
	case TLSImplicit:
		t := tls.Client(s.conn, tc)
		if err := t.Handshake(); err != nil {
			return fmt.Errorf("TLS with %s: %w; if the server begins in clear text, use tls: starttls", cfg.address(), err)
		}
		s.client = imapclient.New(t, opts)
	default:
		return fmt.Errorf("tls: %q is unknown; use none, starttls or tls", cfg.TLS)
	}
	if err := s.client.WaitGreeting(); err != nil {
		return fmt.Errorf("%s does not greet as a mail server does: %w; check port and tls", cfg.address(), err)
	}
	return nil
}

func (s *session) login(cfg Config) error {
	caps := s.client.Caps()
	var err error
	switch {
	case caps.Has(imap.CapLoginDisabled) && cfg.TLS == TLSNone:
		return fmt.Errorf("%s takes no password without encryption; use tls: starttls or tls", cfg.address())
	case caps.Has(imap.CapLoginDisabled) && caps.Has(imap.AuthCap("PLAIN")):
		err = s.client.Authenticate(sasl.NewPlainClient("", cfg.User, cfg.Password))
	default:
		err = s.client.Login(cfg.User, cfg.Password).Wait()
	}
	if err == nil {
		return nil
	}
	return signInError(cfg, err)
}

func (s *session) close() {
	_ = s.conn.Conn.Close() // the connection is given up either way
}

// logout says goodbye, briefly.
func (s *session) logout() {
	s.conn.expect(2 * time.Second)
	_ = s.client.Logout().Wait() // nothing depends on the answer
}

// drain forgets announcements: what they announced is about to be listed.
func (s *session) drain() {
	select {
	case <-s.news:
	default:
	}
}

// examine opens a mailbox read-only.
func (s *session) examine(name string) (next, validity, count uint32, err error) {
	s.conn.expect(s.pace.answer)
	s.selected = ""
	data, err := s.client.Select(name, &imap.SelectOptions{ReadOnly: true}).Wait()
	if err != nil {
		return 0, 0, 0, fmt.Errorf("open mailbox %q: %w", name, err)
	}
	s.selected = name
	return uint32(data.UIDNext), data.UIDValidity, data.NumMessages, nil
}

// maxListed bounds how many mails are listed at once by a server that does not
// tell UIDNEXT.
const maxListed = 10000

// metadata lists the mails with UIDs from … to (0 = "*"), by UID. "n:*" always
// names the last mail of a mailbox, whatever its UID: it is filtered.
func (s *session) metadata(from, to uint32) ([]entry, error) {
	s.conn.expect(s.pace.answer)
	cmd := s.client.Fetch(imap.UIDSet{{Start: imap.UID(from), Stop: imap.UID(to)}},
		&imap.FetchOptions{UID: true, RFC822Size: true, InternalDate: true})
	var out []entry
	for m := cmd.Next(); m != nil; m = cmd.Next() {
		var e entry
		for it := m.Next(); it != nil; it = m.Next() {
			switch it := it.(type) {
			case imapclient.FetchItemDataUID:
				e.uid = uint32(it.UID)
			case imapclient.FetchItemDataRFC822Size:
				e.size = it.Size
			case imapclient.FetchItemDataInternalDate:
				e.received = it.Time.UTC()
			}
		}
		if e.uid >= from && len(out) < maxListed {
			out = append(out, e)
		}
	}
	if err := cmd.Close(); err != nil {
		return nil, fmt.Errorf("list mails: %w", err)
	}
	slices.SortFunc(out, func(a, b entry) int { return int(int64(a.uid) - int64(b.uid)) })
	return out, nil
}

// idle waits for news at most d long, with IDLE where the server has it.
func (s *session) idle(ctx context.Context, d time.Duration) error {
	if !s.client.Caps().Has(imap.CapIdle) {
		return s.sleep(ctx, d)
	}
	s.conn.expect(s.pace.idleAnswer)
	cmd, err := s.client.Idle()
	if err != nil {
		return fmt.Errorf("IDLE: %w", err)
	}
	s.conn.expect(d + s.pace.idleAnswer)
	waitErr := s.sleep(ctx, d)
	s.conn.expect(s.pace.idleAnswer)
	if err := cmd.Close(); err != nil {
		return fmt.Errorf("end IDLE: %w", err)
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("end IDLE: %w", err)
	}
	return waitErr
}

func (s *session) sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-s.news:
		return nil
	case <-t.C:
		return nil
	case <-s.client.Closed():
		return errors.New("the server closed the connection")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sentMailbox answers the configured mailbox of sent mail, else the one with
// the special use \Sent, else one with a common name, else "".
func sentMailbox(s *session, cfg Config) (string, error) {
	if cfg.SentMailbox != "" {
		return cfg.SentMailbox, nil
	}
	s.conn.expect(s.pace.answer)
	var opts *imap.ListOptions
	if caps := s.client.Caps(); caps.Has(imap.CapSpecialUse) && caps.Has(imap.CapListExtended) {
		opts = &imap.ListOptions{ReturnSpecialUse: true}
	}
	cmd := s.client.List("", "*", opts)
	special, named := "", ""
	for m := cmd.Next(); m != nil; m = cmd.Next() {
		if slices.Contains(m.Attrs, imap.MailboxAttrNoSelect) || slices.Contains(m.Attrs, imap.MailboxAttrNonExistent) {
			continue
		}
		if slices.Contains(m.Attrs, imap.MailboxAttrSent) {
			special = m.Mailbox
		}
		if named == "" && (Decoder{}).IsSent(m.Mailbox) {
			named = m.Mailbox
		}
	}
	if err := cmd.Close(); err != nil {
		return "", fmt.Errorf("list mailboxes: %w", err)
	}
	if special != "" {
		return special, nil
	}
	return named, nil
}

// readLiteral reads at most n bytes of l and throws the rest away.
func readLiteral(l imap.LiteralReader, n int64) ([]byte, error) {
	buf := make([]byte, min(l.Size(), n))
	read, err := io.ReadFull(l, buf)
	if err != nil {
		return buf[:read], err
	}
	_, err = io.Copy(io.Discard, l)
	return buf, err
}
