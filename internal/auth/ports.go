package auth

import (
	"context"
	"errors"
	"time"

	"redalert/schemas"
)

// Errors adapters answer with.
var (
	ErrNotFound = errors.New("not found")
	ErrExists   = errors.New("exists already")
)

// User is a person who signs in. PasswordHash is an argon2id PHC string; ""
// means no password yet.
type User struct {
	Email        string       `json:"email"` // lower case; the key
	Name         string       `json:"name"`
	Role         schemas.Role `json:"role"`
	Locations    []string     `json:"locations"`
	Timezone     string       `json:"timezone"` // IANA; "" = the business's
	PasswordHash string       `json:"-"`
	Disabled     bool         `json:"disabled"`
	CreatedAt    time.Time    `json:"created_at"`
}

// Users keeps users. Create answers ErrExists, User and Update ErrNotFound.
type Users interface {
	CreateUser(ctx context.Context, u User) error
	User(ctx context.Context, email string) (User, error)
	UpdateUser(ctx context.Context, u User) error
	Users(ctx context.Context) ([]User, error) // by e-mail
}

// Session is a signed-in browser, or a one-time link (Purpose "first_owner",
// "set_password"). Only the SHA-256 of its secret is stored.
type Session struct {
	Hash      string // hex SHA-256 of the secret
	Email     string
	Purpose   string // "" = browser session
	CreatedAt time.Time
	ExpiresAt time.Time
}

// Sessions keeps sessions. Session answers ErrNotFound; expiry is the
// service's business. TakeSession finds and deletes in one step: of two
// callers one gets it.
type Sessions interface {
	CreateSession(ctx context.Context, s Session) error
	Session(ctx context.Context, hash string) (Session, error)
	TakeSession(ctx context.Context, hash string) (Session, error)
	DeleteSession(ctx context.Context, hash string) error
	DeleteSessionsOf(ctx context.Context, email string) error
	DeleteExpired(ctx context.Context, now time.Time) error
}

// Scope is what a token may do.
type Scope string

// Every scope.
const (
	ScopeIngest Scope = "ingest"
	ScopeRead   Scope = "read"
	ScopeTriage Scope = "triage"
)

// Token is an API credential. Only the SHA-256 of its secret is stored.
type Token struct {
	Name      string     `json:"name"` // the key
	Hash      string     `json:"-"`
	Scope     Scope      `json:"scope"`
	Source    string     `json:"source"` // bound to this source; "" = any
	CreatedAt time.Time  `json:"created_at"`
	RevokedAt *time.Time `json:"revoked_at"`
}

// Tokens keeps tokens. CreateToken answers ErrExists for a name in use,
// Token and RevokeToken ErrNotFound. A revoked name may be created anew.
type Tokens interface {
	CreateToken(ctx context.Context, t Token) error
	Token(ctx context.Context, hash string) (Token, error)
	RevokeToken(ctx context.Context, name string, at time.Time) error
	Tokens(ctx context.Context) ([]Token, error) // by name
}
