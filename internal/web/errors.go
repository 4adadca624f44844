package web

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"redalert/alerting"
	"redalert/ingest"
	"redalert/internal/auth"
	"redalert/schemas"
	"redalert/signals"
)

// Errors of the web itself.
var (
	errNoPage      = errors.New("there is no such page")
	errNoForms     = errors.New("forms are not there yet: this version takes answers by /v1/events, hooks, mail and files")
	errTooLarge    = errors.New("the request is too large")
	errCrossOrigin = errors.New("the request came from another web site")
)

// roleError refuses a page to a person whose role is too low.
type roleError struct{ Need schemas.Role }

func (e *roleError) Error() string {
	return "this page is for a person with the role " + string(e.Need)
}

// scopeError refuses a route to a token of another scope.
type scopeError struct{ Have, Need auth.Scope }

func (e *scopeError) Error() string {
	return "the token has the scope " + string(e.Have) + "; this needs " + string(e.Need)
}

// inputError refuses a form because of one field.
type inputError struct{ Field, Message string }

func (e *inputError) Error() string { return e.Message }

// statusOf maps an error to its HTTP status and its stable code. It is the
// only place that does.
func statusOf(err error) (status int, code string) {
	var (
		conflict   *alerting.Conflict
		incomplete *alerting.PlaybookIncomplete
		notAllowed *alerting.NotAllowed
		badMove    *alerting.NotATransition
		invalid    *alerting.Invalid
		authBad    *auth.Invalid
		throttled  *auth.ErrThrottled
		role       *roleError
		scope      *scopeError
		places     *placesError
		input      *inputError
		tooLarge   *http.MaxBytesError
	)
	switch {
	case errors.As(err, &conflict):
		return http.StatusConflict, "conflict"
	case errors.As(err, &incomplete):
		return http.StatusUnprocessableEntity, "playbook_incomplete"
	case errors.As(err, &notAllowed), errors.As(err, &role), errors.As(err, &scope), errors.As(err, &places):
		return http.StatusForbidden, "forbidden"
	case errors.Is(err, errCrossOrigin):
		return http.StatusForbidden, "cross_site"
	case errors.As(err, &badMove):
		return http.StatusUnprocessableEntity, "not_a_transition"
	case errors.As(err, &invalid), errors.As(err, &authBad), errors.As(err, &input),
		errors.Is(err, auth.ErrLastOwner), errors.Is(err, auth.ErrExists):
		return http.StatusUnprocessableEntity, "invalid"
	case errors.As(err, &throttled):
		return http.StatusTooManyRequests, "throttled"
	case errors.As(err, &tooLarge), errors.Is(err, errTooLarge):
		return http.StatusRequestEntityTooLarge, "too_large"
	case errors.Is(err, auth.ErrNoSession), errors.Is(err, auth.ErrBadToken), errors.Is(err, auth.ErrBadLogin):
		return http.StatusUnauthorized, "unauthorized"
	case errors.Is(err, auth.ErrBadLink):
		return http.StatusGone, "link_used"
	case errors.Is(err, errNoPage), errors.Is(err, errNoForms), errors.Is(err, alerting.ErrNotFound), errors.Is(err, ingest.ErrNotFound),
		errors.Is(err, signals.ErrNotFound), errors.Is(err, auth.ErrNotFound):
		return http.StatusNotFound, "not_found"
	case errors.Is(err, ingest.ErrUnavailable):
		return http.StatusServiceUnavailable, "unavailable"
	}
	return http.StatusInternalServerError, "internal"
}

