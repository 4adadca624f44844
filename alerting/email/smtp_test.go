package email

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"redalert/alerting"
)

// sink is an SMTP server that keeps what it gets and fails as told.
type sink struct {
	mu       sync.Mutex
	got      []string // "from to body"
	mailErr  error
	rcptErr  error
	dataErr  error
	authErr  error
	hangUp   bool // cut the connection in the middle of the content
	signedIn string
}

func (s *sink) NewSession(c *smtp.Conn) (smtp.Session, error) { return &sinkSession{s: s, c: c}, nil }

type sinkSession struct {
	s        *sink
	c        *smtp.Conn
	from, to string
}

func (x *sinkSession) Mail(from string, _ *smtp.MailOptions) error { x.from = from; return x.s.mailErr }
func (x *sinkSession) Rcpt(to string, _ *smtp.RcptOptions) error   { x.to = to; return x.s.rcptErr }
func (x *sinkSession) Reset()                                      {}
func (x *sinkSession) Logout() error                               { return nil }
func (x *sinkSession) AuthMechanisms() []string                    { return []string{sasl.Plain} }

func (x *sinkSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		x.s.mu.Lock()
		defer x.s.mu.Unlock()
		if x.s.authErr != nil {
			return x.s.authErr
		}
		x.s.signedIn = user + ":" + password
		return nil
	}), nil
}

func (x *sinkSession) Data(r io.Reader) error {
	if x.s.hangUp {
		return x.c.Conn().Close()
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if x.s.dataErr != nil {
		return x.s.dataErr
	}
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	x.s.got = append(x.s.got, x.from+" "+x.to+" "+string(b))
	return nil
}

// serve starts the sink and answers how to reach it.
func serve(t *testing.T, s *sink, how TLS) Config {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serverTLS, clientTLS := certificate(t)
	srv := smtp.NewServer(s)
	srv.Domain, srv.AllowInsecureAuth = "sink.example", true
	srv.ErrorLog = silent{}
	if how == StartTLS {
		srv.TLSConfig = serverTLS
	}
	if how == TLSFirst {
		l = tls.NewListener(l, serverTLS)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }()
	t.Cleanup(func() { srv.Close(); <-done })
	host, port, _ := net.SplitHostPort(l.Addr().String())
	n, _ := strconv.Atoi(port)
	return Config{Host: host, Port: n, TLS: how, Timeout: 5 * time.Second, TLSConfig: clientTLS}
}

type silent struct{}

func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}

func certificate(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sink"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
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
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		&tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
}

var body = []byte("Subject: x\r\n\r\nHello\r\n.dot\r\n")

func TestSendArrives(t *testing.T) {
	for _, how := range []TLS{TLSNone, StartTLS, TLSFirst} {
		s := &sink{}
		cfg := serve(t, s, how)
		cfg.User, cfg.Password = "robot", "s3cret"
		tr := NewSMTP(cfg)
		if retry, err := tr.Send(t.Context(), "care@firm.example", "maria@home.example", body); err != nil || retry {
			t.Fatalf("%s: %v", how, err)
		}
		if err := tr.Check(t.Context()); err != nil {
			t.Errorf("%s: Check: %v", how, err)
		}
		want := "care@firm.example maria@home.example " + string(body)
		if len(s.got) != 1 || s.got[0] != want || s.signedIn != "robot:s3cret" {
			t.Errorf("%s: got %q, signed in %q", how, s.got, s.signedIn)
		}
	}
}

func TestEachFailureHasItsOutcome(t *testing.T) {
	answer := func(code int) error { return &smtp.SMTPError{Code: code, Message: "as told"} }
	for name, c := range map[string]struct {
		sink   *sink
		retry  bool
		unsure bool
	}{
		"sender refused for now":   {&sink{mailErr: answer(451)}, true, false},
		"sender refused":           {&sink{mailErr: answer(553)}, false, false},
		"no such recipient":        {&sink{rcptErr: answer(550)}, false, false},
		"recipient's mailbox busy": {&sink{rcptErr: answer(450)}, true, false},
		"greylisted":               {&sink{rcptErr: answer(421)}, true, false},
		"sign-in wanted":           {&sink{mailErr: answer(530)}, true, false},
		"message refused":          {&sink{dataErr: answer(554)}, false, false},
		"message refused for now":  {&sink{dataErr: answer(452)}, true, false},
		"sign-in failed":           {&sink{authErr: answer(535)}, true, false},
		"cut off in the content":   {&sink{hangUp: true}, true, true},
	} {
		cfg := serve(t, c.sink, TLSNone)
		cfg.User, cfg.Password = "robot", "s3cret"
		big := append(bytes.Clone(body), bytes.Repeat([]byte("line of text\r\n"), 100_000)...)
		retry, err := NewSMTP(cfg).Send(t.Context(), "care@firm.example", "maria@home.example", big)
		var unsure *alerting.Uncertain
		if err == nil || retry != c.retry || errors.As(err, &unsure) != c.unsure {
			t.Errorf("%s: retry %v, %v", name, retry, err)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the password stands in the error", name)
		}
	}
}

func TestNoServerIsTemporary(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	var unsure *alerting.Uncertain
	retry, err := NewSMTP(Config{Host: "127.0.0.1", Port: port, TLS: TLSNone}).Send(t.Context(), "a@b.example", "c@d.example", body)
	if err == nil || !retry || errors.As(err, &unsure) {
		t.Errorf("retry %v, %v", retry, err)
	}
}

func TestStartTLSIsNotGivenUp(t *testing.T) {
	s := &sink{}
	cfg := serve(t, s, TLSNone)
	cfg.TLS = StartTLS
	if _, err := NewSMTP(cfg).Send(t.Context(), "a@b.example", "c@d.example", body); err == nil || len(s.got) != 0 {
		t.Errorf("sent in the clear: %v", err)
	}
	cfg = serve(t, s, TLSFirst)
	cfg.TLSConfig = nil // the system's authorities do not know the sink
	if _, err := NewSMTP(cfg).Send(t.Context(), "a@b.example", "c@d.example", body); err == nil || len(s.got) != 0 {
		t.Errorf("an unknown certificate was trusted: %v", err)
	}
}

func TestASilentServerIsGivenUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, how := range []TLS{TLSNone, StartTLS, TLSFirst} {
		cfg := Config{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, TLS: how, Timeout: 50 * time.Millisecond}
		if retry, err := NewSMTP(cfg).Send(t.Context(), "a@b.example", "c@d.example", body); err == nil || !retry {
			t.Errorf("%s: retry %v, %v", how, retry, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		cfg.Timeout = time.Hour
		if _, err := NewSMTP(cfg).Send(ctx, "a@b.example", "c@d.example", body); err == nil {
			t.Errorf("%s: sent although stopped", how)
		}
	}
}

func TestReplyCodes(t *testing.T) {
	for code, want := range map[int]bool{421: false, 450: false, 451: false, 452: false, 500: true, 521: false, 530: false, 535: false,
		550: true, 552: true, 553: true, 554: true, 571: true} {
		if got := permanent(code); got != want {
			t.Errorf("%d is permanent: %v", code, got)
		}
	}
}
