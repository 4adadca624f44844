package app

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"redalert/internal/kafka"
	"redalert/schemas"
)

// Metric describes one of our metrics.
type Metric struct {
	Name   string // with its prefix
	Kind   string // gauge, counter or histogram
	Help   string
	Labels []string
}

// bounded ends the help of what has the label source.
const bounded = ` Of sources that are not configured, the first 200 have their own names and all further ones are "other".`

// metricList is every metric of ours and the only place of their names: what
// registers one takes it from here, and the dashboard and the alert rules in
// docs/ may use no other. The two of the log's partitions exist only where the
// log is Kafka.
var metricList = []Metric{
	{"redalert_score_lag_events", "gauge", "Accepted events that are not scored yet.", nil},
	{"redalert_alert_lag_notices", "gauge", "Red events and replies that are not filed yet.", nil},
	{"redalert_outbox_waiting", "gauge", "Notifications that are not sent yet.", nil},
	{"redalert_accepted_total", "counter", "Events accepted, by source." + bounded, []string{"source"}},
	{"redalert_quarantined_total", "counter", "Items put into quarantine, by source." + bounded, []string{"source"}},
	{"redalert_set_aside_total", "counter", "Events and notices that came through the doors and could not be worked off: the scorer (score), the log of events (log) or that of alerts (alert) put them into quarantine. What is tried again counts again.", []string{"stage"}},
	{"redalert_collector_last_success_timestamp_seconds", "gauge", "When a source was last read without an error." + bounded, []string{"source"}},
	{"redalert_collector_failing", "gauge", "1 while the last attempt to read a source failed." + bounded, []string{"source"}},

	{"redalert_score_batch_events", "histogram", "Events in a scored batch.", nil},
	{"redalert_score_batch_seconds", "histogram", "From taking a batch to its commit.", nil},
	{"redalert_score_failures_total", "counter", "Batches that failed and are tried again, by the stage that failed.", []string{"stage"}},
	{"redalert_scored_total", "counter", "Events with a verdict, by its level.", []string{"level"}},

	{"redalert_history_insert_seconds", "histogram", "How long an insert of history took, attempts included.", nil},
	{"redalert_history_retries_total", "counter", "Inserts of history that were tried again.", nil},
	{"redalert_duplicates_total", "counter", "Events that had been accepted before and were not taken again, by source." + bounded, []string{"source"}},
	{"redalert_log_partition_lag", "gauge", "Messages of the log that a group has not worked off yet.", []string{"topic", "partition", "group"}},
	{"redalert_log_gap_total", "counter", "Messages of the log that were deleted before they were read.", []string{"topic"}},
}

// Metrics lists every metric of ours.
func Metrics() []Metric { return slices.Clone(metricList) }

// metric finds a metric by its name without the prefix. An unknown name is a
// mistake of the caller that the first start shows.
func metric(name string) Metric {
	for _, m := range metricList {
		if m.Name == "redalert_"+name {
			return m
		}
	}
	panic("metric " + name + " is not in the list")
}

func (m Metric) desc() *prometheus.Desc { return prometheus.NewDesc(m.Name, m.Help, m.Labels, nil) }

func (m Metric) counters() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: m.Name, Help: m.Help}, m.Labels)
}

func (m Metric) histogram(buckets ...float64) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{Name: m.Name, Help: m.Help, Buckets: buckets})
}

// storeMetrics reads gauges out of the stores when they are scraped, so that
// every process tells the same. Labels are few and bounded, see sourceNames.
type storeMetrics struct {
	app                                         *App
	scoreLag, alertLag, outbox                  *prometheus.Desc
	accepted, quarantined, lastSuccess, failing *prometheus.Desc
	partitionLag, gap, setAside                 *prometheus.Desc
}

func newStoreMetrics(a *App) *storeMetrics {
	return &storeMetrics{
		app:         a,
		scoreLag:    metric("score_lag_events").desc(),
		alertLag:    metric("alert_lag_notices").desc(),
		outbox:      metric("outbox_waiting").desc(),
		accepted:    metric("accepted_total").desc(),
		quarantined: metric("quarantined_total").desc(),
		lastSuccess: metric("collector_last_success_timestamp_seconds").desc(),
		failing:     metric("collector_failing").desc(),

		partitionLag: metric("log_partition_lag").desc(),
		gap:          metric("log_gap_total").desc(),
		setAside:     metric("set_aside_total").desc(),
	}
}

func (a *App) newMetrics() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), newStoreMetrics(a))
	a.scoring.register(r)
	a.storing.register(r)
	return r
}

// Describe implements prometheus.Collector. It asks no store: what only looks
// something up registers metrics, too, and must not wait for them.
func (m *storeMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.scoreLag, m.alertLag, m.outbox, m.accepted, m.quarantined, m.lastSuccess, m.failing, m.partitionLag, m.gap, m.setAside} {
		ch <- d
	}
}

