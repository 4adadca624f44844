package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"redalert/schemas"
	"redalert/signals"
)

// world is a random history: people known by more and more references, orders
// and messages of theirs, in an order of its own for each store.
type world struct {
	rng    *rand.Rand
	zone   *time.Location
	people []schemas.CustomerRef
	events []schemas.Scored
}

var worldStart = time.Date(2024, 11, 1, 0, 0, 0, 0, time.UTC)

func newWorld(seed uint64, zone *time.Location, n int) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 7)), zone: zone}
	for i := range 25 {
		w.people = append(w.people, schemas.CustomerRef{Ref: fmt.Sprint("C", i), Email: fmt.Sprintf("c%d@example.com", i), Phone: fmt.Sprintf("555 %04d", i)})
	}
	for i := range n {
		w.events = append(w.events, w.event(i))
	}
	return w
}

func pick[T any](w *world, from ...T) T { return from[w.rng.IntN(len(from))] }

// when is a time of about 20 months, often close to the border of a day.
func (w *world) when() time.Time {
	day := worldStart.AddDate(0, 0, w.rng.IntN(600))
	if w.rng.IntN(3) == 0 {
		at := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, w.zone)
		return at.Add(time.Duration(w.rng.IntN(7)-3) * time.Millisecond).UTC()
	}
	return day.Add(time.Duration(w.rng.Int64N(86_400_000)) * time.Millisecond)
}

// customer is one of somebody's ids, from a few people more often than others.
func (w *world) customer() string {
	p := w.people[min(w.rng.IntN(len(w.people)), w.rng.IntN(len(w.people)))]
	return pick(w, "", idOf("phone", p.Phone[:3]+p.Phone[4:]), idOf("email", p.Email), idOf("email", p.Email), idOf("ref", p.Ref), idOf("ref", p.Ref))
}

func (w *world) event(i int) schemas.Scored {
	at := w.when()
	var x schemas.Scored
	if w.rng.IntN(4) == 0 {
		x = scoredMail(fmt.Sprintf("m%04d", i), w.customer(), 0, schemas.Categories()[:w.rng.IntN(4)]...)
		x.Event.Type = pick(w, schemas.EmailReceived, schemas.SurveyAnswered, schemas.ReviewPosted, schemas.ReviewChanged, schemas.MistakeReported, schemas.ReplySent, schemas.OrderOverdue)
	} else {
		kinds := []schemas.EventType{schemas.OrderPlaced, schemas.OrderPlaced, schemas.OrderPlaced, schemas.OrderChanged, schemas.OrderCancelled, schemas.OrderRefunded, schemas.OrderFulfilled}
		o := order{id: fmt.Sprintf("e%04d", i), ref: fmt.Sprint(w.rng.IntN(200)), kind: pick(w, kinds...), customer: w.customer(), at: at, total: int64(w.rng.IntN(500)) - 50, previous: int64(w.rng.IntN(300)) - 150}
		o.negative = o.total >= 0 && w.rng.IntN(10) == 0
		if w.rng.IntN(20) == 0 {
			o.ref = ""
		}
		if w.rng.IntN(3) == 0 {
			o.tip = &schemas.Money{Amount: int64(w.rng.IntN(60)) - 5, Currency: "EUR"}
		}
		x = o.scored()
	}
	x.Event.Location, x.Event.Source = pick(w, "North", "South", "Ängelholm", ""), pick(w, "shop", "web", "Straße")
	x.Event.OccurredAt, x.Event.LocalDate = at, at.In(w.zone).Format(time.DateOnly)
	x.Event.CollectedAt = at.Add(time.Duration(w.rng.IntN(3)) * 24 * time.Hour).Truncate(time.Hour) // ties; some come late
	x.Verdict.ScoredAt = x.Event.CollectedAt.Add(time.Duration(w.rng.IntN(2)) * time.Second)
	return x
}

// fill stores the world in an order and in batches that depend on by, while
// people become known; some events come again, with another verdict.
func (w *world) fill(t *testing.T, s Pipeline, by uint64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(by, 8))
	events := slices.Clone(w.events)
	rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	for done := 0; done < len(events); {
		next := min(done+1+rng.IntN(120), len(events))
		batch := slices.Clone(events[done:next])
		for range rng.IntN(10) {
			again := events[rng.IntN(next)]
			again.Verdict.Probability, again.Verdict.Red = 0.0625, false
			again.Verdict.ScoredAt = again.Verdict.ScoredAt.Add(time.Duration(rng.IntN(3)) * time.Second)
			batch = append(batch, again)
		}
		store(t, s, batch...)
		done = next
	}
}

// meet makes the first n people known by all their references.
func (w *world) meet(t *testing.T, s Pipeline, n int) {
	t.Helper()
	for i, p := range w.people[:n] {
		resolve(t, s, i, schemas.CustomerRef{Phone: p.Phone})
		resolve(t, s, i, schemas.CustomerRef{Phone: p.Phone, Email: p.Email})
		if i%3 != 0 {
			resolve(t, s, i, p)
		}
	}
}

