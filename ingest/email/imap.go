package email

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"redalert/ingest"
)

// How a connection is protected.
const (
	TLSNone     = "none" // for a server on the same machine only
	TLSStartTLS = "starttls"
	TLSImplicit = "tls"
)

// Config is one mailbox to collect.
type Config struct {
	Name        string      // the source of its events
	Host        string      //
	Port        int         // 0: 993 with tls, else 143
	TLS         string      // none | starttls | tls; "" = tls
	User        string      //
	Password    string      //
	Mailbox     string      // "" = INBOX
	SentMailbox string      // "" = the one with the special use \Sent, if any
	TLSConfig   *tls.Config // nil: the system's certificates
}

func (c Config) withDefaults() Config {
	if c.TLS == "" {
		c.TLS = TLSImplicit
	}
	if c.Port == 0 {
		if c.Port = 143; c.TLS == TLSImplicit {
			c.Port = 993
		}
	}
	if c.Mailbox == "" {
		c.Mailbox = "INBOX"
	}
	return c
}

func (c Config) address() string { return net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) }

// pace holds the collector's times and sizes; tests shorten them.
type pace struct {
	idle       time.Duration // an IDLE lasts no longer
	poll       time.Duration // besides, every mailbox is looked at this often
	idleAnswer time.Duration // the server has so long to end an IDLE
	answer     time.Duration // and so long between two pieces of any answer
	batchMails int
	batchBytes int64
	window     uint32 // UIDs listed at once
	sentTurn   int    // batches of the Sent mailbox before INBOX is looked at again
}

func defaultPace() pace {
	return pace{idle: 4 * time.Minute, poll: time.Minute, idleAnswer: 30 * time.Second, answer: time.Minute,
		batchMails: 200, batchBytes: 16 << 20, window: 5000, sentTurn: 20}
}

// IMAP collects a mailbox and the mailbox of sent mail over IMAP4rev1 with
// IDLE where the server has it. It opens mailboxes read-only and fetches with
// PEEK: nothing there changes. Its cursor is (UIDVALIDITY, last UID) by
// mailbox; when UIDVALIDITY changes it reads the mailbox again, and the ids of
// mails tell the Door which it has. It implements ingest.Collector and is used
// by one goroutine.
type IMAP struct {
	cfg     Config
	cursors ingest.Cursors
	dec     Decoder
	now     func() time.Time
	log     *slog.Logger
	pace    pace

	s       *session
	boxes   []*box
	at      int            // box in turn
	turn    int            // batches it has had
	fresh   bool           // connected, nothing answered yet
	unacked bool           // a delivery is out
	ahead   []chan fetched // batches being read, in order
}

var _ ingest.Collector = (*IMAP)(nil)

