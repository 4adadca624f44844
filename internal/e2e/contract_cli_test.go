package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// commands is every command of the page with its flags.
var commands = map[string]string{
	"":                  "",
	"run":               "-c --data --listen --role --drain --ready-file",
	"import":            "-c --data --source --map --tz --open-cases --dry-run --json",
	"export":            "-c --data --since --until --format -o",
	"score":             "--json",
	"user":              "",
	"user add":          "-c --data --role --location --password-stdin",
	"user list":         "-c --data",
	"user disable":      "-c --data",
	"token":             "",
	"token add":         "-c --data --scope --source",
	"token list":        "-c --data",
	"token revoke":      "-c --data",
	"quarantine":        "",
	"quarantine list":   "-c --data",
	"quarantine show":   "-c --data",
	"quarantine replay": "-c --data",
	"quarantine drop":   "-c --data",
	"tick":              "-c --data --at",
	"digest":            "",
	"digest preview":    "-c --data --for --at -o",
	"doctor":            "-c --data --json",
	"check-config":      "-c",
	"demo":              "--fresh",
	"backup":            "-c --data",
	"restore":           "-c --data",
	"migrate":           "-c --data",
	"version":           "",
	"completion":        "",
}

func TestContractHelp(t *testing.T) {
	t.Parallel()
	for path, flags := range commands {
		out, errs, code := redalert(t, "", append(strings.Fields(path), "--help")...)
		if code != 0 || out == "" || errs != "" {
			t.Errorf("redalert %s --help: exit %d, %d bytes on stdout, stderr %q", path, code, len(out), errs)
		}
		for _, f := range strings.Fields(flags) {
			if !strings.Contains(out, " "+f) {
				t.Errorf("redalert %s --help does not tell of %s", path, f)
			}
		}
	}
	out, _, _ := redalert(t, "", "import", "--help")
	for _, preset := range []string{"online-retail", "cdnow"} {
		if !strings.Contains(out, preset) {
			t.Errorf("import --help does not list %s", preset)
		}
	}
}

func TestContractExitCodes(t *testing.T) {
	t.Parallel()
	data, dir := t.TempDir(), t.TempDir()
	bad := writeFile(t, dir, "bad.yaml", "server:\n  listn: 127.0.0.1:0\n")
	orders := writeFile(t, dir, "orders.csv", "order_ref,customer_ref,placed_at,total,currency\nA,C1,2026-01-02T10:00:00Z,12.00,EUR\nB,C1,tomorrow,12.00,EUR\n")
	must(t, "token", "add", "taken", "--scope", "read", "--data", data)
	for _, c := range []struct {
		args string
		want int
		says string
	}{
		{"frobnicate", 2, "unknown command"}, {"token frobnicate", 2, ""}, {"run --frob", 2, "--frob"},
		{"export", 2, "kind"}, {"export frob", 2, "frob"}, {"export events --format xml", 2, "xml"}, {"export events --since yesterday", 2, "--since"},
		{"import", 2, "kind"}, {"import frob x", 2, "frob"}, {"import orders", 2, "file"}, {"import orders " + orders, 2, "--source"},
		{"import orders " + orders + " --source s --map no-such-preset", 2, "no-such-preset"},
		{"import orders " + orders + " --source s --tz Mars/Olympus", 2, "Mars"},
		{"import orders " + orders + " --source s", 3, ""},
		{"user add", 2, ""}, {"user add x@shop.example", 2, "--role"}, {"user add x@shop.example --role king", 2, "role"}, {"user disable", 2, ""},
		{"user disable nobody@shop.example", 1, "nobody@"}, {"token add", 2, ""}, {"token add n", 2, "--scope"}, {"token add n --scope all", 2, "scope"},
		{"token add taken --scope read", 1, "taken"}, {"token revoke", 2, ""}, {"token revoke none", 1, "none"},
		{"quarantine show", 2, ""}, {"quarantine show none", 1, "none"}, {"quarantine drop", 2, ""}, {"quarantine replay", 2, ""},
		{"quarantine drop none", 1, "none"},
		{"tick", 2, "--at"}, {"tick --at noon", 2, "noon"}, {"backup", 2, ""}, {"restore", 2, ""}, {"completion", 2, ""}, {"completion tcsh", 2, "tcsh"},
		{"run --role collect", 2, "role"}, {"run --role frob", 2, "frob"}, {"run stray", 2, "stray"},
		{"check-config -c " + bad, 2, "listen"}, {"run -c " + bad, 2, "2"}, {"run -c " + filepath.Join(dir, "none.yaml"), 2, "none.yaml"},
		{"user", 2, ""}, {"token", 2, ""}, {"quarantine", 2, ""}, {"digest", 2, ""}, {"version", 0, ""}, {"doctor", 0, ""}, {"migrate", 0, ""},
		{"quarantine list", 0, ""}, {"user list", 0, ""}, {"token list", 0, ""}, {"run --drain", 0, ""},
	} {
		args := strings.Fields(c.args)
		if c.args != "version" && args[0] != "completion" && args[0] != "frobnicate" && args[0] != "check-config" && len(args) > 1 || args[0] == "doctor" || args[0] == "migrate" {
			args = append(args, "--data", data)
		}
		out, errs, code := redalert(t, "", args...)
		if code != c.want {
			t.Errorf("redalert %s: exit %d, want %d\n%s%s", c.args, code, c.want, out, errs)
		}
		if c.want != 0 && !strings.Contains(errs, c.says) {
			t.Errorf("redalert %s does not say %q: %s", c.args, c.says, errs)
		}
		if (c.want == 1 || c.want == 2) && (out != "" || errs == "") {
			t.Errorf("redalert %s: an error belongs on stderr alone; stdout %q, stderr %q", c.args, out, errs)
		}
		if strings.ContainsAny(out+errs, "\x1b\r") {
			t.Errorf("redalert %s: colour or a bar without a terminal: %q", c.args, out+errs)
		}
	}
}

func TestContractConfigNamesLineAndNearestKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for text, says := range map[string][]string{
		"business:\n  name: X\n  timezon: UTC\n":     {"3", "timezon", "timezone"},
		"server:\n  listn: 127.0.0.1:0\n":            {"2", "listn", "listen"},
		"buisness: {}\n":                             {"1", "buisness", "business"},
		"imap:\n  - name: a\n    hots: x\n":          {"3", "hots", "host"},
		"business: {currency: EURO}\n":               {"currency"},
		"alerting: {open_cases_for: soon}\n":         {"soon"},
		"network: {allow_private: [everything]}\n":   {"everything"},
		"imap: [{name: a, host: h, tls: perhaps}]\n": {"tls"},
	} {
		_, errs, code := redalert(t, "", "check-config", "-c", writeFile(t, dir, "c.yaml", text))
		if code != 2 {
			t.Errorf("%q: exit %d", text, code)
		}
		for _, s := range says {
			if !strings.Contains(errs, s) {
				t.Errorf("%q: %s does not say %q", text, errs, s)
			}
		}
	}
}

func TestContractScore(t *testing.T) {
	t.Parallel()
	for stdin, level := range map[string]string{
		"Nobody called back. I want my money back.":                                       "red",
		"Thank you, everything was lovely.":                                               "none",
		`{"source_type":"survey","field_type":"nps","value_number":2}`:                    "red",
		`{"value_text":"Thanks, lovely.","field_type":"text"}`:                            "none",
		string(cloudEvent("s", "1", "order.cancelled", map[string]any{"order_ref": "A"})): "red",
	} {
		out, errs, code := redalert(t, stdin, "score", "--json")
		var v map[string]any
		if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 || str(v, "level") != level || v["red"] != (level == "red") {
			t.Errorf("score %s: exit %d %v %s%s", stdin, code, err, out, errs)
		}
	}
	if out, _, code := redalert(t, "I want my money back.", "score"); code != 0 || !strings.Contains(out, "red") {
		t.Errorf("score without --json: exit %d %s", code, out)
	}
}

