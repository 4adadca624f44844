package demo

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"redalert/ingest"
	"redalert/schemas"
)

// Names of the demo's sources.
const (
	SourceOrders  = "booking"
	SourceSurvey  = "after-visit-survey"
	SourceMail    = "care-mailbox"
	SourceReviews = "town-reviews"
	SourceStaff   = "staff"
)

// Kinds says what the demo's sources would be in a business of flesh and blood.
func Kinds() map[string]string {
	return map[string]string{
		SourceOrders: "webhook", SourceSurvey: "webhook", SourceMail: "imap", SourceReviews: "review", SourceStaff: "events",
	}
}

// Story is the demo's whole past and the means to go on.
type Story struct {
	Items []ingest.Item // oldest first
	Start time.Time

	r         *rand.Rand
	customers []customer
	orders    int
	serial    int
	liveAt    int
}

// months of history.
const months = 14

// Write makes up the history that ends at now. It is deterministic in seed and
// now's date.
func Write(seed uint64, now time.Time) *Story {
	loc, err := time.LoadLocation(Timezone)
	if err != nil {
		loc = time.UTC
	}
	end := now.In(loc)
	start := time.Date(end.Year(), end.Month(), end.Day(), 0, 0, 0, 0, loc).AddDate(0, -months, 0)
	s := &Story{Start: start, r: rand.New(rand.NewPCG(seed, seed^0x9e3779b97f4a7c15))}
	s.customers = makeCustomers(s.r, start, end)
	t := timeline{Story: s, now: end}
	t.plant()
	for i := range s.customers {
		t.life(&s.customers[i])
	}
	t.add(t.anonymous())
	slices.SortStableFunc(s.Items, func(a, b ingest.Item) int { return a.OccurredAt.Compare(b.OccurredAt) })
	return s
}

type timeline struct {
	*Story
	now                  time.Time
	noShowFrom, noShowTo time.Time
	priceFrom, priceTo   time.Time
	valveFrom, valveTo   time.Time
	shrinkFrom           time.Time
}

func (t *timeline) plant() {
	day := func(ago int) time.Time { return t.now.AddDate(0, 0, -ago) }
	t.noShowFrom, t.noShowTo = day(9), day(3)
	t.priceFrom, t.priceTo = day(130), day(100)
	t.valveFrom, t.valveTo = day(62), day(40)
	t.shrinkFrom = day(30)
}

func (t *timeline) add(it ingest.Item) {
	if it.OccurredAt.Before(t.now) {
		t.Items = append(t.Items, it)
	}
}

// life walks one customer from first visit to the end of the story.
func (t *timeline) life(c *customer) {
	at := atHour(c.first, 8+t.r.IntN(9), t.r.IntN(60))
	for !at.After(t.now) && (c.leaves.IsZero() || at.Before(c.leaves)) {
		t.visit(c, at)
		jitter := int(float64(c.plan.every) * 0.12)
		gap := c.plan.every + t.r.IntN(2*jitter+1) - jitter
		at = weekday(at.AddDate(0, 0, max(gap, 3)))
	}
}

func atHour(d time.Time, h, m int) time.Time {
	return time.Date(d.Year(), d.Month(), d.Day(), h, m, 0, 0, d.Location())
}

func weekday(d time.Time) time.Time {
	switch d.Weekday() {
	case time.Saturday:
		return d.AddDate(0, 0, 2)
	case time.Sunday:
		return d.AddDate(0, 0, 1)
	}
	return d
}

func in(at, from, to time.Time) bool { return !at.Before(from) && at.Before(to) }

func (t *timeline) visit(c *customer, at time.Time) {
	ref := t.nextOrder()
	total := t.price(c, at)
	t.add(t.order(schemas.OrderPlaced, c, ref, at.AddDate(0, 0, -2), total, nil))
	switch {
	case c.location == East && in(at, t.noShowFrom, t.noShowTo) && t.r.IntN(100) < 40:
		t.missed(c, ref, at)
		return
	case t.r.IntN(1000) < 12:
		t.add(t.orderBy(schemas.OrderCancelled, c, ref, at.Add(-20*time.Hour), total, schemas.ByCustomer, "does not suit any more"))
		return
	case t.r.IntN(1000) < 8:
		prev := total
		t.add(t.order(schemas.OrderChanged, c, ref, at.Add(-18*time.Hour), total*6/10, &prev))
	}
	t.add(t.order(schemas.OrderFulfilled, c, ref, at.Add(2*time.Hour), total, nil))
	t.afterwards(c, ref, at)
}

