package alerting

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"redalert/schemas"
)

// maxEntries bounds each section; the rest is one link to triage.
const maxEntries = 25

// digestPage is what the digest shows.
type digestPage struct {
	Subject  string
	Day      string // "Tuesday 3 March"
	Place    string
	Lead     string // the one sentence that matters
	Quiet    bool
	Numbers  []number
	Sections []section
	Triage   string // link

	Unusual     []unusualLine
	MoreUnusual int    // notices left out
	Trends      string // link
	Footer      string
}

// number is one figure with its change against the day before.
type number struct{ Value, Label, Change string }

type section struct {
	Title   string
	Tone    string // red, green or ""
	Entries []entry
	More    int // entries left out
}

type entry struct {
	Name, Why, Value, When, Owner, Place, Link string
	Late, Nobody                               bool
}

// sorted is a person's cases by what the digest does with them.
type sorted struct {
	overdue, fresh, waiting []schemas.Case // need somebody today
	won                     []schemas.Case // back since the last digest
	open                    []schemas.Case
	openBefore              int // open a day ago
	lateBefore              int
	wonWeek, lostWeek       int
	atRisk                  schemas.Money
}

func (s sorted) need() int { return len(s.overdue) + len(s.fresh) + len(s.waiting) }

func (s sorted) unowned() (n int) {
	for _, list := range [][]schemas.Case{s.overdue, s.fresh, s.waiting} {
		for _, c := range list {
			if c.Assignee == "" {
				n++
			}
		}
	}
	return n
}

// sortCases puts the person's cases into the digest's sections.
func sortCases(snap *snapshot, p Person, now, since time.Time, loc *time.Location, currency string) sorted {
	s := sorted{atRisk: schemas.Money{Currency: currency}}
	yesterday := now.Add(-24 * time.Hour)
	for _, c := range snap.open {
		if !p.actor().Sees(c.Location) || c.OpenedAt.After(now) {
			continue
		}
		s.open = append(s.open, c)
		s.atRisk.Amount += c.ValueAtRisk.Amount
		if !c.OpenedAt.After(yesterday) {
			s.openBefore++
		}
		due := c.Due()
		if due != nil && !due.After(yesterday) {
			s.lateBefore++
		}
		switch snoozed := c.SnoozedUntil != nil && c.SnoozedUntil.After(now); {
		case snoozed:
		case due != nil && !due.After(now):
			s.overdue = append(s.overdue, c)
		case startedAt(c).After(since):
			s.fresh = append(s.fresh, c)
		case c.Assignee == "" || (due != nil && dayNumber(due.In(loc)) == dayNumber(now.In(loc))):
			s.waiting = append(s.waiting, c)
		}
	}
	s.addClosed(snap.closed, p, now, since)
	for _, list := range [][]schemas.Case{s.overdue, s.fresh, s.waiting} {
		slices.SortStableFunc(list, moreUrgent)
	}
	slices.SortStableFunc(s.won, func(a, b schemas.Case) int { return b.ClosedAt.Compare(*a.ClosedAt) })
	return s
}

// addClosed counts what was closed, and lists what came back since the last
// digest.
func (s *sorted) addClosed(closed []schemas.Case, p Person, now, since time.Time) {
	yesterday := now.Add(-24 * time.Hour)
	for _, c := range closed {
		if !p.actor().Sees(c.Location) || c.ClosedAt.After(now) {
			continue
		}
		if !c.OpenedAt.After(yesterday) && c.ClosedAt.After(yesterday) {
			s.openBefore++
		}
		week := c.ClosedAt.After(now.Add(-digestWeek))
		switch {
		case c.State == schemas.StateRecovered && week:
			if s.wonWeek++; c.ClosedAt.After(since) {
				s.won = append(s.won, c)
			}
		case c.State == schemas.StateLost && week:
			s.lostWeek++
		}
	}
}

// startedAt is when the case began to need somebody: its opening, or the last
// change of a reopened one that nobody has taken up yet.
func startedAt(c schemas.Case) time.Time {
	if c.Episode > 1 && c.State == schemas.StateNew {
		return c.UpdatedAt
	}
	return c.OpenedAt
}

