package signals_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"redalert/internal/linear"
	"redalert/internal/memstore"
	"redalert/schemas"
	"redalert/signals"
	"redalert/signals/text"
)

var errDown = errors.New("down")

// faulty wraps the memory store: the port named in fail is down.
type faulty struct {
	*memstore.Store
	fail    string
	mu      sync.Mutex // customers are looked up while history stores
	lookups int
	notices []schemas.Notice
	order   []string
}

func (f *faulty) at(port string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.order = append(f.order, port)
	if f.fail == port {
		return errDown
	}
	return nil
}

type history struct {
	signals.History
	f *faulty
}

func (h history) Store(ctx context.Context, s []schemas.Scored) ([]schemas.Verdict, error) {
	if err := h.f.at("history"); err != nil {
		return nil, err
	}
	return h.History.Store(ctx, s)
}

type alerts struct{ f *faulty }

func (a alerts) PublishAlerts(ctx context.Context, n []schemas.Notice) error {
	if err := a.f.at("alerts"); err != nil {
		return err
	}
	a.f.notices = append(a.f.notices, n...)
	return a.f.Store.PublishAlerts(ctx, n)
}

type facts struct {
	signals.Context
	f *faulty
}

func (c facts) OrderFacts(ctx context.Context, ids []string) (map[string][]schemas.OrderFact, error) {
	c.f.lookups++
	if err := c.f.at("context"); err != nil {
		return nil, err
	}
	return c.Context.OrderFacts(ctx, ids)
}

type aside struct {
	signals.Quarantine
	f *faulty
}

func (q aside) Put(ctx context.Context, items []schemas.Quarantined) error {
	if err := q.f.at("quarantine"); err != nil {
		return err
	}
	return q.Quarantine.Put(ctx, items)
}

type consumer struct {
	signals.Consumer
	f *faulty
}

func (c consumer) Fetch(ctx context.Context, n int) (signals.Batch, error) {
	if err := c.f.at("fetch"); err != nil {
		return signals.Batch{}, err
	}
	b, err := c.Consumer.Fetch(ctx, n)
	commit := b.Commit
	b.Commit = func(ctx context.Context) error {
		if err := c.f.at("commit"); err != nil {
			return err
		}
		return commit(ctx)
	}
	return b, err
}

func newWorker(f *faulty, m signals.TextModel) *signals.Worker {
	return signals.NewWorker(workerConfig(f, m))
}

func workerConfig(f *faulty, m signals.TextModel) signals.WorkerConfig {
	return signals.WorkerConfig{
		Consumer: consumer{f.Consumer("score"), f}, Alerts: alerts{f}, History: history{f.Store, f}, Context: facts{f.Store, f},
		Quarantine: aside{f.Quarantine(), f}, Model: m, Business: schemas.Business{Currency: "EUR"}, Now: func() time.Time { return noon.Add(time.Hour) },
	}
}

func publish(t testing.TB, f *faulty, evs ...schemas.Event) {
	t.Helper()
	if err := f.Publish(context.Background(), evs); err != nil {
		t.Fatal(err)
	}
}

func numbered(ev schemas.Event, id, customer string, at time.Time) schemas.Event {
	ev.ID, ev.NativeID, ev.CustomerID, ev.OccurredAt, ev.CollectedAt = id, id, customer, at, at
	return ev
}

func drain(t testing.TB, w *signals.Worker) int {
	t.Helper()
	total := 0
	for {
		n, err := w.Step(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return total
		}
		total += n
	}
}

