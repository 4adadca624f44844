package main

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"redalert/internal/app"
)

// notYet are flags that docker-compose.yml uses and the program does not have
// yet; what is here and exists must leave.
var notYet = map[string]string{}

// commandsOfCompose are the command lines of our services.
func commandsOfCompose(t *testing.T) map[string][]string {
	t.Helper()
	b, err := os.ReadFile("../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]struct {
			Image   string
			Command []string
		}
	}
	// A key beside << stands in for the merged one; the decoder calls it a duplicate.
	if err := yaml.UnmarshalWithOptions(b, &file, yaml.AllowDuplicateMapKey()); err != nil {
		t.Fatal(err)
	}
	commands := map[string][]string{}
	for name, s := range file.Services {
		if strings.HasPrefix(s.Image, "redalert:") {
			commands[name] = s.Command
		}
	}
	return commands
}

// check finds the command and parses its flags, as a start would.
func check(t *testing.T, where string, line []string) {
	t.Helper()
	cmd, args, err := newRoot().Find(line)
	if err != nil || !cmd.HasParent() {
		t.Errorf("%s: %v is no command: %v", where, line, err)
		return
	}
	missing := notYet[cmd.Name()]
	if known := cmd.Flags().Lookup(strings.TrimPrefix(missing, "--")); missing != "" && known != nil {
		t.Errorf("%s has %s now; take it out of notYet", cmd.CommandPath(), missing)
	} else if missing != "" {
		return
	}
	if err := cmd.ParseFlags(args); err != nil {
		t.Errorf("%s: %v: %v", where, line, err)
		return
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		t.Errorf("%s: %v: %v", where, line, err)
	}
}

func TestCommandsOfComposeExist(t *testing.T) {
	commands := commandsOfCompose(t)
	if len(commands) < 5 {
		t.Fatalf("only these services are ours: %v", commands)
	}
	for name, line := range commands {
		check(t, name, line)
	}
}

// TestComposeRunsEveryRole: each role has a service of its name, and no service
// a role of its own invention.
func TestComposeRunsEveryRole(t *testing.T) {
	roles := map[string]bool{}
	for name, line := range commandsOfCompose(t) {
		i := slices.Index(line, "--role")
		if line[0] != "run" {
			continue
		}
		if i < 0 || i+1 == len(line) || line[i+1] != name {
			t.Errorf("service %s runs %v", name, line)
			continue
		}
		roles[name] = true
	}
	if got := slices.Sorted(maps.Keys(roles)); !slices.Equal(got, codeRoles()) {
		t.Errorf("compose runs %v, the roles are %v", got, codeRoles())
	}
}

// TestCommandsOfTheImageExist: what the Dockerfile runs and asks.
func TestCommandsOfTheImageExist(t *testing.T) {
	b, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	lists := regexp.MustCompile(`(?m)^\s*CMD (\[.*\])$`).FindAllStringSubmatch(string(b), -1)
	if len(lists) != 2 {
		t.Fatalf("%d CMD in the Dockerfile; a health check and a default command", len(lists))
	}
	for _, m := range lists {
		var line []string
		if err := json.Unmarshal([]byte(m[1]), &line); err != nil {
			t.Fatal(err)
		}
		if line[0] == "/redalert" { // a health check names the binary, the default command follows it
			line = line[1:]
		}
		check(t, "Dockerfile", line)
	}
}

// TestCommandOfTheUnitExists: what systemd starts, for each role.
func TestCommandOfTheUnitExists(t *testing.T) {
	b, err := os.ReadFile("../../deploy/systemd/redalert@.service")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^ExecStart=/usr/local/bin/redalert (.*)$`).FindStringSubmatch(string(b))
	if m == nil || !strings.Contains(m[1], "--role %i") {
		t.Fatalf("the unit starts %v", m)
	}
	check(t, "redalert@.service", strings.Fields(m[1]))
}

// TestCommandsOfTheOperationsPageExist: what stands there can be typed.
func TestCommandsOfTheOperationsPageExist(t *testing.T) {
	b, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^(?:redalert|docker compose run --rm --no-deps web) ([^#\n]+)`).FindAllStringSubmatch(string(b), -1)
	if len(lines) < 5 {
		t.Fatalf("only %d commands were found", len(lines))
	}
	for _, m := range lines {
		check(t, "docs/operations.md", strings.Fields(m[1]))
	}
}

func codeRoles() []string {
	var names []string
	for _, r := range app.AllRoles() {
		names = append(names, string(r))
	}
	slices.Sort(names)
	return names
}