// fail answers an error: a problem document to programs, a redirect to the
// sign-in page to people without a session, else a page that says what to do.
// What went wrong inside is logged, never shown.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, code := statusOf(err)
	if status >= 500 {
		s.Log.Error("request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	}
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	if t := (*auth.ErrThrottled)(nil); errors.As(err, &t) {
		w.Header().Set("Retry-After", retryAfterText(t))
	}
	if wantsJSON(r) {
		s.failJSON(w, status, code, err)
		return
	}
	if status == http.StatusUnauthorized && s.Auth != nil {
		s.askSignIn(w, r)
		return
	}
	s.errorPage(w, r, status, err)
}

// retryAfterText is the wait in whole seconds, rounded up.
func retryAfterText(t *auth.ErrThrottled) string {
	return strconv.Itoa(int(t.RetryAfter.Seconds()) + 1)
}

// askSignIn sends a reader to the sign-in page. A form sent without a session
// is answered 401 instead: going back in the browser keeps what was typed.
func (s *Server) askSignIn(w http.ResponseWriter, r *http.Request) {
	to := "/login"
	if r.Method == http.MethodGet && r.URL.Path != "/" {
		to += "?next=" + url.QueryEscape(r.URL.RequestURI())
	}
	switch {
	case r.Header.Get("HX-Request") == "true":
		w.Header().Set("HX-Redirect", "/login")
		w.WriteHeader(http.StatusUnauthorized)
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		http.Redirect(w, r, to, http.StatusSeeOther)
	default:
		s.errorPage(w, r, http.StatusUnauthorized, auth.ErrNoSession)
	}
}

// errorView is the page of an error.
type errorView struct {
	Shell
	Status   int
	Headline string
	Advice   string
	BackTo   string
	BackText string
}

func (s *Server) errorPage(w http.ResponseWriter, r *http.Request, status int, err error) {
	v := errorView{Status: status, BackTo: "/triage", BackText: "Back to triage"}
	v.Headline, v.Advice = describe(status, err)
	if status == http.StatusUnauthorized || s.Auth == nil {
		v.BackTo, v.BackText = "/login", "Sign in"
	}
	v.Shell = s.shell(w, r, v.Headline, "")
	s.render(w, r, status, "error", v)
}

// describe says in plain words what happened and what to do.
func describe(status int, err error) (headline, advice string) {
	var conflict *alerting.Conflict
	switch status {
	case http.StatusUnauthorized:
		return "You are signed out", "Sign in, then go back in your browser: what you typed is still there."
	case http.StatusForbidden:
		if errors.Is(err, errCrossOrigin) {
			return "This came from another site", "For your safety Redalert takes forms from its own pages only. Open the page here and send it again."
		}
		return "Not for your role", sentence(err.Error()) + " Ask an owner of the business if you need it."
	case http.StatusNotFound:
		if errors.Is(err, errNoForms) {
			return "Nothing here", sentence(err.Error())
		}
		return "Nothing here", "The page does not exist, or it belongs to a location you do not look after."
	case http.StatusConflict:
		if errors.As(err, &conflict) {
			return conflict.By + " was faster", "The case was changed while you had it open. Look at it again before you go on."
		}
		return "Somebody was faster", "Look at it again before you go on."
	case http.StatusGone:
		return "This link has been used", sentence(err.Error())
	case http.StatusRequestEntityTooLarge:
		return "That is too much at once", "A form may hold one megabyte."
	case http.StatusTooManyRequests:
		return "Too many tries", sentence(err.Error())
	case http.StatusUnprocessableEntity:
		return "That did not work", sentence(err.Error())
	case http.StatusServiceUnavailable:
		return "The store is busy", "Nothing was saved. Try again in a few seconds."
	}
	return "Something broke on our side", "Nothing was lost. Try again; if it stays, look at the log of the server."
}

// sentence makes an error's text one: a capital first (unless it begins with
// the name of a field), a full stop last.
func sentence(s string) string {
	if s = strings.TrimSpace(s); s == "" {
		return ""
	}
	if first, _, _ := strings.Cut(s, " "); !strings.ContainsAny(first, "_./[") {
		s = sentenceCase(s)
	}
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

// managersOnly refuses a signed-in person below manager; tokens pass.
func managersOnly(r *http.Request) error {
	if _, person := userOf(r); person && !actorOf(r).AtLeast(schemas.RoleManager) {
		return &roleError{Need: schemas.RoleManager}
	}
	return nil
}
