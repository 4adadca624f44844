package clickhouse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"redalert/ingest"
	"redalert/internal/memstore"
	"redalert/internal/servertest"
	"redalert/schemas"
	"redalert/signals"
)

// lossy is a network that can lose answers: while lose is set, an answer that
// arrives is held until lose returns, and then the connection breaks.
type lossy struct{ lose atomic.Pointer[func()] }

func (l *lossy) dial(ctx context.Context, addr string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	return lossyConn{c, l}, err
}

type lossyConn struct {
	net.Conn
	l *lossy
}

func (c lossyConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if lose := c.l.lose.Load(); lose != nil {
		(*lose)()
		c.Close()
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

// TestFault_37_AnswerLostAfterAnInsert: each insert of a Store takes effect and
// its answer gets lost; the Store is made again, and everything counts once.
func TestFault_37_AnswerLostAfterAnInsert(t *testing.T) {
	for _, table := range []string{"events", "order_events", "orders"} {
		t.Run(table, func(t *testing.T) {
			c := database(t, servertest.ClickHouse(t))
			direct := connect(t, c)
			var l lossy
			c.dial = l.dial
			d := connect(t, c)
			took := func() {
				for count(t, direct, table) == 0 {
					time.Sleep(5 * time.Millisecond)
				}
			}
			d.hooks.beforeSend = func(name string) {
				if name == table {
					l.lose.Store(&took)
				}
			}
			scored := append(mails("m", 20), placed("1", "c", 500, noon), placed("2", "c", 70, noon.AddDate(0, 0, 1)))
			if _, err := d.Store(t.Context(), scored); !errors.Is(err, ingest.ErrUnavailable) {
				t.Fatalf("Store: %v, want ErrUnavailable", err)
			}
			l.lose.Store(nil)
			d.hooks.beforeSend = nil
			for i := range scored {
				scored[i].Verdict.Probability = 0.75 // an updated model scores the replay
			}
			for i, v := range mustStore(t, d, scored...) {
				if v.Probability != 0.25 {
					t.Errorf("%s: the replay's verdict is answered", scored[i].Event.ID)
				}
			}
			checkCounts(t, d, 22, map[string]signals.CustomerTotals{"c": {Orders: 2, Revenue: 570, FirstOrderAt: noon, LastOrderAt: noon.AddDate(0, 0, 1)}})
		})
	}
}

// checkCounts looks from all sides whether there are n events and those totals.
func checkCounts(t *testing.T, d *DB, n int64, totals map[string]signals.CustomerTotals) {
	t.Helper()
	tr, err := d.Trend(t.Context(), signals.TrendAlerts, schemas.TrendQuery{From: "2026-01-01", To: "2027-01-01", Period: schemas.PeriodMonth})
	if err != nil {
		t.Fatal(err)
	}
	var counted int64
	for _, p := range tr.Series[0].Points {
		counted += p.N
	}
	if counted != n {
		t.Errorf("the trend counts %d events, want %d", counted, n)
	}
	if got := count(t, d, "events FINAL"); got != uint64(n) {
		t.Errorf("%d events, want %d", got, n)
	}
	for id, want := range totals {
		got, err := d.Totals(t.Context(), []string{id})
		if err != nil || got[id] != want {
			t.Errorf("totals of %s: %+v, %v; want %+v", id, got[id], err, want)
		}
		facts, err := d.OrderFacts(t.Context(), []string{id})
		if err != nil || int64(len(facts[id])) != want.Orders {
			t.Errorf("facts of %s: %d, %v; want %d", id, len(facts[id]), err, want.Orders)
		}
	}
}

// TestFault_37_KilledDuringInserts: the server is killed again and again while
// batches come in; each is tried until it is answered, and all count once.
func TestFault_37_KilledDuringInserts(t *testing.T) {
	s := servertest.OwnClickHouse(t)
	d := connect(t, database(t, s))
	const batches, size = 40, 100
	stored := make(chan int, batches)
	failed := atomic.Int64{}
	go func() {
		defer close(stored)
		for i := range batches {
			scored := mails(fmt.Sprintf("b%02d-", i), size-1)
			scored = append(scored, placed(fmt.Sprint("o", i), "c", 10, noon))
			for {
				vs, err := d.Store(t.Context(), scored)
				if err == nil && len(vs) == size {
					break
				}
				failed.Add(1)
				if t.Context().Err() != nil || !errors.Is(err, ingest.ErrUnavailable) {
					t.Errorf("batch %d: %v", i, err)
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
			stored <- i
		}
	}()
	done := 0
	for i := range stored {
		if done++; i%20 == 5 {
			s.Kill(t)
			s.Start(t)
		}
	}
	if done != batches || failed.Load() == 0 {
		t.Fatalf("%d of %d batches stored, %d attempts failed", done, batches, failed.Load())
	}
	checkCounts(t, d, batches*size, map[string]signals.CustomerTotals{"c": {Orders: batches, Revenue: 10 * batches, FirstOrderAt: noon, LastOrderAt: noon}})
}

// TestFault_36_ServerDown: while the server is down the worker keeps the batch
// and nothing else: the lag grows, memory does not. After that counts are exact.
func TestFault_36_ServerDown(t *testing.T) {
	s := servertest.OwnClickHouse(t)
	d := connect(t, database(t, s))
	m := memstore.New()
	w := newWorker(m, d)
	publish := func(prefix string, n int) {
		t.Helper()
		var events []schemas.Event
		for _, x := range mails(prefix, n) {
			events = append(events, x.Event)
		}
		if err := m.Publish(t.Context(), events); err != nil {
			t.Fatal(err)
		}
	}
	publish("before", 100)
	drain(t, w)
	s.Kill(t)
	publish("meanwhile", 3000)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 200 {
		if _, err := w.Step(t.Context()); !errors.Is(err, ingest.ErrUnavailable) {
			t.Fatalf("Step: %v, want ErrUnavailable", err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("the heap grew by %d bytes over 200 attempts", grown)
	}
	if lag, err := m.Consumer("score").Lag(t.Context()); err != nil || lag != 3000 {
		t.Errorf("lag %d, %v; want 3000", lag, err)
	}
	s.Start(t)
	drain(t, w)
	checkCounts(t, d, 3100, nil)
}

func newWorker(m *memstore.Store, d *DB) *signals.Worker {
	return signals.NewWorker(signals.WorkerConfig{Consumer: m.Consumer("score"), Alerts: m, History: d, Context: d, Quarantine: m.Quarantine(),
		Keep: func(ctx context.Context, raw []byte) (string, error) {
			sums, err := m.Blobs().Put(ctx, [][]byte{raw})
			return slices.Concat(sums, []string{""})[0], err
		},
		Business: schemas.Business{Currency: "EUR"}, Now: func() time.Time { return noon.Add(2 * time.Hour) }})
}

func drain(t *testing.T, w *signals.Worker) {
	t.Helper()
	for {
		n, err := w.Step(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

// TestFault_41_BackOff: errors of the server that may pass are ErrUnavailable,
// and leave nothing behind that counts twice later.
func TestFault_41_BackOff(t *testing.T) {
	d := open(t)
	mustStore(t, d, mails("a", 5)...)
	exec(t, d, "SYSTEM STOP MERGES "+d.c.Database+".events")
	mustStore(t, d, mails("b", 5)...)
	exec(t, d, "ALTER TABLE events MODIFY SETTING parts_to_throw_insert = 1, parts_to_delay_insert = 1")
	_, err := d.Store(t.Context(), mails("c", 5))
	if !errors.Is(err, ingest.ErrUnavailable) || code(err) != 252 {
		t.Errorf("too many parts: %v", err)
	}
	exec(t, d, "ALTER TABLE events RESET SETTING parts_to_throw_insert, parts_to_delay_insert")
	mustStore(t, d, mails("c", 5)...)
	checkCounts(t, d, 15, nil)

	for code, want := range map[int32]bool{242: true, 252: true, 159: true, 241: true, 202: true, 209: true, 210: true, 999: true, 16: false, 60: false, 497: false, 516: false, 469: false} {
		err := unavailable("x", fmt.Errorf("send: %w", &driver.Exception{Code: code}))
		if errors.Is(err, ingest.ErrUnavailable) != want {
			t.Errorf("code %d: %v", code, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Store(ctx, mails("d", 5)); !errors.Is(err, context.Canceled) || errors.Is(err, ingest.ErrUnavailable) {
		t.Errorf("cancelled: %v", err)
	}
}

func code(err error) int32 {
	var x *driver.Exception
	if errors.As(err, &x) {
		return x.Code
	}
	return 0
}

// TestFault_41_ReadOnlyTable: a table that takes no inserts for now is waited for.
func TestFault_41_ReadOnlyTable(t *testing.T) {
	d := open(t)
	if err := d.conn.Exec(t.Context(), "ALTER TABLE events MODIFY SETTING table_readonly = 1"); err != nil {
		t.Fatalf("this server cannot make a table read-only: %v", err)
	}
	if _, err := d.Store(t.Context(), mails("a", 5)); !errors.Is(err, ingest.ErrUnavailable) || code(err) == 0 {
		t.Errorf("read-only: %v", err)
	}
	exec(t, d, "ALTER TABLE events MODIFY SETTING table_readonly = 0")
	mustStore(t, d, mails("a", 5)...)
	checkCounts(t, d, 5, nil)
}

// TestFault_41_ColumnError: what the server refuses for what it holds goes to
// quarantine alone; so does what does not fit before it is sent.
func TestFault_41_ColumnError(t *testing.T) {
	d := open(t)
	exec(t, d, "ALTER TABLE events ADD CONSTRAINT no_nonsense CHECK location != 'nonsense'")
	scored := mails("m", 200)
	for _, i := range []int{0, 77, 78, 199} {
		scored[i].Event.Location = "nonsense"
	}
	scored[5].Event.OccurredAt = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	scored[6].Event.LocalDate = "yesterday"
	m := memstore.New()
	var events []schemas.Event
	for _, x := range scored {
		events = append(events, x.Event)
	}
	if err := m.Publish(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	drain(t, newWorker(m, d))
	if n := count(t, d, "events FINAL"); n != 194 {
		t.Errorf("%d events, want 194", n)
	}
	page, err := m.Quarantine().List(t.Context(), schemas.QuarantineOpen, schemas.ListQuery{})
	if err != nil {
		t.Fatal(err)
	}
	var aside []string
	for _, q := range page.Items {
		aside = append(aside, q.Locator)
		raw, err := m.Blobs().Get(t.Context(), q.RawSHA256)
		if err != nil || !bytes.Contains(raw, []byte(q.Locator)) || q.Code != schemas.QHistory || strings.Contains(q.Reason, "text") {
			t.Errorf("%+v, %v", q, err)
		}
	}
	slices.Sort(aside)
	if want := []string{"m00000", "m00005", "m00006", "m00077", "m00078", "m00199"}; !slices.Equal(aside, want) {
		t.Errorf("in quarantine: %v, want %v", aside, want)
	}
}

// FAULTS 42: the server's disk fills under load. The worker keeps its batch and
// waits; with room again it goes on, and counts are exact, also after a crash.
func TestFault_42_DiskFull(t *testing.T) {
	disk := servertest.SmallDisk(t, 512)
	s := servertest.OwnClickHouseIn(t, disk.Path)
	d := connect(t, database(t, s))
	m := memstore.New()
	w := newWorker(m, d)
	n := 0
	publish := func() {
		t.Helper()
		var events []schemas.Event
		for _, x := range mails(fmt.Sprintf("%02d-", n), 200) {
			events = append(events, x.Event)
		}
		if err := m.Publish(t.Context(), events); err != nil {
			t.Fatal(err)
		}
		n++
	}
	publish()
	drain(t, w)
	disk.Fill(t, 256<<10)
	var err error
	for err == nil && n < 200 {
		publish()
		_, err = w.Step(t.Context())
	}
	t.Logf("%d batches until: %v", n, err)
	if !errors.Is(err, ingest.ErrUnavailable) {
		t.Fatalf("Step on a full disk: %v, want ErrUnavailable", err)
	}
	if lag, err := m.Consumer("score").Lag(t.Context()); err != nil || lag == 0 {
		t.Errorf("lag %d, %v: the batch was let go", lag, err)
	}
	disk.Free(t)
	drain(t, w)
	checkCounts(t, d, int64(n)*200, nil)
	s.Kill(t)
	s.Start(t)
	checkCounts(t, connect(t, d.c), int64(n)*200, nil)
}
