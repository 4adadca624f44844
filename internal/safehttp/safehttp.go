// Package safehttp is the HTTP client for addresses that people configure:
// review pages, feeds and webhooks. It dials no address inside a network
// (private, loopback, link-local, carrier-grade NAT, multicast, metadata
// services …), however the name resolves and wherever a redirect leads, and it
// bounds time and size.
//
// The address is checked after the name is resolved and the checked address is
// the one dialled, so that a name that changes its answer between the check
// and the connection (DNS rebinding) gains nothing. Proxies from the
// environment are not used: they would dial for us, unchecked.
package safehttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// Defaults and limits.
const (
	DefaultTimeout  = 30 * time.Second
	DefaultMaxBytes = 5 << 20
	MaxRedirects    = 5
)

// ErrBlocked is wrapped when an address must not be dialled.
var ErrBlocked = errors.New("address is not allowed")

// ErrTooLarge is returned by the body of an answer that is over the cap.
var ErrTooLarge = errors.New("answer is too large")

// Config of a Client. Every field may be zero.
type Config struct {
	// AllowPrivate lists networks that may be dialled although they are blocked.
	AllowPrivate []netip.Prefix
	Timeout      time.Duration // of a whole exchange, body and redirects included; 0 = DefaultTimeout
	MaxBytes     int64         // of one answer, decoded; 0 = DefaultMaxBytes
	UserAgent    string        // "" = Redalert/1.0
	// Resolve looks a name up; nil is the system's resolver.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
}

// Client is safe for concurrent use.
type Client struct {
	c    Config
	http *http.Client
}

// New makes a Client.
func New(c Config) *Client {
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	if c.MaxBytes <= 0 {
		c.MaxBytes = DefaultMaxBytes
	}
	if c.UserAgent == "" {
		c.UserAgent = "Redalert/1.0"
	}
	if c.Resolve == nil {
		c.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	cl := &Client{c: c}
	cl.http = &http.Client{
		Timeout:       c.Timeout,
		CheckRedirect: checkRedirect,
		Transport: &http.Transport{
			DialContext:            cl.dial,
			TLSHandshakeTimeout:    10 * time.Second,
			ResponseHeaderTimeout:  c.Timeout,
			MaxResponseHeaderBytes: 64 << 10,
			MaxIdleConns:           20,
			MaxIdleConnsPerHost:    2,
			IdleConnTimeout:        30 * time.Second,
			ForceAttemptHTTP2:      true,
		},
	}
	return cl
}

func checkRedirect(r *http.Request, via []*http.Request) error {
	if len(via) > MaxRedirects {
		return fmt.Errorf("more than %d redirects", MaxRedirects)
	}
	if s := r.URL.Scheme; s != "http" && s != "https" {
		return fmt.Errorf("a redirect to %s: only http and https are followed", s)
	}
	return nil
}

// Do sends a request. The body of the answer fails with ErrTooLarge beyond the
// cap; the caller closes it. An address that is not allowed answers ErrBlocked.
func (c *Client) Do(r *http.Request) (*http.Response, error) {
	if s := r.URL.Scheme; s != "http" && s != "https" {
		return nil, fmt.Errorf("%q: only http and https addresses are fetched", r.URL.Redacted())
	}
	if r.Header.Get("User-Agent") == "" {
		r = r.Clone(r.Context())
		r.Header.Set("User-Agent", c.c.UserAgent)
	}
	res, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	res.Body = &capped{ReadCloser: res.Body, left: c.c.MaxBytes}
	return res, nil
}

// Get fetches an address and answers its body; a status other than 200 is an
// error.
func (c *Client) Get(ctx context.Context, url string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", r.URL.Redacted(), res.Status)
	}
	return io.ReadAll(res.Body)
}

// capped fails, rather than ends, beyond the cap: half an answer must not pass
// for a whole one.
type capped struct {
	io.ReadCloser
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.ReadCloser.Read(p)
	if int64(n) > c.left {
		n, c.left = int(c.left), 0
		return n, ErrTooLarge
	}
	c.left -= int64(n)
	return n, err
}

// dial resolves, checks, and dials the address it has checked.
func (c *Client) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	addrs, err := c.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: 10 * time.Second, Control: c.control}
	err = fmt.Errorf("%s: %w: it resolves to private addresses only; network.allow_private can allow a network", host, ErrBlocked)
	for _, a := range addrs {
		if !c.allowed(a) {
			continue
		}
		var conn net.Conn
		if conn, err = d.DialContext(ctx, network, net.JoinHostPort(a.String(), port)); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

func (c *Client) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	addrs, err := c.c.Resolve(ctx, host)
	if err == nil && len(addrs) == 0 {
		err = &net.DNSError{Err: "no addresses", Name: host, IsNotFound: true}
	}
	return addrs, err
}

// control is the last check, on the address of the socket itself.
func (c *Client) control(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil || !c.allowed(ap.Addr()) {
		return fmt.Errorf("%s: %w", address, ErrBlocked)
	}
	return nil
}

func (c *Client) allowed(a netip.Addr) bool {
	a = a.Unmap()
	for _, p := range c.c.AllowPrivate {
		if p.Contains(a.WithZone("")) {
			return true
		}
	}
	return public(a)
}

// closed are networks that are not the public internet (IANA special-purpose
// registries), and the addresses of metadata services outside them.
var closed = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
	"192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"168.63.129.16/32", // Azure's metadata service
	"::/128", "::1/128", "::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20",
	"5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
)

func prefixes(s ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(s))
	for i := range s {
		out[i] = netip.MustParsePrefix(s[i])
	}
	return out
}

var (
	nat64     = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour = netip.MustParsePrefix("2002::/16")
)

// public reports whether an address lies in the public internet; addresses
// that carry an IPv4 address inside are judged by it.
func public(a netip.Addr) bool {
	if !a.IsValid() || a.Zone() != "" {
		return false
	}
	if b := a.As16(); a.Is6() {
		switch {
		case nat64.Contains(a):
			return public(netip.AddrFrom4([4]byte(b[12:16])))
		case sixToFour.Contains(a):
			return public(netip.AddrFrom4([4]byte(b[2:6])))
		}
	}
	for _, p := range closed {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