// scrapeBound is how long a store may take to tell its numbers; Prometheus
// waits 10 s unless it is told otherwise.
const scrapeBound = 5 * time.Second

// Collect implements prometheus.Collector. All stores are asked at the same
// time: one that is silent costs its own numbers alone, whose absence an alert
// rule notices.
func (m *storeMetrics) Collect(ch chan<- prometheus.Metric) {
	m.here(ch)
	for _, a := range askAll(context.Background(), scrapeBound, m.events, m.notices, m.waiting, m.sources) {
		if a.err != nil {
			m.app.Log.Debug("a store did not tell its numbers", "error", a.err)
		}
		for _, metric := range a.value {
			ch <- metric
		}
	}
}

func gauge(d *prometheus.Desc, v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func counter(d *prometheus.Desc, v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
}

// events tells how far the scorers are behind.
func (m *storeMetrics) events(ctx context.Context) ([]prometheus.Metric, error) {
	if m.app.Stores.log != nil {
		return m.partitions(ctx, m.scoreLag, kafka.TopicFeedback, scoreGroup)
	}
	n, err := m.app.Stores.Consumer(scoreGroup).Lag(ctx)
	if err != nil {
		return nil, err
	}
	return []prometheus.Metric{gauge(m.scoreLag, float64(n))}, nil
}

// notices tells how far the filers are behind.
func (m *storeMetrics) notices(ctx context.Context) ([]prometheus.Metric, error) {
	if m.app.Stores.log != nil {
		return m.partitions(ctx, m.alertLag, kafka.TopicAlerts, alertGroup)
	}
	n, err := m.app.Stores.AlertReader(alertGroup).AlertLag(ctx)
	if err != nil {
		return nil, err
	}
	return []prometheus.Metric{gauge(m.alertLag, float64(n))}, nil
}

// partitions tells how far a group is behind in each partition of Kafka and, as
// total, in all of them.
func (m *storeMetrics) partitions(ctx context.Context, total *prometheus.Desc, topic, group string) ([]prometheus.Metric, error) {
	lags, err := m.app.Stores.log.PartitionLags(ctx, topic, group)
	if err != nil {
		return nil, err
	}
	var all []prometheus.Metric
	var sum int64
	for _, p := range lags {
		sum += p.Lag
		all = append(all, gauge(m.partitionLag, float64(p.Lag), topic, strconv.Itoa(p.Partition), group))
	}
	return append(all, gauge(total, float64(sum))), nil
}

// waiting tells what the outbox holds.
func (m *storeMetrics) waiting(ctx context.Context) ([]prometheus.Metric, error) {
	n, err := m.app.Stores.Outbox.Waiting(ctx)
	if err != nil {
		return nil, err
	}
	return []prometheus.Metric{gauge(m.outbox, float64(n))}, nil
}

// sources tells how each source does.
func (m *storeMetrics) sources(ctx context.Context) (all []prometheus.Metric, err error) {
	statuses, err := m.app.Stores.Statuses.Collectors(ctx)
	for _, s := range m.app.sources.labelled(statuses) {
		all = append(all, m.source(s)...)
	}
	return all, err
}

func (m *storeMetrics) source(s schemas.CollectorStatus) []prometheus.Metric {
	failing := 0.0
	if s.LastError != "" {
		failing = 1
	}
	all := []prometheus.Metric{
		counter(m.accepted, float64(s.Accepted), s.Name),
		counter(m.quarantined, float64(s.Quarantined), s.Name),
		gauge(m.failing, failing, s.Name),
	}
	if s.LastSuccess != nil {
		all = append(all, gauge(m.lastSuccess, float64(s.LastSuccess.UnixMilli())/1000, s.Name))
	}
	return all
}

// here tells what this process counts itself. It asks nobody.
func (m *storeMetrics) here(ch chan<- prometheus.Metric) {
	ch <- counter(m.setAside, float64(m.app.scoring.aside.Load()), "score")
	if m.app.Stores.log == nil {
		return
	}
	lost := map[string]int64{kafka.TopicFeedback: 0, kafka.TopicAlerts: 0}
	unread := map[string]int64{}
	for _, s := range m.app.Stores.log.Stats() {
		lost[s.Topic] += s.Lost
		unread[s.Topic] += s.Broken
	}
	for topic, n := range lost {
		ch <- counter(m.gap, float64(n), topic)
	}
	for stage, topic := range map[string]string{"log": kafka.TopicFeedback, "alert": kafka.TopicAlerts} {
		ch <- counter(m.setAside, float64(unread[topic]), stage)
	}
}

func (a *App) metricsHandler() http.Handler {
	return promhttp.HandlerFor(a.metrics, promhttp.HandlerOpts{})
}

// metricsHere is the handler beside the pages; nil when metrics have an
// address of their own.
func (a *App) metricsHere() http.Handler {
	if a.Config.Server.MetricsListen != "" {
		return nil
	}
	return a.metricsHandler()
}
