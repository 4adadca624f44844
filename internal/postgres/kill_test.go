package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"redalert/alerting"
	"redalert/ingest"
	"redalert/internal/servertest"
	"redalert/schemas"
)

// acked collects what the store has said yes to.
type acked struct {
	mu  sync.Mutex
	ids []string
}

func (a *acked) add(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ids = append(a.ids, id)
}

func (a *acked) n() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.ids)
}

// TestServerIsKilledUnderLoad: SIGKILL of PostgreSQL and all its processes,
// twice, while receipts, cases, mail and bytes are written. During the outage
// calls say ErrUnavailable and nothing else; afterwards the same DB works, and
// everything acknowledged is there, once.
func TestServerIsKilledUnderLoad(t *testing.T) {
	s := servertest.OwnPostgres(t)
	d := openURL(t, migratedOn(t, s))
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer func() { stop(); wg.Wait() }()
	var receipts, cases, blobs acked
	outages := make(chan error, 1)
	load := func(kind string, done *acked, do func(id string) error) { work(ctx, t, kind, done, outages, do) }
	wg.Go(func() {
		load("receipt", &receipts, func(id string) error { _, err := d.Reserve(ctx, []ingest.Receipt{receiptOf(id)}); return err })
	})
	wg.Go(func() {
		load("case", &cases, func(id string) error { _, err := d.Cases().Apply(ctx, opening(id)); return err })
	})
	wg.Go(func() {
		load("blob", &blobs, func(id string) error { _, err := d.Blobs().Put(ctx, [][]byte{[]byte(id)}); return err })
	})
	all := []*acked{&receipts, &cases, &blobs}
	for range 2 {
		waitFor(t, "work", func() bool { return grown(all, 15) })
		outage(t, s, d, outages)
	}
	waitFor(t, "work after the outage", func() bool { return grown(all, 15) })
	stop()
	wg.Wait()
	checkAcked(t, d, receipts.ids, cases.ids, blobs.ids)
}

// work writes one thing after the other, each until the store says yes.
func work(ctx context.Context, t *testing.T, kind string, done *acked, outages chan error, do func(id string) error) {
	for i := 0; ctx.Err() == nil; i++ {
		id := fmt.Sprint(kind, " ", i)
		for ctx.Err() == nil {
			err := do(id)
			if err == nil || isConflict(err) { // taken, now or by an attempt whose answer was lost
				done.add(id)
				break
			}
			if ctx.Err() == nil && !errors.Is(err, ingest.ErrUnavailable) {
				t.Errorf("%s: %v, want ErrUnavailable", id, err)
			}
			select {
			case outages <- err:
			default:
			}
		}
	}
}

// outage kills the server, looks at what everybody is told, and starts it again.
func outage(t *testing.T, s *servertest.PostgresServer, d *DB, outages chan error) {
	t.Helper()
	s.Kill(t)
	select {
	case <-outages:
	default:
	}
	if err := <-outages; !errors.Is(err, ingest.ErrUnavailable) {
		t.Errorf("during the outage: %v", err)
	}
	if _, err := d.Pending(t.Context(), 1); !errors.Is(err, ingest.ErrUnavailable) {
		t.Errorf("read during the outage: %v", err)
	}
	if _, err := Open(t.Context(), Config{URL: d.cfg.URL}); !errors.Is(err, ingest.ErrUnavailable) {
		t.Errorf("Open during the outage: %v", err)
	}
	s.Start(t)
}

var before = map[*acked]int{}

