package app

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"redalert/alerting"
	"redalert/ingest"
	"redalert/internal/kafka"
	"redalert/internal/memstore"
	"redalert/schemas"
	"redalert/signals"
)

// silentLog takes every question and answers none before its context ends; a
// deaf one does not even then.
type silentLog struct {
	signals.Consumer
	alerting.AlertReader
	deaf chan struct{}
}

func (l silentLog) Lag(ctx context.Context) (int64, error) {
	if l.deaf != nil {
		<-l.deaf
	}
	<-ctx.Done()
	return 0, ctx.Err()
}

func (l silentLog) AlertLag(ctx context.Context) (int64, error) { return l.Lag(ctx) }

// overStores is an app with the metrics alone.
func overStores(s Stores) *App {
	a := &App{Stores: s, scoring: newScoreMetrics(), Options: Options{Log: slog.New(slog.DiscardHandler)}}
	a.sources = newSourceNames(a.known)
	a.storing = newStoreWork(a.sources)
	return a
}

// storeNumbers are what the stores of an app over memory tell when they are
// scraped, by name.
func storeNumbers(t *testing.T, stores Stores) map[string]float64 {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(newStoreMetrics(overStores(stores)))
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			found[f.GetName()] += m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return found
}

// database answers as a server does: not after the question's context has ended.
type database struct {
	alerting.Outbox
	ingest.Statuses
}

func (d database) Waiting(ctx context.Context) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return d.Outbox.Waiting(ctx)
}

func (d database) Collectors(ctx context.Context) ([]schemas.CollectorStatus, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return d.Statuses.Collectors(ctx)
}

func inMemory(t *testing.T) Stores {
	t.Helper()
	s := memstore.New()
	if err := s.Report(t.Context(), schemas.CollectorStatus{Name: "shop", Kind: "webhook", Accepted: 3}); err != nil {
		t.Fatal(err)
	}
	d := database{s.Outbox(), s}
	return Stores{Consumer: s.Consumer, AlertReader: s.AlertReader, Outbox: d, Statuses: d}
}

// TestSilentLogHidesNoOtherNumber: what the database tells stands beside a log
// that hangs, or the rules say that the wrong server is away; and the scrape
// ends before Prometheus gives it up.
func TestSilentLogHidesNoOtherNumber(t *testing.T) {
	for name, deaf := range map[string]bool{"heeds its context": false, "does not": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, log := inMemory(t), silentLog{}
				if deaf {
					log.deaf = make(chan struct{})
					defer close(log.deaf)
				}
				s.Consumer = func(string) signals.Consumer { return log }
				s.AlertReader = func(string) alerting.AlertReader { return log }
				began := time.Now()
				found := storeNumbers(t, s)
				if took := time.Since(began); took > scrapeBound+grace {
					t.Errorf("the scrape took %v", took)
				}
				for _, name := range []string{"redalert_outbox_waiting", "redalert_accepted_total", "redalert_collector_failing"} {
					if _, ok := found[name]; !ok {
						t.Errorf("%s is missing; there is %v", name, found)
					}
				}
				for _, name := range []string{"redalert_score_lag_events", "redalert_alert_lag_notices"} {
					if _, ok := found[name]; ok {
						t.Errorf("%s is told, and nobody knows it", name)
					}
				}
			})
		})
	}
}

// silentDatabase is the other way round.
type silentDatabase struct{ alerting.Outbox }

func (silentDatabase) Waiting(ctx context.Context) (int64, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

func TestSilentDatabaseHidesNoLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inMemory(t)
		s.Outbox = silentDatabase{}
		found := storeNumbers(t, s)
		_, events := found["redalert_score_lag_events"]
		_, notices := found["redalert_alert_lag_notices"]
		if _, outbox := found["redalert_outbox_waiting"]; !events || !notices || outbox {
			t.Errorf("found %v", found)
		}
	})
}

