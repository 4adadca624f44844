package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"redalert/internal/auth"
	"redalert/schemas"
)

// Limits of one request. Doors of input have their own body cap (10 MiB).
const (
	maxPageBody    = 1 << 20
	pageTimeout    = 30 * time.Second
	cookieName     = "redalert_session"
	flashCookie    = "redalert_flash"
	contentPolicy  = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; frame-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
	sandboxPolicy  = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
	hstsOneYear    = "max-age=31536000"
	defaultReferer = "same-origin"
)

type ctxKey int

const (
	keyUser ctxKey = iota
	keyActor
)

// build puts the routes and their guards together. The order matters: panics
// are caught outermost, headers stand on every answer, cross-site requests are
// refused before anything reads them.
func (s *Server) build() http.Handler {
	mux := http.NewServeMux()
	for _, rt := range s.routes() {
		mux.Handle(strings.TrimSpace(rt.Method+" "+rt.Path), s.guard(rt))
	}
	var h http.Handler = mux
	h = s.origin.Handler(h)
	h = s.headers(h)
	return s.recovered(h)
}

// recovered answers 500 to a panic and logs it; other requests go on.
func (s *Server) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v)
			}
			s.Log.Error("panic while answering", "method", r.Method, "path", r.URL.Path, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			s.fail(w, r, errors.New("internal error"))
		}()
		next.ServeHTTP(w, r)
	})
}

// headers sets the security headers of every answer.
func (s *Server) headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		if s.Demo != nil && strings.HasPrefix(r.URL.Path, "/demo/") {
			h.Set("X-Frame-Options", "SAMEORIGIN") // its mail stands in a frame
		}
		h.Set("Referrer-Policy", defaultReferer)
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
		if s.secure {
			h.Set("Strict-Transport-Security", hstsOneYear)
		}
		next.ServeHTTP(w, r)
	})
}

// guard applies a route's access rule, body cap and time limit, and turns its
// error into an answer.
func (s *Server) guard(rt Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rt.Access != AccessDoor {
			ctx, cancel := context.WithTimeout(r.Context(), pageTimeout)
			defer cancel()
			r = r.WithContext(ctx)
			if r.ContentLength > maxPageBody {
				s.fail(w, r, errTooLarge)
				return
			}
			if r.Body != nil {
				r.Body = http.MaxBytesReader(w, r.Body, maxPageBody)
			}
		}
		r, err := s.admit(rt, w, r)
		if err == nil {
			err = rt.Handle(w, r)
		}
		if err != nil {
			s.fail(w, r, err)
		}
	})
}

// admit finds out who asks and whether they may.
func (s *Server) admit(rt Route, w http.ResponseWriter, r *http.Request) (*http.Request, error) {
	switch rt.Access {
	case AccessOpen, AccessDoor:
		return r, nil
	case AccessRead, AccessTriage:
		return s.admitAPI(rt.Access, r)
	}
	u, err := s.sessionUser(r)
	if err != nil {
		return r, err
	}
	r = withUser(r, u)
	w.Header().Set("Cache-Control", "no-store")
	if rt.Access == AccessManager && !actorOf(r).AtLeast(schemas.RoleManager) {
		return r, &roleError{Need: schemas.RoleManager}
	}
	if rt.Access == AccessOwner && !actorOf(r).AtLeast(schemas.RoleOwner) {
		return r, &roleError{Need: schemas.RoleOwner}
	}
	return r, nil
}

// admitAPI takes a bearer token of the right scope, or a session. A triage
// token may read as well. A token works as staff of every location.
func (s *Server) admitAPI(need Access, r *http.Request) (*http.Request, error) {
	if secret, ok := bearer(r); ok {
		t, err := s.Auth.TokenBySecret(r.Context(), secret)
		if err != nil {
			return r, err
		}
		scope := auth.ScopeRead
		if need == AccessTriage {
			scope = auth.ScopeTriage
		}
		if !t.Scope.Covers(scope) {
			return r, &scopeError{Have: t.Scope, Need: scope}
		}
		return r.WithContext(context.WithValue(r.Context(), keyActor, t.Actor())), nil
	}
	u, err := s.sessionUser(r)
	if err != nil {
		return r, err
	}
	return withUser(r, u), nil
}

// sessionUser answers whose session the cookie names; auth.ErrNoSession.
func (s *Server) sessionUser(r *http.Request) (auth.User, error) {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return auth.User{}, auth.ErrNoSession
	}
	return s.Auth.Authenticate(r.Context(), c.Value)
}

func withUser(r *http.Request, u auth.User) *http.Request {
	ctx := context.WithValue(r.Context(), keyUser, u)
	return r.WithContext(context.WithValue(ctx, keyActor, u.Actor()))
}

// userOf answers who is signed in; false for tokens and strangers.
func userOf(r *http.Request) (auth.User, bool) {
	u, ok := r.Context().Value(keyUser).(auth.User)
	return u, ok
}

// actorOf answers who acts: a signed-in person or a token. The zero Actor may
// do nothing.
func actorOf(r *http.Request) schemas.Actor {
	a, _ := r.Context().Value(keyActor).(schemas.Actor)
	return a
}

// visible is the locations filter for queries: nil = all.
func visible(a schemas.Actor) []string {
	if len(a.Locations) == 0 {
		return nil
	}
	return a.Locations
}

func bearer(r *http.Request) (string, bool) {
	scheme, secret, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(secret), ok && strings.EqualFold(scheme, "Bearer")
}

func (s *Server) setSession(w http.ResponseWriter, secret string) {
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: secret, Path: "/", HttpOnly: true, Secure: s.secure,
		SameSite: http.SameSiteLaxMode, MaxAge: int(auth.SessionFor.Seconds())})
}

func (s *Server) clearSession(w http.ResponseWriter) {
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: "/", HttpOnly: true, Secure: s.secure,
		SameSite: http.SameSiteLaxMode, MaxAge: -1})
}

// clientIP is the peer's address, or what a trusted proxy says it is: the last
// address in X-Forwarded-For that no trusted proxy wrote for itself.
func (s *Server) clientIP(r *http.Request) string {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	ip := ap.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && s.trusted(ip); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		ip = next.Unmap()
	}
	return ip.String()
}

func (s *Server) trusted(ip netip.Addr) bool {
	for _, p := range s.TrustedProxies {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}
