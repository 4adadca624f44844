// Package hook verifies signed webhooks after the Standard Webhooks
// specification (https://www.standardwebhooks.com): HMAC-SHA-256 over id,
// timestamp and body, scheme v1.
package hook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Tolerance is how far a signature's time may be from ours, either way.
const Tolerance = 5 * time.Minute

// MaxSecrets is how many secrets may be live at once: the old and the new one
// while they are rotated.
const MaxSecrets = 2

// minKey is the shortest key in bytes that the specification allows.
const minKey = 24

const prefix = "whsec_"

// Headers of a signed request.
const (
	HeaderID        = "Webhook-Id"
	HeaderTimestamp = "Webhook-Timestamp"
	HeaderSignature = "Webhook-Signature"
)

// Why a request is not believed. Answer all of them with 401.
var (
	ErrHeaders   = errors.New("the headers webhook-id, webhook-timestamp and webhook-signature are missing or unreadable")
	ErrTime      = fmt.Errorf("the signature's timestamp is more than %d seconds from our clock", int(Tolerance.Seconds()))
	ErrSignature = errors.New("no signature fits the body and a live secret")
)

// Verifier holds the live secrets of one source. It is immutable and safe for
// concurrent use; its text form never shows a secret.
type Verifier struct{ keys [][]byte }

// New reads one or two secrets of the form whsec_<base64>.
func New(secrets []string) (*Verifier, error) {
	if len(secrets) == 0 || len(secrets) > MaxSecrets {
		return nil, fmt.Errorf("%d webhook secrets; expected one or two of the form whsec_<base64>", len(secrets))
	}
	v := &Verifier{}
	for i, s := range secrets {
		encoded, ok := strings.CutPrefix(strings.TrimSpace(s), prefix)
		if !ok {
			return nil, fmt.Errorf("webhook secret %d does not begin with whsec_", i+1)
		}
		key, err := decode(encoded)
		if err != nil {
			return nil, fmt.Errorf("webhook secret %d is not base64 after whsec_", i+1)
		}
		if len(key) < minKey {
			return nil, fmt.Errorf("webhook secret %d has %d bytes; expected at least %d", i+1, len(key), minKey)
		}
		v.keys = append(v.keys, key)
	}
	return v, nil
}

// decode takes base64 with or without its padding.
func decode(s string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
}

// String shows no secret.
func (v *Verifier) String() string { return fmt.Sprintf("%d webhook secrets", len(v.keys)) }

// GoString shows no secret.
func (v *Verifier) GoString() string { return v.String() }

// Verify answers nil when the body was signed with a live secret within
// Tolerance of now; else ErrHeaders, ErrTime or ErrSignature. The comparison
// takes the same time wherever signatures differ, and every live secret is
// tried against every signature.
func (v *Verifier) Verify(h http.Header, body []byte, now time.Time) error {
	id, stamp, given := h.Get(HeaderID), h.Get(HeaderTimestamp), h.Get(HeaderSignature)
	if id == "" || stamp == "" || given == "" || len(given) > 4096 || len(id) > 1024 {
		return ErrHeaders
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return ErrHeaders
	}
	if at := time.Unix(seconds, 0); at.Before(now.Add(-Tolerance)) || at.After(now.Add(Tolerance)) {
		return ErrTime
	}
	found := false
	for _, key := range v.keys {
		want := sum(key, id, stamp, body)
		for s := range strings.SplitSeq(given, " ") {
			encoded, ok := strings.CutPrefix(s, "v1,")
			if !ok {
				continue
			}
			got, err := base64.StdEncoding.DecodeString(encoded)
			found = (err == nil && hmac.Equal(got, want)) || found
		}
	}
	if !found {
		return ErrSignature
	}
	return nil
}

func sum(key []byte, id, stamp string, body []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(id + "." + stamp + "."))
	m.Write(body)
	return m.Sum(nil)
}

// Sign makes the headers of a signed request, for senders and tests. It signs
// with the first secret.
func (v *Verifier) Sign(id string, at time.Time, body []byte) http.Header {
	stamp := strconv.FormatInt(at.Unix(), 10)
	return http.Header{
		HeaderID: {id}, HeaderTimestamp: {stamp},
		HeaderSignature: {"v1," + base64.StdEncoding.EncodeToString(sum(v.keys[0], id, stamp, body))},
	}
}