func (t *timeline) price(c *customer, at time.Time) int64 {
	p := float64(c.plan.price) * c.scale
	if at.After(t.priceFrom) {
		p *= 1.18
	}
	if c.shy && at.After(t.shrinkFrom) {
		p *= 0.42
	}
	p *= 0.94 + 0.12*t.r.Float64()
	return int64(p) / 50 * 50
}

func (t *timeline) missed(c *customer, ref string, at time.Time) {
	switch t.r.IntN(5) {
	case 0, 1:
		t.add(t.mail(c, "Missed appointment", t.say(noShow, c, ref), ref, at.Add(5*time.Hour)))
	case 2:
		t.add(t.survey(c, ref, float64(t.r.IntN(3)), t.say(noShow, c, ref), at.Add(9*time.Hour)))
	case 3:
		t.add(t.orderBy(schemas.OrderCancelled, c, ref, at.Add(26*time.Hour), t.price(c, at), schemas.ByCustomer, "nobody came"))
	}
}

// afterwards is what a customer may say after a visit.
func (t *timeline) afterwards(c *customer, ref string, at time.Time) {
	if c.shy {
		return
	}
	p := t.r.IntN(1000)
	switch {
	case c.location == North && in(at, t.valveFrom, t.valveTo) && (c.plan.service == "boiler service" || c.plan.service == "appliance care") && p < 700:
		t.add(t.mail(c, "Leak after your visit", t.say(leakingValve, c, ref), ref, at.AddDate(0, 0, 4)))
	case in(at, t.priceFrom, t.priceTo) && p < 60:
		t.add(t.mail(c, "New prices", t.say(priceRise, c, ref), ref, at.Add(30*time.Hour)))
		if t.r.IntN(2) == 0 {
			c.leaves = at.AddDate(0, 0, 1)
		}
	case p < 110:
		t.add(t.survey(c, ref, float64(9+t.r.IntN(2)), t.maybe(happySurvey, c, ref, 60), at.Add(7*time.Hour)))
	case p < 135:
		t.add(t.survey(c, ref, float64(7+t.r.IntN(2)), t.maybe(middlingSurvey, c, ref, 50), at.Add(8*time.Hour)))
	case p < 147:
		t.add(t.survey(c, ref, float64(t.r.IntN(7)), t.maybe(unhappySurvey, c, ref, 80), at.Add(6*time.Hour)))
	case p < 153:
		t.add(t.mail(c, "Order "+ref, t.say(complaintMail, c, ref), ref, at.Add(28*time.Hour)))
	case p < 178:
		t.add(t.mail(c, "A question", t.say(neutralMail, c, ref), ref, at.Add(22*time.Hour)))
	case p < 181:
		t.add(t.review(c.name, c.location, float64(1+t.r.IntN(2)), t.say(badReview, c, ref), at.AddDate(0, 0, 2)))
	case p < 190:
		t.add(t.review(c.name, c.location, float64(4+t.r.IntN(2)), t.say(goodReview, c, ref), at.AddDate(0, 0, 3)))
	}
}

func (t *timeline) anonymous() ingest.Item {
	return t.review("A neighbour", Harbour, 1, anonymousReview, t.now.Add(-19*time.Hour))
}

func (s *Story) nextOrder() string {
	s.orders++
	return fmt.Sprintf("RH-%05d", 20000+s.orders)
}

func (s *Story) maybe(from []string, c *customer, ref string, percent int) string {
	if s.r.IntN(100) >= percent {
		return ""
	}
	return s.say(from, c, ref)
}

var weekdays = []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday"}

func (s *Story) say(from []string, c *customer, ref string) string {
	return s.fill(from[s.r.IntN(len(from))], c, ref)
}

func (s *Story) fill(text string, c *customer, ref string) string {
	return strings.NewReplacer("{s}", c.plan.service, "{l}", c.location, "{d}", weekdays[s.r.IntN(5)], "{o}", ref).Replace(text)
}

func (s *Story) order(typ schemas.EventType, c *customer, ref string, at time.Time, total int64, previous *int64) ingest.Item {
	return s.orderData(typ, c, ref, at, total, previous, "", "")
}

func (s *Story) orderBy(typ schemas.EventType, c *customer, ref string, at time.Time, total int64, by schemas.CausedBy, reason string) ingest.Item {
	return s.orderData(typ, c, ref, at, total, nil, by, reason)
}