// SameAnswers: two stores with the same random history, that came to each in an
// order of its own and with repetitions, answer everything alike: lists, orders,
// totals, facts, percentiles, trends. Each has its own Identities.
func SameAnswers(t *testing.T, a, b Pipeline, seed uint64, zone *time.Location) {
	w := newWorld(seed, zone, 600)
	w.fill(t, a, 2*seed)
	w.fill(t, b, 2*seed+1)
	for _, known := range []int{0, 12, len(w.people)} {
		w.meet(t, a, known)
		w.meet(t, b, known)
		w.sameOfCustomers(t, a, b)
		if known > 0 {
			w.sameLists(t, a, b)
			w.sameTrends(t, a, b)
			w.sameGroupCounts(t, a, b)
		}
	}
}

func (w *world) sameLists(t *testing.T, a, b Pipeline) {
	t.Helper()
	for range 2 {
		q := schemas.ListQuery{Limit: pick(w, 90, 300, 1000), Locations: pick(w, nil, nil, []string{"North"}, []string{"Ängelholm", "Nowhere"})}
		if w.rng.IntN(2) == 0 {
			q.Since = w.when()
			q.Until = q.Since.AddDate(0, w.rng.IntN(9), 0)
		}
		samePages(t, "events", q, a.History.Events, b.History.Events)
		samePages(t, "verdicts", q, a.History.Verdicts, b.History.Verdicts)
		samePages(t, "orders", q, a.History.Orders, b.History.Orders)
		for _, of := range []schemas.EventType{schemas.EmailReceived, schemas.ReplySent, schemas.OrderPlaced} {
			of := func(s Pipeline) func(context.Context, schemas.ListQuery) (schemas.Page[schemas.Scored], error) {
				return func(ctx context.Context, q schemas.ListQuery) (schemas.Page[schemas.Scored], error) {
					return s.Rounds.Words(ctx, of, q)
				}
			}
			samePages(t, "words", q, of(a), of(b))
		}
	}
}

// samePages compares a listing page by page, cursors too: one store's cursor is
// good for the other.
func samePages[T any](t *testing.T, what string, q schemas.ListQuery, a, b func(context.Context, schemas.ListQuery) (schemas.Page[T], error)) {
	t.Helper()
	for {
		want, err := a(t.Context(), q)
		must(t, what, err)
		got, err := b(t.Context(), q)
		must(t, what, err)
		same(t, fmt.Sprintf("%s %+v", what, q), got, want)
		if q.Cursor = want.Next; q.Cursor == "" {
			return
		}
	}
}

func (w *world) sameOfCustomers(t *testing.T, a, b Pipeline) {
	t.Helper()
	var asked, events []string
	for range 40 {
		asked, events = append(asked, w.customer()), append(events, pick(w, w.events...).Event.ID)
	}
	answers := func(s Pipeline) (out []any) {
		add := func(v any, err error) {
			must(t, "ask", err)
			out = append(out, v)
		}
		m, err := s.Records.Totals(t.Context(), asked)
		add(m, err)
		f, err := s.Context.OrderFacts(t.Context(), asked)
		add(f, err)
		sc, err := s.Records.Scored(t.Context(), events)
		add(sc, err)
		for _, id := range asked[:6] {
			o, err := s.Records.CustomerOrders(t.Context(), id)
			add(o, err)
			e, err := s.Records.CustomerEvents(t.Context(), id, len(id)%9)
			add(e, err)
		}
		for after := ""; ; {
			ids, next, err := s.Rounds.Ordered(t.Context(), after, 9)
			add(ids, err)
			if after = next; after == "" {
				break
			}
		}
		for i := range 4 {
			p90, n, err := s.Context.RevenueP90(t.Context(), worldStart.AddDate(0, 6*i, 0))
			add([]int64{p90, int64(n)}, err)
		}
		return out
	}
	want := answers(a)
	for i, got := range answers(b) {
		same(t, fmt.Sprint("answer ", i), got, want[i])
	}
}

func (w *world) sameTrends(t *testing.T, a, b Pipeline) {
	t.Helper()
	for range 4 {
		from := worldStart.AddDate(0, 0, w.rng.IntN(700)-60)
		q := schemas.TrendQuery{From: from.Format(time.DateOnly), To: from.AddDate(0, 0, 1+w.rng.IntN(500)).Format(time.DateOnly),
			Period: pick(w, schemas.PeriodDay, schemas.PeriodWeek, schemas.PeriodMonth), Locations: pick(w, nil, []string{"South"}, []string{"North", "Ängelholm"}, []string{"Nowhere"})}
		if w.rng.IntN(3) > 0 {
			q.Today = w.when().Format(time.DateOnly)
		}
		for _, by := range []schemas.TrendBy{schemas.ByAll, schemas.BySource, schemas.ByLocation, schemas.ByCategory} {
			q.By = by
			what := fmt.Sprintf(" %+v", q)
			same(t, "alerts"+what, trend(t, b, signals.TrendAlerts, q), trend(t, a, signals.TrendAlerts, q))
			if by != schemas.ByCategory {
				same(t, "churn"+what, trend(t, b, signals.TrendChurn, q), trend(t, a, signals.TrendChurn, q))
			}
		}
	}
}
