package memstore

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"redalert/alerting"
	"redalert/internal/auth"
)

// authState is the part of a Store that auth owns. The zero value is empty.
type authState struct {
	authMu   sync.Mutex
	users    map[string]auth.User
	sessions map[string]auth.Session
	tokens   map[string]auth.Token // by name
}

// Users is the auth.Users over this store.
func (s *Store) Users() auth.Users { return users{s} }

// People is the alerting.People over this store: the enabled users.
func (s *Store) People() alerting.People { return users{s} }

type users struct{ s *Store }

func set[K comparable, V any](m *map[K]V, k K, v V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[k] = v
}

// CreateUser implements auth.Users.
func (u users) CreateUser(_ context.Context, n auth.User) error {
	u.s.authMu.Lock()
	defer u.s.authMu.Unlock()
	if _, ok := u.s.users[n.Email]; ok {
		return auth.ErrExists
	}
	n.Locations = slices.Clone(n.Locations)
	set(&u.s.users, n.Email, n)
	return nil
}

// User implements auth.Users.
func (u users) User(_ context.Context, email string) (auth.User, error) {
	u.s.authMu.Lock()
	defer u.s.authMu.Unlock()
	n, ok := u.s.users[email]
	if !ok {
		return n, auth.ErrNotFound
	}
	n.Locations = slices.Clone(n.Locations)
	return n, nil
}

// UpdateUser implements auth.Users.
func (u users) UpdateUser(_ context.Context, n auth.User) error {
	u.s.authMu.Lock()
	defer u.s.authMu.Unlock()
	old, ok := u.s.users[n.Email]
	if !ok {
		return auth.ErrNotFound
	}
	n.CreatedAt, n.Locations = old.CreatedAt, slices.Clone(n.Locations)
	u.s.users[n.Email] = n
	return nil
}

// Users implements auth.Users.
func (u users) Users(context.Context) ([]auth.User, error) {
	u.s.authMu.Lock()
	defer u.s.authMu.Unlock()
	return slices.SortedFunc(maps.Values(u.s.users), func(a, b auth.User) int { return strings.Compare(a.Email, b.Email) }), nil
}

// Staff implements alerting.People.
func (u users) Staff(ctx context.Context) ([]alerting.Person, error) {
	all, err := u.Users(ctx)
	var out []alerting.Person
	for _, n := range all {
		if !n.Disabled {
			out = append(out, alerting.Person{Email: n.Email, Name: n.Name, Role: n.Role, Locations: slices.Clone(n.Locations), Timezone: n.Timezone})
		}
	}
	return out, err
}

// Sessions is the auth.Sessions over this store.
func (s *Store) Sessions() auth.Sessions { return sessions{s} }

type sessions struct{ s *Store }

// CreateSession implements auth.Sessions.
func (m sessions) CreateSession(_ context.Context, n auth.Session) error {
	m.s.authMu.Lock()
	defer m.s.authMu.Unlock()
	set(&m.s.sessions, n.Hash, n)
	return nil
}

// Session implements auth.Sessions.
func (m sessions) Session(_ context.Context, hash string) (auth.Session, error) {
	m.s.authMu.Lock()
	defer m.s.authMu.Unlock()
	n, ok := m.s.sessions[hash]
	if !ok {
		return n, auth.ErrNotFound
	}
	return n, nil
}

// TakeSession implements auth.Sessions.
func (m sessions) TakeSession(_ context.Context, hash string) (auth.Session, error) {
	m.s.authMu.Lock()
	defer m.s.authMu.Unlock()
	n, ok := m.s.sessions[hash]
	if !ok {
		return n, auth.ErrNotFound
	}
	delete(m.s.sessions, hash)
	return n, nil
}

func (m sessions) deleteIf(f func(auth.Session) bool) error {
	m.s.authMu.Lock()
	defer m.s.authMu.Unlock()
	maps.DeleteFunc(m.s.sessions, func(_ string, n auth.Session) bool { return f(n) })
	return nil
}

// DeleteSession implements auth.Sessions.
func (m sessions) DeleteSession(_ context.Context, hash string) error {
	return m.deleteIf(func(n auth.Session) bool { return n.Hash == hash })
}

// DeleteSessionsOf implements auth.Sessions.
func (m sessions) DeleteSessionsOf(_ context.Context, email string) error {
	return m.deleteIf(func(n auth.Session) bool { return n.Email == email })
}

// DeleteExpired implements auth.Sessions.
func (m sessions) DeleteExpired(_ context.Context, now time.Time) error {
	return m.deleteIf(func(n auth.Session) bool { return !n.ExpiresAt.After(now) })
}

// Tokens is the auth.Tokens over this store.
func (s *Store) Tokens() auth.Tokens { return tokens{s} }

type tokens struct{ s *Store }

// CreateToken implements auth.Tokens.
func (m tokens) CreateToken(_ context.Context, t auth.Token) error {
	m.s.authMu.Lock()
	defer m.s.authMu.Unlock()
	if old, ok := m.s.tokens[t.Name]; ok && old.RevokedAt == nil {
		return auth.ErrExists
	}
	set(&m.s.tokens, t.Name, t)
	return nil
}

// Token implements auth.Tokens.
func (m tokens) Token(_ context.Context, hash string) (auth.Token, error) {
	m.s.authMu.Lock()
	defer m.s.authMu.Unlock()
	for _, t := range m.s.tokens {
		if t.Hash == hash {
			return t, nil
		}
	}
	return auth.Token{}, auth.ErrNotFound
}

// RevokeToken implements auth.Tokens.
func (m tokens) RevokeToken(_ context.Context, name string, at time.Time) error {
	m.s.authMu.Lock()
	defer m.s.authMu.Unlock()
	t, ok := m.s.tokens[name]
	if !ok {
		return auth.ErrNotFound
	}
	if t.RevokedAt == nil {
		t.RevokedAt = &at
		m.s.tokens[name] = t
	}
	return nil
}

// Tokens implements auth.Tokens.
func (m tokens) Tokens(context.Context) ([]auth.Token, error) {
	m.s.authMu.Lock()
	defer m.s.authMu.Unlock()
	return slices.SortedFunc(maps.Values(m.s.tokens), func(a, b auth.Token) int { return strings.Compare(a.Name, b.Name) }), nil
}
