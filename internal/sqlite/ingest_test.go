package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"redalert/ingest"
	"redalert/schemas"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func testEvent(id string, n int) schemas.Event {
	return schemas.Event{ID: id, Source: "desk", Type: schemas.EmailReceived, NativeID: id, OccurredAt: noon, CollectedAt: noon.Add(time.Duration(n) * time.Hour),
		LocalDate: "2026-03-02", CustomerID: "c", Data: json.RawMessage(`{"value_text":"x"}`)}
}

// orderEvent is an invoice of lines, as large as those of real shops.
func orderEvent(i, lines int) schemas.Event {
	o := schemas.Order{OrderRef: fmt.Sprint(536365 + i), Total: &schemas.Money{Amount: int64(i) * 10, Currency: "GBP"}}
	for k := range lines {
		o.Lines = append(o.Lines, schemas.OrderLine{SKU: fmt.Sprint(85123 + k), Description: "WHITE HANGING HEART T-LIGHT HOLDER", Quantity: int64(k), UnitPrice: &schemas.Money{Amount: 255, Currency: "GBP"}})
	}
	data, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	at := noon.Add(time.Duration(i) * time.Minute)
	return schemas.Event{ID: ingest.CustomerKey{Kind: "event", Value: o.OrderRef}.ID(), Source: "shop", Type: schemas.OrderPlaced, NativeID: o.OrderRef, OccurredAt: at, CollectedAt: at,
		LocalDate: at.Format(time.DateOnly), CustomerID: ingest.CustomerKey{Kind: "ref", Value: fmt.Sprint(i % 4000)}.ID(), OrderRef: o.OrderRef, Location: "United Kingdom", Data: data}
}

func accept(ctx context.Context, d *DB, events []schemas.Event) error {
	receipts := make([]ingest.Receipt, len(events))
	ids := make([]string, len(events))
	for i, e := range events {
		receipts[i], ids[i] = ingest.Receipt{ContentHash: strings.Repeat("0", 64), Event: e}, e.ID
	}
	if _, err := d.Reserve(ctx, receipts); err != nil {
		return err
	}
	if err := d.Publish(ctx, events); err != nil {
		return err
	}
	return d.MarkPublished(ctx, ids)
}

func score(t *testing.T, d *DB, n int) {
	t.Helper()
	for n > 0 {
		b, err := d.Consumer("score").Fetch(t.Context(), 500)
		if err != nil {
			t.Fatal(err)
		}
		scored := make([]schemas.Scored, len(b.Events))
		for i, e := range b.Events {
			scored[i] = schemas.Scored{Event: e, Verdict: schemas.Verdict{EventID: e.ID, Level: schemas.LevelNone, ScoredAt: noon}}
		}
		if _, err := d.Store(t.Context(), scored); err != nil {
			t.Fatal(err)
		}
		if err := b.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		n -= len(b.Events)
	}
}

func count(t *testing.T, d *DB, table string) (n int) {
	t.Helper()
	if err := d.Read().QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// An import writes while the server waits in another process: no wake-up
// reaches it, the poll must.
func TestFetchNoticesAnotherProcess(t *testing.T) {
	server := open(t)
	importer := reopen(t, server)
	waiting := server.wake.Wait() // nothing in this process may close it
	got := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		b, err := server.Consumer("score").Fetch(ctx, 10)
		if err == nil && len(b.Events) != 1 {
			err = fmt.Errorf("%d events", len(b.Events))
		}
		got <- err
	}()
	if err := importer.Publish(t.Context(), []schemas.Event{testEvent("a", 0)}); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	select {
	case <-waiting:
		t.Fatal("the test proves nothing: this process was woken")
	default:
	}
}

func TestFetchEndsWhenTheStoreCloses(t *testing.T) {
	d := open(t)
	got := make(chan error, 1)
	go func() {
		_, err := d.Consumer("score").Fetch(context.Background(), 10)
		got <- err
	}()
	d.Close()
	if err := <-got; err == nil {
		t.Fatal("Fetch answered a batch of a closed store")
	}
}

func TestPayloadIsWrittenOnce(t *testing.T) {
	d := open(t)
	if err := accept(t.Context(), d, []schemas.Event{testEvent("a", 0), testEvent("b", 0)}); err != nil {
		t.Fatal(err)
	}
	score(t, d, 2)
	if n := count(t, d, "payloads"); n != 2 {
		t.Fatalf("%d copies of 2 events", n)
	}
}

