// Package e2e drives the real binary from outside, by the contract alone:
// commands, HTTP, mail. It knows nothing of the program's packages but the
// vocabulary.
package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"redalert/internal/servertest"
)

var (
	binary string
	kills  = flag.Int("kills", 200, "how often the crash test kills the server")
)

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "redalert-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "redalert")
	build := exec.Command("go", "build", "-o", binary, "redalert/cmd/redalert")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	servertest.StopShared()
	servertest.StopClickHouse()
	os.RemoveAll(dir)
	os.Exit(code)
}

// redalert runs a command to its end and answers stdout, stderr and exit code.
func redalert(t testing.TB, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = cleanEnv()
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("redalert %v: %v", args, err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// must runs a command that has to exit with 0.
func must(t testing.TB, args ...string) string {
	t.Helper()
	out, errs, code := redalert(t, "", args...)
	if code != 0 {
		t.Fatalf("redalert %s: exit %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

// cleanEnv keeps a user's own configuration out of the tests.
func cleanEnv() []string {
	home := filepath.Dir(binary)
	return append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_DATA_HOME="+home)
}

// server is a running redalert.
type server struct {
	t      testing.TB
	cmd    *exec.Cmd
	url    string
	stdout *lockedBuffer
	stderr *lockedBuffer
	ended  chan error
}

// start runs "redalert run" (or another serving command) and waits until it
// serves.
func start(t testing.TB, args ...string) *server {
	t.Helper()
	s, err := tryStart(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.kill() })
	return s
}

func tryStart(t testing.TB, args ...string) (*server, error) {
	dir, err := os.MkdirTemp(t.TempDir(), "ready")
	if err != nil {
		return nil, err
	}
	ready := filepath.Join(dir, "ready.json")
	s := &server{t: t, stdout: &lockedBuffer{}, stderr: &lockedBuffer{}, ended: make(chan error, 1)}
	s.cmd = exec.Command(binary, append(args, "--listen", "127.0.0.1:0", "--ready-file", ready)...)
	s.cmd.Env = cleanEnv()
	s.cmd.Stdout, s.cmd.Stderr = s.stdout, s.stderr
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { s.ended <- s.cmd.Wait() }()
	deadline := time.After(30 * time.Second)
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		select {
		case err := <-s.ended:
			s.ended <- err
			return nil, fmt.Errorf("redalert %v ended before it served: %v\n%s", args, err, s.stderr)
		case <-deadline:
			s.kill()
			return nil, fmt.Errorf("redalert %v did not serve within 30 s\n%s", args, s.stderr)
		case <-tick.C:
			var r struct{ URL string }
			if b, err := os.ReadFile(ready); err == nil && json.Unmarshal(b, &r) == nil && r.URL != "" {
				tick.Stop()
				s.url = r.URL
				return s, nil
			}
		}
	}
}

// kill sends SIGKILL and waits for the end.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	err := <-s.ended
	s.ended <- err
}

// stop sends SIGTERM and wants exit code 0.
func (s *server) stop() {
	s.t.Helper()
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-s.ended:
		s.ended <- err
		if err != nil {
			s.t.Errorf("the server did not stop cleanly: %v\n%s", err, s.stderr)
		}
	case <-time.After(40 * time.Second):
		s.t.Errorf("the server did not stop within 40 s of SIGTERM\n%s", s.stderr)
		s.kill()
	}
}

// request is one HTTP request with a bearer token.
func (s *server) request(method, path, token, contentType string, body []byte) (int, []byte, error) {
	return request(s.url, method, path, token, contentType, body)
}

var client = &http.Client{
	Timeout:       20 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func request(base, method, path, token, contentType string, body []byte) (int, []byte, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, b, err
}

// getJSON wants 200 and decodes the answer.
func (s *server) getJSON(token, path string, into any) {
	s.t.Helper()
	code, b, err := s.request(http.MethodGet, path, token, "", nil)
	if err != nil || code != http.StatusOK {
		s.t.Fatalf("GET %s: %d %v\n%s", path, code, err, b)
	}
	if err := json.Unmarshal(b, into); err != nil {
		s.t.Fatalf("GET %s: %v\n%s", path, err, b)
	}
}

// export answers the records of one kind.
func export(t testing.TB, data, kind string, more ...string) []map[string]any {
	t.Helper()
	out := must(t, append([]string{"export", kind, "--data", data}, more...)...)
	var records []map[string]any
	for sc := bufio.NewReader(strings.NewReader(out)); ; {
		line, err := sc.ReadString('\n')
		if strings.TrimSpace(line) != "" {
			var r map[string]any
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatalf("export %s: %v in %s", kind, err, line)
			}
			records = append(records, r)
		}
		if err != nil {
			return records
		}
	}
}

func str(r map[string]any, key string) string { s, _ := r[key].(string); return s }

func list(r map[string]any, key string) []string {
	var out []string
	if l, ok := r[key].([]any); ok {
		for _, v := range l {
			s, _ := v.(string)
			out = append(out, s)
		}
	}
	return out
}

// eventually polls until ok, for at most limit.
func eventually(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
