package ingest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"redalert/ingest"
	"redalert/internal/memstore"
	"redalert/schemas"
)

// faulty is a store whose ports can be made to fail, counting calls.
type faulty struct {
	*memstore.Store
	mu     sync.Mutex
	down   map[string]bool
	calls  map[string]int
	logged []schemas.Event
}

func newStore() *faulty {
	return &faulty{Store: memstore.New(), down: map[string]bool{}, calls: map[string]int{}}
}

func (f *faulty) call(port string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[port]++
	if f.down[port] {
		return errDown
	}
	return nil
}

func (f *faulty) set(port string, down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down[port] = down
}

func (f *faulty) Publish(ctx context.Context, e []schemas.Event) error {
	if err := f.call("publish"); err != nil {
		return err
	}
	f.mu.Lock()
	f.logged = append(f.logged, e...)
	f.mu.Unlock()
	return nil
}

func (f *faulty) Reserve(ctx context.Context, r []ingest.Receipt) ([]ingest.Reservation, error) {
	if err := f.call("reserve"); err != nil {
		return nil, err
	}
	return f.Store.Reserve(ctx, r)
}

func (f *faulty) MarkPublished(ctx context.Context, ids []string) error {
	if err := f.call("mark"); err != nil {
		return err
	}
	return f.Store.MarkPublished(ctx, ids)
}

func (f *faulty) Resolve(ctx context.Context, s []schemas.Sighting) ([]string, error) {
	if err := f.call("resolve"); err != nil {
		return nil, err
	}
	return f.Store.Resolve(ctx, s)
}

func (f *faulty) Report(ctx context.Context, s schemas.CollectorStatus) error {
	if err := f.call("report"); err != nil {
		return err
	}
	return f.Store.Report(ctx, s)
}

type faultyBlobs struct {
	ingest.Blobs
	f *faulty
}

func (b faultyBlobs) Put(ctx context.Context, raws [][]byte) ([]string, error) {
	if err := b.f.call("blobs"); err != nil {
		return nil, err
	}
	return b.Blobs.Put(ctx, raws)
}

type faultyQuarantine struct {
	ingest.Quarantine
	f *faulty
}

func (q faultyQuarantine) Put(ctx context.Context, items []schemas.Quarantined) error {
	if err := q.f.call("quarantine"); err != nil {
		return err
	}
	return q.Quarantine.Put(ctx, items)
}

func (f *faulty) door(rates map[string]string) *ingest.Door {
	return ingest.NewDoor(ingest.DoorConfig{
		Business: schemas.Business{Name: "Test", Timezone: time.FixedZone("", 3600), Currency: "EUR", Rates: rates},
		Receipts: f, Publisher: f, Quarantine: faultyQuarantine{f.Quarantine(), f}, Blobs: faultyBlobs{f.Blobs(), f},
		Identities: f, Statuses: f, Now: func() time.Time { return clock },
	})
}

// TestStoresDown: whichever port is down, nothing is acknowledged; and the
// retry, once it is up, makes one event.
func TestStoresDown(t *testing.T) {
	for _, port := range []string{"blobs", "resolve", "reserve", "quarantine", "publish", "mark"} {
		t.Run(port, func(t *testing.T) {
			f := newStore()
			d := f.door(nil)
			items := []ingest.Item{order("A", `{"order_ref":"A","customer":{"ref":"1"},`+total+`}`), order("B", `{}`)}
			f.set(port, true)
			for range 2 {
				if res, err := d.Accept(t.Context(), items); !errors.Is(err, ingest.ErrUnavailable) || !errors.Is(err, errDown) || res != nil {
					t.Fatalf("%v %v", res, err)
				}
			}
			f.set(port, false)
			res := accept(t, d, items...)
			if res[0].Status == ingest.InQuarantine || res[1].Status != ingest.InQuarantine {
				t.Errorf("%+v", res)
			}
			ids := map[string]bool{}
			for _, e := range f.logged {
				ids[e.ID] = true
			}
			if len(ids) != 1 || !ids[res[0].EventID] {
				t.Errorf("log: %v", ids)
			}
			if p, err := f.Pending(t.Context(), 10); err != nil || len(p) != 0 {
				t.Errorf("pending: %v %v", p, err)
			}
		})
	}
}