// moreUrgent: unowned first, then by priority, then the earliest deadline,
// then the highest value.
func moreUrgent(a, b schemas.Case) int {
	owned := func(c schemas.Case) int { return min(len(c.Assignee), 1) }
	return cmp.Or(owned(a)-owned(b), b.Priority.Rank()-a.Priority.Rank(), compareDue(a.Due(), b.Due()),
		cmp.Compare(b.ValueAtRisk.Amount, a.ValueAtRisk.Amount), cmp.Compare(a.Number, b.Number))
}

func compareDue(a, b *time.Time) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return a.Compare(*b)
}

// compose writes one person's digest, and answers which notices it tells of.
func (d *Digests) compose(ctx context.Context, p Person, s schemas.Settings, snap *snapshot, now time.Time) (Mail, []schemas.Unusual, error) {
	desk := d.cfg.Desk
	since, err := d.since(ctx, p, s, now)
	if err != nil {
		return Mail{}, nil, err
	}
	told, err := d.unusual(ctx, p, now)
	if err != nil {
		return Mail{}, nil, err
	}
	pg, err := d.page(ctx, p, s, snap, since, now)
	if err != nil {
		return Mail{}, nil, err
	}
	pg.setUnusual(told, desk.cfg.PublicURL)
	m, err := render("digest.html", pg.Subject, pg.text(), pg)
	m.From, m.To, m.ToName, m.Date, m.Auto = desk.cfg.From, p.Email, p.Name, now, true
	return m, told, err
}

// page is what the digest says of cases.
func (d *Digests) page(ctx context.Context, p Person, s schemas.Settings, snap *snapshot, since, now time.Time) (digestPage, error) {
	desk := d.cfg.Desk
	loc := zoneOf(p, desk.cfg.Business)
	sc := sortCases(snap, p, now, since, loc, desk.cfg.Business.Currency)
	pg := digestPage{Day: now.In(loc).Format("Monday 2 January"), Place: placeWords(p.Locations, desk.cfg.Business.Name),
		Quiet: sc.need() == 0, Triage: desk.cfg.PublicURL + "/triage",
		Footer: desk.footer(fmt.Sprintf("You get this at %s because you look after %s. An owner changes that under Settings.",
			s.Digest.At, placeWords(p.Locations, desk.cfg.Business.Name)))}
	pg.Subject = subjectOf(sc, pg.Place)
	for _, sec := range []struct {
		title, tone string
		cases       []schemas.Case
	}{
		{"Overdue", "red", sc.overdue},
		{"New since " + clockWords(since, now, loc), "", sc.fresh},
		{"Also waiting", "", sc.waiting},
		{"Won back", "green", sc.won},
	} {
		one, err := d.section(ctx, snap, p, sec.cases, now, loc)
		if err != nil {
			return pg, err
		}
		if one.Title, one.Tone = sec.title, sec.tone; len(one.Entries) > 0 {
			pg.Sections = append(pg.Sections, one)
		}
	}
	if !pg.Quiet {
		pg.Numbers = sc.numbers()
	}
	var err error
	pg.Lead, err = d.lead(ctx, snap, sc, now)
	return pg, err
}

func (d *Digests) section(ctx context.Context, snap *snapshot, p Person, cases []schemas.Case, now time.Time, loc *time.Location) (section, error) {
	var s section
	for _, c := range cases {
		if len(s.Entries) == maxEntries {
			s.More = len(cases) - maxEntries
			break
		}
		name, err := d.name(ctx, snap, c.CustomerID)
		if err != nil {
			return s, err
		}
		e := entry{Name: name, Why: initial(whyWords(c)), Link: d.cfg.Desk.caseLink(c.ID)}
		if c.ValueAtRisk.Amount > 0 {
			e.Value = c.ValueAtRisk.Short()
		}
		if len(p.Locations) != 1 {
			e.Place = oneLine(c.Location)
		}
		if c.State.Open() {
			due := c.Due()
			e.When, e.Late, e.Nobody = dueWords(c, now, loc), due != nil && !due.After(now), c.Assignee == ""
			if e.When == "" {
				e.When = "open " + ageWords(c.OpenedAt, now, loc)
			}
			e.Owner = ownerWords(snap, c.Assignee)
		} else {
			e.When = "closed " + clockWords(*c.ClosedAt, now, loc)
			e.Owner = ownerWords(snap, c.Assignee)
		}
		s.Entries = append(s.Entries, e)
	}
	return s, nil
}

