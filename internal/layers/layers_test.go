// Package layers holds no code: its test keeps the import rules of
// docs/architecture.md.
package layers

import (
	"bytes"
	"encoding/json"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// may lists, for each layer, what of ours it may import, tests aside. A layer
// is a path prefix; the longest match counts. "stdlib" forbids everything else.
var may = map[string][]string{
	"redalert/schemas":   {"stdlib"},
	"redalert/ingest":    {"redalert/schemas"},
	"redalert/ingest/":   {"redalert/ingest", "redalert/ingest/file", "redalert/schemas"},
	"redalert/signals":   {"redalert/schemas", "redalert/signals/"},
	"redalert/signals/":  {"redalert/schemas", "redalert/signals/"},
	"redalert/alerting":  {"redalert/schemas"},
	"redalert/alerting/": {"redalert/alerting", "redalert/schemas"},

	"redalert/internal/config":     {"redalert/schemas"},
	"redalert/internal/auth":       {"redalert/schemas"},
	"redalert/internal/safehttp":   {},
	"redalert/internal/tracing":    {"redalert/schemas"},
	"redalert/internal/eval":       {},
	"redalert/internal/sqlite":     {"redalert/schemas", "redalert/ingest", "redalert/signals", "redalert/signals/churn", "redalert/alerting", "redalert/internal/auth", "redalert/internal/move"},
	"redalert/internal/memstore":   {"redalert/schemas", "redalert/ingest", "redalert/signals", "redalert/signals/churn", "redalert/alerting", "redalert/internal/auth", "redalert/internal/move"},
	"redalert/internal/kafka":      {"redalert/schemas", "redalert/ingest", "redalert/signals", "redalert/alerting"},
	"redalert/internal/clickhouse": {"redalert/schemas", "redalert/ingest", "redalert/signals", "redalert/signals/churn", "redalert/internal/move"},
	"redalert/internal/postgres":   {"redalert/schemas", "redalert/ingest", "redalert/alerting", "redalert/internal/auth", "redalert/internal/move"},
	"redalert/internal/move":       {"redalert/schemas", "redalert/signals"},
	"redalert/internal/export":     {"redalert/schemas", "redalert/ingest", "redalert/signals", "redalert/alerting"},
	"redalert/internal/importer":   {"redalert/schemas", "redalert/ingest", "redalert/ingest/"},
	"redalert/internal/teach":      {"redalert/schemas", "redalert/signals", "redalert/signals/learn", "redalert/alerting"},
	"redalert/internal/web":        {"redalert/schemas", "redalert/ingest", "redalert/ingest/hook", "redalert/signals", "redalert/alerting", "redalert/internal/auth", "redalert/internal/export"},
	"redalert/internal/demo":       {"redalert/schemas", "redalert/ingest", "redalert/alerting"},
	"redalert/internal/app":        {"redalert/"},
	"redalert/internal/train":      {"redalert/schemas", "redalert/signals", "redalert/signals/", "redalert/internal/eval"},

	"redalert/cmd/redalert":       {"redalert/internal/", "redalert/alerting", "redalert/ingest", "redalert/schemas"},
	"redalert/cmd/redalert-bench": {"redalert/signals/text", "redalert/signals/text/encoder"},
}

type pkg struct {
	ImportPath string
	Name       string
	Imports    []string
}

func list(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Name,Imports", "redalert/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
	if len(pkgs) < 10 {
		t.Fatalf("go list found only %d packages", len(pkgs))
	}
	return pkgs
}

// layerOf finds the rule for a package: its own, else that of the folder it
// stands under.
func layerOf(path string) ([]string, bool) {
	if rule, ok := may[path]; ok {
		return rule, true
	}
	for p := path; ; {
		i := strings.LastIndexByte(p, '/')
		if i < 0 {
			return nil, false
		}
		if p = p[:i]; may[p+"/"] != nil {
			return may[p+"/"], true
		}
		if rule, ok := may[p]; ok {
			return append([]string{p, p + "/"}, rule...), true
		}
	}
}

func allowed(rule []string, imp string) bool {
	for _, r := range rule {
		if imp == r || strings.HasSuffix(r, "/") && strings.HasPrefix(imp, r) {
			return true
		}
	}
	return false
}

func TestImports(t *testing.T) {
	for _, p := range list(t) {
		rule, ok := layerOf(p.ImportPath)
		if !ok {
			t.Errorf("%s belongs to no layer; give it one here and in docs/architecture.md", p.ImportPath)
			continue
		}
		for _, imp := range p.Imports {
			switch {
			case imp == p.ImportPath || strings.HasPrefix(imp, p.ImportPath+"/"):
			case strings.HasPrefix(imp, "redalert/"):
				if !allowed(rule, imp) && !allowed(testSupport[p.ImportPath], imp) {
					t.Errorf("%s imports %s, which its layer may not", p.ImportPath, imp)
				}
			case allowed(rule, "stdlib") && strings.Contains(strings.Split(imp, "/")[0], "."):
				t.Errorf("%s imports %s; this layer knows the standard library only", p.ImportPath, imp)
			}
		}
	}
}

// testSupport are packages that only tests import; they may know more.
var testSupport = map[string][]string{
	"redalert/internal/storetest":  {"redalert/schemas", "redalert/ingest", "redalert/signals", "redalert/alerting", "redalert/internal/auth", "redalert/internal/move"},
	"redalert/internal/dovecot":    {},
	"redalert/internal/lane":       {},
	"redalert/internal/servertest": {"redalert/internal/lane"},
	"redalert/internal/e2e":        {"redalert/schemas"},
	"redalert/internal/layers":     {},
	"redalert/internal/linear":     {},
	"redalert/internal/deploy":     {},
}

func init() {
	for k := range testSupport {
		may[k] = testSupport[k]
	}
}

// TestOnlyCmdExits: a library that ends the process takes its caller's
// clean-ups with it.
func TestOnlyCmdExits(t *testing.T) {
	out, err := exec.Command("git", "grep", "-nE", `os\.Exit\(|log\.Fatal`, "--", ":/*.go", ":!/cmd", ":(top,exclude)*_test.go").CombinedOutput()
	if err == nil {
		t.Errorf("os.Exit or log.Fatal outside cmd:\n%s", out)
	}
}
