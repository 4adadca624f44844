package postgres

import (
	"context"
	"time"

	"redalert/internal/auth"
)

// Sessions is the auth.Sessions over this database.
func (d *DB) Sessions() auth.Sessions { return sessions{d} }

type sessions struct{ d *DB }

const sessionColumns = "hash, email, purpose, created_at, expires_at"

func scanSession(r row) (s auth.Session, err error) {
	var created, expires int64
	err = r.Scan(&s.Hash, &s.Email, &s.Purpose, &created, &expires)
	s.CreatedAt, s.ExpiresAt = fromMS(created), fromMS(expires)
	return s, err
}

// CreateSession implements auth.Sessions.
func (s sessions) CreateSession(ctx context.Context, n auth.Session) error {
	_, err := s.d.exec(ctx, "INSERT INTO sessions ("+sessionColumns+") VALUES ($1, $2, $3, $4, $5)",
		n.Hash, n.Email, n.Purpose, ms(n.CreatedAt), ms(n.ExpiresAt))
	return unavailable("create session", err)
}

// Session implements auth.Sessions.
func (s sessions) Session(ctx context.Context, hash string) (auth.Session, error) {
	n, err := first(ctx, s.d, auth.ErrNotFound, scanSession, "SELECT "+sessionColumns+" FROM sessions WHERE hash = $1", hash)
	return n, unavailable("session", err)
}

// TakeSession implements auth.Sessions.
func (s sessions) TakeSession(ctx context.Context, hash string) (auth.Session, error) {
	var found []auth.Session
	err := s.d.retry(ctx, func(ctx context.Context) (err error) {
		found, err = all(ctx, querier{s.d.pool}, scanSession, "DELETE FROM sessions WHERE hash = $1 RETURNING "+sessionColumns, hash)
		return err
	})
	if err != nil {
		return auth.Session{}, unavailable("take session", err)
	}
	if len(found) == 0 {
		return auth.Session{}, auth.ErrNotFound
	}
	return found[0], nil
}

// DeleteSession implements auth.Sessions.
func (s sessions) DeleteSession(ctx context.Context, hash string) error {
	_, err := s.d.exec(ctx, "DELETE FROM sessions WHERE hash = $1", hash)
	return unavailable("delete session", err)
}

// DeleteSessionsOf implements auth.Sessions.
func (s sessions) DeleteSessionsOf(ctx context.Context, email string) error {
	_, err := s.d.exec(ctx, "DELETE FROM sessions WHERE email = $1", email)
	return unavailable("delete sessions", err)
}

// DeleteExpired implements auth.Sessions.
func (s sessions) DeleteExpired(ctx context.Context, now time.Time) error {
	_, err := s.d.exec(ctx, "DELETE FROM sessions WHERE expires_at <= $1", now.UnixMilli())
	return unavailable("delete expired sessions", err)
}
