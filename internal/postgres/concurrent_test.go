package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"redalert/ingest"
	"redalert/schemas"
)

// TestProcessesLearnAtOnce: several processes resolve the same people in
// different words at once, while a reader follows the aliases. No deadlock, no
// chained alias, no two customers with one key; the reader misses no alias.
func TestProcessesLearnAtOnce(t *testing.T) {
	first := open(t)
	var writers, followed sync.WaitGroup
	stop := make(chan struct{})
	followers := []map[string]string{{}, {}}
	for _, known := range followers {
		followed.Go(func() { followAliases(t, first, known, stop) })
	}
	for w := range 4 {
		d := reopen(t, first)
		dice := rand.New(rand.NewPCG(uint64(w), 1))
		writers.Go(func() {
			for range 40 {
				list := mentions(dice)
				if _, err := d.Resolve(context.WithoutCancel(t.Context()), list); err != nil {
					t.Errorf("Resolve: %v", err)
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	followed.Wait()
	if n := count(t, first, "customer_aliases a JOIN customer_aliases b ON a.canonical = b.id"); n != 0 {
		t.Errorf("%d aliases are chained", n)
	}
	if n := count(t, first, "customer_aliases a WHERE NOT EXISTS (SELECT 1 FROM customers c WHERE c.id = a.canonical)"); n != 0 {
		t.Errorf("%d aliases lead nowhere", n)
	}
	if n := count(t, first, "customer_keys k WHERE NOT EXISTS (SELECT 1 FROM customers c WHERE c.id = k.customer_id)"); n != 0 {
		t.Errorf("%d keys lead nowhere", n)
	}
	stored, _, err := first.AliasesSince(t.Context(), 0)
	if err != nil || len(stored) < 15 {
		t.Fatalf("%d aliases, %v; the test proves little", len(stored), err)
	}
	for i, known := range followers {
		for _, a := range stored {
			if known[a.ID] != a.Canonical {
				t.Errorf("follower %d takes %s for %q, it is %q", i, a.ID, known[a.ID], a.Canonical)
			}
		}
	}
}

// mentions are one to three sightings of few people, by some of their references.
func mentions(dice *rand.Rand) (list []schemas.Sighting) {
	for range 1 + dice.IntN(3) {
		n := dice.IntN(30)
		all := schemas.CustomerRef{Ref: fmt.Sprint("K-", n), Email: fmt.Sprint(n, "@home.example"), Phone: fmt.Sprint(5550000 + n)}
		ref := []schemas.CustomerRef{{Phone: all.Phone}, {Email: all.Email}, {Email: all.Email, Phone: all.Phone}, {Ref: all.Ref, Email: all.Email}, all}[dice.IntN(5)]
		list = append(list, schemas.Sighting{Customer: ref, At: noon})
	}
	return list
}

// followAliases asks again and again, and once more when all is written.
func followAliases(t *testing.T, d *DB, known map[string]string, stop chan struct{}) {
	version, last := int64(0), false
	for {
		found, next, err := d.AliasesSince(context.WithoutCancel(t.Context()), version)
		if err != nil {
			t.Errorf("AliasesSince: %v", err)
			return
		}
		for _, a := range found {
			if a.Version <= version || a.Version > next {
				t.Errorf("alias %+v after %d, next %d", a, version, next)
			}
			known[a.ID] = a.Canonical
		}
		version = next
		if last && len(found) == 0 {
			return
		}
		select {
		case <-stop:
			last = true
		default:
		}
	}
}

func TestAliasesSincePages(t *testing.T) {
	d := open(t)
	if _, err := d.exec(t.Context(), "INSERT INTO customer_aliases SELECT 'a' || n, 'c', n FROM generate_series(1, $1) n", aliasPage+7); err != nil {
		t.Fatal(err)
	}
	one, next, err := d.AliasesSince(t.Context(), 0)
	if err != nil || len(one) != aliasPage || next != aliasPage {
		t.Fatalf("%d aliases up to %d, %v", len(one), next, err)
	}
	two, last, err := d.AliasesSince(t.Context(), next)
	if err != nil || len(two) != 7 || last != aliasPage+7 {
		t.Fatalf("then %d up to %d, %v", len(two), last, err)
	}
	if none, same, err := d.AliasesSince(t.Context(), last); err != nil || len(none) != 0 || same != last {
		t.Fatalf("then %v up to %d, %v", none, same, err)
	}
}

// TestReserveAtOnceInAnyOrder: overlapping batches in different orders from two
// processes: each id is new once, and nobody waits for ever.
func TestReserveAtOnceInAnyOrder(t *testing.T) {
	one := open(t)
	stores := []*DB{one, reopen(t, one)}
	var fresh atomic.Int64
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			dice := rand.New(rand.NewPCG(uint64(w), 2))
			for round := range 10 {
				var rs []ingest.Receipt
				for _, i := range dice.Perm(40) {
					rs = append(rs, receiptOf(fmt.Sprint(round, "-", i)))
				}
				out, err := stores[w%2].Reserve(context.WithoutCancel(t.Context()), rs)
				if err != nil {
					t.Errorf("Reserve: %v", err)
				}
				for i, r := range out {
					if r.Outcome == ingest.ReceiptNew {
						fresh.Add(1)
					} else if r.Outcome == ingest.ReceiptConflict || r.Stored.ID != rs[i].Event.ID {
						t.Errorf("%s: %+v", rs[i].Event.ID, r)
					}
				}
			}
		})
	}
	wg.Wait()
	if fresh.Load() != 400 || count(t, one, "receipts_pending") != 400 {
		t.Errorf("%d new, %d pending; want 400", fresh.Load(), count(t, one, "receipts_pending"))
	}
}

// TestProcessesJoinAThread: mails of one conversation that come at once found
// one thread, whichever comes first.
func TestProcessesJoinAThread(t *testing.T) {
	one := open(t)
	two := reopen(t, one)
	for round := range 15 {
		name := func(s string) string { return fmt.Sprint("<", s, round, ">") }
		var wg sync.WaitGroup
		got := make([]string, 3)
		for i, m := range [][]string{{name("b"), name("a")}, {name("c"), name("b")}, {name("b2"), name("a")}} {
			wg.Go(func() {
				var err error
				if got[i], err = []*DB{one, two}[i%2].Thread(context.WithoutCancel(t.Context()), m[0], m[1:]); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		// b and c are one thread in every order: a's, or, when c came first, b's.
		if got[0] != got[1] {
			t.Errorf("round %d: threads %q", round, got)
		}
	}
}

func TestPendingAge(t *testing.T) {
	d := open(t)
	if _, err := d.Reserve(t.Context(), []ingest.Receipt{receiptOf("old"), receiptOf("new")}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.exec(t.Context(), "UPDATE receipts_pending SET reserved_at = reserved_at - interval '1 minute' WHERE event_id = 'old'"); err != nil {
		t.Fatal(err)
	}
	for age, want := range map[time.Duration]int{0: 2, 30 * time.Second: 1, time.Hour: 0} {
		some, err := Open(t.Context(), Config{URL: d.cfg.URL, PendingAge: age})
		if err != nil {
			t.Fatal(err)
		}
		defer some.Close()
		if got, err := some.Pending(t.Context(), 10); err != nil || len(got) != want {
			t.Errorf("reserved more than %v ago: %d events, %v; want %d", age, len(got), err, want)
		}
		n, wait, err := some.Unpublished(t.Context())
		if err != nil || n != 2 || wait > age || wait < age-10*time.Second { // the test takes less than that
			t.Errorf("reserved more than %v ago: %d unpublished, all of them in %v, %v", age, n, wait, err)
		}
	}
}

func TestUnpublishedNone(t *testing.T) {
	d, err := Open(t.Context(), Config{URL: open(t).cfg.URL, PendingAge: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if n, wait, err := d.Unpublished(t.Context()); n != 0 || wait != 0 || err != nil {
		t.Errorf("%d, %v, %v", n, wait, err)
	}
}

func TestPrune(t *testing.T) {
	d := openURL(t, emptyURL(t))
	now := noon.Add(48 * time.Hour)
	d.now = func() time.Time { return now }
	for i := range 3 {
		at := noon.Add(time.Duration(i) * 24 * time.Hour)
		if _, err := d.Finish(t.Context(), "s", fmt.Sprint(i), ingest.Answer{Status: 202, At: at}); err != nil {
			t.Fatal(err)
		}
		if _, err := d.exec(t.Context(), "INSERT INTO sessions VALUES ($1, 'e', '', 0, $2)", fmt.Sprint(i), ms(at)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Reserve(t.Context(), []ingest.Receipt{receiptOf("a")}); err != nil {
		t.Fatal(err)
	}
	if n, err := d.Prune(t.Context(), now.Add(time.Hour)); err != nil || n != 2 { // one answer, one session: a day is kept, whatever is asked
		t.Fatalf("pruned %d, %v; want 2", n, err)
	}
	c, err := d.Counts(t.Context())
	if want := (Counts{Receipts: 1, ReceiptsPending: 1}); err != nil || c != want {
		t.Fatalf("%+v, %v", c, err)
	}
	for i, want := range []int{0, 1, 1} {
		if n := count(t, d, fmt.Sprintf("answers WHERE key = '%d'", i)); n != want {
			t.Errorf("%d answers of %d, want %d", n, i, want)
		}
	}
}

// TestCollisionsAreTriedAgain: a deadlock with another transaction is nobody's
// fault and nobody's to see.
func TestCollisionsAreTriedAgain(t *testing.T) {
	d := open(t)
	for _, code := range []string{serialization, deadlock} {
		tries := 0
		err := d.write(t.Context(), func(ctx context.Context, tx querier) error {
			if tries++; tries < 4 {
				_, err := tx.exec(t.Context(), "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '"+code+"'; END $$")
				return err
			}
			_, err := tx.exec(t.Context(), "INSERT INTO meta VALUES ($1, 'x')", code)
			return err
		})
		if err != nil || tries != 4 || count(t, d, "meta WHERE key = '"+code+"'") != 1 {
			t.Errorf("%s: %v after %d tries", code, err, tries)
		}
	}
	if err := d.write(t.Context(), func(ctx context.Context, tx querier) error {
		_, err := tx.exec(t.Context(), "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$")
		return err
	}); !errors.Is(unavailable("x", err), ingest.ErrUnavailable) {
		t.Errorf("for ever: %v", err)
	}
}

// TestLocksEndWithAStandstill: what holds locks and stands still is ended by
// the server; and nobody waits for it longer than for a busy file.
func TestLocksEndWithAStandstill(t *testing.T) {
	d := open(t)
	if err := d.write(t.Context(), func(ctx context.Context, tx querier) error {
		got, err := one(t.Context(), tx, value[string], "SELECT current_setting('lock_timeout') || ' ' || current_setting('idle_in_transaction_session_timeout') || ' ' || current_setting('transaction_isolation')")
		if got != "15s 1min read committed" {
			t.Errorf("limits are %q", got)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func TestWhatMayPass(t *testing.T) {
	for code, want := range map[string]bool{"53100": true, "53300": true, "57P01": true, "57P03": true, "08006": true, "25006": true, "40001": true, "55P03": true, "58030": true,
		"23505": false, "22021": false, "42P01": false, "54000": false} {
		err := unavailable("x", fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: code}))
		if errors.Is(err, ingest.ErrUnavailable) != want {
			t.Errorf("%s is ErrUnavailable: %v, want %v", code, !want, want)
		}
	}
	if err := unavailable("x", errors.New("decode stored case")); errors.Is(err, ingest.ErrUnavailable) {
		t.Error("a broken document passes by itself")
	}
}

// TestPollingReadsNoLog: the sender asks every second; with years of sent mail
// the question must not read them.
func TestPollingReadsNoLog(t *testing.T) {
	d := open(t)
	if err := d.write(t.Context(), func(ctx context.Context, tx querier) error {
		if _, err := tx.exec(t.Context(), "INSERT INTO notifications SELECT n::text, '', n, 'k', '', '', '', '', 'sent', false, 1, n, n, 0, '', '', NULL FROM generate_series(1, 5000) n"); err != nil {
			return err
		}
		if _, err := tx.exec(t.Context(), "ANALYZE notifications"); err != nil {
			return err
		}
		for _, where := range []string{strings.ReplaceAll(due, "$1", "1"), waiting} {
			plan, err := all(t.Context(), tx, value[string], "EXPLAIN SELECT count(*) FROM notifications WHERE "+where)
			if err != nil || !strings.Contains(strings.Join(plan, "\n"), "notifications_waiting") {
				t.Errorf("%s: %s, %v", where, strings.Join(plan, "\n"), err)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
