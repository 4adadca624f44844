package auth

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// TokenPrefix begins every token, so that scanners find leaked ones.
const TokenPrefix = "ra_"

var tokenName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// ParseScope reads ingest, read or triage; the error is *Invalid.
func ParseScope(s string) (Scope, error) {
	switch sc := Scope(s); sc {
	case ScopeIngest, ScopeRead, ScopeTriage:
		return sc, nil
	}
	return "", &Invalid{Field: "scope", Message: "choose ingest, read or triage"}
}

// Covers reports whether a token of this scope may do what need asks for:
// triage includes read.
func (s Scope) Covers(need Scope) bool {
	return s == need || s == ScopeTriage && need == ScopeRead
}

// NewToken makes an API token and answers its secret, which cannot be shown
// again. source binds it to one source; "" = any. Errors: *Invalid, ErrExists.
func (s *Service) NewToken(ctx context.Context, name string, scope Scope, source string) (string, error) {
	if !tokenName.MatchString(name) {
		return "", &Invalid{Field: "name", Message: "use 1 to 64 letters, digits, dots, dashes or underscores"}
	}
	if _, err := ParseScope(string(scope)); err != nil {
		return "", err
	}
	if source != "" && scope != ScopeIngest {
		return "", &Invalid{Field: "source", Message: "only a token of scope ingest is bound to a source"}
	}
	secret := TokenPrefix + randomSecret()
	t := Token{Name: name, Hash: hashSecret(secret), Scope: scope, Source: source, CreatedAt: s.now().UTC()}
	if err := s.tokens.CreateToken(ctx, t); err != nil {
		return "", fmt.Errorf("token %s: %w", name, err)
	}
	return secret, nil
}

// TokenBySecret finds a live token; ErrBadToken.
func (s *Service) TokenBySecret(ctx context.Context, secret string) (Token, error) {
	if !strings.HasPrefix(secret, TokenPrefix) {
		return Token{}, ErrBadToken
	}
	t, err := s.tokens.Token(ctx, hashSecret(secret))
	if errors.Is(err, ErrNotFound) || err == nil && t.RevokedAt != nil {
		return Token{}, ErrBadToken
	}
	if err != nil {
		return Token{}, fmt.Errorf("token: %w", err)
	}
	return t, nil
}

// RevokeToken ends a token at once; ErrNotFound.
func (s *Service) RevokeToken(ctx context.Context, name string) error {
	if err := s.tokens.RevokeToken(ctx, name, s.now().UTC()); err != nil {
		return fmt.Errorf("token %s: %w", name, err)
	}
	return nil
}

// Tokens lists every token, revoked ones too, by name.
func (s *Service) Tokens(ctx context.Context) ([]Token, error) { return s.tokens.Tokens(ctx) }