func TestPruneKeepsWhatSomebodyNeeds(t *testing.T) {
	d := open(t)
	ctx := t.Context()
	prune := func(want int64) {
		t.Helper()
		n, err := d.Prune(ctx, noon.Add(3*time.Hour))
		if err != nil || n != want {
			t.Fatalf("pruned %d, %v; want %d", n, err, want)
		}
	}
	if err := accept(ctx, d, []schemas.Event{testEvent("a", 0), testEvent("b", 1)}); err != nil {
		t.Fatal(err)
	}
	prune(0) // nobody has read the log yet
	score(t, d, 2)
	lost := testEvent("lost", 1) // read and committed, but never stored in history
	if err := d.Publish(ctx, []schemas.Event{lost, testEvent("new", 9)}); err != nil {
		t.Fatal(err)
	}
	b, err := d.Consumer("score").Fetch(ctx, 1)
	if err != nil || b.Commit(ctx) != nil {
		t.Fatal(err)
	}
	if err := d.PublishAlerts(ctx, []schemas.Notice{{Kind: schemas.NoticeRed, Event: testEvent("a", 0)}}); err != nil {
		t.Fatal(err)
	}
	prune(3) // a, b, lost; the alert has no reader
	if n := count(t, d, "payloads"); n != 3 {
		t.Fatalf("%d payloads left, want those of a, b (history) and new", n)
	}
	p, err := d.Events(ctx, schemas.ListQuery{})
	if err != nil || len(p.Items) != 2 {
		t.Fatalf("history holds %d events, %v; want 2", len(p.Items), err)
	}
	if n, err := d.Consumer("score").Lag(ctx); err != nil || n != 1 {
		t.Fatalf("lag %d, %v; want 1", n, err)
	}
	b, err = d.Consumer("score").Fetch(ctx, 9)
	if err != nil || len(b.Events) != 1 || b.Events[0].ID != "new" {
		t.Fatalf("fetched %v, %v", b.Events, err)
	}
	if err := b.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if n, err := d.Prune(ctx, noon.Add(100*time.Hour)); err != nil || n != 1 {
		t.Fatalf("pruned %d, %v; want 1", n, err)
	}
	// The log is empty now; positions must go on, or the group would miss this.
	if err := d.Publish(ctx, []schemas.Event{testEvent("after", 200)}); err != nil {
		t.Fatal(err)
	}
	if b, err = d.Consumer("score").Fetch(ctx, 9); err != nil || len(b.Events) != 1 || b.Events[0].ID != "after" {
		t.Fatalf("fetched %v, %v", b.Events, err)
	}
}