// grown reports, and begins to count anew, when each has grown by n.
func grown(all []*acked, n int) bool {
	for _, a := range all {
		if a.n() < before[a]+n {
			return false
		}
	}
	for _, a := range all {
		before[a] = a.n()
	}
	return true
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func checkAcked(t *testing.T, d *DB, receipts, cases, blobs []string) {
	t.Helper()
	t.Logf("acknowledged: %d receipts, %d cases, %d blobs", len(receipts), len(cases), len(blobs))
	for _, id := range receipts {
		out, err := d.Reserve(t.Context(), []ingest.Receipt{receiptOf(id)})
		if err != nil || out[0].Outcome != ingest.ReceiptDuplicate {
			t.Fatalf("%s is lost: %+v, %v", id, out, err)
		}
	}
	for i, id := range cases {
		c, err := d.Cases().Case(t.Context(), id)
		if err != nil || c.Number != int64(i+1) {
			t.Fatalf("%s has number %d, %v", id, c.Number, err)
		}
	}
	for _, rows := range []string{"cases", "case_events", "case_alerts", "notifications"} {
		if n := count(t, d, rows); n < len(cases) || n > len(cases)+1 { // the last may not have been acknowledged
			t.Errorf("%d rows of %s, %d cases were acknowledged", n, rows, len(cases))
		}
	}
	for _, id := range blobs {
		sum := sha256.Sum256([]byte(id))
		if raw, err := d.Blobs().Get(t.Context(), hex.EncodeToString(sum[:])); err != nil || string(raw) != id {
			t.Fatalf("%s is lost: %q, %v", id, raw, err)
		}
	}
}

// TestTwoProcessesClaim: of two that claim one case at once, one wins and the
// other is told who, round after round.
func TestTwoProcessesClaim(t *testing.T) {
	one := open(t)
	stores := []alerting.Cases{one.Cases(), reopen(t, one).Cases()}
	c := opening("c1")
	if _, err := stores[0].Apply(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for round := int64(1); round <= 30; round++ {
		now, err := stores[round%2].Case(t.Context(), "c1")
		if err != nil || now.Version != round {
			t.Fatal(now.Version, err)
		}
		errs := make([]error, 2)
		var wg sync.WaitGroup
		for i, s := range stores {
			wg.Go(func() {
				mine := now
				mine.Assignee = fmt.Sprint("p", i)
				_, errs[i] = s.Apply(t.Context(), alerting.Change{Before: round, Case: mine, Audit: []schemas.CaseEvent{{At: noon, Actor: mine.Assignee, Kind: schemas.AuditAssigned}}})
			})
		}
		wg.Wait()
		winner := 0
		if errs[0] != nil {
			winner = 1
		}
		var conflict *alerting.Conflict
		if errs[winner] != nil || !errors.As(errs[1-winner], &conflict) || conflict.By != fmt.Sprint("p", winner) || conflict.Version != round+1 {
			t.Fatalf("round %d: %v", round, errs)
		}
	}
}

// TestTwoProcessesOpenOneCustomersCase: under the old id of a customer and under
// the new one at once: one case.
func TestTwoProcessesOpenOneCustomersCase(t *testing.T) {
	one := open(t)
	two := reopen(t, one)
	for round := range 15 {
		mail := schemas.Sighting{Customer: schemas.CustomerRef{Email: fmt.Sprint(round, "@home.example")}, At: noon}
		was, err := one.Resolve(t.Context(), []schemas.Sighting{mail})
		if err != nil {
			t.Fatal(err)
		}
		mail.Customer.Ref = fmt.Sprint("K-", round)
		is, err := one.Resolve(t.Context(), []schemas.Sighting{mail})
		if err != nil {
			t.Fatal(err)
		}
		errs := make([]error, 2)
		var wg sync.WaitGroup
		for i, key := range []string{was[0], is[0]} {
			wg.Go(func() {
				ch := opening(fmt.Sprint("c", round, "-", i))
				ch.Case.Key = key
				_, errs[i] = []*DB{one, two}[i].Cases().Apply(t.Context(), ch)
			})
		}
		wg.Wait()
		if (errs[0] == nil) == (errs[1] == nil) || !isConflict(errors.Join(errs...)) {
			t.Fatalf("round %d: %v", round, errs)
		}
	}
}