func (s *Story) orderData(typ schemas.EventType, c *customer, ref string, at time.Time, total int64, previous *int64, by schemas.CausedBy, reason string) ingest.Item {
	o := schemas.Order{
		OrderRef: ref, Customer: c.asRef(), Total: &schemas.Money{Amount: total, Currency: Currency},
		Location: c.location, CausedBy: by, Reason: reason,
		Lines: []schemas.OrderLine{{Description: c.plan.service, Quantity: 1, UnitPrice: &schemas.Money{Amount: total, Currency: Currency}}},
	}
	if previous != nil {
		o.PreviousTotal = &schemas.Money{Amount: *previous, Currency: Currency}
	}
	return item(SourceOrders, typ, ref, at, o)
}

func item(source string, typ schemas.EventType, id string, at time.Time, data any) ingest.Item {
	b, err := json.Marshal(data)
	if err != nil {
		panic("demo: " + err.Error()) // only our own plain structs come here
	}
	return ingest.Item{Source: source, Type: typ, NativeID: id, OccurredAt: at.UTC().Truncate(time.Second), Data: b}
}

func number(f float64) *float64 { return &f }

func (s *Story) survey(c *customer, ref string, score float64, text string, at time.Time) ingest.Item {
	return item(SourceSurvey, schemas.SurveyAnswered, "S-"+ref, at, schemas.Feedback{
		SourceType: schemas.SourceSurvey, SourceName: SourceSurvey, SubmissionID: "S-" + ref, FieldID: "recommend",
		FieldLabel: "How likely are you to recommend us to a friend?", FieldType: schemas.FieldNPS,
		ValueNumber: number(score), ScaleMin: number(0), ScaleMax: number(10), ValueText: text,
		Customer: c.asRef(), Location: c.location, OrderRef: ref, Language: "en",
	})
}

func (s *Story) mail(c *customer, subject, text, ref string, at time.Time) ingest.Item {
	s.serial++
	id := fmt.Sprintf("<%05d.%s@mail.example>", s.serial, c.ref)
	it := item(SourceMail, schemas.EmailReceived, id, at, schemas.Feedback{
		SourceType: schemas.SourceEmail, SourceName: SourceMail, FieldType: schemas.FieldText, ValueText: text,
		Customer: &schemas.CustomerRef{Email: c.email, Name: c.name}, Location: c.location, OrderRef: ref, Language: "en",
		Metadata: map[string]any{schemas.MetaSubject: subject, schemas.MetaMessageID: id, schemas.MetaMailbox: "INBOX"},
	})
	it.ThreadID = id
	return it
}

func (s *Story) review(author, location string, stars float64, text string, at time.Time) ingest.Item {
	s.serial++
	id := fmt.Sprintf("review-%05d", s.serial)
	return item(SourceReviews, schemas.ReviewPosted, id, at, schemas.Feedback{
		SourceType: schemas.SourceReview, SourceName: SourceReviews, SubmissionID: id, FieldType: schemas.FieldRating,
		ValueNumber: number(stars), ScaleMin: number(1), ScaleMax: number(5), ValueText: text, Location: location, Language: "en",
		Metadata: map[string]any{schemas.MetaAuthor: author, schemas.MetaURL: "https://reviews.example/riverside/" + id},
	})
}

// Next is the next thing that happens while the demo runs, at now.
func (s *Story) Next(now time.Time) ingest.Item {
	m := live[s.liveAt%len(live)]
	s.liveAt++
	c := &s.customers[s.r.IntN(len(s.customers))]
	for c.shy || !c.leaves.IsZero() {
		c = &s.customers[s.r.IntN(len(s.customers))]
	}
	ref := s.nextOrder()
	text := s.fill(m.text, c, ref)
	total := int64(float64(c.plan.price)*c.scale) / 50 * 50
	id := fmt.Sprintf("live-%d-%d", now.UnixMilli(), s.liveAt)
	var it ingest.Item
	switch m.kind {
	case "survey":
		it = s.survey(c, ref, m.rating, text, now)
	case "review":
		it = s.review(c.name, c.location, m.rating, text, now)
	case "cancel":
		it = s.orderBy(schemas.OrderCancelled, c, ref, now, total, schemas.ByCustomer, text)
	case "reduce":
		it = s.order(schemas.OrderChanged, c, ref, now, total*35/100, &total)
	case "mistake":
		it = item(SourceStaff, schemas.MistakeReported, id, now, schemas.Mistake{
			ReportedBy: "staff@riverside.example", WhatHappened: text, Customer: c.asRef(), OrderRef: ref, Location: c.location})
	default:
		it = s.mail(c, "About my booking", text, ref, now)
	}
	it.NativeID = id
	it.OccurredAt = now
	return it
}
