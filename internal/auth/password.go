package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/sync/semaphore"
)

// Passwords: at least 10 characters (NIST SP 800-63B asks for length, not for
// mixtures), at most 1,000 bytes.
const (
	MinPassword = 10
	maxPassword = 1000
)

// Argon2id parameters: 19 MiB, 2 passes, 1 lane (OWASP's first choice).
const (
	argonMemory  = 19 * 1024 // KiB
	argonTime    = 2
	argonThreads = 1
	argonSalt    = 16
	argonKey     = 32
)

// atOnce bounds how many passwords are hashed at a time, and with it the
// memory that a flood of logins takes: 2 × 19 MiB.
const atOnce = 2

// CheckPassword tells whether a password is good enough for a user; the error
// is *Invalid.
func CheckPassword(email, password string) error {
	bad := func(m string) error { return &Invalid{Field: "password", Message: m} }
	switch {
	case utf8.RuneCountInString(password) < MinPassword:
		return bad(fmt.Sprintf("use at least %d characters; several words in a row are easy to remember", MinPassword))
	case len(password) > maxPassword:
		return bad(fmt.Sprintf("use at most %d characters", maxPassword))
	case strings.EqualFold(strings.TrimSpace(password), email):
		return bad("do not use the e-mail address")
	}
	return nil
}

type hasher struct {
	sem   *semaphore.Weighted
	dummy string // verified for unknown users, so that they take as long
}

func newHasher() *hasher {
	salt := make([]byte, argonSalt)
	return &hasher{
		sem:   semaphore.NewWeighted(atOnce),
		dummy: phc{argonMemory, argonTime, argonThreads, salt, make([]byte, argonKey)}.String(),
	}
}

// make hashes a new password. It waits for its turn as long as ctx lives.
func (h *hasher) make(ctx context.Context, password string) (string, error) {
	if err := h.sem.Acquire(ctx, 1); err != nil {
		return "", err
	}
	defer h.sem.Release(1)
	salt := make([]byte, argonSalt)
	rand.Read(salt)
	p := phc{argonMemory, argonTime, argonThreads, salt, nil}
	p.key = p.derive(password, argonKey)
	return p.String(), nil
}

// verify compares in constant time. Without a stored hash it does the same
// work and answers false.
func (h *hasher) verify(ctx context.Context, stored, password string) (bool, error) {
	known := stored != ""
	if !known {
		stored = h.dummy
	}
	p, err := parsePHC(stored)
	if err != nil {
		return false, err
	}
	if len(password) > maxPassword {
		password, known = "", false
	}
	if err := h.sem.Acquire(ctx, 1); err != nil {
		return false, err
	}
	defer h.sem.Release(1)
	same := subtle.ConstantTimeCompare(p.derive(password, uint32(len(p.key))), p.key) == 1
	return same && known, nil
}

// phc is an argon2id hash in PHC string format:
// $argon2id$v=19$m=19456,t=2,p=1$salt$key, unpadded base64.
type phc struct {
	memory, time uint32
	threads      uint8
	salt, key    []byte
}

func (p phc) derive(password string, n uint32) []byte {
	return argon2.IDKey([]byte(password), p.salt, p.time, p.memory, p.threads, n)
}

func (p phc) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.time, p.threads,
		b64.EncodeToString(p.salt), b64.EncodeToString(p.key))
}

var errHash = errors.New("stored password hash is not an argon2id PHC string within bounds; set the password anew")

// parsePHC reads a stored hash and refuses parameters that would take more
// than 256 MiB or 10 passes.
func parsePHC(s string) (phc, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return phc{}, errHash
	}
	var p phc
	n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.threads)
	if err != nil || n != 3 || p.memory < 8 || p.memory > 256*1024 || p.time < 1 || p.time > 10 || p.threads < 1 || p.threads > 16 {
		return phc{}, errHash
	}
	if p.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil || len(p.salt) < 8 {
		return phc{}, errHash
	}
	if p.key, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil || len(p.key) < 16 || len(p.key) > 64 {
		return phc{}, errHash
	}
	return p, nil
}