func TestFetchBoundsItsBatch(t *testing.T) {
	d := open(t)
	big := json.RawMessage(`{"value_text":"` + strings.Repeat("x", 200<<10) + `"}`)
	var events []schemas.Event
	for i := range 100 {
		e := testEvent(fmt.Sprint("e", i), 0)
		e.Data = big
		events = append(events, e)
	}
	if err := d.Publish(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	b, err := d.Consumer("g").Fetch(t.Context(), 100)
	if err != nil || len(b.Events) < 50 || len(b.Events) > 90 {
		t.Fatalf("a batch of %d events of 200 KiB, %v; want about 16 MiB", len(b.Events), err)
	}
}

// FAULTS 42: a full disk stops acceptance with an error that says "come
// again"; nothing is half written, and it goes on when there is room.
func TestFault_42_DiskFull(t *testing.T) {
	d := open(t)
	ctx := t.Context()
	limit := func(pages string) {
		t.Helper()
		if err := d.Write(ctx, func(tx *Tx) error { _, err := tx.Exec("PRAGMA max_page_count = " + pages); return err }); err != nil {
			t.Fatal(err)
		}
	}
	var pages int
	if err := d.Read().QueryRow("PRAGMA page_count").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	limit(fmt.Sprint(pages + 20))
	var accepted []string
	var err error
	for i := 0; err == nil && i < 100; i++ {
		e := orderEvent(i, 100)
		if _, err = d.Reserve(ctx, []ingest.Receipt{{ContentHash: "h", Event: e}}); err == nil {
			accepted = append(accepted, e.ID)
		}
	}
	if !errors.Is(err, ingest.ErrUnavailable) {
		t.Fatalf("a full disk answers %v, want ErrUnavailable", err)
	}
	raw := make([]byte, 1<<20)
	_, blobErr := d.Blobs().Put(ctx, [][]byte{raw})
	for what, err := range map[string]error{
		"publish": d.Publish(ctx, []schemas.Event{orderEvent(0, 100), orderEvent(1000, 300)}), "blob": blobErr,
		"cursor": d.Cursors().Save(ctx, "imap", string(raw)),
	} {
		if !errors.Is(err, ingest.ErrUnavailable) {
			t.Errorf("%s on a full disk: %v, want ErrUnavailable", what, err)
		}
	}
	limit("1073741823")
	again := orderEvent(len(accepted), 100)
	if err := accept(ctx, d, []schemas.Event{again}); err != nil {
		t.Fatalf("with room again: %v", err)
	}
	pending, err := d.Pending(ctx, 1000)
	if err != nil || len(pending) != len(accepted) {
		t.Fatalf("%d receipts, %v; %d were accepted", len(pending), err, len(accepted))
	}
	var ok string
	if err := d.Read().QueryRow("PRAGMA integrity_check").Scan(&ok); err != nil || ok != "ok" {
		t.Fatalf("integrity: %s, %v", ok, err)
	}
}

func TestClosedStoreIsUnavailable(t *testing.T) {
	d := open(t)
	d.Close()
	if err := d.Publish(context.Background(), []schemas.Event{testEvent("a", 0)}); !errors.Is(err, ingest.ErrUnavailable) {
		t.Fatalf("%v, want ErrUnavailable", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := open(t).Reserve(ctx, []ingest.Receipt{{Event: testEvent("a", 0)}}); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v, want context.Canceled", err)
	}
}

// A file of the first schema, with content, opens under the newest.
func TestUpgradeFromTheFirstSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "old.db")
	ms, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	old, err := sql.Open("sqlite", dsn(path, "immediate"))
	if err != nil {
		t.Fatal(err)
	}
	if err := apply(t.Context(), old, ms[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := old.Exec("INSERT INTO meta VALUES ('made_by', 'v1')"); err != nil {
		t.Fatal(err)
	}
	old.Close()
	for range 2 { // the second time there is nothing left to do
		d, err := Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		var version int
		var by string
		if err := errors.Join(d.Read().QueryRow("PRAGMA user_version").Scan(&version), d.Read().QueryRow("SELECT value FROM meta WHERE key = 'made_by'").Scan(&by)); err != nil || version != len(ms) || by != "v1" {
			t.Fatalf("version %d of %d, made by %q, %v", version, len(ms), by, err)
		}
		if err := accept(t.Context(), d, []schemas.Event{testEvent("a", 0)}); err != nil && count(t, d, "receipts") != 1 {
			t.Fatal(err)
		}
		d.Close()
	}
}

func TestBackupIsTheWholeStore(t *testing.T) {
	d := open(t)
	if err := accept(t.Context(), d, []schemas.Event{testEvent("a", 0)}); err != nil {
		t.Fatal(err)
	}
	score(t, d, 1)
	dst := filepath.Join(t.TempDir(), "copy 'of' it.db")
	if err := d.Backup(t.Context(), dst); err != nil {
		t.Fatal(err)
	}
	if err := d.Backup(t.Context(), dst); !errors.Is(err, os.ErrExist) {
		t.Fatalf("a second backup to the same name: %v, want ErrExist", err)
	}
	if info, err := os.Stat(dst); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the backup is open to others: %v, %v", info.Mode(), err)
	}
	b, err := Open(t.Context(), dst)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	want, err1 := d.Counts(t.Context())
	got, err2 := b.Counts(t.Context())
	if err := errors.Join(err1, err2); err != nil || got != want || got.Events != 1 || got.LogEntries != 1 {
		t.Fatalf("backup holds %+v, store %+v, %v", got, want, err)
	}
	if n, err := b.Consumer("score").Lag(t.Context()); err != nil || n != 0 {
		t.Fatalf("lag %d, %v: the backup lost its offsets", n, err)
	}
}

func TestSearchCustomers(t *testing.T) {
	d := open(t)
	if _, err := d.Resolve(t.Context(), []schemas.Sighting{
		{Customer: schemas.CustomerRef{Ref: "K-17", Name: "Ann  MÜLLER", Email: "Ann@Example.com", Phone: "+31 (0)6 123 45"}, At: noon},
		{Customer: schemas.CustomerRef{Ref: "K-18", Name: "Bob"}, At: noon},
	}); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"müller": "K-17", "ANN mül": "K-17", "ann@": "K-17", "k-17": "K-17", "06 123": "K-17", "6-123-45": "K-17", "bob": "K-18", "ann bob": "", "12": "", "%": "", "  ": "", "k-1": "K-17 K-18",
	} {
		cond, args := SearchCustomers(text)
		var got []string
		rows, err := d.Read().Query("SELECT k.value FROM customers c JOIN customer_keys k ON k.customer_id = c.id AND k.kind = 'ref' WHERE "+cond+" ORDER BY 1", args...)
		if err := each(rows, err, func(r *sql.Rows) error {
			var v string
			err := r.Scan(&v)
			got = append(got, v)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q finds %q, want %q", text, got, want)
		}
	}
}
