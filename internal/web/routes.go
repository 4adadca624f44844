package web

import (
	"net/http"

	"redalert/schemas"
)

// Access says who may call a route.
type Access int

// Every kind of access.
const (
	AccessOpen    Access = iota // anybody
	AccessDoor                  // a door of input: it checks its own credentials and limits
	AccessSession               // a signed-in person; pages redirect to /login
	AccessOwner                 // a signed-in owner; 403 for everybody else
	AccessManager               // a signed-in manager or owner; 403 for everybody else
	AccessRead                  // API: token of scope read or triage, or a session
	AccessTriage                // API: token of scope triage, or a session
)

// Route is one line of the table. Handle's error is answered by fail: as a
// page, or as a problem document under /v1.
type Route struct {
	Method string // "" = every method
	Path   string // pattern of http.ServeMux
	Access Access
	Handle func(w http.ResponseWriter, r *http.Request) error
}

// routes is every route there is, in one place.
func (s *Server) routes() []Route {
	all := []Route{
		{"GET", "/healthz", AccessOpen, s.healthz},
		{"GET", "/readyz", AccessOpen, s.readyz},
		{"GET", "/static/", AccessOpen, s.staticFile},
		{"GET", "/favicon.ico", AccessOpen, s.favicon},
		{"", "/f/", AccessOpen, noForms},
	}
	if s.Metrics != nil {
		all = append(all, Route{"GET", "/metrics", AccessOpen, plain(s.Metrics)})
	}
	if s.Doors != nil {
		doors := http.NewServeMux()
		s.Doors.Routes(doors)
		all = append(all,
			Route{"POST", "/v1/events", AccessDoor, plain(doors)},
			Route{"POST", "/v1/hooks/{source}", AccessDoor, plain(doors)})
	}
	if s.Auth == nil {
		return append(all, Route{"", "/", AccessOpen, notFound})
	}
	all = append(all, s.apiRoutes()...)
	all = append(all, s.pageRoutes()...)
	if s.Demo != nil {
		all = append(all, Route{"POST", "/demo/sign-in", AccessOpen, s.demoSignIn})
		if s.Demo.Mailbox != nil {
			all = append(all, Route{"", "/demo/", AccessOpen, plain(s.Demo.Mailbox)})
		}
	}
	return append(all, Route{"", "/", AccessOpen, notFound})
}

// pageRoutes is what people use.
func (s *Server) pageRoutes() []Route {
	return []Route{
		{"GET", "/{$}", AccessSession, s.home},
		{"GET", "/login", AccessOpen, s.loginPage},
		{"POST", "/login", AccessOpen, s.login},
		{"POST", "/logout", AccessOpen, s.logout},
		{"GET", "/first-owner", AccessOpen, s.firstOwnerPage},
		{"POST", "/first-owner", AccessOpen, s.firstOwner},
		{"GET", "/set-password", AccessOpen, s.setPasswordPage},
		{"POST", "/set-password", AccessOpen, s.setPassword},

		{"GET", "/triage", AccessSession, s.triage},
		{"GET", "/cases/{id}", AccessSession, s.casePage},
		{"POST", "/cases/{id}/claim", AccessSession, s.caseClaim},
		{"POST", "/cases/{id}/assign", AccessSession, s.caseAssign},
		{"POST", "/cases/{id}/move", AccessSession, s.caseMove},
		{"POST", "/cases/{id}/steps/{step}", AccessSession, s.caseStep},
		{"POST", "/cases/{id}/steps/{step}/override", AccessSession, s.caseOverride},
		{"POST", "/cases/{id}/call", AccessSession, s.caseCall},
		{"POST", "/cases/{id}/note", AccessSession, s.caseNote},
		{"POST", "/cases/{id}/reply", AccessSession, s.caseReply},
		{"POST", "/cases/{id}/kind", AccessSession, s.caseKind},
		{"POST", "/cases/{id}/merge", AccessSession, s.caseMerge},
		{"POST", "/cases/{id}/split", AccessSession, s.caseSplit},
		{"POST", "/cases/{id}/snooze", AccessSession, s.caseSnooze},
		{"GET", "/cases/{id}/events/{event}/html", AccessSession, s.mailHTML},
		{"GET", "/cases/{id}/events/{event}/files/{n}", AccessSession, s.mailFile},

		{"GET", "/customers", AccessSession, s.customers},
		{"GET", "/customers/{id}", AccessSession, s.customerPage},
		{"GET", "/trends", AccessSession, s.trends},
		{"GET", "/trends/unusual", AccessSession, s.unusualPage},
		{"GET", "/collectors", AccessSession, s.collectors},
		{"GET", "/quarantine", AccessSession, s.quarantine},
		{"POST", "/quarantine", AccessSession, s.quarantineBulk},
		{"GET", "/quarantine/{id}", AccessSession, s.quarantineItem},

		{"POST", "/marks", AccessSession, s.postMark},

		{"GET", learnedPath, AccessManager, s.learned},
		{"POST", learnedPath + "/fit", AccessManager, s.learnNow},
		{"POST", learnedPath + "/use", AccessManager, s.useLayer},
		{"GET", "/settings", AccessOwner, s.settings},
		{"POST", "/settings/users", AccessOwner, s.addUser},
		{"POST", "/settings/users/{email}", AccessOwner, s.changeUser},
		{"POST", "/settings/users/{email}/link", AccessOwner, s.userLink},
		{"POST", "/settings/users/{email}/disabled", AccessOwner, s.disableUser},
		{"POST", "/settings/locations", AccessOwner, s.saveLocations},
		{"POST", "/settings/hours", AccessOwner, s.saveHours},
		{"POST", "/settings/digest", AccessOwner, s.saveDigest},
		{"POST", "/settings/response", AccessOwner, s.saveResponse},
		{"POST", "/settings/test-mail", AccessOwner, s.testMail},
		{"GET", "/settings/digest-preview", AccessOwner, s.digestPreview},
		{"POST", "/settings/tokens", AccessOwner, s.addToken},
		{"POST", "/settings/tokens/{name}/revoke", AccessOwner, s.revokeToken},
	}
}

// plain adapts a handler that writes its own errors.
func plain(h http.Handler) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		h.ServeHTTP(w, r)
		return nil
	}
}

func notFound(http.ResponseWriter, *http.Request) error { return errNoPage }

// noForms answers where forms for customers will be.
func noForms(http.ResponseWriter, *http.Request) error { return errNoForms }

func (s *Server) home(w http.ResponseWriter, r *http.Request) error {
	http.Redirect(w, r, "/triage", http.StatusSeeOther)
	return nil
}

// demoSignIn opens a session for one of the demo's people.
func (s *Server) demoSignIn(w http.ResponseWriter, r *http.Request) error {
	role := schemas.Role(r.PostFormValue("role"))
	if s.Demo.SignIn == nil || role.Rank() == 0 {
		return errNoPage
	}
	secret, err := s.Demo.SignIn(r.Context(), role)
	if err != nil {
		return err
	}
	s.endOldSession(r)
	s.setSession(w, secret)
	http.Redirect(w, r, pathOnly(r.PostFormValue("next"), "/triage"), http.StatusSeeOther)
	return nil
}