// NewIMAP makes a collector; it connects at the first Read. now nil is
// time.Now, log nil discards.
func NewIMAP(cfg Config, cursors ingest.Cursors, dec Decoder, now func() time.Time, log *slog.Logger) *IMAP {
	if now == nil {
		now = time.Now
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &IMAP{cfg: cfg.withDefaults(), cursors: cursors, dec: dec, now: now, log: log.With("source", cfg.Name), pace: defaultPace()}
}

// Name is the source's configured name.
func (c *IMAP) Name() string { return c.cfg.Name }

// Kind is "imap".
func (c *IMAP) Kind() string { return "imap" }

// Close ends the connection.
func (c *IMAP) Close() error {
	if c.s != nil && len(c.ahead) == 0 {
		c.s.logout()
	}
	c.drop()
	return nil
}

// drop forgets the connection and what was read over it; the next Read starts
// from the saved cursor.
func (c *IMAP) drop() {
	if c.s != nil {
		c.s.close()
	}
	c.s, c.ahead, c.unacked = nil, nil, false
}

// Read answers the next mails, at most 200 or 16 MiB of them; an empty delivery
// after a poll that found nothing. See ingest.Collector.
func (c *IMAP) Read(ctx context.Context) (ingest.Delivery, error) {
	if c.unacked {
		c.drop()
	}
	del, err := c.read(ctx)
	if err != nil {
		c.drop()
		if ctx.Err() != nil {
			return ingest.Delivery{}, ctx.Err()
		}
		return ingest.Delivery{}, fmt.Errorf("mailbox %s: %w", c.cfg.Name, err)
	}
	return del, nil
}

func (c *IMAP) read(ctx context.Context) (ingest.Delivery, error) {
	if c.s == nil {
		if err := c.connect(ctx); err != nil {
			return ingest.Delivery{}, err
		}
	}
	defer context.AfterFunc(ctx, c.s.close)()
	waited := false
	for {
		del, found, err := c.backlog(ctx)
		if err != nil || found {
			return del, err
		}
		if c.fresh || waited {
			c.fresh = false
			return ingest.Delivery{}, ctx.Err()
		}
		if err := c.wait(ctx); err != nil {
			return ingest.Delivery{}, err
		}
		waited = true
	}
}

func (c *IMAP) connect(ctx context.Context) error {
	saved, err := c.loadCursor(ctx)
	if err != nil {
		return err
	}
	s, err := dial(ctx, c.cfg, c.pace)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, s.close)
	defer stop()
	sent, err := sentMailbox(s, c.cfg)
	if err != nil {
		s.close()
		return err
	}
	c.boxes = []*box{newBox(c.cfg.Mailbox, saved, c.dec.isSentName(c.cfg.Mailbox, sent))}
	if sent != "" && sent != c.cfg.Mailbox {
		c.boxes = append(c.boxes, newBox(sent, saved, true))
	} else if sent == "" {
		c.log.Warn("no mailbox of sent mail was found; answers written elsewhere will not be seen: set sent_mailbox")
	}
	c.s, c.at, c.turn, c.fresh, c.ahead = s, 0, 0, true, nil
	return nil
}

// isSentName reports whether the collected mailbox itself holds sent mail.
func (d Decoder) isSentName(mailbox, sent string) bool {
	return mailbox == sent || (!strings.EqualFold(mailbox, "INBOX") && d.IsSent(mailbox))
}

// position is how far one mailbox has been read.
type position struct {
	Validity uint32 `json:"v"`
	UID      uint32 `json:"u"`
}

func newBox(name string, saved map[string]position, sent bool) *box {
	return &box{name: name, sent: sent, validity: saved[name].Validity, done: saved[name].UID}
}

func (c *IMAP) loadCursor(ctx context.Context) (map[string]position, error) {
	saved := map[string]position{}
	text, err := c.cursors.Load(ctx, c.cfg.Name)
	if errors.Is(err, ingest.ErrNotFound) {
		return saved, nil
	}
	if err != nil {
		return nil, fmt.Errorf("load cursor: %w", err)
	}
	if err := json.Unmarshal([]byte(text), &saved); err != nil {
		c.log.Warn("the saved cursor cannot be read; the mailbox is read from its beginning", "error", err)
		return map[string]position{}, nil
	}
	return saved, nil
}

// saveCursor keeps the positions of all mailboxes, b's as given.
func (c *IMAP) saveCursor(ctx context.Context, b *box, p position) error {
	saved, err := c.loadCursor(ctx)
	if err != nil {
		return err
	}
	saved[b.name] = p
	text, err := json.Marshal(saved)
	if err != nil {
		return fmt.Errorf("encode cursor: %w", err)
	}
	if err := c.cursors.Save(ctx, c.cfg.Name, string(text)); err != nil {
		return fmt.Errorf("save cursor: %w", err)
	}
	return nil
}

// wait blocks until the server announces something, the poll is due or ctx
// ends.
func (c *IMAP) wait(ctx context.Context) error {
	changed, err := c.backToInbox()
	if err != nil || changed {
		return err
	}
	return c.s.idle(ctx, min(c.pace.idle, c.pace.poll))
}

// backToInbox selects the first mailbox again, which is the one to idle on,
// and reports whether it has changed since it was listed.
func (c *IMAP) backToInbox() (changed bool, err error) {
	b := c.boxes[0]
	if c.s.selected == b.name {
		return false, nil
	}
	next, validity, _, err := c.s.examine(b.name)
	if err != nil {
		return false, err
	}
	return next != b.next || validity != b.validity, nil
}
