package clickhouse

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"redalert/internal/servertest"
	"redalert/schemas"
)

func standing(t *testing.T, d *DB, id string) float64 {
	t.Helper()
	got, err := d.Scored(t.Context(), []string{id})
	if err != nil || len(got) != 1 {
		t.Fatalf("%d of %s, %v", len(got), id, err)
	}
	return got[0].Verdict.Probability
}

// TestRaceOfTwoScorers: two processes score the same event and both find it new.
// Whoever is answered first has said what stands, also where the other scored
// earlier, or at the same instant; and merging the rows changes nothing.
func TestRaceOfTwoScorers(t *testing.T) {
	for name, scoredAt := range map[string]time.Duration{"the second scored earlier": -time.Hour, "later": time.Hour, "at the same instant": 0} {
		t.Run(name, func(t *testing.T) {
			c := database(t, servertest.ClickHouse(t))
			first, second := connect(t, c), connect(t, c)
			others := mails("other", 3)
			second.hooks.beforeInsert = func(table string) {
				if table != "events" {
					return
				}
				second.hooks.beforeInsert = nil // the look-up found nothing; now the first is quicker
				if v := mustStore(t, first, append(others[:1:1], mail("x", 0.25))...); v[1].Probability != 0.25 {
					t.Errorf("the first is answered %v", v[1].Probability)
				}
			}
			late := mail("x", 0.75)
			late.Verdict.ScoredAt = late.Verdict.ScoredAt.Add(scoredAt)
			if v := mustStore(t, second, append(others[1:2:2], late)...); v[1].Probability != 0.25 {
				t.Errorf("the second is answered %v", v[1].Probability)
			}
			for _, merge := range []bool{false, true} {
				if merge {
					exec(t, first, "OPTIMIZE TABLE events FINAL")
				}
				if p := standing(t, first, "x"); p != 0.25 {
					t.Errorf("merged %v: %v stands", merge, p)
				}
			}
			if v := mustStore(t, second, late); v[0].Probability != 0.25 {
				t.Errorf("a replay is answered %v", v[0].Probability)
			}
			if n := count(t, first, "events"); n != 3 {
				t.Errorf("%d events, want 3", n)
			}
		})
	}
}

// TestRaceMergedAway: parts merge between a scorer's insert and its look for
// rivals, so that only one row is left to see. Whoever stored first still stands,
// and both are answered it.
func TestRaceMergedAway(t *testing.T) {
	for name, scoredAt := range map[string]time.Duration{"the second scored earlier": -time.Hour, "later": time.Hour, "at the same instant": 0} {
		t.Run(name, func(t *testing.T) {
			c := database(t, servertest.ClickHouse(t))
			first, second := connect(t, c), connect(t, c)
			second.hooks.beforeInsert = func(table string) {
				if table != "events" {
					return
				}
				second.hooks.beforeInsert = nil
				if v := mustStore(t, first, mail("x", 0.25)); v[0].Probability != 0.25 {
					t.Errorf("the first is answered %v", v[0].Probability)
				}
			}
			second.hooks.beforeSettle = func() { exec(t, first, "OPTIMIZE TABLE events FINAL") }
			late := mail("x", 0.75)
			late.Verdict.ScoredAt = late.Verdict.ScoredAt.Add(scoredAt)
			if v := mustStore(t, second, late); v[0].Probability != 0.25 {
				t.Errorf("the second is answered %v", v[0].Probability)
			}
			if p := standing(t, first, "x"); p != 0.25 {
				t.Errorf("%v stands", p)
			}
		})
	}
}

