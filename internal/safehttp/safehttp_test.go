package safehttp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestPublic(t *testing.T) {
	for _, s := range []string{
		"127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200",
		"0.0.0.0", "255.255.255.255", "224.0.0.1", "168.63.129.16", "192.0.0.192", "198.18.0.1", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1",
		"::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a00:1::", "2001:db8::1", "::127.0.0.1", "2001::1",
	} {
		if public(netip.MustParseAddr(s).Unmap()) {
			t.Errorf("%s would be dialled", s)
		}
	}
	for _, s := range []string{"8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700:4700::1111", "64:ff9b::808:808", "2a00:1450:4001:800::200e", "::ffff:8.8.8.8"} {
		if !public(netip.MustParseAddr(s).Unmap()) {
			t.Errorf("%s is public and blocked", s)
		}
	}
}

// server answers on loopback and counts what reaches it.
func server(t *testing.T, h http.HandlerFunc) (port string, hits *atomic.Int32) {
	t.Helper()
	hits = new(atomic.Int32)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		h(w, r)
	}))
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port(), hits
}

func ok(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// TestFault_15_PrivateAddressesAreBlocked: whatever name, literal, redirect or
// changing DNS answer leads there.
func TestFault_15_PrivateAddressesAreBlocked(t *testing.T) {
	port, hits := server(t, ok)
	to := func(addrs ...string) func(context.Context, string) ([]netip.Addr, error) {
		var n atomic.Int32
		return func(context.Context, string) ([]netip.Addr, error) {
			i := min(int(n.Add(1)), len(addrs)) - 1
			return []netip.Addr{netip.MustParseAddr(addrs[i])}, nil
		}
	}
	for _, c := range []struct {
		name, url string
		resolve   func(context.Context, string) ([]netip.Addr, error)
	}{
		{"literal loopback", "http://127.0.0.1:" + port, nil},
		{"localhost", "http://localhost:" + port, nil},
		{"decimal form", "http://2130706433:" + port, to("127.0.0.1")},
		{"metadata", "http://169.254.169.254/latest/meta-data/", nil},
		{"IPv6 loopback", "http://[::1]:" + port, nil},
		{"mapped", "http://[::ffff:127.0.0.1]:" + port, nil},
		{"name of a private address", "http://reviews.test:" + port, to("10.0.0.7")},
		{"rebinding on the first use", "http://rebind.test:" + port, to("127.0.0.1", "127.0.0.1")},
	} {
		if _, err := New(Config{Resolve: c.resolve, Timeout: 5 * time.Second}).Get(t.Context(), c.url); !errors.Is(err, ErrBlocked) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if n := hits.Load(); n != 0 {
		t.Fatalf("%d requests reached a private address", n)
	}
}

// TestFault_15_Rebinding: the name answers an allowed address once and a
// private one afterwards, as a redirect makes us dial again.
func TestFault_15_Rebinding(t *testing.T) {
	secretPort, hits := server(t, ok)
	var port string
	port, first := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		http.Redirect(w, r, "http://rebind.test:"+secretPort+"/secret", http.StatusFound)
	})
	var lookups atomic.Int32
	c := New(Config{
		AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
		Resolve: func(context.Context, string) ([]netip.Addr, error) {
			if lookups.Add(1) == 1 {
				return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
			}
			return []netip.Addr{netip.MustParseAddr("127.0.0.2")}, nil // not in the list
		},
	})
	if _, err := c.Get(t.Context(), "http://rebind.test:"+port); !errors.Is(err, ErrBlocked) {
		t.Errorf("after rebinding: %v", err)
	}
	if first.Load() != 1 || hits.Load() != 0 || lookups.Load() != 2 {
		t.Errorf("%d first, %d behind, %d lookups", first.Load(), hits.Load(), lookups.Load())
	}
}

func TestFault_15_RedirectToPrivate(t *testing.T) {
	port, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusFound)
	})
	c := New(Config{AllowPrivate: loopback})
	for _, to := range []string{"http://169.254.169.254/", "http://[fd00:ec2::254]/", "http://192.168.0.1/"} {
		if _, err := c.Get(t.Context(), "http://127.0.0.1:"+port+"/?to="+url.QueryEscape(to)); !errors.Is(err, ErrBlocked) {
			t.Errorf("redirect to %s: %v", to, err)
		}
	}
	if _, err := c.Get(t.Context(), "http://127.0.0.1:"+port+"/?to="+url.QueryEscape("file:///etc/passwd")); err == nil {
		t.Error("a redirect to a file was followed")
	}
}

func TestSecondAddressIsUsedWhenTheFirstIsBlocked(t *testing.T) {
	port, _ := server(t, ok)
	c := New(Config{AllowPrivate: loopback, Resolve: func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("127.0.0.1")}, nil
	}})
	if b, err := c.Get(t.Context(), "http://two.test:"+port); err != nil || string(b) != "hello" {
		t.Fatalf("%q %v", b, err)
	}
}

func TestSizeRedirectsAndStatus(t *testing.T) {
	port, hits := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/big":
			_, _ = io.WriteString(w, strings.Repeat("x", 101))
		case "/fits":
			_, _ = io.WriteString(w, strings.Repeat("x", 100))
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	})
	c, base := New(Config{AllowPrivate: loopback, MaxBytes: 100}), "http://127.0.0.1:"+port
	if _, err := c.Get(t.Context(), base+"/big"); !errors.Is(err, ErrTooLarge) {
		t.Error("big:", err)
	}
	if b, err := c.Get(t.Context(), base+"/fits"); err != nil || len(b) != 100 {
		t.Error("fits:", len(b), err)
	}
	hits.Store(0)
	if _, err := c.Get(t.Context(), base+"/loop"); err == nil || hits.Load() != MaxRedirects+1 {
		t.Error("loop:", err, hits.Load())
	}
	if _, err := c.Get(t.Context(), base+"/none"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Error("404:", err)
	}
	if _, err := c.Get(t.Context(), "ftp://127.0.0.1/"); err == nil {
		t.Error("ftp was fetched")
	}
}
