// Package lane holds what tests do that cannot always run: they need a server,
// data outside the repository, or much time. Such a test is skipped loudly, but
// fails under CI=true, so that no lane disappears unseen. For tests only.
package lane

import (
	"os"
	"path/filepath"
	"testing"
)

// Missing skips the test, or fails it under CI=true. advice says what is not
// there and how to get it.
func Missing(t testing.TB, advice string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(advice)
	}
	t.Skip("SKIPPED: " + advice)
}

// Long leaves a test out of runs with -short.
func Long(t testing.TB, what string) {
	t.Helper()
	if testing.Short() {
		Missing(t, "-short leaves out "+what)
	}
}

// Data answers a file or folder under $REDALERT_TESTDATA, where labelled data
// lies that is read in place and is not in the repository.
func Data(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("REDALERT_TESTDATA")
	if dir == "" {
		Missing(t, "REDALERT_TESTDATA is not set: "+name+" was not read")
	}
	return filepath.Join(dir, filepath.FromSlash(name))
}
