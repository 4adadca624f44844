package web

import (
	"net/http"
	"strings"

	"redalert/internal/auth"
	"redalert/schemas"
)

// addUser invites a colleague: the page answers with a link that the owner
// passes on, with which the colleague sets a password.
func (s *Server) addUser(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	f := r.PostForm
	u := auth.User{Email: f.Get("email"), Name: f.Get("name"), Role: schemas.Role(f.Get("role")), Locations: places(f["location"])}
	if err := s.Auth.AddUser(r.Context(), u, ""); err != nil {
		return s.refuse(w, r, "user", err)
	}
	return s.showLink(w, r, strings.ToLower(strings.TrimSpace(u.Email)))
}

// showLink makes a set-password link and shows it once.
func (s *Server) showLink(w http.ResponseWriter, r *http.Request, email string) error {
	secret, err := s.Auth.SetPasswordLink(r.Context(), email)
	if err != nil {
		return err
	}
	return s.showSettings(w, r, http.StatusOK, settingsView{LinkFor: email,
		Link: strings.TrimRight(s.PublicURL, "/") + "/set-password?key=" + secret})
}

func (s *Server) userLink(w http.ResponseWriter, r *http.Request) error {
	return s.showLink(w, r, r.PathValue("email"))
}

func (s *Server) changeUser(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	email, f := r.PathValue("email"), r.PostForm
	u, err := s.Auth.User(r.Context(), email)
	if err != nil {
		return err
	}
	if err := s.Auth.SetProfile(r.Context(), email, f.Get("name"), f.Get("timezone")); err != nil {
		return s.refuse(w, r, "user-"+email, err)
	}
	role, where := schemas.Role(f.Get("role")), places(f["location"])
	if role != u.Role || strings.Join(where, "\n") != strings.Join(u.Locations, "\n") {
		if err := s.Auth.SetRole(r.Context(), email, role, where); err != nil {
			return s.refuse(w, r, "user-"+email, err)
		}
	}
	return s.redirect(w, r, "/settings#people", flash{Text: "Saved. If the role or the locations changed, they have to sign in again."})
}

// disableUser locks a colleague out, or lets them in again.
func (s *Server) disableUser(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	email := r.PathValue("email")
	if r.PostForm.Get("disabled") == "" {
		if err := s.Auth.Enable(r.Context(), email); err != nil {
			return s.refuse(w, r, "user-"+email, err)
		}
		return s.redirect(w, r, "/settings#people", flash{Text: email + " may sign in again."})
	}
	if err := s.Auth.Disable(r.Context(), email); err != nil {
		return s.refuse(w, r, "user-"+email, err)
	}
	return s.redirect(w, r, "/settings#people", flash{Text: email + " is locked out from now on.",
		Undo: "/settings/users/" + pathEscape(email) + "/disabled", Form: map[string]string{"disabled": ""}})
}

// addToken makes an API token and shows its secret this once.
func (s *Server) addToken(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	f := r.PostForm
	name := strings.TrimSpace(f.Get("name"))
	secret, err := s.Auth.NewToken(r.Context(), name, auth.Scope(f.Get("scope")), strings.TrimSpace(f.Get("source")))
	if err != nil {
		return s.refuse(w, r, "token", err)
	}
	return s.showSettings(w, r, http.StatusOK, settingsView{Secret: secret, SecretFor: name})
}

func (s *Server) revokeToken(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	if err := s.Auth.RevokeToken(r.Context(), name); err != nil {
		return err
	}
	return s.redirect(w, r, "/settings#tokens", flash{Text: "The token " + name + " works no longer."})
}

// places are the chosen locations; none chosen means all.
func places(chosen []string) []string {
	var out []string
	for _, p := range chosen {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return out
}
