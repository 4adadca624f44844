package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"redalert/alerting"
	"redalert/internal/auth"
	"redalert/schemas"
)

// settingsView is the owners' page.
type settingsView struct {
	Shell
	Users     []userRow
	Locations []locationRow
	Names     []string // of all locations, for the check boxes of users
	Days      []dayRow
	Holidays  string
	Digest    schemas.Digest
	DigestDay map[string]bool
	Weekdays  []choice
	Response  []responseRow
	Tokens    []tokenRow
	Secret    string // of a token made just now; shown once
	SecretFor string
	Link      string // set-password link made just now
	LinkFor   string
	Zone      string
	CanMail   bool
	Form      formState
}

// userRow is one colleague.
type userRow struct {
	auth.User
	URL      string
	In       map[string]bool
	Everyone bool // sees all locations
	Invited  bool // has no password yet
	Me       bool
}

// dayRow is the opening time of one weekday as typed: "08:00-12:00, 13:00-18:00".
type dayRow struct{ Key, Name, Hours string }

// locationRow is one location as typed; Was is its name before.
type locationRow struct{ Was, Name, Timezone, Hours string }

// responseRow is the deadlines of one priority, in minutes of business time.
type responseRow struct {
	Priority           schemas.Priority
	First, Next, Solve string
}

// tokenRow is one API token.
type tokenRow struct {
	auth.Token
	URL              string
	Created, Revoked *moment
}

func (s *Server) settings(w http.ResponseWriter, r *http.Request) error {
	return s.showSettings(w, r, http.StatusOK, settingsView{})
}

// showSettings fills in the page around what v holds already.
func (s *Server) showSettings(w http.ResponseWriter, r *http.Request, status int, v settingsView) error {
	set, err := s.Settings.Load(r.Context())
	if err != nil {
		return err
	}
	v.Digest, v.Zone, v.CanMail = set.Digest, s.Business.Timezone.String(), s.SendTestMail != nil
	v.Holidays = strings.Join(set.Holidays, "\n")
	for _, l := range set.Locations {
		v.Names = append(v.Names, l.Name)
		v.Locations = append(v.Locations, locationRow{l.Name, l.Name, l.Timezone, weekText(l.Hours)})
	}
	v.DigestDay = map[string]bool{}
	for d := range 7 {
		day := time.Weekday((d + 1) % 7)
		v.Weekdays = append(v.Weekdays, choice{dayKey(day), day.String()})
		v.Days = append(v.Days, dayRow{Key: dayKey(day), Name: day.String(), Hours: blocksText(set.Hours[day])})
		for _, on := range set.Digest.Weekdays {
			v.DigestDay[dayKey(on)] = true
		}
		if len(set.Digest.Weekdays) == 0 {
			v.DigestDay[dayKey(day)] = true
		}
	}
	for _, p := range []schemas.Priority{schemas.PriorityUrgent, schemas.PriorityHigh, schemas.PriorityMedium, schemas.PriorityLow} {
		v.Response = append(v.Response, responseRow{p, hoursText(set.Response.FirstResponse[p]), hoursText(set.Response.NextResponse[p]), hoursText(set.Response.Resolution[p])})
	}
	v.keepTyped()
	if err := s.settingsPeople(r, &v); err != nil {
		return err
	}
	v.Shell = s.shell(w, r, "Settings", "settings")
	s.render(w, r, status, "settings", v)
	return nil
}

// keepTyped puts what was typed into a refused form in the place of what is
// stored.
func (v *settingsView) keepTyped() {
	f := v.Form.Values
	switch v.Form.Name {
	case "locations":
		v.Locations = nil
		for i := range min(len(f["was"]), len(f["name"]), len(f["timezone"]), len(f["hours"])) {
			v.Locations = append(v.Locations, locationRow{f["was"][i], f["name"][i], f["timezone"][i], f["hours"][i]})
		}
		if n := len(v.Locations); n > 0 && v.Locations[n-1] == (locationRow{}) {
			v.Locations = v.Locations[:n-1]
		}
	case "response":
		for i := range v.Response {
			r, p := &v.Response[i], string(v.Response[i].Priority)
			r.First, r.Next, r.Solve = f.Get("first-"+p), f.Get("next-"+p), f.Get("solve-"+p)
		}
	case "digest":
		v.Digest.Enabled, v.Digest.At = f.Get("enabled") != "", f.Get("at")
		v.DigestDay = map[string]bool{}
		for _, d := range f["day"] {
			v.DigestDay[d] = true
		}
	}
}