// TestTwoScorersAtOnce: two processes that store the same events with verdicts of
// their own are both answered the same verdicts, which stand.
func TestTwoScorersAtOnce(t *testing.T) {
	c := database(t, servertest.ClickHouse(t))
	scorers := []*DB{connect(t, c), connect(t, c)}
	reader := connect(t, c)
	const rounds, events = 4, 12
	for round := range rounds {
		answers := make([][]schemas.Verdict, len(scorers))
		var wg sync.WaitGroup
		for i, d := range scorers {
			wg.Go(func() {
				scored := mails(fmt.Sprint("r", round, "-"), events)
				for k := range scored {
					scored[k].Verdict.Probability = float64(i+1) / 8
					scored[k].Verdict.ScoredAt = noon.Add(time.Duration((i*k)%2) * time.Second)
				}
				vs, err := d.Store(context.WithoutCancel(t.Context()), scored)
				if err != nil {
					t.Error(err)
				}
				answers[i] = vs
			})
		}
		wg.Wait()
		if t.Failed() {
			return
		}
		for k := range events {
			p := standing(t, reader, fmt.Sprintf("r%d-%05d", round, k))
			if answers[0][k].Probability != p || answers[1][k].Probability != p {
				t.Errorf("round %d, event %d: %v and %v are answered, %v stands", round, k, answers[0][k].Probability, answers[1][k].Probability, p)
			}
		}
	}
	t.Logf("%d of %d events were claimed", count(t, reader, "claims"), rounds*events)
}

// TestRescoreStands: a row of a later rescore stands over the first verdict, and
// a replay of the first does not bring it back.
func TestRescoreStands(t *testing.T) {
	d := open(t)
	mustStore(t, d, mail("x", 0.25))
	b, err := newBatch([]schemas.Scored{mail("x", 0.75)})
	if err != nil {
		t.Fatal(err)
	}
	b.rows[0].rescore = 1
	b.rows[0].scored.Verdict.ScoredAt = noon.Add(1000 * time.Hour)
	if err := d.insertEvents(t.Context(), b.rows, 1); err != nil {
		t.Fatal(err)
	}
	if v := mustStore(t, d, mail("x", 0.25)); v[0].Probability != 0.75 || standing(t, d, "x") != 0.75 {
		t.Errorf("%v is answered, %v stands; want the rescored 0.75", v[0].Probability, standing(t, d, "x"))
	}
}

// TestOrdersFoldedAtOnce: processes that store events of the same orders at once
// leave each order as all its events say.
func TestOrdersFoldedAtOnce(t *testing.T) {
	c := database(t, servertest.ClickHouse(t))
	const scorers, orders = 4, 6
	var wg sync.WaitGroup
	for i := range scorers {
		d := connect(t, c)
		wg.Go(func() {
			for k := range orders {
				s := placed(fmt.Sprint(k), "c", int64(i)+1, noon.Add(time.Duration(i)*time.Minute))
				s.Event.ID = fmt.Sprint("e", i, "-", k)
				if i > 0 {
					s.Event.Type = schemas.OrderChanged
				}
				if _, err := d.Store(context.WithoutCancel(t.Context()), []schemas.Scored{s}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	d := connect(t, c)
	p, err := d.Orders(t.Context(), schemas.ListQuery{})
	if err != nil || len(p.Items) != orders {
		t.Fatalf("%d orders, %v", len(p.Items), err)
	}
	for _, o := range p.Items {
		if o.Total.Amount != scorers || o.PreviousTotal == nil || o.PreviousTotal.Amount != scorers-1 || !o.PlacedAt.Equal(noon) {
			t.Errorf("order %s: %+v", o.OrderRef, o)
		}
	}
}

// TestManyAreFoundByHash: so many events that they are looked for by hash are
// known when they come again, whatever their ids are made of.
func TestManyAreFoundByHash(t *testing.T) {
	d := open(t)
	first := mails("", fewIDs+1)
	for i := range first {
		first[i].Event.ID = strings.Repeat("ä", i) + fmt.Sprint(i)
	}
	mustStore(t, d, first...)
	again := slices.Clone(first)
	for i := range again {
		again[i].Verdict.Probability = 0.75
	}
	unknown := mail("not seen before", 0.75)
	for i, v := range mustStore(t, d, append(again, unknown)...) {
		if known := i < len(first); (v.Probability == 0.75) == known {
			t.Errorf("event %d: %v stands", i, v.Probability)
		}
	}
	if n := count(t, d, "events"); n != uint64(len(first)+1) {
		t.Errorf("%d rows of %d events", n, len(first)+1)
	}
}
