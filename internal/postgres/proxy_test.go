package postgres

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// cut says what is lost of a request and its answer.
type cut int

const (
	loseRequest cut = iota + 1 // the server never sees the end of it
	loseAnswer                 // the server has done it; nobody is told
	hang                       // nothing comes any more, and the connection stays
)

// proxy stands between us and PostgreSQL and cuts the connection at one
// request, counted from now: a query, or a batch up to its Sync.
type proxy struct {
	t      *testing.T
	target string

	mu   sync.Mutex
	left int // requests until the cut; 0 = none
	how  cut
	hit  bool
}

// through answers a URL that leads to the database of raw through the proxy.
func through(t *testing.T, raw string) (*proxy, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := &proxy{t: t}
	via := with(t, raw, func(u *url.URL) { p.target, u.Host = u.Host, l.Addr().String() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	return p, via
}

// cutAt lets the nth request from now be cut; wasCut tells whether it was.
func (p *proxy) cutAt(n int, how cut) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left, p.how, p.hit = n, how, false
}

func (p *proxy) wasCut() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = 0
	return p.hit
}

// request counts one and answers what is to be lost of it.
func (p *proxy) request() cut {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left == 0 {
		return 0
	}
	if p.left--; p.left > 0 {
		return 0
	}
	p.hit = true
	return p.how
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	lost := make(chan struct{}) // closed when the next answer is to be swallowed
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer client.Close()
		replies(server, client, lost)
	}()
	p.requests(client, server, lost)
	<-done
}

// requests copies messages to the server until the cut.
func (p *proxy) requests(client, server net.Conn, lost chan struct{}) {
	if copyMessage(client, server, 0) != nil { // the first has no type
		server.Close()
		return
	}
	var begun bytes.Buffer // of a batch, until its Sync
	for {
		var kind [1]byte
		if _, err := io.ReadFull(client, kind[:]); err != nil {
			server.Close()
			return
		}
		how := cut(0)
		switch kind[0] {
		case 'P', 'B', 'D', 'E', 'C': // the parts of a batch
			if copyMessage(client, &begun, kind[0]) != nil {
				server.Close()
				return
			}
			continue
		case 'S', 'Q':
			how = p.request()
		}
		if how == hang {
			<-p.t.Context().Done()
			server.Close()
			return
		}
		_, err := begun.WriteTo(server)
		if how == loseRequest || err != nil {
			server.Close()
			return
		}
		if how == loseAnswer {
			close(lost)
		}
		if copyMessage(client, server, kind[0]) != nil {
			server.Close()
			return
		}
		if how == loseAnswer {
			return
		}
	}
}

// replies copies messages to the client; once lost is closed it swallows one
// whole answer, up to ReadyForQuery, and ends.
func replies(server, client net.Conn, lost chan struct{}) {
	for {
		var kind [1]byte
		if _, err := io.ReadFull(server, kind[:]); err != nil {
			return
		}
		to := io.Writer(client)
		select {
		case <-lost:
			to = io.Discard
		default:
		}
		if copyMessage(server, to, kind[0]) != nil || to == io.Discard && kind[0] == 'Z' {
			return
		}
	}
}

// copyMessage copies a message whose type, unless 0, has been read.
func copyMessage(from io.Reader, to io.Writer, kind byte) error {
	var head [5]byte
	head[0] = kind
	if _, err := io.ReadFull(from, head[1:]); err != nil {
		return err
	}
	start := head[:]
	if kind == 0 {
		start = head[1:]
	}
	if _, err := to.Write(start); err != nil {
		return err
	}
	_, err := io.CopyN(to, from, int64(binary.BigEndian.Uint32(head[1:]))-4)
	return err
}
