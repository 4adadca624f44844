package app

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"redalert/ingest"
	"redalert/schemas"
)

// apart come from Kafka, which the one file does without.
var apart = []string{"redalert_log_partition_lag", "redalert_log_gap_total"}

func gather(t *testing.T, a *App) map[string]*dto.MetricFamily {
	t.Helper()
	families, err := a.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]*dto.MetricFamily{}
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "redalert_") {
			found[f.GetName()] = f
		}
	}
	return found
}

// busyApp has scored one red event and put one item into quarantine.
func busyApp(t *testing.T) *App {
	t.Helper()
	a := newApp(t, testConfig(t))
	ctx := context.Background()
	data, err := json.Marshal(schemas.Feedback{
		SourceType: schemas.SourceSurvey, SubmissionID: "s1", FieldType: schemas.FieldText, ValueText: "I want my money back.",
	})
	if err != nil {
		t.Fatal(err)
	}
	items := []ingest.Item{
		{Source: "shop", Type: schemas.SurveyAnswered, NativeID: "s1", OccurredAt: time.Now(), Data: data},
		{Source: "shop", Type: schemas.SurveyAnswered, NativeID: "s2", OccurredAt: time.Now(), Data: json.RawMessage(`{"field_type":"weather"}`)},
	}
	for range 2 { // the second time nothing is new
		if _, err := a.Door.Accept(ctx, items); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	told := a.Stores.Statuses.Report(ctx, schemas.CollectorStatus{Name: "shop", Kind: "webhook", LastSuccess: &now, Accepted: 1, Quarantined: 1})
	if err := errors.Join(told, a.Drain(ctx)); err != nil {
		t.Fatal(err)
	}
	return a
}

// TestMetricsAreThoseOfTheList: the dashboard and the alert rules rest on it.
func TestMetricsAreThoseOfTheList(t *testing.T) {
	found := gather(t, busyApp(t))
	for _, m := range Metrics() {
		f := found[m.Name]
		delete(found, m.Name)
		if slices.Contains(apart, m.Name) {
			continue
		}
		if f == nil {
			t.Errorf("%s is on the list, but not measured", m.Name)
			continue
		}
		if kind := strings.ToLower(f.GetType().String()); kind != m.Kind || f.GetHelp() != m.Help {
			t.Errorf("%s is measured as %s %q, the list says %s %q", m.Name, kind, f.GetHelp(), m.Kind, m.Help)
		}
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		if !slices.Equal(labels, m.Labels) {
			t.Errorf("%s has labels %v, the list says %v", m.Name, labels, m.Labels)
		}
	}
	for name := range found {
		t.Errorf("%s is measured, but not on the list", name)
	}
}

func TestScoringIsMeasured(t *testing.T) {
	a := busyApp(t)
	a.scoring.hooks().Failed("history")
	found := gather(t, a)
	batch := found["redalert_score_batch_events"].GetMetric()[0].GetHistogram()
	if batch.GetSampleCount() != 1 || batch.GetSampleSum() != 1 {
		t.Errorf("%d batches of %v events, want one of one", batch.GetSampleCount(), batch.GetSampleSum())
	}
	if n := found["redalert_score_batch_seconds"].GetMetric()[0].GetHistogram().GetSampleCount(); n != 1 {
		t.Errorf("%d batches timed, want one", n)
	}
	for name, want := range map[string]map[string]float64{
		"redalert_scored_total":         {"none": 0, "review": 0, "red": 1},
		"redalert_score_failures_total": {"fetch": 0, "context": 0, "model": 0, "history": 1, "quarantine": 0, "alerts": 0, "commit": 0},
	} {
		got := map[string]float64{}
		for _, m := range found[name].GetMetric() {
			got[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
		}
		for label, n := range want {
			if v, ok := got[label]; !ok || v != n || len(got) != len(want) {
				t.Errorf("%s: %v, want %v", name, got, want)
				break
			}
		}
	}
}
