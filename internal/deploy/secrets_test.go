package deploy

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func sha256hex(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(b)
	}
	return files
}

// TestSecretsAreWrittenOnce: what compose names and nothing else, closed to
// other people of the machine, different everywhere, and kept.
func TestSecretsAreWrittenOnce(t *testing.T) {
	dir, other := secrets(t), secrets(t)
	first := contents(t, dir)
	named := map[string]bool{}
	for _, s := range project(t).Secrets {
		named[filepath.Base(s.File)] = true
		if filepath.Base(filepath.Dir(s.File)) != "secrets" {
			t.Errorf("%s lies outside ./secrets", s.File)
		}
	}
	for name, text := range first {
		if !named[name] {
			t.Errorf("nobody reads %s", name)
		}
		if text == contents(t, other)[name] {
			t.Errorf("%s is the same everywhere", name)
		}
		if strings.HasSuffix(name, "_password.txt") && len(text) != 64 {
			t.Errorf("%s has %d characters", name, len(text))
		}
	}
	if len(first) != len(named) {
		t.Errorf("%d files, compose names %d", len(first), len(named))
	}
	checkModes(t, dir)

	// A second run keeps passwords and mends what is derived from them.
	if err := os.Remove(filepath.Join(dir, "postgres_url.txt")); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(filepath.Join(root, "scripts/compose-secrets.sh"), dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	again := contents(t, dir)
	for name, text := range first {
		if again[name] != text {
			t.Errorf("a second run changed %s", name)
		}
	}
	if len(again) != len(first) {
		t.Error("a second run left something behind")
	}
}

// checkModes: the folder keeps others out; the files are read by containers
// under users of their own.
func checkModes(t *testing.T, dir string) {
	t.Helper()
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the folder is %s", info.Mode())
	}
	for name := range contents(t, dir) {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o444 {
			t.Errorf("%s is %s", name, info.Mode())
		}
	}
}