// fakeKafka is a log on brokers in this process.
func fakeKafka(t *testing.T, partitions int) (*kfake.Cluster, *kafka.Log) {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	log, err := kafka.Open(t.Context(), kafka.Config{Brokers: c.ListenAddrs(), Partitions: partitions, Replication: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := log.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c, log
}

// TestLagsAreAskedForOnce: brokers are asked once a topic and scrape, and the
// sum agrees with its parts.
func TestLagsAreAskedForOnce(t *testing.T) {
	c, log := fakeKafka(t, 2)
	if err := log.Publish(t.Context(), []schemas.Event{{ID: "a", CustomerID: "1"}, {ID: "b", CustomerID: "2"}, {ID: "c", CustomerID: "3"}}); err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	c.ControlKey(int16(kmsg.OffsetFetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		asked.Add(1)
		return nil, nil, false
	})
	s := inMemory(t)
	s.log, s.Consumer, s.AlertReader = log, log.Consumer, log.AlertReader
	found := storeNumbers(t, s)
	if n := asked.Load(); n != 2 {
		t.Errorf("committed offsets were asked for %d times, want once a topic", n)
	}
	if found["redalert_score_lag_events"] != 3 || found["redalert_log_partition_lag"] != 3 || found["redalert_alert_lag_notices"] != 0 {
		t.Errorf("found %v, want three events behind", found)
	}
}

// TestRegisteringAsksNoStore: every command registers metrics, also one that
// only looks something up.
func TestRegisteringAsksNoStore(t *testing.T) {
	descs := make(chan *prometheus.Desc, 100)
	newStoreMetrics(&App{}).Describe(descs) // which has no store to ask
	close(descs)
	var told []string
	for d := range descs {
		told = append(told, d.String())
	}
	for _, name := range []string{"redalert_outbox_waiting", "redalert_score_lag_events", "redalert_log_gap_total"} {
		if !slices.ContainsFunc(told, func(s string) bool { return strings.Contains(s, `"`+name+`"`) }) {
			t.Errorf("%s is not described", name)
		}
	}
}

// TestUnreadableMessagesAreCounted: what the log sets aside went through no
// door, whose numbers do not tell of it.
func TestUnreadableMessagesAreCounted(t *testing.T) {
	c, log := fakeKafka(t, 1)
	w := &kafkago.Writer{Addr: kafkago.TCP(c.ListenAddrs()...), RequiredAcks: kafkago.RequireAll}
	defer w.Close()
	var wrong []kafkago.Message
	for topic, n := range map[string]int{kafka.TopicFeedback: 2, kafka.TopicAlerts: 1} {
		for range n {
			wrong = append(wrong, kafkago.Message{Topic: topic, Value: []byte("no event of ours")})
		}
	}
	sound := schemas.Event{ID: "a", CustomerID: "1"}
	err := errors.Join(w.WriteMessages(t.Context(), wrong...), log.Publish(t.Context(), []schemas.Event{sound}),
		log.PublishAlerts(t.Context(), []schemas.Notice{{Event: sound}}))
	if err != nil {
		t.Fatal(err)
	}
	events, err := log.Consumer(scoreGroup).Fetch(t.Context(), 10)
	if err != nil || len(events.Events) != 1 {
		t.Fatalf("%v: %v, want the one that can be read", events.Events, err)
	}
	notices, err := log.AlertReader(alertGroup).FetchAlerts(t.Context(), 10)
	if err != nil || len(notices.Notices) != 1 {
		t.Fatalf("%v: %v, want the one that can be read", notices.Notices, err)
	}
	s := inMemory(t)
	s.log = log
	r := prometheus.NewRegistry()
	r.MustRegister(newStoreMetrics(overStores(s)))
	if got, want := byLabel(t, r, "redalert_set_aside_total"), map[string]float64{"score": 0, "log": 2, "alert": 1}; !maps.Equal(got, want) {
		t.Errorf("set aside: %v, want %v", got, want)
	}
}

// byLabel answers a counter's or gauge's values by its one label.
func byLabel(t *testing.T, r *prometheus.Registry, name string) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				got[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return got
}

// TestWhatTheScorerSetsAsideIsCounted, by the real scorer, when history can never
// keep an event.
func TestWhatTheScorerSetsAsideIsCounted(t *testing.T) {
	a := newApp(t, testConfig(t))
	wrong := schemas.Event{ID: "wrong", Type: schemas.OrderPlaced, Source: "shop", CustomerID: "c1", OccurredAt: time.Now(), CollectedAt: time.Now(),
		Data: json.RawMessage(`{"order_ref":"w","total":"much"}`)}
	if err := errors.Join(a.Stores.Signals.Publish(t.Context(), []schemas.Event{wrong}), a.Drain(t.Context())); err != nil {
		t.Fatal(err)
	}
	if got := byLabel(t, a.metrics, "redalert_set_aside_total"); !maps.Equal(got, map[string]float64{"score": 1}) {
		t.Errorf("set aside: %v, want one by the scorer", got)
	}
}
