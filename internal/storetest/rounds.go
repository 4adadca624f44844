package storetest

import (
	"fmt"
	"slices"
	"testing"

	"redalert/schemas"
)

// ordered goes through everybody who has ordered, page by page.
func ordered(t *testing.T, s Pipeline, limit int) (pages [][]string) {
	t.Helper()
	for after := ""; ; {
		ids, next, err := s.Rounds.Ordered(t.Context(), after, limit)
		must(t, "Ordered", err)
		pages = append(pages, ids)
		if after = next; after == "" {
			return pages
		}
	}
}

func words(t *testing.T, s Pipeline, of schemas.EventType, q schemas.ListQuery) []schemas.Scored {
	t.Helper()
	return pages(t, q, func(q schemas.ListQuery) (schemas.Page[schemas.Scored], error) {
		return s.Rounds.Words(t.Context(), of, q)
	})
}

// Rounds: everybody who has ordered comes round, and every message of a type.
func Rounds(t *testing.T, open func(t *testing.T) Pipeline) {
	suite{
		{"who has ordered", false, roundsOrdered},
		{"who is known by two ids", false, roundsJoined},
		{"messages of a type", false, roundsWords},
	}.run(t, open)
}

func roundsOrdered(t *testing.T, s Pipeline) {
	same(t, "nobody", ordered(t, s, 10), [][]string{{}})
	var want []string
	for i := range 25 {
		id := fmt.Sprintf("c%02d", i)
		want = append(want, id)
		for k := range 1 + i%3 {
			name := fmt.Sprint(id, "-", k)
			store(t, s, order{id: name, ref: name, kind: schemas.OrderPlaced, customer: id, at: mark(i + k), total: 500}.scored())
		}
	}
	store(t, s, scoredMail("mail", "writes", 1),
		order{id: "no one", ref: "no one", kind: schemas.OrderPlaced, customer: "", at: mark(1), total: 500}.scored(),
		order{id: "ends", ref: "ends", kind: schemas.OrderCancelled, customer: "c99", at: mark(1), total: 500}.scored(),
		order{id: "gone", ref: "c00-0", kind: schemas.OrderCancelled, customer: "c00", at: mark(9), total: 500}.scored())
	for _, limit := range []int{1, 7, 25, 26, 100} {
		var got []string
		for _, p := range ordered(t, s, limit) {
			if len(p) > limit {
				t.Fatalf("a page of %d holds %d", limit, len(p))
			}
			got = append(got, p...)
		}
		same(t, fmt.Sprint("in pages of ", limit), got, want)
	}
}

func roundsJoined(t *testing.T, s Pipeline) {
	early := resolve(t, s, 0, schemas.CustomerRef{Email: "a@example.com"})[0]
	store(t, s, order{id: "1", ref: "1", kind: schemas.OrderPlaced, customer: early, at: mark(0), total: 500}.scored(),
		order{id: "2", ref: "2", kind: schemas.OrderPlaced, customer: "other", at: mark(0), total: 500}.scored())
	late := resolve(t, s, 3, schemas.CustomerRef{Email: "a@example.com", Ref: "C1"})[0]
	store(t, s, order{id: "3", ref: "3", kind: schemas.OrderPlaced, customer: late, at: mark(4), total: 500}.scored())
	want := []string{late, "other"}
	slices.Sort(want)
	same(t, "on one page", ordered(t, s, 10), [][]string{want})
	apart := slices.Concat(ordered(t, s, 1)...)
	slices.Sort(apart)
	same(t, "on pages of one", slices.Compact(apart), want)
}

func roundsWords(t *testing.T, s Pipeline) {
	var mails, replies []schemas.Scored
	for i := range 30 {
		x := scoredMail(fmt.Sprintf("e%02d", i), "c", i/3) // ties
		x.Event.Location = []string{"North", ""}[i%2]
		switch i % 5 {
		case 4:
			x.Event.Type, x.Event.Source = schemas.SurveyAnswered, "surveys"
		case 2:
			x.Event.Type = schemas.ReplySent
			replies = append(replies, x)
		default:
			mails = append(mails, x)
		}
		store(t, s, x)
	}
	for _, limit := range []int{0, 1, 4} {
		same(t, "mail", words(t, s, schemas.EmailReceived, schemas.ListQuery{Limit: limit}), mails)
		same(t, "replies", words(t, s, schemas.ReplySent, schemas.ListQuery{Limit: limit}), replies)
	}
	same(t, "none", len(words(t, s, schemas.Unanswered, schemas.ListQuery{})), 0)
	from := mails[5].Event.CollectedAt
	since := slices.IndexFunc(mails, func(x schemas.Scored) bool { return !x.Event.CollectedAt.Before(from) })
	same(t, "since", words(t, s, schemas.EmailReceived, schemas.ListQuery{Since: from}), mails[since:])
	same(t, "until", words(t, s, schemas.EmailReceived, schemas.ListQuery{Until: from}), mails[:since])
	north := slices.DeleteFunc(slices.Clone(mails), func(x schemas.Scored) bool { return x.Event.Location != "North" })
	same(t, "of a location", words(t, s, schemas.EmailReceived, schemas.ListQuery{Locations: []string{"North"}}), north)
	badCursor(t, func(q schemas.ListQuery) error {
		_, err := s.Rounds.Words(t.Context(), schemas.EmailReceived, q)
		return err
	})
}

// Fits is the conformance suite of signals.Fits.
func Fits(t *testing.T, open func(t *testing.T) Alerting) {
	s := open(t)
	load := func(name string) string {
		t.Helper()
		doc, err := s.Fits.LoadFit(t.Context(), name)
		must(t, "LoadFit", err)
		return string(doc)
	}
	save := func(name, doc string, n int) {
		t.Helper()
		must(t, "SaveFit", s.Fits.SaveFit(t.Context(), name, []byte(doc), mark(n)))
	}
	if doc, err := s.Fits.LoadFit(t.Context(), "risk"); doc != nil || err != nil {
		t.Fatalf("before the first: %q, %v", doc, err)
	}
	save("risk", `{"weights":[0.1,-2e-17]}`, 1)
	save("words", `{}`, 2)
	save("risk", `{"weights":[0.30000000000000004]}`, 3)
	if s.Reopen != nil {
		s = s.Reopen(t)
	}
	same(t, "the last one saved", load("risk"), `{"weights":[0.30000000000000004]}`)
	same(t, "of another name", load("words"), `{}`)
	same(t, "of none", load("other"), "")
}
