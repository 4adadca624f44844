package main

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
)

// imap measures a mailbox's backlog, collected and accepted with the scorer
// running, beside a bare client that fetches the same mails and throws them
// away: mails of common sizes, over a line as a business has it, which both
// sides get.
func (b bench) imap() ([]result, error) {
	mails := mailbox(2000)
	r, err := b.backlog(mails, true)
	r.name, r.goal = fmt.Sprintf("IMAP, %s, 20 ms, 100 Mbit/s", sizes(mails)), 0.8
	return []result{r}, err
}

// loopback is imap with short mails of this very machine. Nobody has such a
// mailbox, so it has no goal: it shows how much more work it is to accept a mail
// than to throw it away, where nothing else takes any time.
func (b bench) loopback() ([]result, error) {
	mails := shortMails(5000)
	r, err := b.backlog(mails, false)
	r.name = fmt.Sprintf("  on loopback, %s", sizes(mails))
	return []result{r}, err
}

func sizes(mails [][]byte) string {
	all, sum := make([]int, len(mails)), 0
	for i, m := range mails {
		all[i] = len(m)
		sum += len(m)
	}
	slices.Sort(all)
	return fmt.Sprintf("%.1f KB (median %.1f)", float64(sum/len(all))/1000, float64(all[len(all)/2])/1000)
}

func (b bench) backlog(mails [][]byte, slow bool) (result, error) {
	port, stop, err := mailServer(mails)
	if err != nil {
		return result{}, err
	}
	defer stop()
	if slow {
		near, hangUp, err := line(fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return result{}, err
		}
		defer hangUp()
		port = near
	}
	peer, err := bareClient(port, len(mails))
	if err != nil {
		return result{}, err
	}
	ours, err := b.collect(port, len(mails))
	if err != nil {
		return result{}, err
	}
	rate := func(d time.Duration) string { return fmt.Sprintf("%.0f/s", float64(len(mails))/d.Seconds()) }
	return result{ours: rate(ours), peer: rate(peer), ratio: peer.Seconds() / ours.Seconds()}, nil
}

type literal struct {
	io.Reader
	n int64
}

func (l literal) Size() int64 { return l.n }

func mailServer(mails [][]byte) (port int, stop func(), err error) {
	mem := imapmemserver.New()
	user := imapmemserver.NewUser("care@shop.example", "secret")
	if err := user.Create("INBOX", nil); err != nil {
		return 0, nil, err
	}
	mem.AddUser(user)
	for _, raw := range mails {
		if _, err := user.Append("INBOX", literal{bytes.NewReader(raw), int64(len(raw))}, &imap.AppendOptions{Time: time.Now()}); err != nil {
			return 0, nil, err
		}
	}
	srv := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return mem.NewSession(), nil, nil
		},
		Caps: imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapIMAP4rev2: {}}, InsecureAuth: true,
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, nil, err
	}
	go srv.Serve(ln)
	return ln.Addr().(*net.TCPAddr).Port, func() { srv.Close() }, nil
}

func bareClient(port, backlog int) (time.Duration, error) {
	begin := time.Now()
	c, err := imapclient.DialInsecure(fmt.Sprintf("127.0.0.1:%d", port), nil)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if err := c.Login("care@shop.example", "secret").Wait(); err != nil {
		return 0, err
	}
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		return 0, err
	}
	fetch := c.Fetch(imap.UIDSet{imap.UIDRange{Start: 1, Stop: imap.UID(backlog)}}, &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}}})
	n := 0
	for msg := fetch.Next(); msg != nil; msg = fetch.Next() {
		for item := msg.Next(); item != nil; item = msg.Next() {
			if body, ok := item.(imapclient.FetchItemDataBodySection); ok {
				if _, err := io.Copy(io.Discard, body.Literal); err != nil {
					return 0, err
				}
				n++
			}
		}
	}
	if err := fetch.Close(); err != nil {
		return 0, err
	}
	if n != backlog {
		return 0, fmt.Errorf("the bare client read %d of %d mails", n, backlog)
	}
	return time.Since(begin), nil
}

// collect starts a server on the mailbox and answers how long it takes, from
// its start, until all mails are durable in its log.
func (b bench) collect(port, backlog int) (time.Duration, error) {
	dir, clean, err := tempDir()
	if err != nil {
		return 0, err
	}
	defer clean()
	cfg := filepath.Join(dir, "redalert.yaml")
	text := fmt.Sprintf("imap: [{name: care, host: 127.0.0.1, port: %d, tls: none, user: care@shop.example, password: secret}]\n", port)
	if err := os.WriteFile(cfg, []byte(text), 0o600); err != nil {
		return 0, err
	}
	if _, err := b.command("token", "add", "bench", "--scope", "read", "--data", dir); err != nil {
		return 0, err // it makes the store
	}
	store, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "redalert.db")+"?_pragma=query_only(1)&_pragma=busy_timeout(5000)")
	if err != nil {
		return 0, err
	}
	defer store.Close()
	begin := time.Now()
	p, err := b.serve(dir, "-c", cfg)
	if err != nil {
		return 0, err
	}
	took, err := accepted(store, backlog, begin)
	return took, errors.Join(err, p.stop())
}

// accepted waits until so many events are in the log. The store is asked, not
// the server: its counts are up to a second old.
func accepted(store *sql.DB, backlog int, begin time.Time) (time.Duration, error) {
	for {
		var n int
		if err := store.QueryRow("SELECT coalesce(max(position), 0) FROM feedback_log").Scan(&n); err != nil {
			return 0, err
		}
		if n >= backlog {
			return time.Since(begin), nil
		}
		if time.Since(begin) > 2*time.Minute {
			return 0, fmt.Errorf("only %d of %d mails within two minutes", n, backlog)
		}
		time.Sleep(5 * time.Millisecond) // another process works
	}
}
