package email

import (
	"context"
	"strings"
	"testing"
	"time"

	"redalert/ingest"
	"redalert/internal/dovecot"
	"redalert/schemas"
)

func dovecotConfig(s *dovecot.Server) Config {
	return Config{Name: "care", Host: s.Host, Port: s.Port, TLS: TLSNone, User: dovecot.User, Password: dovecot.Password}
}

func TestDovecotIdleNoticesDelivery(t *testing.T) {
	s := dovecot.Start(t)
	p := quick()
	p.idle, p.poll = 20*time.Second, 20*time.Second // only IDLE can be quick
	c := newCollector(dovecotConfig(s), &cursors{}, p)
	defer c.Close()
	if d, err := c.Read(t.Context()); err != nil || len(d.Items) != 0 {
		t.Fatalf("%d items, %v", len(d.Items), err)
	}
	type answer struct {
		d   ingest.Delivery
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		d, err := c.Read(t.Context())
		answers <- answer{d, err}
	}()
	s.Deliver("INBOX", sample(1))
	select {
	case a := <-answers:
		if a.err != nil || len(a.d.Items) != 1 || a.d.Items[0].Broken != nil {
			t.Fatalf("%d items, %v", len(a.d.Items), a.err)
		}
	case <-time.After(15 * time.Second):
		t.Fatal("the delivery was not noticed")
	}
	if flags := strings.Join(s.Flags("INBOX"), ""); strings.Contains(flags, "S") {
		t.Errorf("the mail was marked as seen: %q", flags)
	}
}

func TestDovecotRestartIsCaughtUp(t *testing.T) {
	s := dovecot.Start(t)
	for i := range 30 {
		s.Deliver("INBOX", sample(i))
	}
	c := newCollector(dovecotConfig(s), &cursors{}, quick())
	defer c.Close()
	var g collected
	d, err := c.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	g.take(d.Items)
	g.ack(t, d)
	s.Stop()
	for i := range 10 {
		s.Deliver("INBOX", sample(100+i)) // arrives during the outage
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for failed := false; !failed; { // what was read ahead may still come
		d, err := c.Read(ctx)
		failed = err != nil
		g.take(d.Items)
		g.ack(t, d)
	}
	s.Run()
	g.until(t, c, 40)
	if g.dupes != 0 {
		t.Errorf("%d acknowledged mails came again", g.dupes)
	}
}

func TestDovecotSentMailboxIsCollected(t *testing.T) {
	s := dovecot.Start(t)
	s.Deliver("INBOX", sample(1))
	s.Deliver("Sent", []byte("Message-ID: <a1@example.com>\nIn-Reply-To: <m1@customers.example>\nReferences: <m1@customers.example>\n"+
		"From: Care <care@example.com>\nTo: Jane Doe <jane1@customers.example>\nSubject: Re: Visit 1\nDate: Sun, 01 Mar 2026 10:00:00 +0000\n\n"+
		"We are sorry, we come tomorrow.\n\nOn Sun, 1 Mar 2026 at 08:00, Jane Doe <jane1@customers.example> wrote:\n> Nobody came for visit 1.\n"))
	c := newCollector(dovecotConfig(s), &cursors{}, quick())
	defer c.Close()
	var g collected
	g.until(t, c, 2)
	it := g.items[g.order[1]]
	r, err := schemas.Event{Type: it.Type, Data: it.Data}.Reply()
	if err != nil {
		t.Fatal(err)
	}
	if r.Text != "We are sorry, we come tomorrow." || r.Customer == nil || r.Customer.Email != "jane1@customers.example" ||
		r.SentBy != "care@example.com" || r.InReplyTo != "<m1@customers.example>" {
		t.Errorf("%+v", r)
	}
	if it.ThreadID != g.items[g.order[0]].ThreadID {
		t.Errorf("the answer is in thread %q, the mail in %q", it.ThreadID, g.items[g.order[0]].ThreadID)
	}
}

func TestDovecotUIDValidityChange(t *testing.T) {
	s := dovecot.Start(t)
	for i := range 12 {
		s.Deliver("INBOX", sample(i))
	}
	cs := &cursors{}
	c := newCollector(dovecotConfig(s), cs, quick())
	defer c.Close()
	var g collected
	g.until(t, c, 12)
	before := cs.m["care"]
	s.Stop()
	s.Renumber("INBOX")
	s.Deliver("INBOX", sample(50))
	s.Run()
	if _, err := c.Read(t.Context()); err == nil {
		t.Fatal("the restart went unnoticed")
	}
	g.until(t, c, 13)
	g.quietly(t, c)
	if g.dupes == 0 || cs.m["care"] == before {
		t.Errorf("the mailbox was not renumbered: cursor %s before, %s after", before, cs.m["care"])
	}
}
