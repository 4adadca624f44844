package app

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"redalert/schemas"
	"redalert/signals"
)

// scoreMetrics count what the scorer of this process does.
type scoreMetrics struct {
	events, seconds  prometheus.Histogram
	failures, scored *prometheus.CounterVec
	aside            atomic.Int64 // events put into quarantine; see storeMetrics
}

func newScoreMetrics() *scoreMetrics {
	m := &scoreMetrics{
		events:   metric("score_batch_events").histogram(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000),
		seconds:  metric("score_batch_seconds").histogram(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
		failures: metric("score_failures_total").counters(),
		scored:   metric("scored_total").counters(),
	}
	// Known values start at 0: the first failure is an increase, too.
	for _, stage := range []string{"fetch", "context", "model", "history", "quarantine", "alerts", "commit"} {
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
		Quarantined: func(n int) { m.aside.Add(int64(n)) },
		Verdict:     func(_ schemas.Event, v schemas.Verdict) { m.scored.WithLabelValues(string(v.Level)).Inc() },
		Failed:      func(stage string) { m.failures.WithLabelValues(stage).Inc() },
	}
}

// storeWork counts what this process takes in and stores.
type storeWork struct {
	seconds    prometheus.Histogram
	retries    prometheus.Counter
	duplicates *prometheus.CounterVec
	sources    *sourceNames
}

func newStoreWork(sources *sourceNames) *storeWork {
	retries := metric("history_retries_total")
	return &storeWork{
		seconds:    metric("history_insert_seconds").histogram(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
		retries:    prometheus.NewCounter(prometheus.CounterOpts{Name: retries.Name, Help: retries.Help}),
		duplicates: metric("duplicates_total").counters(),
		sources:    sources,
	}
}

func (m *storeWork) register(r *prometheus.Registry) {
	r.MustRegister(m.seconds, m.retries, m.duplicates)
}

func (m *storeWork) duplicate(source string) {
	m.duplicates.WithLabelValues(m.sources.label(source)).Inc()
}

// measuredHistory times what the scorer stores. A failed insert is tried again
// by the scorer, so it counts as a retry.
type measuredHistory struct {
	signals.History
	work *storeWork
	now  func() time.Time
}

func (h measuredHistory) Store(ctx context.Context, scored []schemas.Scored) ([]schemas.Verdict, error) {
	start := h.now()
	standing, err := h.History.Store(ctx, scored)
	h.work.seconds.Observe(h.now().Sub(start).Seconds())
	if err != nil && ctx.Err() == nil {
		h.work.retries.Inc()
	}
	return standing, err
}
