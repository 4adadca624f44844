package text

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"redalert/schemas"
)

func TestDefaultListsCompile(t *testing.T) {
	p, err := Compile(phraseFiles)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d lists, %d words, %d slots", len(p.topics), len(p.words), len(p.slots))
}

// golden is one line of a table: the topics that must be heard, sorted.
type golden struct {
	line   int
	topics string
	text   string
}

// readGolden reads "topics | message" lines; a line without " | " goes on with
// the message before.
func readGolden(t testing.TB, name string) []golden {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var out []golden
	for i, line := range strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		topics, text, ok := strings.Cut(line, " |")
		if !ok {
			out[len(out)-1].text += "\n" + line
			continue
		}
		if topics == "quiet" {
			topics = ""
		}
		names := strings.Split(topics, ",")
		slices.Sort(names)
		out = append(out, golden{i + 1, strings.Join(names, ","), strings.TrimPrefix(text, " ")})
	}
	return out
}

var ruleTopics = []string{"churn_threat", "legal_safety", "public_warning", "refund_request"}

func TestGoldenRules(t *testing.T) {
	rows := readGolden(t, "testdata/golden_rules.txt")
	if len(rows) < 150 {
		t.Fatalf("only %d messages", len(rows))
	}
	for _, r := range rows {
		var got []string
		for _, f := range DefaultFinder().Find(r.text) {
			if slices.Contains(ruleTopics, f.Topic) && !slices.Contains(got, f.Topic) {
				got = append(got, f.Topic)
			}
			checkSpan(t, r.text, f.Span)
		}
		slices.Sort(got)
		if g := strings.Join(got, ","); g != r.topics {
			t.Errorf("line %d: %q: heard %q, want %q", r.line, r.text, g, r.topics)
		}
	}
}

func checkSpan(t *testing.T, s string, sp schemas.Span) {
	t.Helper()
	if sp.Start < 0 || sp.End > len(s) || sp.Start >= sp.End {
		t.Fatalf("span %v outside %q", sp, s)
	}
	for _, i := range []int{sp.Start, sp.End} {
		if i < len(s) && utf8.ValidString(s) && !utf8.RuneStart(s[i]) {
			t.Fatalf("span %v of %q cuts a rune", sp, s)
		}
	}
}

// TestClauseWordsAreOfALanguage: what ends the reach of a negation stands in the
// lists of a language, not in the code.
func TestClauseWordsAreOfALanguage(t *testing.T) {
	p, err := Compile(fstest.MapFS{"xx.txt": {Data: []byte("[negation]\nnicht\n[clause]\naber|und\n[late]\nverspätet\n")}})
	if err != nil {
		t.Fatal(err)
	}
	f := NewFinder(p)
	for s, heard := range map[string]bool{"nicht verspätet": false, "nicht schlimm aber verspätet": true, "nicht schlimm but verspätet": false} {
		if got := len(f.Find(s)) > 0; got != heard {
			t.Errorf("%q is heard: %v", s, got)
		}
	}
}
