package deploy

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"redalert/internal/app"
)

// known are the labels of every metric a query may use: ours, those of the
// client library that every process registers, and Prometheus's own "up".
func known() map[string][]string {
	m := map[string][]string{"up": nil, "process_resident_memory_bytes": nil, "process_cpu_seconds_total": nil}
	for _, metric := range app.Metrics() {
		if metric.Kind != "histogram" {
			m[metric.Name] = metric.Labels
			continue
		}
		m[metric.Name+"_sum"], m[metric.Name+"_count"] = metric.Labels, metric.Labels
		m[metric.Name+"_bucket"] = append(slices.Clone(metric.Labels), "le")
	}
	return m
}

// checkQuery parses a query, checks that every metric and label in it exists,
// and answers the metrics.
func checkQuery(t *testing.T, where, query string) []string {
	t.Helper()
	expr, err := parser.ParseExpr(strings.ReplaceAll(query, "$__rate_interval", "5m"))
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return nil
	}
	metrics, used := known(), map[string]bool{}
	allowed := []string{"job", "instance"}
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		v, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		have, ok := metrics[v.Name]
		if !ok {
			t.Errorf("%s: nothing measures %s", where, v.Name)
		}
		used[v.Name] = true
		allowed = append(allowed, have...)
		for _, m := range v.LabelMatchers {
			if m.Name != labels.MetricName && !slices.Contains(append([]string{"job", "instance"}, have...), m.Name) {
				t.Errorf("%s: %s has no label %s", where, v.Name, m.Name)
			}
		}
		return nil
	})
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if a, ok := n.(*parser.AggregateExpr); ok {
			for _, label := range a.Grouping {
				if !slices.Contains(allowed, label) {
					t.Errorf("%s: grouped by %s, which nothing in it has", where, label)
				}
			}
		}
		return nil
	})
	if len(used) == 0 {
		t.Errorf("%s: %q asks for nothing", where, query)
	}
	return slices.Collect(maps.Keys(used))
}

type rule struct {
	Alert, Expr string
	For         string
	Labels      map[string]string
	Annotations map[string]string
}

func rules(t *testing.T) []rule {
	t.Helper()
	var file struct {
		Groups []struct {
			Name  string
			Rules []rule
		}
	}
	if err := yaml.UnmarshalWithOptions([]byte(read(t, "docs/alerts.yml")), &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	var all []rule
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) < 10 {
		t.Fatalf("only %d rules were read", len(all))
	}
	return all
}

var labelOf = regexp.MustCompile(`\$labels\.(\w+)`)

func TestAlertRules(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range rules(t) {
		if !strings.HasPrefix(r.Alert, "Redalert") || seen[r.Alert] {
			t.Errorf("%s: a name of its own that begins with Redalert", r.Alert)
		}
		seen[r.Alert] = true
		if _, err := model.ParseDuration(r.For); err != nil {
			t.Errorf("%s: for %q: %v", r.Alert, r.For, err)
		}
		if s := r.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s: severity %q", r.Alert, s)
		}
		for _, note := range []string{"summary", "description", "action"} {
			if len(r.Annotations[note]) < 20 {
				t.Errorf("%s says too little in %s", r.Alert, note)
			}
		}
		checkQuery(t, r.Alert, r.Expr)
		for _, note := range r.Annotations {
			for _, m := range labelOf.FindAllStringSubmatch(note, -1) {
				if !strings.Contains(r.Expr, m[1]) && m[1] != "instance" {
					t.Errorf("%s: its text needs the label %s, which its expression does not keep", r.Alert, m[1])
				}
			}
		}
	}
}

// TestAlertsCover: each thing that may go wrong without anybody in the page
// noticing has a rule.
func TestAlertsCover(t *testing.T) {
	watched := map[string]bool{}
	for _, r := range rules(t) {
		for _, name := range checkQuery(t, r.Alert, r.Expr) {
			watched[name] = true
		}
	}
	for _, name := range []string{
		"up", "redalert_score_lag_events", "redalert_alert_lag_notices", "redalert_outbox_waiting",
		"redalert_quarantined_total", "redalert_set_aside_total", "redalert_collector_failing", "redalert_collector_last_success_timestamp_seconds",
		"redalert_score_failures_total", "redalert_log_gap_total", "redalert_log_partition_lag",
		"redalert_history_insert_seconds_bucket", "redalert_history_retries_total",
	} {
		if !watched[name] {
			t.Errorf("no rule watches %s", name)
		}
	}
}

type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ H, W, X, Y int }
	FieldConfig              struct{ Defaults struct{ Unit string } }
	Datasource               struct{ Type, UID string }
	Targets                  []struct{ RefID, Expr, LegendFormat string }
}

func TestDashboard(t *testing.T) {
	var d struct {
		UID, Title    string
		SchemaVersion int
		Panels        []panel
		Templating    struct{ List []struct{ Name, Type string } }
	}
	if err := json.Unmarshal([]byte(read(t, "docs/grafana/redalert.json")), &d); err != nil {
		t.Fatal(err)
	}
	if d.UID == "" || d.Title == "" || d.SchemaVersion < 39 || len(d.Panels) < 15 {
		t.Fatalf("%q %q %d: %d panels", d.UID, d.Title, d.SchemaVersion, len(d.Panels))
	}
	if len(d.Templating.List) != 1 || d.Templating.List[0].Name != "datasource" {
		t.Error("the data source must be chosen in the page, not fixed")
	}
	ids, shown := map[int]bool{}, map[string]bool{}
	for i, p := range d.Panels {
		if p.ID == 0 || ids[p.ID] || p.Title == "" {
			t.Errorf("panel %q has the id %d, which is none or another's", p.Title, p.ID)
		}
		ids[p.ID] = true
		checkPlace(t, d.Panels[:i], p)
		if p.Type == "row" {
			continue
		}
		if p.Description == "" || p.FieldConfig.Defaults.Unit == "" || p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
			t.Errorf("panel %q lacks a description, a unit, the data source or a query", p.Title)
		}
		refs := map[string]bool{}
		for _, q := range p.Targets {
			if q.RefID == "" || refs[q.RefID] || q.LegendFormat == "" {
				t.Errorf("panel %q: query %q has no name of its own", p.Title, q.Expr)
			}
			refs[q.RefID] = true
			for _, name := range checkQuery(t, p.Title, q.Expr) {
				shown[name] = true
			}
		}
	}
	for _, m := range app.Metrics() {
		if !shown[m.Name] && !shown[m.Name+"_bucket"] {
			t.Errorf("no panel shows %s", m.Name)
		}
	}
}

// checkPlace: inside the grid of 24 columns and on no other panel.
func checkPlace(t *testing.T, before []panel, p panel) {
	t.Helper()
	g := p.GridPos
	if g.W < 1 || g.H < 1 || g.X < 0 || g.X+g.W > 24 {
		t.Errorf("panel %q stands at %+v", p.Title, g)
	}
	for _, o := range before {
		b := o.GridPos
		if g.X < b.X+b.W && b.X < g.X+g.W && g.Y < b.Y+b.H && b.Y < g.Y+g.H {
			t.Errorf("panel %q lies on %q", p.Title, o.Title)
		}
	}
}
