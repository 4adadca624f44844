package postgres

import (
	"context"
	"time"

	"redalert/internal/auth"
)

// Tokens is the auth.Tokens over this database.
func (d *DB) Tokens() auth.Tokens { return tokens{d} }

type tokens struct{ d *DB }

const selectTokens = "SELECT name, hash, scope, source, created_at, revoked_at FROM tokens"

func scanToken(r row) (t auth.Token, err error) {
	var created int64
	var revoked *int64
	err = r.Scan(&t.Name, &t.Hash, &t.Scope, &t.Source, &created, &revoked)
	t.CreatedAt, t.RevokedAt = fromMS(created), fromNullMS(revoked)
	return t, err
}

// CreateToken implements auth.Tokens. A revoked token of the same name goes.
func (s tokens) CreateToken(ctx context.Context, t auth.Token) error {
	return unavailable("create token", s.d.write(ctx, func(ctx context.Context, tx querier) error {
		if _, err := tx.exec(ctx, "DELETE FROM tokens WHERE name = $1 AND revoked_at IS NOT NULL", t.Name); err != nil {
			return err
		}
		n, err := tx.exec(ctx, `INSERT INTO tokens (hash, name, scope, source, created_at, revoked_at) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT DO NOTHING`, t.Hash, t.Name, t.Scope, t.Source, ms(t.CreatedAt), nullMS(t.RevokedAt))
		if err == nil && n == 0 {
			err = auth.ErrExists
		}
		return err
	}))
}

// Token implements auth.Tokens.
func (s tokens) Token(ctx context.Context, hash string) (auth.Token, error) {
	t, err := first(ctx, s.d, auth.ErrNotFound, scanToken, selectTokens+" WHERE hash = $1", hash)
	return t, unavailable("token", err)
}

// RevokeToken implements auth.Tokens. Revoking again keeps the first time.
func (s tokens) RevokeToken(ctx context.Context, name string, at time.Time) error {
	n, err := s.d.exec(ctx, "UPDATE tokens SET revoked_at = coalesce(revoked_at, $1) WHERE name = $2", at.UnixMilli(), name)
	if err == nil && n == 0 {
		err = auth.ErrNotFound
	}
	return unavailable("revoke token", err)
}

// Tokens implements auth.Tokens.
func (s tokens) Tokens(ctx context.Context) ([]auth.Token, error) {
	ts, err := query(ctx, s.d, scanToken, selectTokens+" ORDER BY name")
	return ts, unavailable("list tokens", err)
}
