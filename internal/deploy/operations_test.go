package deploy

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// TestOperationsPage: its links lead somewhere, and the services, ports and
// networks it names are there.
func TestOperationsPage(t *testing.T) {
	page, p := read(t, "docs/operations.md"), project(t)
	for _, m := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(page, -1) {
		if _, err := os.Stat(filepath.Join(root, "docs", m[1])); err != nil {
			t.Errorf("a link leads nowhere: %v", err)
		}
	}
	for _, m := range regexp.MustCompile(`docker compose (?:exec(?: -\S+(?: KAFKA_OPTS=)?)*|logs) ([a-z]+)`).FindAllStringSubmatch(page, -1) {
		if _, ok := p.Services[m[1]]; !ok {
			t.Errorf("%q names no service", m[0])
		}
	}
	for _, m := range regexp.MustCompile("`redalert_(backend|edge)`|redalert_(backend|edge)\\b").FindAllString(page, -1) {
		name := strings.TrimPrefix(strings.Trim(m, "`"), p.Name+"_")
		if _, ok := p.Networks[name]; !ok {
			t.Errorf("there is no network %s", m)
		}
	}
	for _, m := range regexp.MustCompile(`\bREDALERT_[A-Z_]+\b`).FindAllString(page, -1) {
		if !strings.Contains(read(t, "docker-compose.yml"), "${"+m+":-") {
			t.Errorf("docker-compose.yml does not take %s", m)
		}
	}
}

// TestScrapeConfiguration: Prometheus asks every role, under the name that the
// rules expect, at the port where metrics are.
func TestScrapeConfiguration(t *testing.T) {
	_, after, _ := strings.Cut(read(t, "docs/operations.md"), "```yaml\n")
	text, _, ok := strings.Cut(after, "```")
	if !ok {
		t.Fatal("there is no scrape configuration")
	}
	var c struct {
		RuleFiles []string `yaml:"rule_files"`
		Scrape    []struct {
			Job string `yaml:"job_name"`
			DNS []struct {
				Names []string
				Type  string
				Port  string
			} `yaml:"dns_sd_configs"`
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal([]byte(text), &c); err != nil || len(c.Scrape) != 1 || len(c.Scrape[0].DNS) != 1 {
		t.Fatalf("%+v: %v", c, err)
	}
	p := project(t)
	_, port, err := net.SplitHostPort(configOf(t, p, "web").Server.MetricsListen)
	if err != nil {
		t.Fatal(err)
	}
	var running []string
	for _, name := range p.ServiceNames() {
		if s := p.Services[name]; ours(s) && !oneShot(s) {
			running = append(running, name)
		}
	}
	asked := slices.Sorted(slices.Values(c.Scrape[0].DNS[0].Names))
	if slices.Sort(running); c.Scrape[0].Job != "redalert" || c.Scrape[0].DNS[0].Port != port || !slices.Equal(asked, running) {
		t.Errorf("%+v, want job redalert, port %s, %v", c.Scrape[0], port, running)
	}
}