func verdicts(t testing.TB, f *faulty) map[string]schemas.Verdict {
	t.Helper()
	page, err := f.Verdicts(context.Background(), schemas.ListQuery{Limit: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]schemas.Verdict{}
	for _, v := range page.Items {
		out[v.EventID] = v
	}
	return out
}

// mixed is a batch with something of everything.
func mixed(t testing.TB) []schemas.Event {
	placed := func(i int, total int64) schemas.Event {
		ref := fmt.Sprint("o", i)
		return numbered(event(t, schemas.OrderPlaced, schemas.Order{OrderRef: ref, Total: eur(total)}), ref, "c1", noon.AddDate(0, 0, -7*(6-i)))
	}
	evs := []schemas.Event{placed(0, 12000), placed(1, 12000), placed(2, 12000), placed(3, 12000), placed(4, 12000), placed(5, 4000)}
	mail := func(id, s string) schemas.Event {
		return numbered(event(t, schemas.EmailReceived, schemas.Feedback{ValueText: s}), id, "c1", noon)
	}
	return append(evs, mail("refund", "I want my money back, nobody called back"), mail("hello", "see you on Monday"),
		numbered(event(t, schemas.ReplySent, schemas.Reply{Text: "sorry"}), "reply", "c1", noon),
		numbered(event(t, schemas.EmailReceived, schemas.Feedback{ValueText: "away", Metadata: map[string]any{schemas.MetaMailKind: schemas.MailAutoReply}}), "auto", "c1", noon))
}

func TestWorkerScoresStoresAndRaises(t *testing.T) {
	f := &faulty{Store: memstore.New()}
	evs := mixed(t)
	publish(t, f, evs...)
	w := newWorker(f, says(0.1))
	if n := drain(t, w); n != len(evs) {
		t.Fatalf("%d events", n)
	}
	if want := []string{"fetch", "context", "history", "alerts", "commit"}; !slices.Equal(f.order, want) {
		t.Errorf("order %v, want %v", f.order, want)
	}
	vs := verdicts(t, f)
	if len(vs) != len(evs) {
		t.Fatalf("%d verdicts for %d events", len(vs), len(evs))
	}
	if !vs["o5"].Red || vs["o4"].Red || vs["auto"].ModelVersion != schemas.Unscored || vs["hello"].Red {
		t.Errorf("verdicts %+v", vs)
	}
	if vs["o5"].ScoredAt != noon.Add(time.Hour) {
		t.Errorf("scored at %v", vs["o5"].ScoredAt)
	}
	var got []string
	for _, n := range f.notices {
		got = append(got, string(n.Kind)+" "+n.Event.ID)
	}
	if want := []string{"red o5", "red refund", "message hello", "reply reply"}; !slices.Equal(got, want) {
		t.Errorf("notices %v, want %v", got, want)
	}
	refund := f.notices[1]
	if refund.ValueAtRisk != *eur(5*12000 + 4000) || refund.Priority != schemas.PriorityMedium || !refund.Mistake {
		t.Errorf("notice %+v", refund)
	}
}

// TestWorkerReplayChangesNothing: after a failure at any place the same batch
// comes again, and in the end everything stands once.
func TestWorkerReplayChangesNothing(t *testing.T) {
	for _, port := range []string{"fetch", "context", "history", "alerts", "commit"} {
		f := &faulty{Store: memstore.New(), fail: port}
		publish(t, f, mixed(t)...)
		w := newWorker(f, says(0.1))
		if _, err := w.Step(context.Background()); !errors.Is(err, errDown) {
			t.Fatalf("%s: %v", port, err)
		}
		if lag, _ := f.Consumer("score").Lag(context.Background()); lag != int64(len(mixed(t))) {
			t.Errorf("%s: lag %d after a failure", port, lag)
		}
		first := verdicts(t, f)
		f.fail = ""
		drain(t, newWorker(f, says(0.9))) // an updated model, after a restart
		after := verdicts(t, f)
		if len(after) != len(mixed(t)) {
			t.Errorf("%s: %d verdicts", port, len(after))
		}
		for id, v := range first {
			if after[id].Probability != v.Probability {
				t.Errorf("%s: the verdict of %s changed", port, id)
			}
		}
		for _, n := range f.notices {
			if n.Verdict.Probability != after[n.Event.ID].Probability {
				t.Errorf("%s: notice of %s is not by the standing verdict", port, n.Event.ID)
			}
		}
	}
}

// fragile panics over one word.
type fragile struct{}

func (fragile) Version() string { return "fragile" }
func (fragile) Predict(s string, _ text.Hints) text.Prediction {
	if strings.Contains(s, "boom") {
		panic("cannot read " + s)
	}
	return text.Prediction{}
}

// TestFault_44_ScorerPanicAndRegexBait: an item on which the scorer panics goes
// to quarantine; the others get in. A megabyte of bait takes linear time.
func TestFault_44_ScorerPanicAndRegexBait(t *testing.T) {
	f := &faulty{Store: memstore.New()}
	var evs []schemas.Event
	for i, s := range []string{"hello", "boom", "I want a refund"} {
		evs = append(evs, numbered(event(t, schemas.EmailReceived, schemas.Feedback{ValueText: s}), fmt.Sprint("m", i), "c1", noon))
	}
	publish(t, f, evs...)
	drain(t, newWorker(f, fragile{}))
	if vs := verdicts(t, f); len(vs) != 2 || !vs["m2"].Red {
		t.Errorf("verdicts %v", vs)
	}
	page, err := f.Quarantine().List(context.Background(), schemas.QuarantineOpen, schemas.ListQuery{})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Items) != 1 || page.Items[0].Code != schemas.QScorer || page.Items[0].Locator != "m1" || strings.Contains(page.Items[0].Reason, "boom") {
		t.Errorf("quarantine %+v", page.Items)
	}
	model, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, bait := range []string{"a", "never ", "no refund i want ", "\"refund me ", "((((", "é", "I want my money back. "} {
		linear.Check(t, 1<<17, func(n int) {
			data, _ := json.Marshal(schemas.Feedback{ValueText: strings.Repeat(bait, n/len(bait))})
			ev := schemas.Event{ID: "b", Type: schemas.EmailReceived, OccurredAt: noon, Data: data}
			if v := signals.Score(ev, signals.CustomerContext{}, model); len(v.Reasons) > 40 {
				t.Errorf("%.20q: %d reasons", bait, len(v.Reasons))
			}
		})
	}
}

