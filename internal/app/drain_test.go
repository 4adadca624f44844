package app

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"redalert/ingest"
	"redalert/internal/memstore"
	"redalert/schemas"
)

func reserved(id string) ingest.Receipt {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	data, _ := json.Marshal(map[string]any{"order_ref": id, "total": map[string]any{"amount": 5000, "currency": "EUR"}})
	return ingest.Receipt{ContentHash: "h", Event: schemas.Event{
		ID: id, Source: "file", Type: schemas.OrderPlaced, NativeID: id, OccurredAt: at, CollectedAt: at, LocalDate: "2026-03-02", Data: data,
	}}
}

// TestDrainPublishesWhatAKilledImportLeft: over the servers, also what was
// reserved a moment ago.
func TestDrainPublishesWhatAKilledImportLeft(t *testing.T) {
	cfg := scaledConfig(t, uniqueName())
	a, err := New(t.Context(), cfg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	db, err := pgx.Connect(t.Context(), cfg.Postgres.URL.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	if _, err := a.Stores.Receipts.Reserve(t.Context(), []ingest.Receipt{reserved("left-1"), reserved("left-2")}); err != nil {
		t.Fatal(err)
	}
	var rested time.Duration
	a.rest = func(ctx context.Context, d time.Duration) error {
		rested += d
		_, err := db.Exec(ctx, "UPDATE receipts_pending SET reserved_at = reserved_at - make_interval(secs => $1)", d.Seconds())
		return err
	}
	if err := a.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, _, err := a.Stores.Unpublished(t.Context()); n != 0 || err != nil {
		t.Errorf("left unpublished: %d, %v", n, err)
	}
	page, err := a.Stores.History.Events(t.Context(), schemas.ListQuery{})
	if err != nil || len(page.Items) != 2 {
		t.Errorf("history: %v, %v", page.Items, err)
	}
	if rested <= pendingAge-10*time.Second || rested > pendingAge+lookAgain {
		t.Errorf("waited for %v", rested)
	}
}

// young hides what is reserved until it is old enough.
type young struct {
	*memstore.Store
	wait time.Duration
}

func (y *young) Pending(ctx context.Context, limit int) ([]schemas.Event, error) {
	if y.wait > 0 {
		return nil, nil
	}
	return y.Store.Pending(ctx, limit)
}

func (y *young) Unpublished(ctx context.Context) (int64, time.Duration, error) {
	all, err := y.Store.Pending(ctx, 100)
	return int64(len(all)), y.wait, err
}

// awaiting is a case of awaitUnpublished.
type awaiting struct {
	name    string
	wait    time.Duration
	left    int                          // events reserved before
	resting func(t *testing.T, y *young) // runs in every pause
	waits   time.Duration                // exactly so long
	says    []string                     // in the log
	remain  int64
}

func (c awaiting) run(t *testing.T) {
	var log bytes.Buffer
	y := &young{memstore.New(), c.wait}
	a := &App{Options: Options{Log: slog.New(slog.NewTextHandler(&log, nil))}, Stores: Stores{Unpublished: y.Unpublished},
		Door: ingest.NewDoor(ingest.DoorConfig{Receipts: y, Publisher: y})}
	for _, id := range []string{"a", "b", "c"}[:c.left] {
		if _, err := y.Reserve(t.Context(), []ingest.Receipt{reserved(id)}); err != nil {
			t.Fatal(err)
		}
	}
	var rested time.Duration
	a.rest = func(_ context.Context, d time.Duration) error {
		rested, y.wait = rested+d, y.wait-d
		if c.resting != nil {
			c.resting(t, y)
		}
		return nil
	}
	waited, err := a.awaitUnpublished(t.Context())
	if err != nil || waited != (c.left > 0) || rested != c.waits {
		t.Errorf("waited %v for %v, %v; want %v", waited, rested, err, c.waits)
	}
	if n, _, err := y.Unpublished(t.Context()); n != c.remain || err != nil {
		t.Errorf("%d are left, %v; want %d", n, err, c.remain)
	}
	if i := slices.IndexFunc(c.says, func(s string) bool { return !strings.Contains(log.String(), s) }); i >= 0 || len(c.says) == 0 && log.Len() > 0 {
		t.Errorf("log: %s, want %q", log.String(), c.says)
	}
}

func TestAwaitUnpublished(t *testing.T) {
	for _, c := range []awaiting{
		{name: "nothing there"},
		{name: "old in a while", wait: 33 * time.Second, left: 3, waits: 34 * time.Second, says: []string{"waiting", "events=3 seconds_at_most=34", "published"}},
		{name: "old just now", left: 1, waits: time.Second, says: []string{"waiting", "published"}},
		{name: "somebody else is at work", wait: time.Minute, left: 1, waits: lookAgain, says: []string{"waiting"}, resting: func(t *testing.T, y *young) {
			if err := y.MarkPublished(t.Context(), []string{"a"}); err != nil {
				t.Error(err)
			}
		}},
		{name: "ever new ones", wait: time.Minute, left: 1, waits: 61 * time.Second, says: []string{"waiting", "accepted since"}, remain: 1, resting: func(_ *testing.T, y *young) {
			y.wait = time.Minute
		}},
	} {
		t.Run(c.name, c.run)
	}
}

// away is a store of receipts out of reach.
type away struct{ ingest.Receipts }

func (away) Pending(context.Context, int) ([]schemas.Event, error) {
	return nil, ingest.ErrUnavailable
}

// heard tells of everything that is written.
type heard func(string)

func (w heard) Write(p []byte) (int, error) {
	w(string(p))
	return len(p), nil
}

// TestCollectSaysThatItCouldNotRecover: it goes on, since others may serve the
// stores meanwhile, but says so at once.
func TestCollectSaysThatItCouldNotRecover(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // without a word it would run for ever
	defer cancel()
	var said strings.Builder
	a := &App{Options: Options{Log: slog.New(slog.NewTextHandler(heard(func(s string) {
		said.WriteString(s)
		cancel()
	}), nil))}, Stores: Stores{Apart: true}, Door: ingest.NewDoor(ingest.DoorConfig{Receipts: away{}})}
	if err := a.collect(ctx); err != nil {
		t.Error(err)
	}
	if !strings.Contains(said.String(), "not yet in the log") {
		t.Errorf("said: %q", said.String())
	}
}
