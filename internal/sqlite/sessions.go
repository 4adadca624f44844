package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"redalert/internal/auth"
)

// Sessions is the auth.Sessions over this file.
func (d *DB) Sessions() auth.Sessions { return sessions{d} }

type sessions struct{ d *DB }

const selectSession = "SELECT hash, email, purpose, created_at, expires_at FROM sessions WHERE hash = ?"

func scanSession(row *sql.Row) (auth.Session, error) {
	var s auth.Session
	var created, expires int64
	err := row.Scan(&s.Hash, &s.Email, &s.Purpose, &created, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return s, auth.ErrNotFound
	}
	s.CreatedAt, s.ExpiresAt = fromMS(created), fromMS(expires)
	return s, err
}

// CreateSession implements auth.Sessions.
func (s sessions) CreateSession(ctx context.Context, n auth.Session) error {
	return s.d.Write(ctx, func(tx *Tx) error {
		_, err := tx.Exec("INSERT INTO sessions (hash, email, purpose, created_at, expires_at) VALUES (?,?,?,?,?)",
			n.Hash, n.Email, n.Purpose, ms(n.CreatedAt), ms(n.ExpiresAt))
		return err
	})
}

// Session implements auth.Sessions.
func (s sessions) Session(ctx context.Context, hash string) (auth.Session, error) {
	return scanSession(s.d.read.QueryRowContext(ctx, selectSession, hash))
}

// TakeSession implements auth.Sessions.
func (s sessions) TakeSession(ctx context.Context, hash string) (auth.Session, error) {
	var out auth.Session
	err := s.d.Write(ctx, func(tx *Tx) (err error) {
		if out, err = scanSession(tx.QueryRow(selectSession, hash)); err != nil {
			return err
		}
		_, err = tx.Exec("DELETE FROM sessions WHERE hash = ?", hash)
		return err
	})
	return out, err
}

func (s sessions) delete(ctx context.Context, where string, arg any) error {
	return s.d.Write(ctx, func(tx *Tx) error {
		_, err := tx.Exec("DELETE FROM sessions WHERE "+where, arg)
		return err
	})
}

// DeleteSession implements auth.Sessions.
func (s sessions) DeleteSession(ctx context.Context, hash string) error {
	return s.delete(ctx, "hash = ?", hash)
}

// DeleteSessionsOf implements auth.Sessions.
func (s sessions) DeleteSessionsOf(ctx context.Context, email string) error {
	return s.delete(ctx, "email = ?", email)
}

// DeleteExpired implements auth.Sessions.
func (s sessions) DeleteExpired(ctx context.Context, now time.Time) error {
	return s.delete(ctx, "expires_at <= ?", now.UnixMilli())
}
