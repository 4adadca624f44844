package deploy

import (
	"encoding/json"
	"go/version"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

type instruction struct{ word, rest string }

// dockerfile reads the instructions, continued lines joined, comments left out.
func dockerfile(t *testing.T) []instruction {
	t.Helper()
	var all []instruction
	var line string
	for l := range strings.SplitSeq(read(t, "Dockerfile"), "\n") {
		if strings.HasPrefix(strings.TrimSpace(l), "#") {
			continue
		}
		more := strings.HasSuffix(l, "\\")
		line += strings.TrimSuffix(l, "\\") + " "
		if more || strings.TrimSpace(line) == "" {
			continue
		}
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		all = append(all, instruction{word, strings.Join(strings.Fields(rest), " ")})
		line = ""
	}
	if len(all) < 10 || all[0].word != "FROM" {
		t.Fatalf("the Dockerfile was not understood: %v", all)
	}
	return all
}

// last is the last instruction of a kind; "" = none.
func last(all []instruction, word string) string {
	found := ""
	for _, i := range all {
		if i.word == word {
			found = i.rest
		}
	}
	return found
}

func finalStage(all []instruction) []instruction {
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].word == "FROM" {
			return all[i:]
		}
	}
	return nil
}

func words(t *testing.T, form string) []string {
	t.Helper()
	var list []string
	if err := json.Unmarshal([]byte(form), &list); err != nil || len(list) == 0 {
		t.Fatalf("%q is not in the exec form, and there is no shell: %v", form, err)
	}
	return list
}

func TestDockerfileBuildsWithOurGo(t *testing.T) {
	all := dockerfile(t)
	m := regexp.MustCompile(`golang:(\d+\.\d+\.\d+)-\S+ AS build$`).FindStringSubmatch(all[0].rest)
	if m == nil {
		t.Fatalf("the first stage is %q; golang with a full version", all[0].rest)
	}
	need := regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(read(t, "go.mod"))
	if need == nil || version.Compare("go"+m[1], "go"+need[1]) < 0 {
		t.Errorf("it builds with Go %s, go.mod wants %v", m[1], need)
	}
	build := ""
	for _, i := range all {
		if i.word == "RUN" && strings.Contains(i.rest, "go build") {
			build = i.rest
		}
	}
	for _, flag := range []string{"CGO_ENABLED=0", "-trimpath", "-X main.version=$VERSION", "-o /out/redalert ./cmd/redalert"} {
		if !strings.Contains(build, flag) {
			t.Errorf("the build lacks %s: %s", flag, build)
		}
	}
}

func TestImageIsSmallAndNobodysRoot(t *testing.T) {
	all := dockerfile(t)
	final := finalStage(all)
	if final[0].rest != "scratch" {
		t.Errorf("the image stands on %s", final[0].rest)
	}
	if user := last(final, "USER"); !regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(user) {
		t.Errorf("USER %q; a number other than 0, since there is no /etc/passwd", user)
	}
	if got := words(t, last(final, "ENTRYPOINT")); len(got) != 1 || got[0] != "/redalert" {
		t.Errorf("ENTRYPOINT %v is not the binary", got)
	}
	_, command, ok := strings.Cut(last(final, "HEALTHCHECK"), " CMD ")
	if !ok || words(t, command)[0] != "/redalert" {
		t.Errorf("HEALTHCHECK %q; only the binary itself is there to ask", last(final, "HEALTHCHECK"))
	}
	for _, label := range []string{"title", "description", "licenses", "version"} {
		if !strings.Contains(last(final, "LABEL"), "org.opencontainers.image."+label+"=") {
			t.Errorf("no label %s", label)
		}
	}
	for _, i := range final {
		if i.word == "RUN" || i.word == "ADD" {
			t.Errorf("%s %s cannot run without a shell, or fetches", i.word, i.rest)
		}
	}
	if !strings.Contains(read(t, "Dockerfile"), "ca-certificates.crt") {
		t.Error("no certificates: no mail server or review page could be reached by TLS")
	}
	if !strings.Contains(read(t, "Dockerfile"), "cp LICENSE NOTICE /out/") {
		t.Error("the licences are not in the image; that of the encoder's start demands it")
	}
	if out, err := exec.Command("go", "list", "-deps", "redalert/cmd/redalert").Output(); err != nil || !strings.Contains(string(out), "\ntime/tzdata\n") {
		t.Errorf("the binary holds no time zones, and the image has none: %v", err)
	}
}

// ignores is .dockerignore as far as we use it: names and folders from the
// root, and **/ for any depth.
func ignores(t *testing.T) func(file string) bool {
	var patterns []string
	for l := range strings.SplitSeq(read(t, ".dockerignore"), "\n") {
		if l = strings.TrimSpace(l); l != "" && !strings.HasPrefix(l, "#") {
			patterns = append(patterns, l)
		}
	}
	match := func(pattern, name string) bool {
		ok, err := path.Match(pattern, name)
		if err != nil {
			t.Fatalf(".dockerignore: %s: %v", pattern, err)
		}
		return ok
	}
	return func(file string) bool {
		parts := strings.Split(file, "/")
		for _, p := range patterns {
			deep, anywhere := strings.CutPrefix(p, "**/")
			if !anywhere && match(p, parts[0]) {
				return true
			}
			for _, part := range parts {
				if anywhere && match(deep, part) {
					return true
				}
			}
		}
		return false
	}
}

// TestTheBuilderGetsWhatItNeedsOnly: every file the binary is made of, and no
// secret.
func TestTheBuilderGetsWhatItNeedsOnly(t *testing.T) {
	ignored := ignores(t)
	for _, name := range []string{"secrets/postgres_url.txt", ".env", ".git/HEAD", ".cache/x", "bin/redalert", "a/b/redalert.db", "a/redalert.db-wal"} {
		if !ignored(name) {
			t.Errorf("the builder gets %s", name)
		}
	}
	base, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	format := `{{if .Module}}{{if .Module.Main}}{{$d := .Dir}}{{range .GoFiles}}{{$d}}/{{.}}{{"\n"}}{{end}}{{range .EmbedFiles}}{{$d}}/{{.}}{{"\n"}}{{end}}{{end}}{{end}}`
	out, err := exec.Command("go", "list", "-deps", "-f", format, "redalert/cmd/redalert").Output()
	if err != nil {
		t.Fatal(err)
	}
	files := strings.Fields(string(out))
	if len(files) < 100 {
		t.Fatalf("only %d files make up the binary", len(files))
	}
	for _, f := range append(files, filepath.Join(base, "go.mod"), filepath.Join(base, "go.sum")) {
		rel, err := filepath.Rel(base, f)
		if err != nil {
			t.Fatal(err)
		}
		if ignored(filepath.ToSlash(rel)) {
			t.Errorf("the build needs %s, .dockerignore keeps it out", rel)
		}
	}
}
