package email

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"redalert/internal/dovecot"
)

const backlogMails = 3000

// BenchmarkIMAPBacklog reads a backlog from a real Dovecot, with the collector
// (decoding, threads and cursor) and with a bare client that fetches all in one
// command and throws it away, and reports the ratio of their throughputs. Both
// take turns; each one's best counts. "network" is a line of 100 Mbit/s with
// 20 ms there and back, where the goal is at least 0.8; "loopback" has no line
// at all, so that it shows what decoding costs.
func BenchmarkIMAPBacklog(b *testing.B) {
	s := dovecot.Start(b)
	for i := range backlogMails {
		s.Deliver("INBOX", benchMail(i))
	}
	direct := dovecotConfig(s).withDefaults()
	bareClient(b, direct) // the first reading indexes the mailbox
	line := direct
	line.Port = slowLine(b, direct.address(), 10*time.Millisecond, 100_000_000/8)
	for _, bc := range []struct {
		name string
		cfg  Config
	}{{"loopback", direct}, {"network", line}} {
		b.Run(bc.name, func(b *testing.B) {
			bare, ours := time.Hour, time.Hour
			for b.Loop() {
				bare = min(bare, timed(func() { bareClient(b, bc.cfg) }))
				ours = min(ours, timed(func() { collectAll(b, bc.cfg) }))
			}
			b.ReportMetric(backlogMails/bare.Seconds(), "bare-mails/s")
			b.ReportMetric(backlogMails/ours.Seconds(), "mails/s")
			b.ReportMetric(bare.Seconds()/ours.Seconds(), "ratio")
		})
	}
}

// slowLine forwards connections to target with a delay each way and a bound on
// bytes a second, and answers its port.
func slowLine(b *testing.B, target string, delay time.Duration, rate float64) int {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ln.Close() })
	go func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", target)
			if err != nil {
				in.Close()
				return
			}
			go slowly(in, out, delay, rate)
			go slowly(out, in, delay, rate)
		}
	}()
	return ln.Addr().(*net.TCPAddr).Port
}

type packet struct {
	due  time.Time
	data []byte
}

func slowly(from, to net.Conn, delay time.Duration, rate float64) {
	queue := make(chan packet, 64) // about what is under way on such a line
	go func() {
		defer to.Close()
		for p := range queue {
			time.Sleep(time.Until(p.due))
			if _, err := to.Write(p.data); err != nil {
				from.Close()
			}
		}
	}()
	defer close(queue)
	free := time.Now()
	for {
		buf := make([]byte, 8<<10)
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if now := time.Now(); free.Before(now) {
			free = now
		}
		free = free.Add(time.Duration(float64(n) / rate * float64(time.Second)))
		queue <- packet{free.Add(delay), buf[:n]}
	}
}

func timed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

func benchMail(i int) []byte {
	return fmt.Appendf(nil, "Message-ID: <m%d@customers.example>\nFrom: Jane Doe <jane%d@customers.example>\nTo: care@example.com\n"+
		"Subject: Visit %d\nDate: Sun, 01 Mar 2026 08:00:00 +0000\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n%s"+
		"\nOn Sat, 28 Feb 2026 at 10:00, Care <care@example.com> wrote:\n%s", i, i, i,
		strings.Repeat("Nobody came although we waited all day, and nobody called.\n", 20), strings.Repeat("> We come between ten and twelve.\n", 40))
}

func bareClient(b *testing.B, cfg Config) {
	c, err := imapclient.DialInsecure(cfg.address(), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	if err := c.Login(cfg.User, cfg.Password).Wait(); err != nil {
		b.Fatal(err)
	}
	if _, err := c.Select("INBOX", &imap.SelectOptions{ReadOnly: true}).Wait(); err != nil {
		b.Fatal(err)
	}
	n := 0
	cmd := c.Fetch(imap.UIDSet{{Start: 1}}, &imap.FetchOptions{UID: true, InternalDate: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}}})
	for m := cmd.Next(); m != nil; m = cmd.Next() {
		for it := m.Next(); it != nil; it = m.Next() {
			if body, ok := it.(imapclient.FetchItemDataBodySection); ok {
				if _, err := io.Copy(io.Discard, body.Literal); err != nil {
					b.Fatal(err)
				}
				n++
			}
		}
	}
	if err := cmd.Close(); err != nil || n != backlogMails {
		b.Fatalf("%d mails, %v", n, err)
	}
}

func collectAll(b *testing.B, cfg Config) {
	c := NewIMAP(cfg, &cursors{}, Decoder{Own: []string{cfg.User}, Threads: &threads{}}, nil, nil)
	defer c.Close()
	for n := 0; n < backlogMails; {
		d, err := c.Read(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		n += len(d.Items)
		if d.Ack != nil {
			if err := d.Ack(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	raw := benchMail(1)
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if it := (Decoder{}).Item("care", raw, "INBOX", received); it.Broken != nil {
			b.Fatal(it.Broken)
		}
	}
}
