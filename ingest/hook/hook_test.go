package hook

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func secret(b byte) string {
	return prefix + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(b), 32)))
}

func mustNew(t testing.TB, s ...string) *Verifier {
	t.Helper()
	v, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVerify(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	body := []byte(`{"a":1}`)
	v, old := mustNew(t, secret('a'), secret('b')), mustNew(t, secret('b'))
	good := v.Sign("msg_1", now, body)
	with := func(name, value string) http.Header {
		h := good.Clone()
		h.Set(name, value)
		return h
	}
	for _, c := range []struct {
		name string
		h    http.Header
		body string
		now  time.Time
		want error
	}{
		{"good", good, `{"a":1}`, now, nil},
		{"old secret still live", old.Sign("msg_1", now, body), `{"a":1}`, now, nil},
		{"among others", with(HeaderSignature, "v2,xx v1,!! v1,AAAA "+good.Get(HeaderSignature)), `{"a":1}`, now, nil},
		{"other body", good, `{"a":2}`, now, ErrSignature},
		{"other id", with(HeaderID, "msg_2"), `{"a":1}`, now, ErrSignature},
		{"other secret", mustNew(t, secret('c')).Sign("msg_1", now, body), `{"a":1}`, now, ErrSignature},
		{"no v1", with(HeaderSignature, strings.TrimPrefix(good.Get(HeaderSignature), "v1,")), `{"a":1}`, now, ErrSignature},
		{"300 s old", good, `{"a":1}`, now.Add(300 * time.Second), nil},
		{"301 s old", good, `{"a":1}`, now.Add(301 * time.Second), ErrTime},
		{"301 s ahead", good, `{"a":1}`, now.Add(-301 * time.Second), ErrTime},
		{"no header", http.Header{}, `{"a":1}`, now, ErrHeaders},
		{"no time", with(HeaderTimestamp, "soon"), `{"a":1}`, now, ErrHeaders},
		{"time moved", with(HeaderTimestamp, "1800000001"), `{"a":1}`, now, ErrSignature},
	} {
		if err := v.Verify(c.h, []byte(c.body), c.now); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// TestLibrarySignatures holds us against the reference library.
func TestLibrarySignatures(t *testing.T) {
	now := time.Now()
	w, err := standardwebhooks.NewWebhook(secret('a'))
	if err != nil {
		t.Fatal(err)
	}
	sig, err := w.Sign("msg_1", now, []byte("body"))
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	h.Set(HeaderID, "msg_1")
	h.Set(HeaderTimestamp, fmt.Sprint(now.Unix()))
	h.Set(HeaderSignature, sig)
	v := mustNew(t, secret('a'))
	if err := v.Verify(h, []byte("body"), now); err != nil {
		t.Error(err)
	}
	if err := w.Verify([]byte("body"), v.Sign("msg_2", now, []byte("body"))); err != nil {
		t.Error("the library refuses ours:", err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, s := range [][]string{nil, {""}, {"abc"}, {prefix + "short"}, {prefix + "!!!"}, {secret('a'), secret('b'), secret('c')}} {
		if _, err := New(s); err == nil {
			t.Errorf("%q was taken", s)
		} else if strings.Contains(err.Error(), "short") {
			t.Errorf("the error shows the secret: %v", err)
		}
	}
	if s := fmt.Sprintf("%v %+v %#v", mustNew(t, secret('a')), mustNew(t, secret('a')), mustNew(t, secret('a'))); strings.Contains(s, "97") {
		t.Error("a secret is printed:", s)
	}
}