// TestWorkerRunWaitsLongerEachTime: failures are tried again after pauses that
// double up to 30 s, and a success starts them anew.
func TestWorkerRunWaitsLongerEachTime(t *testing.T) {
	f := &faulty{Store: memstore.New(), fail: "history"}
	publish(t, f, mixed(t)...)
	ctx, cancel := context.WithCancel(context.Background())
	var pauses []time.Duration
	var failed []string
	w := signals.NewWorker(signals.WorkerConfig{
		Consumer: consumer{f.Consumer("score"), f}, Alerts: alerts{f}, History: history{f.Store, f}, Context: facts{f.Store, f}, Quarantine: aside{f.Quarantine(), f},
		Wait: func(_ context.Context, d time.Duration) error {
			if pauses = append(pauses, d); len(pauses) == 12 {
				f.fail = ""
			}
			return nil
		},
		Hooks: signals.Hooks{Failed: func(stage string) { failed = append(failed, stage) }, Batch: func(int, time.Duration) { cancel() }},
	})
	if err := w.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if len(pauses) < 12 || pauses[0] != 100*time.Millisecond || pauses[3] != 800*time.Millisecond || pauses[11] != 30*time.Second {
		t.Errorf("pauses %v", pauses)
	}
	if failed[0] != "history" {
		t.Errorf("failed %v", failed)
	}
	if len(verdicts(t, f)) != len(mixed(t)) {
		t.Error("the batch was lost")
	}
}

// stalled is a consumer that nothing but a new process can help.
type stalled struct{ signals.Consumer }

func (stalled) Fetch(context.Context, int) (signals.Batch, error) {
	return signals.Batch{}, fmt.Errorf("read the log: %w", schemas.ErrRestart)
}

// TestWorkerStopsWhereOnlyARestartHelps: Run ends, so that a supervisor acts.
func TestWorkerStopsWhereOnlyARestartHelps(t *testing.T) {
	w := signals.NewWorker(signals.WorkerConfig{Consumer: stalled{}})
	if err := w.Run(t.Context()); !errors.Is(err, schemas.ErrRestart) {
		t.Errorf("Run ended with %v", err)
	}
}

