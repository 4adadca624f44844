// Package auth knows who may come in: users with roles and locations, browser
// sessions, one-time links and API tokens.
//
// Secrets (sessions, links, tokens) are 256 random bits; only their SHA-256 is
// stored. Passwords are argon2id. What a role may do is decided by the stages,
// not here; cookies and forms belong to internal/web.
package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"redalert/schemas"
)

// How long what lasts.
const (
	SessionFor    = 14 * 24 * time.Hour
	FirstOwnerFor = 15 * time.Minute
	SetPasswordIn = 72 * time.Hour
)

// Purposes of one-time links.
const (
	PurposeFirstOwner  = "first_owner"
	PurposeSetPassword = "set_password"
)

// firstOwnerKey stands where a link of no user yet needs an address; it is not
// a valid one.
const firstOwnerKey = "first owner"

// Errors the service answers with, besides those of the ports.
var (
	// ErrBadLogin: unknown address, wrong password, no password yet or disabled
	// user. Which of them is never told.
	ErrBadLogin = errors.New("e-mail address or password is wrong")
	// ErrNoSession: the session is unknown, over or its user is disabled.
	ErrNoSession = errors.New("not signed in")
	// ErrBadToken: the token is unknown or revoked.
	ErrBadToken = errors.New("the token is unknown or revoked")
	// ErrBadLink: the one-time link is unknown, used or too old.
	ErrBadLink = errors.New("the link is used up or too old; ask for a new one")
	// ErrLastOwner: the change would leave nobody who may change settings.
	ErrLastOwner = errors.New("this is the last owner; make somebody else an owner first")
)

// Invalid says what is wrong with an input, for the form's field.
type Invalid struct {
	Field   string // email, name, password, role, scope, source
	Message string
}

func (e *Invalid) Error() string { return e.Field + ": " + e.Message }

// Config wires a Service. Now defaults to time.Now.
type Config struct {
	Users    Users
	Sessions Sessions
	Tokens   Tokens
	Now      func() time.Time
}

// Service signs people and programs in. Its methods may be called
// concurrently; several processes may share the stores.
type Service struct {
	users    Users
	sessions Sessions
	tokens   Tokens
	now      func() time.Time
	hash     *hasher
	throttle *throttle
}

// New makes a Service over its stores.
func New(c Config) *Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Service{
		users: c.Users, sessions: c.Sessions, tokens: c.Tokens, now: c.Now,
		hash: newHasher(), throttle: newThrottle(),
	}
}

// Actor is the user as the stages know an actor.
func (u User) Actor() schemas.Actor {
	return schemas.Actor{Email: u.Email, Role: u.Role, Locations: u.Locations}
}

// Actor is the token as the stages know an actor: it sees every location and
// works as staff do.
func (t Token) Actor() schemas.Actor {
	return schemas.Actor{Email: schemas.ProgramActor(t.Name), Role: schemas.RoleStaff}
}

type addressKey struct{}

// WithAddress tells Login where the attempt comes from, for throttling by
// address: the client's IP without the port.
func WithAddress(ctx context.Context, addr string) context.Context {
	return context.WithValue(ctx, addressKey{}, addr)
}

// Login checks a password and starts a browser session with a new secret. The
// caller ends the session the browser had before, if any. Errors: ErrBadLogin,
// *ErrThrottled, or a store's.
func (s *Service) Login(ctx context.Context, email, password string) (string, User, error) {
	email = normalEmail(email)
	addr, _ := ctx.Value(addressKey{}).(string)
	giveBack, err := s.throttle.take(s.now(), addr, email)
	if err != nil {
		return "", User{}, err
	}
	u, err := s.users.User(ctx, email)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return "", User{}, fmt.Errorf("sign in: %w", err)
	}
	ok, err := s.hash.verify(ctx, u.PasswordHash, password)
	if err != nil {
		return "", User{}, fmt.Errorf("sign in: %w", err)
	}
	if !ok || u.Disabled {
		return "", User{}, ErrBadLogin
	}
	giveBack()
	secret, err := s.startSession(ctx, u.Email)
	return secret, u, err
}

// Authenticate answers who a session's secret belongs to, as they are now. It
// answers ErrNoSession when the session is unknown or over, or the user
// disabled or gone.
func (s *Service) Authenticate(ctx context.Context, secret string) (User, error) {
	if secret == "" {
		return User{}, ErrNoSession
	}
	sess, err := s.sessions.Session(ctx, hashSecret(secret))
	if errors.Is(err, ErrNotFound) {
		return User{}, ErrNoSession
	}
	if err != nil {
		return User{}, fmt.Errorf("session: %w", err)
	}
	if sess.Purpose != "" || !s.now().Before(sess.ExpiresAt) {
		return User{}, ErrNoSession
	}
	u, err := s.users.User(ctx, sess.Email)
	if errors.Is(err, ErrNotFound) || err == nil && u.Disabled {
		return User{}, ErrNoSession
	}
	if err != nil {
		return User{}, fmt.Errorf("session: %w", err)
	}
	return u, nil
}

// Logout ends a session; an unknown one is not an error.
func (s *Service) Logout(ctx context.Context, secret string) error {
	if secret == "" {
		return nil
	}
	if err := s.sessions.DeleteSession(ctx, hashSecret(secret)); err != nil {
		return fmt.Errorf("sign out: %w", err)
	}
	return nil
}

// StartSession signs a user in without a password: the demo's one-click doors
// and links. ErrNoSession for a disabled or unknown user.
func (s *Service) StartSession(ctx context.Context, email string) (string, error) {
	u, err := s.users.User(ctx, normalEmail(email))
	if errors.Is(err, ErrNotFound) || err == nil && u.Disabled {
		return "", ErrNoSession
	}
	if err != nil {
		return "", fmt.Errorf("sign in: %w", err)
	}
	return s.startSession(ctx, u.Email)
}

// Sweep removes sessions and links that are over; call it now and then.
func (s *Service) Sweep(ctx context.Context) error {
	return s.sessions.DeleteExpired(ctx, s.now())
}

func (s *Service) startSession(ctx context.Context, email string) (string, error) {
	return s.newSecret(ctx, email, "", SessionFor)
}

func (s *Service) newSecret(ctx context.Context, email, purpose string, life time.Duration) (string, error) {
	secret := randomSecret()
	now := s.now().UTC()
	err := s.sessions.CreateSession(ctx, Session{
		Hash: hashSecret(secret), Email: email, Purpose: purpose, CreatedAt: now, ExpiresAt: now.Add(life),
	})
	if err != nil {
		return "", fmt.Errorf("start session: %w", err)
	}
	return secret, nil
}

// randomSecret is 256 bits from the system's generator, which does not fail.
func randomSecret() string {
	var b [32]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func hashSecret(secret string) string {
	h := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(h[:])
}

func normalEmail(email string) string { return strings.ToLower(strings.TrimSpace(email)) }
