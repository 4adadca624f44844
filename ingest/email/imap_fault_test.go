package email

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
)

// proxy forwards connections and can fall silent without closing them.
type proxy struct {
	ln     net.Listener
	target string
	mu     sync.Mutex
	conns  []*silentConn
}

// silentConn swallows what it is given once it is silent.
type silentConn struct {
	net.Conn
	mu   sync.Mutex
	mute bool
}

func (c *silentConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mute {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func newProxy(t *testing.T, target string) *proxy {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{ln: ln, target: target}
	t.Cleanup(func() { ln.Close() })
	go p.serve()
	return p
}

func (p *proxy) serve() {
	for {
		in, err := p.ln.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.target)
		if err != nil {
			in.Close()
			continue
		}
		a, b := &silentConn{Conn: in}, &silentConn{Conn: out}
		p.mu.Lock()
		p.conns = append(p.conns, a, b)
		p.mu.Unlock()
		go func() { io.Copy(b, in); out.Close() }() //nolint:errcheck // ends with the connection
		go func() { io.Copy(a, out); in.Close() }() //nolint:errcheck // ends with the connection
	}
}

// mute makes every connection there is half-open.
func (p *proxy) mute() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.mu.Lock()
		c.mute = true
		c.mu.Unlock()
	}
}

func TestFault_34_HalfOpenIdle(t *testing.T) {
	if d := defaultPace(); min(d.idle, d.poll)+d.idleAnswer > 5*time.Minute || d.idle > 4*time.Minute || d.idleAnswer > 30*time.Second {
		t.Fatalf("a dead connection is noticed after %v + %v", min(d.idle, d.poll), d.idleAnswer)
	}
	m := newMemServer(t, nil)
	px := newProxy(t, m.ln.Addr().String())
	cfg := m.config()
	cfg.Port = px.ln.Addr().(*net.TCPAddr).Port
	p := quick()
	p.idle, p.poll, p.idleAnswer, p.answer = 100*time.Millisecond, 100*time.Millisecond, 100*time.Millisecond, 100*time.Millisecond
	c := newCollector(cfg, &cursors{}, p)
	defer c.Close()
	if _, err := c.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	px.mute()
	m.deliver(t, "INBOX", sample(1))
	if _, err := c.Read(t.Context()); err == nil {
		t.Fatal("a silent connection passes for a live one")
	}
	var g collected
	g.until(t, c, 1) // connects anew
}

func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestIMAPEncryption(t *testing.T) {
	cert, pool := selfSigned(t)
	user := imapmemserver.NewUser(memUser, memPassword)
	if err := user.Create("INBOX", nil); err != nil {
		t.Fatal(err)
	}
	if err := user.Create("Gesendet", nil); err != nil { // found by its name
		t.Fatal(err)
	}
	mem := imapmemserver.New()
	mem.AddUser(user)
	tc := &tls.Config{Certificates: []tls.Certificate{cert}}
	srv := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return mem.NewSession(), nil, nil
		},
		Caps: imap.CapSet{imap.CapIMAP4rev1: {}}, TLSConfig: tc, Logger: log.New(io.Discard, "", 0),
	})
	t.Cleanup(func() { srv.Close() })
	listen := func(wrap func(net.Listener) net.Listener) int {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go srv.Serve(wrap(ln)) //nolint:errcheck // ends with the listener
		return ln.Addr().(*net.TCPAddr).Port
	}
	clear := listen(func(l net.Listener) net.Listener { return l })
	encrypted := listen(func(l net.Listener) net.Listener { return tls.NewListener(l, tc) })
	for _, tc := range []struct {
		mode string
		port int
		ca   *x509.CertPool
		ok   bool
	}{
		{TLSStartTLS, clear, pool, true},
		{TLSImplicit, encrypted, pool, true},
		{"", encrypted, pool, true},
		{TLSImplicit, encrypted, nil, false}, // an unknown certificate
		{TLSStartTLS, clear, nil, false},
		{TLSNone, clear, nil, false}, // the server takes no password in clear text
	} {
		cfg := Config{Name: "care", Host: "127.0.0.1", Port: tc.port, TLS: tc.mode, User: memUser, Password: memPassword, TLSConfig: &tls.Config{RootCAs: tc.ca}}
		if err := Check(t.Context(), cfg); (err == nil) != tc.ok {
			t.Errorf("%q, known certificate %v: %v", tc.mode, tc.ca != nil, err)
		}
	}
}