// TestContractBesideAServer: import, export, token, user and quarantine work
// while a server runs, and what is imported is worked off by it.
func TestContractBesideAServer(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	dir := t.TempDir()
	file := writeFile(t, dir, "answers.csv", "submission_id,customer.ref,occurred_at,field_type,value_number\nA,C1,"+time.Now().UTC().Format(time.RFC3339)+",nps,1\nB,C2,never,nps,1\n")
	out, errs, code := redalert(t, "", s.args("import", "surveys", file, "--source", "spring", "--json")...)
	if code != 3 {
		t.Fatalf("import of a bad row: exit %d\n%s%s", code, out, errs)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var report map[string]float64
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &report); err != nil {
		t.Fatalf("the last line of import --json: %v\n%s", err, out)
	}
	for key, want := range map[string]float64{"read": 2, "events": 1, "accepted": 1, "duplicate": 0, "quarantined": 1, "resumed_at": 0} {
		if got, ok := report[key]; !ok || got != want {
			t.Errorf("import --json: %s is %v, want %v: %s", key, got, want, out)
		}
	}
	eventually(t, 10*time.Second, "the server works the import off", func() bool { return len(export(t, s.data, "cases")) == 1 })
	q := export(t, s.data, "quarantine")
	if len(q) != 1 || !strings.Contains(str(q[0], "locator"), "answers.csv") || !strings.Contains(str(q[0], "locator"), "3") || str(q[0], "state") != "open" {
		t.Fatalf("quarantine: %v", q)
	}
	if out := must(t, s.args("quarantine", "list")...); !strings.Contains(out, str(q[0], "id")) {
		t.Errorf("quarantine list: %s", out)
	}
	if out := must(t, s.args("quarantine", "show", str(q[0], "id"))...); !strings.Contains(out, "never") {
		t.Errorf("quarantine show: %s", out)
	}
	if _, _, code := redalert(t, "", s.args("quarantine", "replay", str(q[0], "id"))...); code != 3 {
		t.Errorf("replay of what is still bad: exit %d", code)
	}
	must(t, s.args("quarantine", "drop", str(q[0], "id"))...)
	if q := export(t, s.data, "quarantine"); str(q[0], "state") != "dropped" {
		t.Errorf("a dropped item: %v", q)
	}
	must(t, s.args("user", "add", "staff@shop.example", "--role", "staff", "--location", "Never seen")...)
	if out := must(t, s.args("user", "list")...); !strings.Contains(out, "Never seen") {
		t.Errorf("user list: %s", out)
	}
	token := strings.TrimSpace(must(t, s.args("token", "add", "late", "--scope", "read")...))
	if strings.ContainsAny(token, " \n") {
		t.Errorf("token add prints only the token: %q", token)
	}
	if code, _, _ := s.request("GET", "/v1/cases", token, "", nil); code != 200 {
		t.Errorf("a token made beside the server: %d", code)
	}
	must(t, s.args("token", "revoke", "late")...)
	if code, _, _ := s.request("GET", "/v1/cases", token, "", nil); code != 401 {
		t.Errorf("a revoked token: %d", code)
	}
	if _, errs, code := redalert(t, "", s.args("run", "--drain")...); code != 1 || !strings.Contains(errs, "running") {
		t.Errorf("a second run on the same data: exit %d %s", code, errs)
	}
	if _, errs, code := redalert(t, "", s.args("tick", "--at", "2026-01-01T00:00:00Z")...); code != 1 || !strings.Contains(errs, "running") {
		t.Errorf("tick beside a server: exit %d %s", code, errs)
	}
	s.stop()
}

func TestContractBackupAndRestore(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.accepted(t, "order.cancelled", map[string]any{"order_ref": "A", "customer": map[string]any{"ref": "C1"}})
	file := filepath.Join(t.TempDir(), "copy.db")
	must(t, s.args("backup", file)...)
	s.stop()
	to := t.TempDir()
	must(t, "restore", file, "--data", to)
	if got := export(t, to, "events"); len(got) != 1 {
		t.Errorf("after restore: %v", got)
	}
	if _, _, code := redalert(t, "", "restore", file, "--data", to); code != 1 {
		t.Errorf("restore over a store: exit %d", code)
	}
}

func TestContractSignals(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		s := start(t, "run", "--data", t.TempDir())
		_ = s.cmd.Process.Signal(sig)
		if err := <-s.ended; err != nil {
			t.Errorf("%v ends the server with %v\n%s", sig, err, s.stderr)
		}
		s.ended <- nil
	}
	var rows strings.Builder
	rows.WriteString("order_ref,customer_ref,placed_at,total,currency\n")
	for range 20000 {
		rows.WriteString("A" + strings.Repeat("x", rows.Len()%13) + ",C1,2026-01-02T10:00:00Z,12.00,EUR\n")
	}
	data := t.TempDir()
	cmd := exec.Command(binary, "import", "orders", writeFile(t, data, "o.csv", rows.String()), "--source", "s", "--data", data, "--json")
	cmd.Env = cleanEnv()
	var out lockedBuffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "the import opened its store", func() bool {
		_, err := os.Stat(filepath.Join(data, "redalert.db-wal"))
		return err == nil
	})
	_ = cmd.Process.Signal(os.Interrupt)
	if err := cmd.Wait(); err != nil {
		t.Errorf("Ctrl-C on an import: %v\n%s", err, &out)
	}
}
