package main

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func contract(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../docs/contract.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// block is the fenced text under a heading.
func block(t *testing.T, page, heading string) string {
	t.Helper()
	_, after, ok := strings.Cut(page, heading)
	_, after, ok2 := strings.Cut(after, "```\n")
	text, _, ok3 := strings.Cut(after, "```")
	if !ok || !ok2 || !ok3 {
		t.Fatalf("docs/contract.md has no block under %q", heading)
	}
	return text
}

var flagName = regexp.MustCompile(`--[a-z][a-z-]*`)

// commandsOf reads the page's commands: "user add EMAIL --role … · user list" is
// two of them.
func commandsOf(text string) map[string][]string {
	found := map[string][]string{}
	text = regexp.MustCompile(`\n +`).ReplaceAllString(text, " ")
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		for part := range strings.SplitSeq(line, " · ") {
			words := strings.Fields(strings.TrimPrefix(strings.TrimSpace(part), "redalert "))
			var path []string
			for _, w := range words {
				if w != strings.ToLower(w) || strings.ContainsAny(w, "[-<|…") && !strings.Contains(w, "check-config") && !strings.Contains(w, "|") {
					break
				}
				path = append(path, w)
				if strings.Contains(w, "|") {
					break
				}
			}
			for _, p := range expand(path) {
				found[p] = append(found[p], flagName.FindAllString(part, -1)...)
			}
		}
	}
	return found
}

// expand splits "quarantine list|show" into its commands; alternatives that are
// arguments ("import customers|orders") stand for their command.
func expand(path []string) []string {
	if len(path) == 0 {
		return nil
	}
	last := path[len(path)-1]
	if !strings.Contains(last, "|") {
		if len(path) > 2 {
			path = path[:2]
		}
		return []string{strings.Join(path, " ")}
	}
	if path[0] != "quarantine" {
		return []string{path[0]}
	}
	var all []string
	for alt := range strings.SplitSeq(last, "|") {
		all = append(all, path[0]+" "+alt)
	}
	return all
}

func TestEveryCommandOfTheContractIsThere(t *testing.T) {
	root := newRoot()
	commands := commandsOf(block(t, contract(t), "## Commands"))
	if len(commands) < 20 {
		t.Fatalf("only %d commands read off the page: %v", len(commands), commands)
	}
	for path, flags := range commands {
		words := strings.Fields(path)
		cmd, _, err := root.Find(words)
		if err != nil || cmd.CommandPath() != "redalert "+path {
			// A last word that is an argument: "score message".
			if cmd, _, err = root.Find(words[:1]); err != nil || cmd == root {
				t.Errorf("the contract has %q; the program does not", path)
				continue
			}
		}
		for _, f := range flags {
			if cmd.Flags().Lookup(strings.TrimPrefix(f, "--")) == nil {
				t.Errorf("%s has no flag %s", cmd.CommandPath(), f)
			}
		}
	}
}

// TestEveryCommandStandsInTheContract: nothing is added without being written down.
func TestEveryCommandStandsInTheContract(t *testing.T) {
	page := contract(t)
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			if sub.Name() == "help" {
				continue
			}
			if !strings.Contains(page, sub.Name()) {
				t.Errorf("%s is not on the page", sub.CommandPath())
			}
			if sub.Short == "" || !sub.HasParent() {
				t.Errorf("%s says nothing of itself", sub.CommandPath())
			}
			if touchesData := sub.Flags().Lookup("data") != nil; touchesData && sub.Name() != "demo" && sub.Flags().Lookup("config") == nil {
				t.Errorf("%s takes --data but not -c", sub.CommandPath())
			}
			walk(sub)
		}
	}
	walk(newRoot())
}

// TestContractRoutesAreInOpenAPI: the page's /v1 routes and the OpenAPI file
// name the same.
func TestContractRoutesAreInOpenAPI(t *testing.T) {
	b, err := os.ReadFile("../../internal/web/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var api struct {
		Paths map[string]map[string]any
	}
	if err := json.Unmarshal(b, &api); err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range strings.SplitSeq(block(t, contract(t), "## HTTP"), "\n") {
		if m := regexp.MustCompile(`^(GET|POST|PUT) +(/v1/\S+)`).FindStringSubmatch(line); m != nil {
			want = append(want, routesOf(m[1], m[2])...)
		}
	}
	if len(want) < 15 {
		t.Fatalf("only %d routes read off the page: %v", len(want), want)
	}
	var have []string
	for path, methods := range api.Paths {
		for m := range methods {
			have = append(have, strings.ToUpper(m)+" "+path)
		}
	}
	for _, w := range want {
		if !slices.Contains(have, w) {
			t.Errorf("%s is in the contract, but not in openapi.json", w)
		}
	}
}

// routesOf expands alternatives in the last segment; trends of later issues
// answer 404 under the same path.
func routesOf(method, path string) []string {
	path, _, _ = strings.Cut(path, "?")
	if strings.HasPrefix(path, "/v1/trends/") {
		return []string{method + " /v1/trends/{kind}"}
	}
	i := strings.LastIndexByte(path, '/')
	var all []string
	for alt := range strings.SplitSeq(path[i+1:], "|") {
		all = append(all, method+" "+path[:i+1]+alt)
	}
	return all
}
