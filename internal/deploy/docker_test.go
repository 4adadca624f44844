package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestWithDocker: scripts/with-docker.sh starts the three servers of
// docker-compose.yml, on loopback only, hands the tests their addresses, answers
// what the command answers, and removes them. Docker itself is a stand-in here.
func TestWithDocker(t *testing.T) {
	bin := t.TempDir()
	said := filepath.Join(bin, "said")
	const docker = `#!/bin/sh
echo "$@" >>"$SAID"
case "$1 $3" in
"port 9000/tcp") echo 127.0.0.1:32001 ;;
"port 5432/tcp") echo 127.0.0.1:32002 ;;
esac
`
	if err := os.WriteFile(filepath.Join(bin, "docker"), []byte(docker), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(root, "scripts/with-docker.sh"), "sh", "-c", "env; exit 7")
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "SAID="+said)
	out, err := cmd.Output()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 7 {
		t.Fatalf("exit %v; want the command's own, 7\n%s", err, out)
	}
	raw, err := os.ReadFile(said)
	if err != nil {
		t.Fatal(err)
	}
	calls := strings.Split(strings.TrimSpace(string(raw)), "\n")
	started := map[string]string{}
	for _, call := range calls {
		if strings.HasPrefix(call, "run ") {
			words := strings.Fields(call)
			image := words[len(words)-1]
			started[image[:strings.LastIndex(image, ":")]] = image
			if !strings.Contains(call, "-p 127.0.0.1:") {
				t.Errorf("published beyond loopback: %s", call)
			}
		}
	}
	compose := read(t, "docker-compose.yml")
	for _, image := range []string{"apache/kafka", "clickhouse/clickhouse-server", "postgres"} {
		if !strings.Contains(compose, "image: "+started[image]+"\n") || started[image] == "" {
			t.Errorf("%s is started as %q, which docker-compose.yml does not name", image, started[image])
		}
	}
	env := string(out)
	for _, want := range []string{"REDALERT_TEST_CLICKHOUSE=127.0.0.1:32001\n", "REDALERT_TEST_POSTGRES=postgres://postgres:test@127.0.0.1:32002/postgres?sslmode=disable\n", "REDALERT_TEST_KAFKA=127.0.0.1:"} {
		if !strings.Contains(env, want) {
			t.Errorf("the command is not told %s", want)
		}
	}
	if last := calls[len(calls)-1]; !strings.HasPrefix(last, "rm -f -v ") || strings.Count(last, "redalert-test-") != 3 {
		t.Errorf("left behind: %s", last)
	}
}