func (s *Server) settingsPeople(r *http.Request, v *settingsView) error {
	users, err := s.Auth.Users(r.Context())
	if err != nil {
		return err
	}
	for _, u := range users {
		row := userRow{User: u, URL: "/settings/users/" + url.PathEscape(u.Email), In: map[string]bool{}, Everyone: len(u.Locations) == 0,
			Invited: u.PasswordHash == "" && !u.Disabled, Me: u.Email == actorOf(r).Email}
		if v.Form.Is("user-" + u.Email) {
			row.Name, row.Timezone = v.Form.Values.Get("name"), v.Form.Values.Get("timezone")
		}
		for _, l := range u.Locations {
			row.In[l] = true
			if !contains(v.Names, l) {
				v.Names = append(v.Names, l)
			}
		}
		v.Users = append(v.Users, row)
	}
	tokens, err := s.Auth.Tokens(r.Context())
	if err != nil {
		return err
	}
	clock := s.clock(s.zone(r))
	for _, t := range tokens {
		v.Tokens = append(v.Tokens, tokenRow{Token: t, URL: "/settings/tokens/" + url.PathEscape(t.Name), Created: clock.ago(&t.CreatedAt), Revoked: clock.ago(t.RevokedAt)})
	}
	return nil
}

// refuse shows the page again with what was typed and why it was refused.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, form string, err error) error {
	f := formState{Name: form, Values: r.PostForm}
	var bad *auth.Invalid
	var input *inputError
	switch {
	case errors.As(err, &bad):
		f.Field, f.Error = bad.Field, sentence(bad.Message)
	case errors.As(err, &input):
		f.Field, f.Error = input.Field, sentence(input.Message)
	case errors.Is(err, auth.ErrExists):
		f.Field, f.Error = "name", "This name is taken."
		if form == "user" {
			f.Field, f.Error = "email", "Somebody has this address already."
		}
	case errors.Is(err, auth.ErrLastOwner):
		f.Field, f.Error = "role", sentence(auth.ErrLastOwner.Error())
	default:
		return err
	}
	return s.showSettings(w, r, http.StatusUnprocessableEntity, settingsView{Form: f})
}

// edit changes the stored settings; change answers an *inputError to refuse.
func (s *Server) edit(w http.ResponseWriter, r *http.Request, form, done string, change func(*schemas.Settings, url.Values) error) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	set, err := s.Settings.Load(r.Context())
	if err != nil {
		return err
	}
	if err := change(&set, r.PostForm); err != nil {
		return s.refuse(w, r, form, err)
	}
	if err := s.Settings.Save(r.Context(), set); err != nil {
		return err
	}
	return s.redirect(w, r, "/settings#"+form, flash{Text: done})
}

// saveLocations takes one name a row; a row whose name is emptied goes.
func (s *Server) saveLocations(w http.ResponseWriter, r *http.Request) error {
	return s.edit(w, r, "locations", "The locations are saved.", func(set *schemas.Settings, f url.Values) error {
		old := map[string]schemas.Location{}
		for _, l := range set.Locations {
			old[l.Name] = l
		}
		var out []schemas.Location
		was, names, zones, hours := f["was"], f["name"], f["timezone"], f["hours"]
		if len(was) != len(names) || len(zones) != len(names) || len(hours) != len(names) {
			return &inputError{"name", "the form is not whole; open the page again"}
		}
		seen := map[string]bool{}
		for i, n := range names {
			if n = strings.TrimSpace(n); n == "" {
				continue
			}
			if seen[n] {
				return &inputError{"name", "the name " + n + " stands there twice"}
			}
			seen[n] = true
			l := old[was[i]]
			l.Name, l.Timezone = n, strings.TrimSpace(zones[i])
			if _, err := time.LoadLocation(l.Timezone); err != nil {
				return &inputError{"timezone", l.Timezone + " is no time zone; write one such as Europe/Berlin, or nothing"}
			}
			week, err := readWeek(hours[i])
			if err != nil {
				return &inputError{"hours", n + ": " + err.Error()}
			}
			l.Hours = week
			out = append(out, l)
		}
		set.Locations = out
		return nil
	})
}

