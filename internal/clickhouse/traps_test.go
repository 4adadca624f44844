package clickhouse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"sync"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	lib "github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"redalert/internal/memstore"
	"redalert/internal/servertest"
	"redalert/schemas"
)

// Each trap of the driver is shown on the naive use first, so that a newer
// driver that no longer has it is noticed, and then on ours.

// naive is a table of one column and a connection without our settings.
func naive(t *testing.T, settings driver.Settings) driver.Conn {
	t.Helper()
	return naiveDial(t, settings, nil)
}

func naiveDial(t *testing.T, settings driver.Settings, dial func(context.Context, string) (net.Conn, error)) driver.Conn {
	t.Helper()
	c := database(t, servertest.ClickHouse(t))
	created(t, c)
	conn, err := driver.Open(&driver.Options{Addr: []string{c.Addr}, Auth: driver.Auth{Database: c.Database}, Settings: settings, MaxOpenConns: 2, DialTimeout: 300 * time.Millisecond, DialContext: dial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.Exec(t.Context(), "CREATE TABLE plain (n Int64) ENGINE = MergeTree ORDER BY n"); err != nil {
		t.Fatal(err)
	}
	return conn
}

func prepare(t *testing.T, conn driver.Conn, rows ...any) lib.Batch {
	t.Helper()
	b, err := conn.PrepareBatch(t.Context(), "INSERT INTO plain (n)")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if err := b.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func rowsOf(t *testing.T, conn driver.Conn) (n uint64) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), "SELECT count() FROM plain").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestTrapSendTwice: a batch that is sent again, as after a failure, writes its
// rows again. Ours takes a fresh batch an attempt, and rows that replace each other.
func TestTrapSendTwice(t *testing.T) {
	conn := naive(t, nil)
	b := prepare(t, conn, int64(1), int64(2))
	for range 2 {
		if err := b.Send(); err != nil {
			t.Fatal(err)
		}
	}
	if n := rowsOf(t, conn); n != 4 {
		t.Errorf("naive: %d rows; the trap is gone if 2", n)
	}
	d := open(t)
	rows, err := newBatch(mails("m", 2))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.insertEvents(t.Context(), rows.rows, 1); err != nil {
			t.Fatal(err)
		}
	}
	checkCounts(t, d, 2, nil)
}

// TestTrapFlushThenAbort: what was flushed is in, whatever Abort says. Ours
// never flushes: an insert that fails on a late column leaves nothing.
func TestTrapFlushThenAbort(t *testing.T) {
	conn := naive(t, driver.Settings{"min_insert_block_size_rows": 1, "min_insert_block_size_bytes": 1}) // as if it were a large block
	b := prepare(t, conn, int64(1))
	if err := errors.Join(b.Flush(), b.Append(int64(2)), b.Flush()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "naive: a flushed row is in before Send; the trap is gone if never", func() bool { return rowsOf(t, conn) > 0 })
	if err := b.Abort(); err != nil {
		t.Fatal(err)
	}
	if n := rowsOf(t, conn); n == 0 {
		t.Error("naive: Abort took the flushed row back; the trap is gone")
	}

	d := open(t)
	rows, err := newBatch(mails("m", 2))
	if err != nil {
		t.Fatal(err)
	}
	cols := eventColumns(rows.rows, 1)
	cols[len(cols)-1] = []string{"no", "number"}
	if err := d.insert(t.Context(), eventsTable, cols); err == nil {
		t.Fatal("a wrong column was taken")
	}
	mustStore(t, d, mails("n", 2)...)
	checkCounts(t, d, 2, nil)
}

