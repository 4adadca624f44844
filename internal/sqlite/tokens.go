package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"redalert/internal/auth"
)

// Tokens is the auth.Tokens over this file.
func (d *DB) Tokens() auth.Tokens { return tokens{d} }

type tokens struct{ d *DB }

const selectTokens = "SELECT name, hash, scope, source, created_at, revoked_at FROM tokens"

func scanToken(scan func(...any) error) (auth.Token, error) {
	var t auth.Token
	var created int64
	var revoked sql.NullInt64
	err := scan(&t.Name, &t.Hash, &t.Scope, &t.Source, &created, &revoked)
	t.CreatedAt, t.RevokedAt = fromMS(created), fromNullMS(revoked)
	return t, err
}

// CreateToken implements auth.Tokens. A revoked token of the same name goes.
func (s tokens) CreateToken(ctx context.Context, t auth.Token) error {
	return s.d.Write(ctx, func(tx *Tx) error {
		if _, err := tx.Exec("DELETE FROM tokens WHERE name = ? AND revoked_at IS NOT NULL", t.Name); err != nil {
			return err
		}
		res, err := tx.Exec(`INSERT INTO tokens (hash, name, scope, source, created_at, revoked_at) VALUES (?,?,?,?,?,?)
		  ON CONFLICT DO NOTHING`, t.Hash, t.Name, string(t.Scope), t.Source, ms(t.CreatedAt), nullMS(t.RevokedAt))
		return oneRow(res, err, auth.ErrExists)
	})
}

// Token implements auth.Tokens.
func (s tokens) Token(ctx context.Context, hash string) (auth.Token, error) {
	t, found := auth.Token{}, false
	rows, err := s.d.query(ctx, selectTokens+" WHERE hash = ?", hash) // asked with every request
	err = each(rows, err, func(r *sql.Rows) (err error) {
		t, err = scanToken(r.Scan)
		found = true
		return err
	})
	if err == nil && !found {
		err = auth.ErrNotFound
	}
	return t, err
}

// RevokeToken implements auth.Tokens. Revoking again keeps the first time.
func (s tokens) RevokeToken(ctx context.Context, name string, at time.Time) error {
	return s.d.Write(ctx, func(tx *Tx) error {
		res, err := tx.Exec("UPDATE tokens SET revoked_at = coalesce(revoked_at, ?) WHERE name = ?", at.UnixMilli(), name)
		return oneRow(res, err, auth.ErrNotFound)
	})
}

// Tokens implements auth.Tokens.
func (s tokens) Tokens(ctx context.Context) ([]auth.Token, error) {
	rows, err := s.d.read.QueryContext(ctx, selectTokens+" ORDER BY name")
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	defer rows.Close()
	var out []auth.Token
	for rows.Next() {
		t, err := scanToken(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("list tokens: %w", err)
		}
		out = append(out, t)
	}
	return out, rows.Err()
}
