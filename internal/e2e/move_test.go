package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

var exportKinds = []string{"events", "verdicts", "alerts", "cases", "case-events", "notifications", "quarantine", "customers", "orders"}

// mover is a fleet whose business begins in one file.
type mover struct {
	*fleet
	c     *crash
	plain string // the configuration without the three servers
	url   string // of PostgreSQL
	tries int
}

// newMover fills one file with a business, through every door.
func newMover(t *testing.T) *mover {
	m := &mover{fleet: newFleet(t, false)}
	b, err := os.ReadFile(m.config)
	if err != nil {
		t.Fatal(err)
	}
	m.plain = filepath.Join(filepath.Dir(m.config), "plain.yaml")
	alone, three, _ := strings.Cut(string(b), "kafka:")
	if m.url = regexp.MustCompile(`postgres://[^"]+`).FindString(three); m.url == "" {
		t.Fatalf("no PostgreSQL in %s", three)
	}
	if err := os.WriteFile(m.plain, []byte(alone), 0o600); err != nil {
		t.Fatal(err)
	}
	scaled := m.config
	m.config = m.plain
	m.c = newCrash(t, m.world)
	stop := m.c.feed()
	for range 2 { // the second goes on after a kill
		s := start(t, m.args("run")...)
		m.c.base.Store(&s.url)
		m.c.desk.Store(&s.url)
		time.Sleep(4 * time.Second)
		_, _, _ = request(s.url, "POST", "/v1/events", m.c.ingest, "application/cloudevents+json", cloudEvent("posts", fmt.Sprintf("bad-%s", s.url), "order.placed", map[string]any{"total": "much"}))
		s.kill()
	}
	stop()
	if out, errs, code := redalert(t, "long enough secret\n", m.args("user", "add", "owner@shop.example", "--role", "owner", "--password-stdin")...); code != 0 {
		t.Fatal(out, errs)
	}
	must(t, m.args("token", "add", "gone", "--scope", "read")...)
	must(t, m.args("token", "revoke", "gone")...)
	m.c.settle()
	m.config = scaled
	return m
}

// everything is every export of a side, and its users and tokens.
func (m *mover) everything(config string) map[string]string {
	m.t.Helper()
	all := map[string]string{}
	for _, kind := range exportKinds {
		all[kind] = must(m.t, "export", kind, "-c", config, "--data", m.data)
		if strings.TrimSpace(all[kind]) == "" {
			m.t.Errorf("no %s: nothing is proved about them", kind)
		}
	}
	for _, list := range []string{"user", "token"} {
		all[list] = must(m.t, list, "list", "-c", config, "--data", m.data)
	}
	return all
}

func (m *mover) same(before, after map[string]string) {
	m.t.Helper()
	for kind, want := range before {
		got := after[kind]
		if got == want {
			continue
		}
		a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				m.t.Errorf("%s, line %d:\n%.600s\nhas become\n%.600s", kind, i+1, a[i], b[i])
				break
			}
		}
		if len(a) != len(b) {
			m.t.Errorf("%s: %d lines have become %d", kind, len(a), len(b))
		}
	}
}

// writable tries both sides, and reports which of them take a write.
func (m *mover) writable() (file, servers bool) {
	m.t.Helper()
	m.tries++
	try := func(config string) bool {
		out, _, code := redalert(m.t, "", "token", "add", fmt.Sprintf("try-%d", m.tries), "--scope", "read", "-c", config, "--data", m.data)
		return code == 0 && strings.TrimSpace(out) != ""
	}
	file, servers = try(m.plain), try(m.config)
	if file && servers {
		m.t.Errorf("try %d: both sides take writes", m.tries)
	}
	return file, servers
}

// begun waits until the servers know that they are being filled: before, they
// are empty and nobody's, and a try would make them a business of their own.
func (m *mover) begun() {
	m.t.Helper()
	db, err := pgx.Connect(m.t.Context(), m.url)
	if err != nil {
		m.t.Fatal(err)
	}
	defer db.Close(m.t.Context())
	eventually(m.t, 30*time.Second, "the move begins", func() bool {
		var n int
		err := db.QueryRow(m.t.Context(), "SELECT count(*) FROM meta WHERE key = 'move'").Scan(&n)
		return err == nil && n > 0
	})
}

