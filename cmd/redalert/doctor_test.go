package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"redalert/internal/app"
)

// TestDoctorServersAway: programs get JSON and people a line for each server,
// also when redalert cannot start.
func TestDoctorServersAway(t *testing.T) {
	var addrs []any
	for range 3 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addrs = append(addrs, ln.Addr())
		ln.Close() // so that it refuses
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "redalert.yaml")
	text := fmt.Sprintf("kafka: {brokers: [%q]}\nclickhouse: {addr: %q}\npostgres: {url: \"postgres://redalert:hunter2@%s/redalert?sslmode=disable\"}\n", addrs...)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	doctor := func(more ...string) (string, string) {
		var out, errs bytes.Buffer
		code := realMain(append([]string{"doctor", "-c", file, "--data", dir}, more...), strings.NewReader(""), &out, &errs)
		if code != exitFailed || strings.Contains(out.String()+errs.String(), "hunter2") {
			t.Errorf("exit %d\n%s%s", code, &out, &errs)
		}
		return out.String(), errs.String()
	}
	out, errs := doctor("--json")
	var told struct {
		OK     bool
		Checks []app.Check
	}
	if err := json.Unmarshal([]byte(out), &told); err != nil {
		t.Fatalf("%v: %q, %q", err, out, errs)
	}
	failed := map[string]bool{}
	for _, c := range told.Checks {
		failed[c.Name] = !c.OK
	}
	if told.OK || !failed["postgres"] || !failed["clickhouse"] || !failed["kafka"] || failed["data folder"] || !strings.Contains(errs, "3 of ") {
		t.Errorf("%+v, %q", told, errs)
	}
	out, _ = doctor()
	for _, line := range []string{"FAIL  postgres: ", "FAIL  clickhouse: ", "FAIL  kafka: ", "ok    data folder: ", "      → "} {
		if !strings.Contains(out, line) {
			t.Errorf("no line begins with %q:\n%s", line, out)
		}
	}
}
