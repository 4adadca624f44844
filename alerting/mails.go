package alerting

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"redalert/schemas"
)

//go:embed templates/*.html
var templateFiles embed.FS

var mailTemplates = template.Must(template.New("").ParseFS(templateFiles, "templates/*.html"))

// casePage is what a mail about one case shows.
type casePage struct {
	Subject string
	Mark    string // a word, so that colour is never alone: "Critical", "Overdue"
	Urgent  bool
	Lead    string // the one sentence that matters
	Name    string
	Why     string
	Quote   string
	Facts   []fact
	Link    string
	Button  string
	Footer  string
}

type fact struct{ Label, Value string }

// staffMail words a mail to one of our own people.
func (d *Desk) staffMail(e *edit, r mailRequest, customer schemas.Customer, p Person, staff []Person) (Mail, error) {
	name, loc := nameOf(customer), zoneOf(p, d.cfg.Business)
	pg := casePage{Name: name, Why: initial(whyWords(e.c)), Quote: r.note, Link: d.caseLink(e.c.ID), Button: "Open the case",
		Footer: d.footer("You get this because you look after " + placeWords(p.Locations, d.cfg.Business.Name) + ".")}
	switch r.kind {
	case schemas.NotifyCritical:
		pg.Mark, pg.Urgent = "Critical", true
		pg.Subject = fmt.Sprintf("Critical: %s%s", name, at(e.c.Location))
		pg.Lead = name + " needs somebody now."
	case schemas.NotifyOverdue:
		pg.Mark, pg.Urgent, pg.Quote = "Overdue", true, e.c.Excerpt
		pg.Subject = fmt.Sprintf("Overdue: %s%s", name, at(e.c.Location))
		pg.Lead = overdueLead(r, name)
		if r.due != nil {
			pg.Facts = append(pg.Facts, fact{"Was due", clockWords(*r.due, e.now, loc)})
		}
	case schemas.NotifyAssigned:
		pg.Subject = fmt.Sprintf("Yours now: %s%s", name, at(e.c.Location))
		pg.Lead, pg.Quote = fmt.Sprintf("%s gave you this case.", personName(staff, e.actor.Email)), e.c.Excerpt
		if r.note != "" {
			pg.Facts = append(pg.Facts, fact{"They say", oneLine(r.note)})
		}
		pg.Footer = d.footer("You get this because the case is yours.")
	case schemas.NotifyAnswer:
		pg.Subject = name + " wrote again" + at(e.c.Location)
		pg.Lead = name + " wrote again. Your answer is next."
		pg.Footer = d.footer("You get this because the case is yours.")
	case NotifyCallDue:
		pg.Subject = "Time to call again: " + name
		pg.Lead = "It is time to try to reach " + name + " again."
		pg.Facts, pg.Quote = phoneFact(customer), e.c.Excerpt
	}
	pg.Facts = append(pg.Facts, d.facts(e, p, staff)...)
	return render("case.html", pg.Subject, pg.text(), pg)
}

func overdueLead(r mailRequest, name string) string {
	switch schemas.Timer(r.cause) {
	case schemas.TimerFirstResponse:
		return "Nobody has answered " + name + " yet."
	case schemas.TimerNextResponse:
		return name + " wrote again and nobody has answered."
	}
	return "This is not put right yet for " + name + "."
}

func phoneFact(c schemas.Customer) []fact {
	if c.Phone == "" {
		return nil
	}
	return []fact{{"Phone", oneLine(c.Phone)}}
}

// facts are the lines every mail about a case ends with.
func (d *Desk) facts(e *edit, p Person, staff []Person) []fact {
	loc := zoneOf(p, d.cfg.Business)
	var fs []fact
	if e.c.ValueAtRisk.Amount > 0 {
		fs = append(fs, fact{"At risk", e.c.ValueAtRisk.Short() + " a year"})
	}
	if w := dueWords(e.c, e.now, loc); w != "" {
		fs = append(fs, fact{"Answer", w})
	}
	fs = append(fs, fact{"Owner", personName(staff, e.c.Assignee)})
	if e.c.Location != "" {
		fs = append(fs, fact{"Location", oneLine(e.c.Location)})
	}
	return append(fs, fact{"Open", ageWords(e.c.OpenedAt, e.now, loc)})
}

// personName is how mail names one of our own people.
func personName(staff []Person, email string) string {
	switch i := slices.IndexFunc(staff, func(p Person) bool { return strings.EqualFold(p.Email, email) }); {
	case email == "":
		return "nobody yet"
	case email == schemas.SystemActor:
		return "Redalert"
	case i >= 0 && staff[i].Name != "":
		return oneLine(staff[i].Name)
	}
	return email
}

func at(location string) string {
	if location == "" {
		return ""
	}
	return ", " + oneLine(location)
}

func (d *Desk) caseLink(id string) string    { return d.cfg.PublicURL + "/cases/" + id }
func (d *Desk) footer(because string) string { return because + " Sent by Redalert." }

// text is the plain form of a mail about one case.
func (p casePage) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", p.Lead)
	fmt.Fprintf(&b, "%s\n%s\n", p.Name, p.Why)
	if p.Quote != "" {
		fmt.Fprintf(&b, "\n  \"%s\"\n", oneLine(p.Quote))
	}
	b.WriteString("\n")
	for _, f := range p.Facts {
		fmt.Fprintf(&b, "%s: %s\n", f.Label, f.Value)
	}
	fmt.Fprintf(&b, "\n%s:\n%s\n\n--\n%s\n", p.Button, p.Link, p.Footer)
	return b.String()
}

// render fills an HTML template and puts the mail together.
func render(name, subject, text string, data any) (Mail, error) {
	var b bytes.Buffer
	if err := mailTemplates.ExecuteTemplate(&b, name, data); err != nil {
		return Mail{}, fmt.Errorf("mail template %s: %w", name, err)
	}
	return Mail{Subject: oneLine(subject), Text: text, HTML: b.String()}, nil
}