func (s *Server) saveHours(w http.ResponseWriter, r *http.Request) error {
	return s.edit(w, r, "hours", "The hours are saved.", func(set *schemas.Settings, f url.Values) error {
		var h schemas.Hours
		for d := range 7 {
			day := time.Weekday(d)
			b, err := readBlocks(f.Get(dayKey(day)))
			if err != nil {
				return &inputError{dayKey(day), err.Error()}
			}
			h[d] = b
		}
		if h.Empty() {
			return &inputError{dayKey(time.Monday), "with no hours at all nothing would ever be due; give at least one day some"}
		}
		var days []string
		for _, d := range strings.Fields(f.Get("holidays")) {
			if _, err := time.Parse(time.DateOnly, d); err != nil {
				return &inputError{"holidays", d + " is no date; write one a line, such as 2026-12-25"}
			}
			days = append(days, d)
		}
		set.Hours, set.Holidays = h, days
		return nil
	})
}

func (s *Server) saveDigest(w http.ResponseWriter, r *http.Request) error {
	return s.edit(w, r, "digest", "The digest is saved.", func(set *schemas.Settings, f url.Values) error {
		at, err := time.Parse("15:04", f.Get("at"))
		if err != nil {
			return &inputError{"at", "write a time such as 07:30"}
		}
		d := schemas.Digest{Enabled: f.Get("enabled") != "", At: at.Format("15:04")}
		for day := range 7 {
			if contains(f["day"], dayKey(time.Weekday(day))) {
				d.Weekdays = append(d.Weekdays, time.Weekday(day))
			}
		}
		if d.Enabled && len(d.Weekdays) == 0 {
			return &inputError{"day", "choose at least one day, or turn the digest off"}
		}
		if len(d.Weekdays) == 7 {
			d.Weekdays = nil
		}
		set.Digest = d
		return nil
	})
}

func (s *Server) saveResponse(w http.ResponseWriter, r *http.Request) error {
	return s.edit(w, r, "response", "The response times are saved. They hold for deadlines set from now on.", func(set *schemas.Settings, f url.Values) error {
		out := schemas.Response{FirstResponse: map[schemas.Priority]schemas.Minutes{}, NextResponse: map[schemas.Priority]schemas.Minutes{},
			Resolution: map[schemas.Priority]schemas.Minutes{}}
		for _, p := range []schemas.Priority{schemas.PriorityUrgent, schemas.PriorityHigh, schemas.PriorityMedium, schemas.PriorityLow} {
			for name, to := range map[string]map[schemas.Priority]schemas.Minutes{"first": out.FirstResponse, "next": out.NextResponse, "solve": out.Resolution} {
				m, err := readHours(f.Get(name + "-" + string(p)))
				if err != nil {
					return &inputError{name + "-" + string(p), err.Error()}
				}
				to[p] = m
			}
		}
		set.Response = out
		return nil
	})
}

func (s *Server) testMail(w http.ResponseWriter, r *http.Request) error {
	if s.SendTestMail == nil {
		return s.redirect(w, r, "/settings#digest", flash{Bad: true, Text: "No mail server is set up. Add smtp to redalert.yaml and start again."})
	}
	to := actorOf(r).Email
	if err := s.SendTestMail(r.Context(), to); err != nil {
		s.Log.Warn("test mail not sent", "err", err)
		return s.redirect(w, r, "/settings#digest", flash{Bad: true, Text: "The test mail was not sent: " + shorten(err.Error(), 300)})
	}
	return s.redirect(w, r, "/settings#digest", flash{Text: "A test mail went to " + to + "."})
}

// digestPreview shows the mail the owner would get now, in a sandbox.
func (s *Server) digestPreview(w http.ResponseWriter, r *http.Request) error {
	if s.Digests == nil {
		return errNoPage
	}
	u, _ := userOf(r)
	m, err := s.Digests.Preview(r.Context(), alerting.Person{Email: u.Email, Name: u.Name, Role: u.Role, Locations: u.Locations, Timezone: u.Timezone}, s.Now())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Security-Policy", sandboxPolicy)
	w.Header().Set("X-Frame-Options", "SAMEORIGIN")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, err = fmt.Fprint(w, m.HTML)
	return err
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}
