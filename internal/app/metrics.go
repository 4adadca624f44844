package app

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"redalert/schemas"
	"redalert/signals"
)

// Metric describes one of our metrics.
type Metric struct {
	Name   string // with its prefix
	Kind   string // gauge, counter or histogram
	Help   string
	Labels []string
}

// metricList is every metric of ours and the only place of their names: what
// registers one takes it from here, and the dashboard and the alert rules in
// docs/ may use no other. The last five come from the stores apart: the log, the
// history and the receipts of the three servers.
var metricList = []Metric{
	{"redalert_score_lag_events", "gauge", "Accepted events that are not scored yet.", nil},
	{"redalert_alert_lag_notices", "gauge", "Red events and replies that are not filed yet.", nil},
	{"redalert_outbox_waiting", "gauge", "Notifications that are not sent yet.", nil},
	{"redalert_accepted_total", "counter", "Events accepted, by source.", []string{"source"}},
	{"redalert_quarantined_total", "counter", "Items put into quarantine, by source.", []string{"source"}},
	{"redalert_collector_last_success_timestamp_seconds", "gauge", "When a source was last read without an error.", []string{"source"}},
	{"redalert_collector_failing", "gauge", "1 while the last attempt to read a source failed.", []string{"source"}},

	{"redalert_score_batch_events", "histogram", "Events in a scored batch.", nil},
	{"redalert_score_batch_seconds", "histogram", "From taking a batch to its commit.", nil},
	{"redalert_score_failures_total", "counter", "Batches that failed and are tried again, by the stage that failed.", []string{"stage"}},
	{"redalert_scored_total", "counter", "Events with a verdict, by its level.", []string{"level"}},

	{"redalert_log_partition_lag", "gauge", "Messages of the log that a group has not worked off yet.", []string{"topic", "partition", "group"}},
	{"redalert_log_gap_total", "counter", "Messages of the log that were deleted before they were read.", []string{"topic"}},
	{"redalert_history_insert_seconds", "histogram", "How long an insert of history took, attempts included.", nil},
	{"redalert_history_retries_total", "counter", "Inserts of history that were tried again.", nil},
	{"redalert_duplicates_total", "counter", "Events that had been accepted before and were not taken again, by source.", []string{"source"}},
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

// scoreMetrics count what the scorer of this process does.
type scoreMetrics struct {
	events, seconds  prometheus.Histogram
	failures, scored *prometheus.CounterVec
}

func newScoreMetrics() *scoreMetrics {
	m := &scoreMetrics{
		events:   metric("score_batch_events").histogram(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000),
		seconds:  metric("score_batch_seconds").histogram(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
		failures: metric("score_failures_total").counters(),
		scored:   metric("scored_total").counters(),
	}
	// Known values start at 0: the first failure is an increase, too.
	for _, stage := range []string{"fetch", "context", "history", "quarantine", "alerts", "commit"} {
		m.failures.WithLabelValues(stage)
	}
	for _, level := range []schemas.Level{schemas.LevelNone, schemas.LevelReview, schemas.LevelRed} {
		m.scored.WithLabelValues(string(level))
	}
	return m
}

func (m *scoreMetrics) register(r *prometheus.Registry) {
	r.MustRegister(m.events, m.seconds, m.failures, m.scored)
}

// hooks is what the scorer calls.
func (m *scoreMetrics) hooks() signals.Hooks {
	return signals.Hooks{
		Batch: func(events int, took time.Duration) {
			m.events.Observe(float64(events))
			m.seconds.Observe(took.Seconds())
		},
		Verdict: func(_ schemas.Event, v schemas.Verdict) { m.scored.WithLabelValues(string(v.Level)).Inc() },
		Failed:  func(stage string) { m.failures.WithLabelValues(stage).Inc() },
	}
}

// storeMetrics reads gauges out of the store when they are scraped, so that
// every process tells the same. Labels are names of configured sources: few
// and bounded.
type storeMetrics struct {
	app                                         *App
	scoreLag, alertLag, outbox                  *prometheus.Desc
	accepted, quarantined, lastSuccess, failing *prometheus.Desc
}

func (a *App) newMetrics() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&storeMetrics{
			app:         a,
			scoreLag:    metric("score_lag_events").desc(),
			alertLag:    metric("alert_lag_notices").desc(),
			outbox:      metric("outbox_waiting").desc(),
			accepted:    metric("accepted_total").desc(),
			quarantined: metric("quarantined_total").desc(),
			lastSuccess: metric("collector_last_success_timestamp_seconds").desc(),
			failing:     metric("collector_failing").desc(),
		})
	a.scoring.register(r)
	return r
}

// Describe implements prometheus.Collector.
func (m *storeMetrics) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, ch) }

// Collect implements prometheus.Collector.
func (m *storeMetrics) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	if n, err := m.app.Stores.Consumer(scoreGroup).Lag(ctx); err == nil {
		gauge(m.scoreLag, float64(n))
	}
	if n, err := m.app.Stores.AlertReader(alertGroup).AlertLag(ctx); err == nil {
		gauge(m.alertLag, float64(n))
	}
	if n, err := m.app.Stores.Outbox.Waiting(ctx); err == nil {
		gauge(m.outbox, float64(n))
	}
	statuses, err := m.app.Stores.Statuses.Collectors(ctx)
	if err != nil {
		return
	}
	for _, s := range statuses {
		m.collector(ch, s)
	}
}

func (m *storeMetrics) collector(ch chan<- prometheus.Metric, s schemas.CollectorStatus) {
	ch <- prometheus.MustNewConstMetric(m.accepted, prometheus.CounterValue, float64(s.Accepted), s.Name)
	ch <- prometheus.MustNewConstMetric(m.quarantined, prometheus.CounterValue, float64(s.Quarantined), s.Name)
	failing := 0.0
	if s.LastError != "" {
		failing = 1
	}
	ch <- prometheus.MustNewConstMetric(m.failing, prometheus.GaugeValue, failing, s.Name)
	if s.LastSuccess != nil {
		ch <- prometheus.MustNewConstMetric(m.lastSuccess, prometheus.GaugeValue, float64(s.LastSuccess.UnixMilli())/1000, s.Name)
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