func TestRecoverPublishesWhatACrashLeft(t *testing.T) {
	f := newStore()
	d := f.door(nil)
	f.set("publish", true)
	it := order("A", `{"order_ref":"A",`+total+`}`)
	if _, err := d.Accept(t.Context(), []ingest.Item{it}); err == nil {
		t.Fatal("no error")
	}
	if _, err := d.Recover(t.Context()); !errors.Is(err, ingest.ErrUnavailable) {
		t.Fatal(err)
	}
	f.set("publish", false)
	if n, err := f.door(nil).Recover(t.Context()); n != 1 || err != nil || len(f.logged) != 1 {
		t.Fatal(n, err, len(f.logged))
	}
	if r := accept(t, d, it)[0]; r.Status != ingest.Duplicate || len(f.logged) != 1 {
		t.Errorf("%+v, %d in the log", r, len(f.logged))
	}
}

func TestOneCallToEachStore(t *testing.T) {
	f := newStore()
	var items []ingest.Item
	for i := range 100 {
		items = append(items, order(fmt.Sprint(i), fmt.Sprintf(`{"order_ref":"%d","customer":{"ref":"%d"},%s}`, i, i, total)), order("bad"+fmt.Sprint(i), `{}`))
	}
	accept(t, f.door(nil), items...)
	for port, n := range f.calls {
		if n != 1 {
			t.Errorf("%s: %d calls", port, n)
		}
	}
	st, err := f.Collectors(t.Context())
	if err != nil || len(st) != 1 || st[0].Accepted != 100 || st[0].Quarantined != 100 || st[0].LastSuccess == nil {
		t.Errorf("%+v %v", st, err)
	}
}

func TestSameEventInParallel(t *testing.T) {
	f := newStore()
	d := f.door(nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	count := map[ingest.Status]int{}
	for range 50 {
		wg.Go(func() {
			it := order("A", `{"order_ref":"A",`+total+`}`)
			res, err := d.Accept(context.Background(), []ingest.Item{it, it})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			for _, r := range res {
				count[r.Status]++
			}
		})
	}
	wg.Wait()
	if count[ingest.Accepted] != 1 || count[ingest.Duplicate] != 99 {
		t.Error(count)
	}
}

func TestThreadsWhileTheCustomerIsUnknown(t *testing.T) {
	f := newStore()
	item := func(typ schemas.EventType, id, data string) ingest.Item {
		return ingest.Item{Source: "s", Type: typ, NativeID: id, Data: json.RawMessage(data)}
	}
	accept(t, f.door(nil),
		item(schemas.SurveyAnswered, "1/nps", `{"submission_id":"1","value_number":2}`),
		item(schemas.SurveyAnswered, "1/text", `{"submission_id":"1","value_text":"late"}`),
		item(schemas.SurveyAnswered, "2/text", `{"submission_id":"2","value_text":"late"}`),
		item(schemas.ReviewPosted, "r", `{"value_text":"bad"}`),
		item(schemas.ReviewChanged, "r", `{"value_text":"worse"}`),
		item(schemas.EmailReceived, "m", `{"value_text":"hello"}`),
		item(schemas.SurveyAnswered, "3/text", `{"submission_id":"1","value_text":"late","customer":{"ref":"7"}}`))
	keys := make([]string, len(f.logged))
	for i, e := range f.logged {
		keys[i] = e.CaseKey()
	}
	if keys[0] != keys[1] || keys[0] == keys[2] || keys[3] != keys[4] || keys[5] != "thread:"+f.logged[5].ID || f.logged[6].ThreadID != "" {
		t.Errorf("%q", keys)
	}
}
