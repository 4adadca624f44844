package ingest

import (
	"strings"

	"github.com/google/uuid"

	"redalert/schemas"
)

// customerSpace is the namespace of customer ids. It never changes: every
// machine derives the same id from the same reference.
var customerSpace = uuid.MustParse("6f0f9d5e-6d1c-5d58-9a3e-2d7b7f0c4a11")

// Kinds of customer references, strongest first.
const (
	RefKind   = "ref"
	EmailKind = "email"
	PhoneKind = "phone"
)

// minPhoneDigits: fewer digits than this ("0", "n/a", an extension) name nobody.
const minPhoneDigits = 5

// CustomerKey is one normalised reference to a customer.
type CustomerKey struct{ Kind, Value string }

// ID is the customer id that the reference gives when it is the strongest one
// known: UUIDv5 of "kind:value".
func (k CustomerKey) ID() string {
	return uuid.NewSHA1(customerSpace, []byte(k.Kind+":"+k.Value)).String()
}

// Strength orders kinds: ref 3, e-mail 2, phone 1.
func (k CustomerKey) Strength() int {
	switch k.Kind {
	case RefKind:
		return 3
	case EmailKind:
		return 2
	}
	return 1
}

// CustomerKeys are the references in c, normalised, strongest first: the ref
// without surrounding blanks, the e-mail in lower case, the phone's digits. An
// e-mail without @ and a phone of fewer than five digits are left out; a name
// identifies nobody.
func CustomerKeys(c schemas.CustomerRef) []CustomerKey {
	keys := make([]CustomerKey, 0, 3)
	if v := strings.TrimSpace(c.Ref); v != "" {
		keys = append(keys, CustomerKey{RefKind, v})
	}
	if v := strings.ToLower(strings.TrimSpace(c.Email)); strings.Contains(v, "@") {
		keys = append(keys, CustomerKey{EmailKind, v})
	}
	if v := PhoneDigits(c.Phone); len(v) >= minPhoneDigits {
		keys = append(keys, CustomerKey{PhoneKind, v})
	}
	return keys
}

// PhoneDigits keeps the ASCII digits of s.
func PhoneDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}
