package email

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"redalert/alerting"
)

// TLS says how the connection to the server is secured.
type TLS string

// The ways there are. StartTLS insists: a server without it is refused.
const (
	TLSNone  TLS = "none"
	StartTLS TLS = "starttls"
	TLSFirst TLS = "tls"
)

// Config names a mail server.
type Config struct {
	Host     string
	Port     int
	TLS      TLS
	User     string // "" = no sign-in
	Password string
	Hello    string        // our name in EHLO; "" = localhost
	Timeout  time.Duration // for the connection and each command; 0 = 30 seconds
	// TLSConfig is for tests and private authorities; nil checks the server's
	// certificate against Host with the system's.
	TLSConfig *tls.Config
}

// SMTP hands messages to one mail server, a connection each. It implements
// alerting.Transport and is safe for concurrent use.
type SMTP struct{ cfg Config }

// NewSMTP builds a transport. It connects only when something is sent.
func NewSMTP(cfg Config) *SMTP {
	if cfg.Timeout <= 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.Hello == "" {
		cfg.Hello = "localhost"
	}
	return &SMTP{cfg: cfg}
}

// Send delivers msg to one recipient. nil means the server has taken it.
// Failures before the content began are definite: retry tells whether the
// server may take it later (no connection, 4xx, a sign-in that failed). Once
// the content was on its way, only an answer of the server is definite; a
// broken connection is an *alerting.Uncertain. No error holds the password.
func (s *SMTP) Send(ctx context.Context, from, to string, msg []byte) (retry bool, err error) {
	c, stop, err := s.dial(ctx)
	if err != nil {
		return classify("connect to "+s.addr(), err)
	}
	defer c.Close()
	defer stop()
	if s.cfg.User != "" {
		if err := s.auth(c); err != nil {
			return true, fmt.Errorf("sign in to %s as %s; check smtp.user and smtp.password: %w", s.addr(), s.cfg.User, s.clean(err))
		}
	}
	if err := c.Mail(from, nil); err != nil {
		return classify("sender "+from, err)
	}
	if err := c.Rcpt(to, nil); err != nil {
		return classify("recipient", err)
	}
	w, err := c.Data()
	if err != nil {
		return classify("send the message", err)
	}
	if _, err := w.Write(msg); err != nil {
		return true, &alerting.Uncertain{Err: fmt.Errorf("send the message: %w", err)}
	}
	if err := w.Close(); err != nil {
		var answer *smtp.SMTPError
		if errors.As(err, &answer) {
			return classify("the server refused the message", err)
		}
		return true, &alerting.Uncertain{Err: fmt.Errorf("no answer to the message: %w", err)}
	}
	_ = c.Quit() // taken already; whatever happens now changes nothing
	return false, nil
}

// Check connects and signs in without sending anything, for doctor and the
// Settings page.
func (s *SMTP) Check(ctx context.Context) error {
	c, stop, err := s.dial(ctx)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", s.addr(), err)
	}
	defer c.Close()
	defer stop()
	if s.cfg.User != "" {
		if err := s.auth(c); err != nil {
			return fmt.Errorf("sign in to %s as %s: %w", s.addr(), s.cfg.User, s.clean(err))
		}
	}
	return c.Quit()
}

func (s *SMTP) addr() string { return net.JoinHostPort(s.cfg.Host, strconv.Itoa(s.cfg.Port)) }

func (s *SMTP) tlsConfig() *tls.Config {
	if s.cfg.TLSConfig != nil {
		return s.cfg.TLSConfig
	}
	return &tls.Config{ServerName: s.cfg.Host, MinVersion: tls.VersionTLS12}
}

// dial connects, secures the connection as configured and says hello. Until
// stop is called the connection closes when ctx ends; a server that says
// nothing during STARTTLS is given up after the configured time, too.
func (s *SMTP) dial(ctx context.Context) (c *smtp.Client, stop func() bool, err error) {
	d := net.Dialer{Timeout: s.cfg.Timeout}
	conn, err := d.DialContext(ctx, "tcp", s.addr())
	if err != nil {
		return nil, nil, err
	}
	stop = context.AfterFunc(ctx, func() { conn.Close() })
	slow := time.AfterFunc(s.cfg.Timeout, func() { conn.Close() })
	defer slow.Stop()
	switch s.cfg.TLS {
	case TLSNone:
		c = smtp.NewClient(conn)
	case TLSFirst:
		c = smtp.NewClient(tls.Client(conn, s.tlsConfig()))
	default:
		c, err = smtp.NewClientStartTLS(conn, s.tlsConfig())
	}
	if err == nil {
		c.CommandTimeout, c.SubmissionTimeout = s.cfg.Timeout, 2*s.cfg.Timeout
		err = c.Hello(s.cfg.Hello)
	}
	if err != nil {
		stop()
		conn.Close()
		return nil, nil, err
	}
	return c, stop, nil
}

// auth signs in with PLAIN, or LOGIN where the server has only that.
func (s *SMTP) auth(c *smtp.Client) error {
	switch {
	case c.SupportsAuth(sasl.Plain):
		return c.Auth(sasl.NewPlainClient("", s.cfg.User, s.cfg.Password))
	case c.SupportsAuth(sasl.Login):
		return c.Auth(sasl.NewLoginClient(s.cfg.User, s.cfg.Password))
	}
	return errors.New("the server offers neither PLAIN nor LOGIN on this connection; with tls: none many servers offer no sign-in")
}

// clean removes the password from what a server says.
func (s *SMTP) clean(err error) error {
	if s.cfg.Password == "" || !strings.Contains(err.Error(), s.cfg.Password) {
		return err
	}
	return errors.New(strings.ReplaceAll(err.Error(), s.cfg.Password, "•••"))
}

// classify tells a definite refusal (5xx) from one that may pass (4xx, a broken
// connection).
func classify(doing string, err error) (retry bool, _ error) {
	var answer *smtp.SMTPError
	if errors.As(err, &answer) {
		return !permanent(answer.Code), fmt.Errorf("%s: %d %w", doing, answer.Code, err)
	}
	return true, fmt.Errorf("%s: %w", doing, err)
}

// permanent reports whether a reply code says that trying again is of no use:
// 5xx, except 521 and 530 to 539, which are about the connection or sign-in and
// go away when somebody corrects the configuration.
func permanent(code int) bool {
	return code >= 500 && code < 600 && code != 521 && (code < 530 || code > 539)
}

var (
	_ alerting.Transport = (*SMTP)(nil)
	_ alerting.Composer  = Composer{}
)