// TestWorkerLooksUpOnlyWhatItNeeds: a batch of quiet mail asks history nothing.
func TestWorkerLooksUpOnlyWhatItNeeds(t *testing.T) {
	f := &faulty{Store: memstore.New()}
	publish(t, f, numbered(event(t, schemas.EmailReceived, schemas.Feedback{ValueText: "hello"}), "m", "c1", noon))
	drain(t, newWorker(f, nil))
	if f.lookups != 0 {
		t.Errorf("%d lookups", f.lookups)
	}
}

// TestOldRedEventsAreStillNotices: alerting decides what is too old for a case.
func TestOldRedEventsAreStillNotices(t *testing.T) {
	f := &faulty{Store: memstore.New()}
	publish(t, f, numbered(event(t, schemas.OrderCancelled, schemas.Order{OrderRef: "x"}), "old", "c1", noon.AddDate(-3, 0, 0)))
	drain(t, newWorker(f, nil))
	if len(f.notices) != 1 || f.notices[0].Kind != schemas.NoticeRed {
		t.Errorf("notices %+v", f.notices)
	}
}

// BenchmarkWorker drives events through the memory store: orders, mails and
// scores of 200 customers.
func BenchmarkWorker(b *testing.B) {
	model, err := text.Load()
	if err != nil {
		b.Fatal(err)
	}
	const n = 5000
	for b.Loop() {
		b.StopTimer()
		f := &faulty{Store: memstore.New()}
		var evs []schemas.Event
		for i := range n {
			ev := event(b, schemas.OrderPlaced, schemas.Order{OrderRef: fmt.Sprint(i), Total: eur(int64(5000 + i%700))})
			if i%2 == 0 {
				ev = event(b, schemas.EmailReceived, schemas.Feedback{ValueText: strings.Repeat("The team was on time and we are happy with the work. ", 4)})
			}
			if i%50 == 0 {
				ev = event(b, schemas.EmailReceived, schemas.Feedback{ValueText: "Nobody came. I want my money back."})
			}
			evs = append(evs, numbered(ev, fmt.Sprint("e", i), fmt.Sprint("c", i%200), noon.Add(time.Duration(i)*time.Minute)))
		}
		publish(b, f, evs...)
		w := newWorker(f, model)
		b.StartTimer()
		drain(b, w)
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// TestWorkerSetsAsideWhatHistoryRejects: an event that history can never keep
// goes to quarantine with its bytes; the rest of its batch gets in, once.
func TestWorkerSetsAsideWhatHistoryRejects(t *testing.T) {
	f := &faulty{Store: memstore.New()}
	evs := mixed(t)
	wrong := numbered(event(t, schemas.OrderPlaced, schemas.Order{OrderRef: "w", Total: eur(1)}), "wrong", "c1", noon)
	wrong.Data = json.RawMessage(`{"order_ref":"w","total":"much"}`)
	evs = slices.Insert(evs, 3, wrong)
	publish(t, f, evs...)
	var kept [][]byte
	c := workerConfig(f, says(0.1))
	c.Keep = func(_ context.Context, raw []byte) (string, error) {
		kept = append(kept, raw)
		return "sum", nil
	}
	var quarantined, committed int
	c.Hooks = signals.Hooks{Quarantined: func(n int) { quarantined += n }, Batch: func(n int, _ time.Duration) { committed += n }}
	drain(t, signals.NewWorker(c))
	if vs := verdicts(t, f); len(vs) != len(evs)-1 || quarantined != 1 || committed != len(evs)-1 {
		t.Errorf("%d verdicts, %d in quarantine, %d committed of %d events", len(vs), quarantined, committed, len(evs))
	}
	page, err := f.Quarantine().List(context.Background(), schemas.QuarantineOpen, schemas.ListQuery{})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Items) != 1 || page.Items[0].Code != schemas.QHistory || page.Items[0].Locator != "wrong" || page.Items[0].RawSHA256 != "sum" {
		t.Fatalf("quarantine %+v", page.Items)
	}
	var back schemas.Event
	if err := back.UnmarshalJSON(kept[0]); err != nil || back.ID != "wrong" {
		t.Errorf("kept %s, %v", kept[0], err)
	}
}