// TestTrapBadAppend: one row that does not fit makes the whole batch useless,
// the good rows before it too. Ours checks before it appends and names the row.
func TestTrapBadAppend(t *testing.T) {
	conn := naive(t, nil)
	b := prepare(t, conn, int64(1))
	if err := b.Append(struct{}{}); err == nil {
		t.Fatal("a struct was taken for a number")
	}
	if err := b.Append(int64(2)); !errors.Is(err, driver.ErrBatchInvalid) {
		t.Errorf("naive: Append after a bad one: %v; the trap is gone if nil", err)
	}
	if err := b.Send(); !errors.Is(err, driver.ErrBatchInvalid) {
		t.Errorf("naive: Send after a bad Append: %v; the trap is gone if nil", err)
	}
	if n := rowsOf(t, conn); n != 0 {
		t.Errorf("naive: %d rows; the trap is gone if 2", n)
	}
	// Ours is TestFault_41_ColumnError: the others get in.
}

// TestTrapPrepareHoldsAConnection: batches prepared and not yet sent starve
// everybody else. Ours prepares when all rows are there, so any number may wait.
func TestTrapPrepareHoldsAConnection(t *testing.T) {
	conn := naive(t, nil) // of two connections
	held := []lib.Batch{prepare(t, conn, int64(1)), prepare(t, conn, int64(2))}
	if err := conn.Ping(t.Context()); !errors.Is(err, driver.ErrAcquireConnTimeout) {
		t.Errorf("naive: Ping beside two open batches: %v; the trap is gone if nil", err)
	}
	for _, b := range held {
		if err := b.Send(); err != nil {
			t.Fatal(err)
		}
	}
	d := open(t)
	waiting, proceed := make(chan string, 3*maxConns), make(chan struct{})
	d.hooks.beforeInsert = func(table string) {
		waiting <- table
		<-proceed
	}
	errs := make(chan error, 2*maxConns)
	for i := range 2 * maxConns {
		go func() {
			_, err := d.Store(context.WithoutCancel(t.Context()), mails(fmt.Sprint("w", i, "-"), 2))
			errs <- err
		}()
	}
	for range 2 * maxConns {
		<-waiting
	}
	if err := d.Ping(t.Context()); err != nil {
		t.Errorf("Ping beside %d inserts on their way: %v", 2*maxConns, err)
	}
	close(proceed)
	for range 2 * maxConns {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	checkCounts(t, d, 4*maxConns, nil)
}

// TestTrapSendErrorIsUnknown: an insert whose context ends may be in all the
// same. Ours makes it again.
func TestTrapSendErrorIsUnknown(t *testing.T) {
	c := database(t, servertest.ClickHouse(t))
	direct := connect(t, c)
	d := connect(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	var l lossy
	c.dial = l.dial
	d2 := connect(t, c)
	took := func() {
		eventually(t, "the insert is in", func() bool { return count(t, direct, "events") == 3 })
		cancel()
	}
	d2.hooks.beforeSend = func(string) { l.lose.Store(&took) }
	if _, err := d2.Store(ctx, mails("m", 3)); err == nil {
		t.Fatal("Store answers though its context has ended")
	}
	if n := count(t, direct, "events"); n != 3 {
		t.Errorf("%d events after the error; the trap is gone if 0", n)
	}
	mustStore(t, d, mails("m", 3)...)
	checkCounts(t, d, 3, nil)
}

// TestTrapAsyncInsert: a server (from 26.3 on by default) or a profile with
// async_insert may answer an insert that is not in yet, and never will be. The
// driver says nothing of it by itself. Ours says async_insert=0 with every insert.
func TestTrapAsyncInsert(t *testing.T) {
	lazy := driver.Settings{"async_insert": 1, "wait_for_async_insert": 0, "async_insert_busy_timeout_min_ms": 20000, "async_insert_busy_timeout_max_ms": 20000,
		"async_insert_use_adaptive_busy_timeout": 0}
	conn := naive(t, lazy)
	if err := prepare(t, conn, int64(1)).Send(); err != nil {
		t.Fatal(err)
	}
	if n := rowsOf(t, conn); n != 0 {
		t.Log("this server does not insert asynchronously; only what is sent can be looked at")
	}
	off := regexp.MustCompile(`async_insert[\x00\x01]\x010`)
	var plain recorder
	conn = naiveDial(t, nil, plain.dial)
	if err := prepare(t, conn, int64(1)).Send(); err != nil {
		t.Fatal(err)
	}
	for _, q := range plain.inserts() {
		if off.Match(q) {
			t.Error("naive: the driver says async_insert=0 by itself; the trap is gone")
		}
	}
	c := database(t, servertest.ClickHouse(t))
	c.settings = lazy // as the server's default would be
	var sent recorder
	c.dial = sent.dial
	s := memstore.New()
	c.Aliases = s
	d := connect(t, c)
	mustStore(t, d, append(mails("m", 3), placed("1", "c", 5, noon))...)
	for _, ref := range []schemas.CustomerRef{{Phone: "555 1234"}, {Phone: "555 1234", Ref: "C1"}} {
		if _, err := s.Resolve(t.Context(), []schemas.Sighting{{Customer: ref, At: noon}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Totals(t.Context(), []string{"c"}); err != nil {
		t.Fatal(err)
	}
	if err := d.insertClaim(t.Context(), "x", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	for _, x := range tables {
		if count(t, d, x.name) == 0 {
			t.Errorf("%s: nothing is in yet", x.name)
		}
	}
	inserts := sent.inserts()
	if len(inserts) < len(tables)+1 { // and the schema's version
		t.Errorf("only %d inserts were seen", len(inserts))
	}
	for _, q := range inserts {
		if !off.Match(q) {
			t.Errorf("an insert does not say async_insert=0: %q", q)
		}
	}
}

// recorder keeps what connections send.
type recorder struct {
	mu   sync.Mutex
	sent [][]byte
}

func (r *recorder) dial(ctx context.Context, addr string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	return recordedConn{c, r}, err
}

// inserts answers the packets that begin an insert, settings and all.
func (r *recorder) inserts() (out [][]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.sent {
		if bytes.Contains(b, []byte("INSERT INTO ")) {
			out = append(out, b)
		}
	}
	return out
}

type recordedConn struct {
	net.Conn
	r *recorder
}

func (c recordedConn) Write(b []byte) (int, error) {
	c.r.mu.Lock()
	c.r.sent = append(c.r.sent, bytes.Clone(b))
	c.r.mu.Unlock()
	return c.Conn.Write(b)
}

// TestTrapZones: in a column without a zone the day of a time, and so the key of
// its row, depends on who asks. Ours says UTC, to the millisecond.
func TestTrapZones(t *testing.T) {
	conn := naive(t, nil)
	var naiveDay string
	// What a column without a zone is on a server in Tokyo.
	if err := conn.QueryRow(t.Context(), "SELECT toString(toDate(CAST('2026-03-01 20:00:00.000', 'DateTime64(3, \\'UTC\\')')::DateTime64(3, 'Asia/Tokyo')))").Scan(&naiveDay); err != nil {
		t.Fatal(err)
	}
	if naiveDay != "2026-03-02" {
		t.Errorf("naive: the day is %s; the trap is gone if 2026-03-01", naiveDay)
	}
	zone := time.FixedZone("far", 13*3600+45*60)
	d := open(t)
	s := mail("x", 0.25)
	s.Event.OccurredAt = time.Date(2026, 3, 1, 23, 59, 59, 999_000_000, time.UTC).In(zone)
	mustStore(t, d, s)
	var key string
	var at time.Time
	if err := d.conn.QueryRow(t.Context(), "SELECT toString(toDate(occurred_at)), occurred_at FROM events").Scan(&key, &at); err != nil {
		t.Fatal(err)
	}
	if key != "2026-03-01" || !at.Equal(s.Event.OccurredAt) {
		t.Errorf("stored under %s as %s", key, at)
	}
	if v := mustStore(t, d, mail("y", 0.5), s); v[1].Probability != 0.25 || count(t, d, "events") != 2 {
		t.Error("the same event in another zone is another event")
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}
