package email

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"redalert/internal/lane"
)

// pairedFloor is what Trim must reach on the 32 published pairs; README.md
// states the same figure.
const pairedFloor = 31

func squash(s string) string { return strings.Join(strings.Fields(s), " ") }

func TestTrimPaired(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(lane.Data(t, "mail/paired"), "*.mail.txt"))
	if len(files) != 32 {
		t.Fatalf("%d pairs found, want 32", len(files))
	}
	right := 0
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(strings.TrimSuffix(f, ".mail.txt") + ".expected_new_text.txt")
		if err != nil {
			t.Fatal(err)
		}
		got, _ := Trim(string(raw))
		if squash(got) == squash(string(want)) {
			right++
		} else {
			t.Logf("%s\n got %q\nwant %q", filepath.Base(f), squash(got), squash(string(want)))
		}
	}
	t.Logf("%d of %d", right, len(files))
	if right < pairedFloor {
		t.Errorf("%d of %d right, want at least %d", right, len(files), pairedFloor)
	}
}
