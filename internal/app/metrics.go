package app

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"redalert/schemas"
)

// storeMetrics reads gauges out of the store when they are scraped, so that
// every process tells the same. Labels are names of configured sources: few
// and bounded.
type storeMetrics struct {
	app                                         *App
	scoreLag, alertLag, outbox                  *prometheus.Desc
	accepted, quarantined, lastSuccess, failing *prometheus.Desc
}

func (a *App) newMetrics() *prometheus.Registry {
	d := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("redalert_"+name, help, labels, nil)
	}
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&storeMetrics{
			app:         a,
			scoreLag:    d("score_lag_events", "Accepted events that are not scored yet."),
			alertLag:    d("alert_lag_notices", "Red events and replies that are not filed yet."),
			outbox:      d("outbox_waiting", "Notifications that are not sent yet."),
			accepted:    d("accepted_total", "Events accepted, by source.", "source"),
			quarantined: d("quarantined_total", "Items put into quarantine, by source.", "source"),
			lastSuccess: d("collector_last_success_timestamp_seconds", "When a source was last read without an error.", "source"),
			failing:     d("collector_failing", "1 while the last attempt to read a source failed.", "source"),
		})
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
