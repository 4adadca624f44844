package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestContractMailServerDown: mail waits in the outbox and says why; once the
// server is there it goes, once, under the same Message-ID.
func TestContractMailServerDown(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	good, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	ln, dead := listen(t)
	ln.Close()
	folder := strings.TrimSuffix(s.config, "/redalert.yaml")
	writeFile(t, folder, "redalert.yaml", strings.Replace(string(good), fmt.Sprintf("port: %d", s.mails.port), fmt.Sprintf("port: %d", dead), 1))
	file := writeFile(t, t.TempDir(), "s.jsonl", `{"submission_id":"S1","field_type":"text","value_text":"You will hear from my lawyer.","occurred_at":"`+
		time.Now().UTC().Format(time.RFC3339)+`","customer":{"ref":"C1"}}`+"\n")
	must(t, s.args("import", "surveys", file, "--source", "s")...)
	must(t, s.args("run", "--drain")...)
	n := export(t, s.data, "notifications")
	if len(n) != 1 || str(n[0], "state") != "queued" || n[0]["attempts"] != 1.0 || str(n[0], "error") == "" {
		t.Fatalf("without a mail server: %v", n)
	}
	writeFile(t, folder, "redalert.yaml", string(good))
	later := time.Now().Add(10 * time.Minute).UTC().Format(time.RFC3339)
	for range 2 {
		must(t, s.args("tick", "--at", later)...)
	}
	sent := s.mails.to("manager@shop.example")
	for _, r := range export(t, s.data, "notifications") {
		if str(r, "id") == str(n[0], "id") && (str(r, "state") != "sent" || str(r, "error") != "" || str(r, "message_id") != str(n[0], "message_id")) {
			t.Errorf("with one again: %v", r)
		}
	}
	critical := 0
	for _, m := range sent {
		if m.header.Get("Message-Id") == str(n[0], "message_id") {
			critical++
		}
	}
	if critical != 1 {
		t.Errorf("%d mails of %d are the critical one", critical, len(sent))
	}
}

// TestContractConfigEnvironment: values come from the environment, secrets
// from files; what is missing is told.
func TestContractConfigEnvironment(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("REDALERT_TEST_NAME", "Riverside")
	secret := writeFile(t, dir, "secret", "hunter22\n")
	config := writeFile(t, dir, "c.yaml", "data_dir: "+dir+"/data\nbusiness: {name: \"${REDALERT_TEST_NAME}\"}\nsmtp: {host: h.example, port: 25, tls: none, from: a@b.example, user: u, password_file: "+secret+"}\nalerting: {open_cases_for: 1h}\n")
	if out := must(t, "check-config", "-c", config); !strings.Contains(out, dir+"/data") {
		t.Errorf("check-config: %s", out)
	}
	config = writeFile(t, dir, "d.yaml", "business: {name: \"${REDALERT_TEST_NONE}\"}\n")
	if _, errs, code := redalert(t, "", "check-config", "-c", config); code != 2 || !strings.Contains(errs, "REDALERT_TEST_NONE") {
		t.Errorf("an unset variable: exit %d %s", code, errs)
	}
	config = writeFile(t, dir, "e.yaml", "smtp: {host: h.example, port: 25, tls: none, from: a@b.example, user: u, password_file: "+dir+"/none}\n")
	if _, errs, code := redalert(t, "", "check-config", "-c", config); code != 2 || !strings.Contains(errs, "none") || strings.Contains(errs, "hunter22") {
		t.Errorf("a missing secret: exit %d %s", code, errs)
	}
}
