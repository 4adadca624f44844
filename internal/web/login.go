package web

import (
	"errors"
	"net/http"

	"redalert/internal/auth"
	"redalert/schemas"
)

// loginView is the sign-in page.
type loginView struct {
	Shell
	Email string
	Next  string
	Error string
	Roles []schemas.Role // one click each; demo only
}

func (s *Server) loginView(w http.ResponseWriter, r *http.Request) loginView {
	v := loginView{Shell: s.shell(w, r, "Sign in", ""), Next: pathOnly(r.FormValue("next"), "")}
	if s.Demo != nil && s.Demo.SignIn != nil {
		v.Roles = []schemas.Role{schemas.RoleStaff, schemas.RoleManager, schemas.RoleOwner}
	}
	return v
}

func (s *Server) loginPage(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.sessionUser(r); err == nil {
		http.Redirect(w, r, "/triage", http.StatusSeeOther)
		return nil
	}
	s.render(w, r, http.StatusOK, "login", s.loginView(w, r))
	return nil
}

// login checks e-mail and password. A wrong one is answered 401 with the form,
// too many of them 429; which part was wrong is never told.
func (s *Server) login(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	email, next := r.PostFormValue("email"), pathOnly(r.PostFormValue("next"), "/triage")
	ctx := auth.WithAddress(r.Context(), s.clientIP(r))
	secret, u, err := s.Auth.Login(ctx, email, r.PostFormValue("password"))
	var throttled *auth.ErrThrottled
	switch {
	case errors.As(err, &throttled):
		return s.loginAgain(w, r, http.StatusTooManyRequests, email, sentence(throttled.Error()), err)
	case errors.Is(err, auth.ErrBadLogin):
		return s.loginAgain(w, r, http.StatusUnauthorized, email, "The e-mail address or the password is wrong.", err)
	case err != nil:
		return err
	}
	s.endOldSession(r)
	s.setSession(w, secret)
	s.Log.Info("signed in", "user", u.Email)
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}

func (s *Server) loginAgain(w http.ResponseWriter, r *http.Request, status int, email, message string, err error) error {
	if t := (*auth.ErrThrottled)(nil); errors.As(err, &t) {
		w.Header().Set("Retry-After", retryAfterText(t))
	}
	v := s.loginView(w, r)
	v.Email, v.Error = email, message
	s.render(w, r, status, "login", v)
	return nil
}

// endOldSession ends what the browser was signed in with before.
func (s *Server) endOldSession(r *http.Request) {
	if c, err := r.Cookie(cookieName); err == nil {
		if err := s.Auth.Logout(r.Context(), c.Value); err != nil {
			s.Log.Warn("the old session stays until it runs out", "err", err)
		}
	}
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request) error {
	if c, err := r.Cookie(cookieName); err == nil {
		if err := s.Auth.Logout(r.Context(), c.Value); err != nil {
			return err
		}
	}
	s.clearSession(w)
	return s.redirect(w, r, "/login", flash{Text: "You are signed out."})
}

// linkView is the page of a one-time link: the first owner, or a password.
type linkView struct {
	Shell
	Key    string
	Email  string
	Name   string
	Errors map[string]string // by field
}

// firstOwnerPage shows the form; the link is spent only when it is sent.
func (s *Server) firstOwnerPage(w http.ResponseWriter, r *http.Request) error {
	key := r.FormValue("key")
	if _, err := s.Auth.Link(r.Context(), key, auth.PurposeFirstOwner); err != nil {
		return err
	}
	s.render(w, r, http.StatusOK, "first_owner", linkView{Shell: s.shell(w, r, "Welcome to Redalert", ""), Key: key})
	return nil
}

func (s *Server) firstOwner(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	f := r.PostForm
	secret, err := s.Auth.ClaimFirstOwner(r.Context(), f.Get("key"), f.Get("email"), f.Get("name"), f.Get("password"))
	if errs := fieldErrors(err); errs != nil {
		s.render(w, r, http.StatusUnprocessableEntity, "first_owner", linkView{Shell: s.shell(w, r, "Welcome to Redalert", ""),
			Key: f.Get("key"), Email: f.Get("email"), Name: f.Get("name"), Errors: errs})
		return nil
	}
	if err != nil {
		return err
	}
	s.setSession(w, secret)
	return s.redirect(w, r, "/settings", flash{Text: "You are the owner now. Add your locations and colleagues here."})
}

func (s *Server) setPasswordPage(w http.ResponseWriter, r *http.Request) error {
	key := r.FormValue("key")
	l, err := s.Auth.Link(r.Context(), key, auth.PurposeSetPassword)
	if err != nil {
		return err
	}
	s.render(w, r, http.StatusOK, "set_password", linkView{Shell: s.shell(w, r, "Choose a password", ""), Key: key, Email: l.Email})
	return nil
}

func (s *Server) setPassword(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	key := r.PostForm.Get("key")
	secret, err := s.Auth.ClaimPassword(r.Context(), key, r.PostForm.Get("password"))
	if errs := fieldErrors(err); errs != nil {
		s.render(w, r, http.StatusUnprocessableEntity, "set_password", linkView{Shell: s.shell(w, r, "Choose a password", ""),
			Key: key, Email: r.PostForm.Get("email"), Errors: errs})
		return nil
	}
	if err != nil {
		return err
	}
	s.endOldSession(r)
	s.setSession(w, secret)
	return s.redirect(w, r, "/triage", flash{Text: "Your password is set."})
}

// fieldErrors turns a refusal of one field into what stands beside it; nil for
// every other error.
func fieldErrors(err error) map[string]string {
	var bad *auth.Invalid
	if errors.As(err, &bad) {
		return map[string]string{bad.Field: sentence(bad.Message)}
	}
	if errors.Is(err, auth.ErrExists) {
		return map[string]string{"email": "Somebody has this address already.", "name": "This name is taken."}
	}
	return nil
}