// moveKilled kills the move at random moments, tries both sides in between, and
// lets it finish at last.
func (m *mover) moveKilled(to string, r *rand.Rand, times int, within time.Duration) map[string]string {
	m.t.Helper()
	for i := range times {
		cmd := exec.Command(binary, m.args("move", "--to", to)...)
		cmd.Env = cleanEnv()
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		began := time.Now()
		if err := cmd.Start(); err != nil {
			m.t.Fatal(err)
		}
		m.begun()
		kill := time.AfterFunc(30*time.Millisecond+time.Duration(r.Int64N(int64(within))), func() { _ = cmd.Process.Kill() })
		if err := cmd.Wait(); err == nil {
			kill.Stop()
			m.t.Logf("move %d was quicker than its kill: %v", i, time.Since(began))
			break
		} else if cmd.ProcessState.ExitCode() > 0 {
			m.t.Fatalf("move %d failed by itself: %v\n%s", i, err, out.String())
		}
		file, servers := m.writable()
		m.t.Logf("killed after %v: file writable %v, servers %v", time.Since(began).Round(time.Millisecond), file, servers)
	}
	began := time.Now()
	during := m.writeDuring(to)
	out := must(m.t, m.args("move", "--to", to, "--json")...)
	var report struct {
		To      string
		Already bool
		Seconds float64
		Copied  int64
		Shelves []struct {
			Name     string
			Rows     int64
			Checksum string
			Equal    bool
		}
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || report.To != to {
		m.t.Fatalf("%v: %s", err, out)
	}
	var rows int64
	for _, s := range report.Shelves {
		if rows += s.Rows; !s.Equal {
			m.t.Errorf("%s is not equal", s.Name)
		}
	}
	m.t.Logf("to %s: %d rows, %d copied in %v (already %v)", to, rows, report.Copied, time.Since(began), report.Already)
	if name, ok := during(); ok && !strings.Contains(must(m.t, "token", "list", "-c", m.of(to), "--data", m.data), name) {
		m.t.Errorf("%s was written to the old side during the move, answered well and lost", name)
	}
	file, servers := m.writable()
	if file != (to == "file") || servers != (to == "servers") {
		m.t.Errorf("after the move to %s the file takes writes: %v, the servers: %v", to, file, servers)
	}
	return m.everything(m.of(to))
}

// of is the configuration of a side.
func (m *mover) of(side string) string {
	if side == "file" {
		return m.plain
	}
	return m.config
}

// writeDuring writes to the old side while it is moved: that must fail, or go
// over. The answered function says whether it was told that it is done.
func (m *mover) writeDuring(to string) (done func() (name string, ok bool)) {
	m.tries++
	name, from := fmt.Sprintf("during-%d", m.tries), map[string]string{"file": "servers", "servers": "file"}[to]
	cmd := exec.Command(binary, "token", "add", name, "--scope", "read", "-c", m.of(from), "--data", m.data)
	cmd.Env = cleanEnv()
	ended := make(chan error, 1)
	time.AfterFunc(600*time.Millisecond, func() { ended <- cmd.Run() })
	return func() (string, bool) {
		err := <-ended
		m.t.Logf("a write to the old side during the move: %v", err)
		return name, err == nil
	}
}

// TestMove: a business of one file goes to the three servers, lives there, and
// comes back, while moves are killed at random moments. Exports are the same to
// the byte, and no moment has two sides that take writes.
func TestMove(t *testing.T) {
	m := newMover(t)
	r := rand.New(rand.NewPCG(m.c.seed, 5))
	before := m.everything(m.plain)
	delete(before, "token") // every try adds one
	m.same(before, m.moveKilled("servers", r, 6, 2500*time.Millisecond))
	out, errs, code := redalert(t, "", "export", "cases", "-c", m.plain, "--data", m.data)
	if code == 0 || !strings.Contains(errs, "move --to file") {
		t.Errorf("the old file is read as if nothing had happened: %d %s%s", code, out, errs)
	}
	m.launchAll("collect-1", "score-1", "alert-1", "web-1") // it lives on there
	m.point(m.c, "")
	n := m.c.serial.Load() * 4 // the kinds repeat every four
	for i := range int64(8) {
		id := fmt.Sprintf("late-%d", i)
		code, body, err := m.procs["collect-1"].request("POST", "/v1/events", m.c.ingest, "application/cloudevents+json", m.c.event("posts", id, n+i))
		if ok, bad := answered(code, body); err != nil || bad != nil || !ok {
			t.Fatalf("post after the move: %d %s %v %v", code, body, err, bad)
		}
	}
	eventually(t, 60*time.Second, "the scorer works there", func() bool {
		return len(m.export("verdicts")) == strings.Count(before["verdicts"], "\n")+8
	})
	m.stopAll()
	must(t, m.args("run", "--drain")...)
	before = m.everything(m.config)
	delete(before, "token")
	m.same(before, m.moveKilled("file", r, 6, 1200*time.Millisecond))
	must(t, "run", "--drain", "-c", m.plain, "--data", m.data)
}
