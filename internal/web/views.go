package web

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"redalert/schemas"
)

//go:embed all:templates
var templateFiles embed.FS

// views holds one parsed template per page, each with the layout and the
// partials (files that begin with an underscore).
type views struct{ pages map[string]*template.Template }

func newViews(st *staticFiles) (*views, error) {
	funcs := template.FuncMap{
		"asset": st.url, "icon": st.icon,
		"words": words, "plural": plural, "count": countText,
		"lower": strings.ToLower, "join": strings.Join, "dict": dict, "add": func(a, b int) int { return a + b },
	}
	base, err := template.New("").Funcs(funcs).ParseFS(templateFiles, "templates/_*.html")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	names, err := fs.Glob(templateFiles, "templates/[a-z]*.html")
	if err != nil {
		return nil, err
	}
	v := &views{pages: map[string]*template.Template{}}
	for _, n := range names {
		t, err := template.Must(base.Clone()).ParseFS(templateFiles, n)
		if err != nil {
			return nil, fmt.Errorf("template %s: %w", n, err)
		}
		v.pages[strings.TrimSuffix(path.Base(n), ".html")] = t
	}
	return v, nil
}

// dict builds the argument of a partial from pairs of name and value.
func dict(pairs ...any) (map[string]any, error) {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		k, ok := pairs[i].(string)
		if !ok {
			return nil, errors.New("dict: names are strings")
		}
		m[k] = pairs[i+1]
	}
	return m, nil
}

// execute renders one page, or one block of it, to memory.
func (v *views) execute(page, block string, data any) ([]byte, error) {
	t, ok := v.pages[page]
	if !ok {
		return nil, fmt.Errorf("no page %s", page)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, block, data); err != nil {
		return nil, fmt.Errorf("page %s: %w", page, err)
	}
	return b.Bytes(), nil
}

// Shell is what the frame around every page shows.
type Shell struct {
	Title    string
	Section  string // which entry of the navigation is current
	Business string
	Me       *person // nil: nobody is signed in
	Flash    *flash
	Demo     bool
	Mailbox  bool
}

// person is a user as pages show one.
type person struct {
	Email, Name, Initials string
	Role                  schemas.Role
	Manager, Owner        bool
}

func newPerson(email, name string, role schemas.Role) *person {
	p := &person{Email: email, Name: name, Role: role}
	if p.Name == "" {
		p.Name, _, _ = strings.Cut(email, "@")
	}
	for _, w := range strings.Fields(p.Name) {
		if p.Initials += strings.ToUpper(string([]rune(w)[:1])); len([]rune(p.Initials)) == 2 {
			break
		}
	}
	p.Manager = role.Rank() >= schemas.RoleManager.Rank()
	p.Owner = role == schemas.RoleOwner
	return p
}

// shell builds the frame and takes the flash message out of its cookie.
func (s *Server) shell(w http.ResponseWriter, r *http.Request, title, section string) Shell {
	sh := Shell{Title: title, Section: section, Business: s.Business.Name, Demo: s.Demo != nil}
	sh.Mailbox = s.Demo != nil && s.Demo.Mailbox != nil
	if u, ok := userOf(r); ok {
		sh.Me = newPerson(u.Email, u.Name, u.Role)
	}
	sh.Flash = takeFlash(w, r, s.secure)
	return sh
}

// render writes a whole page, compressed where the browser takes that.
func (s *Server) render(w http.ResponseWriter, r *http.Request, status int, page string, data any) {
	s.renderBlock(w, r, status, page, "layout", data)
}

// renderBlock writes one block of a page: what htmx asked for.
func (s *Server) renderBlock(w http.ResponseWriter, r *http.Request, status int, page, block string, data any) {
	body, err := s.views.execute(page, block, data)
	if err != nil {
		s.Log.Error("rendering failed", "page", page, "err", err)
		http.Error(w, "Something broke on our side. Nothing was lost; try again.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Add("Vary", "Accept-Encoding, Cookie, HX-Request")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	if len(body) > 1024 && acceptsGzip(r) {
		var b bytes.Buffer
		zw, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed) // the level is valid
		_, _ = zw.Write(body)                            // to memory
		_ = zw.Close()
		h.Set("Content-Encoding", "gzip")
		body = b.Bytes()
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the reader may be gone
}

// flash is a message for the next page, with the way back where there is one.
type flash struct {
	Text string            `json:"t"`
	Bad  bool              `json:"b,omitempty"`
	Undo string            `json:"u,omitempty"` // path to POST to
	Form map[string]string `json:"f,omitempty"` // what to send there
}

// redirect goes to a page of ours after a form was taken, with a message.
func (s *Server) redirect(w http.ResponseWriter, r *http.Request, to string, f flash) error {
	if raw, err := json.Marshal(f); err == nil && len(raw) < 3000 {
		http.SetCookie(w, &http.Cookie{Name: flashCookie, Value: base64.RawURLEncoding.EncodeToString(raw), Path: "/",
			HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteLaxMode, MaxAge: 60})
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

func takeFlash(w http.ResponseWriter, r *http.Request, secure bool) *flash {
	c, err := r.Cookie(flashCookie)
	if err != nil || r.Header.Get("HX-Request") == "true" {
		return nil
	}
	http.SetCookie(w, &http.Cookie{Name: flashCookie, Path: "/", HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode, MaxAge: -1})
	raw, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil {
		return nil
	}
	var f flash
	if json.Unmarshal(raw, &f) != nil || f.Text == "" {
		return nil
	}
	if f.Undo != pathOnly(f.Undo, "") {
		f.Undo = ""
	}
	return &f
}

// pathOnly answers p when it is a path on this site, else fallback: no
// redirect leaves the site.
func pathOnly(p, fallback string) string {
	u, err := url.Parse(p)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(p, "/") || strings.HasPrefix(p, "//") || strings.ContainsAny(p, "\\\r\n") {
		return fallback
	}
	return p
}

// zone is the time zone a request's reader lives in.
func (s *Server) zone(r *http.Request) *time.Location {
	if u, ok := userOf(r); ok && u.Timezone != "" {
		if z, err := time.LoadLocation(u.Timezone); err == nil {
			return z
		}
	}
	return s.Business.Timezone
}

func (s *Server) failJSON(w http.ResponseWriter, status int, code string, err error) {
	writeErrorProblem(w, status, code, err)
}