func ownerWords(snap *snapshot, email string) string {
	if email == "" {
		return "nobody yet"
	}
	if n := snap.owners[email]; n != "" {
		return oneLine(n)
	}
	return email
}

func subjectOf(s sorted, place string) string {
	n := s.need()
	if n == 0 {
		return "All quiet, " + place
	}
	sub := count(n, "customer needs you today", "customers need you today")
	if len(s.overdue) > 0 {
		sub += fmt.Sprintf(" (%d overdue)", len(s.overdue))
	}
	return sub + ", " + place
}

// lead is the one sentence that matters.
func (d *Digests) lead(ctx context.Context, snap *snapshot, s sorted, now time.Time) (string, error) {
	if s.need() == 0 {
		return "Nobody needs you today. " + s.week(), nil
	}
	var parts []string
	if len(s.overdue) > 0 {
		longest := slices.MinFunc(s.overdue, func(a, b schemas.Case) int { return compareDue(a.Due(), b.Due()) })
		name, err := d.name(ctx, snap, longest.CustomerID)
		if err != nil {
			return "", err
		}
		parts = append(parts, fmt.Sprintf("%s has waited longest: %s.", name, spanWords(now.Sub(*longest.Due()))+" late"))
	} else if n := len(s.fresh); n > 0 {
		parts = append(parts, count(n, "customer is new on your list.", "customers are new on your list."))
	}
	if n := s.unowned(); n > 0 {
		parts = append(parts, count(n, "case belongs to nobody yet.", "cases belong to nobody yet."))
	}
	if len(parts) == 0 {
		parts = []string{count(s.need(), "answer is due today.", "answers are due today.")}
	}
	return strings.Join(parts, " "), nil
}

// week is the last seven days in one line.
func (s sorted) week() string {
	return fmt.Sprintf("This week: %d won back, %d lost, %s.", s.wonWeek, s.lostWeek, s.still())
}

func (s sorted) still() string {
	if len(s.open) == 0 {
		return "none open"
	}
	return fmt.Sprintf("%d still open with %s at risk", len(s.open), s.atRisk.Short())
}

func (s sorted) numbers() []number {
	return []number{
		{fmt.Sprint(len(s.open)), "open", change(len(s.open), s.openBefore)},
		{fmt.Sprint(len(s.overdue)), "overdue", change(len(s.overdue), s.lateBefore)},
		{s.atRisk.Short(), "at risk", ""},
		{fmt.Sprint(s.wonWeek), "won back this week", ""},
	}
}

// change says how a count moved since the day before.
func change(now, before int) string {
	switch {
	case now > before:
		return fmt.Sprintf("%d more than yesterday", now-before)
	case now < before:
		return fmt.Sprintf("%d fewer than yesterday", before-now)
	}
	return "as yesterday"
}

// text is the plain form of the digest.
func (p digestPage) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s\n\n%s\n", p.Day, p.Place, p.Lead)
	if len(p.Numbers) > 0 {
		b.WriteString("\n")
		for _, n := range p.Numbers {
			fmt.Fprintf(&b, "%s %s", n.Value, n.Label)
			if n.Change != "" {
				fmt.Fprintf(&b, " (%s)", n.Change)
			}
			b.WriteString("\n")
		}
	}
	for _, s := range p.Sections {
		fmt.Fprintf(&b, "\n%s\n%s\n", strings.ToUpper(s.Title), strings.Repeat("-", len([]rune(s.Title))))
		for _, e := range s.Entries {
			fmt.Fprintf(&b, "\n%s\n  %s\n  %s\n  %s\n", e.headline(), e.Why, e.line(), e.Link)
		}
		if s.More > 0 {
			fmt.Fprintf(&b, "\nand %d more: %s\n", s.More, p.Triage)
		}
	}
	b.WriteString(p.unusualText())
	fmt.Fprintf(&b, "\nAll cases: %s\n\n--\n%s\n", p.Triage, p.Footer)
	return b.String()
}

func (e entry) headline() string {
	if e.Value == "" {
		return e.Name
	}
	return e.Name + ", " + e.Value
}

// line is the small print of an entry: "2 h late · nobody yet · North".
func (e entry) line() string {
	parts := []string{e.When, "owner: " + e.Owner}
	if e.Place != "" {
		parts = append(parts, e.Place)
	}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " · ")
}
