package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
)

const backlog = 5000

// imap measures a mailbox's backlog collected and accepted beside a bare
// client that fetches the same mails and throws them away.
func (b bench) imap() ([]result, error) {
	port, stop, err := mailServer()
	if err != nil {
		return nil, err
	}
	defer stop()
	peer, err := bareClient(port)
	if err != nil {
		return nil, err
	}
	ours, err := b.collect(port)
	if err != nil {
		return nil, err
	}
	return []result{{name: fmt.Sprintf("IMAP backlog of %d mails", backlog), ours: fmt.Sprintf("%.0f/s", backlog/ours.Seconds()), peer: fmt.Sprintf("%.0f/s", backlog/peer.Seconds()), ratio: peer.Seconds() / ours.Seconds(), goal: 0.8}}, nil
}

type literal struct {
	io.Reader
	n int64
}

func (l literal) Size() int64 { return l.n }

func mailServer() (port int, stop func(), err error) {
	mem := imapmemserver.New()
	user := imapmemserver.NewUser("care@shop.example", "secret")
	if err := user.Create("INBOX", nil); err != nil {
		return 0, nil, err
	}
	mem.AddUser(user)
	for i := range backlog {
		raw := fmt.Sprintf("From: C %d <c%d@mail.example>\r\nTo: care@shop.example\r\nSubject: My order %d\r\nMessage-ID: <b%d@mail.example>\r\nDate: %s\r\nContent-Type: text/plain\r\n\r\n%s\r\n",
			i%500, i%500, i, i, time.Now().Format(time.RFC1123Z), strings.Repeat("The team came on time and did good work. ", 40))
		if _, err := user.Append("INBOX", literal{strings.NewReader(raw), int64(len(raw))}, &imap.AppendOptions{Time: time.Now()}); err != nil {
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

func bareClient(port int) (time.Duration, error) {
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
	fetch := c.Fetch(imap.UIDSet{imap.UIDRange{Start: 1, Stop: backlog}}, &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}}})
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

func (b bench) collect(port int) (time.Duration, error) {
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
	token, err := b.command("token", "add", "bench", "--scope", "read", "--data", dir)
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	p, err := b.serve(dir, "-c", cfg)
	if err != nil {
		return 0, err
	}
	for {
		n, err := acceptedBy(p.url, token, "care")
		if err != nil {
			return 0, err
		}
		if n >= backlog {
			break
		}
		if time.Since(begin) > 2*time.Minute {
			return 0, fmt.Errorf("only %d of %d mails within two minutes", n, backlog)
		}
		time.Sleep(5 * time.Millisecond) // another process works
	}
	took := time.Since(begin)
	return took, p.stop()
}

func acceptedBy(url, token, name string) (int64, error) {
	req, err := http.NewRequest(http.MethodGet, url+"/v1/collectors", nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var page struct {
		Items []struct {
			Name     string
			Accepted int64
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&page); err != nil {
		return 0, err
	}
	for _, c := range page.Items {
		if c.Name == name {
			return c.Accepted, nil
		}
	}
	return 0, nil
}
