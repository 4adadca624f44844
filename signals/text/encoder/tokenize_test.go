package encoder

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func testVocabulary(t testing.TB) *vocabulary {
	t.Helper()
	v, err := newVocabulary([]byte(strings.Join(testWords(t), "\n") + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

type goldenText struct {
	Text  string
	IDs   []int32
	Spans [][2]int
}

func goldenTexts(t testing.TB) []goldenText {
	t.Helper()
	f, err := os.Open("testdata/tokens.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []goldenText
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var g goldenText
		if err := json.Unmarshal(lines.Bytes(), &g); err != nil {
			t.Fatal(err)
		}
		out = append(out, g)
	}
	if len(out) < 200 {
		t.Fatalf("only %d texts", len(out))
	}
	return out
}

// TestTokensAgainstHuggingFace: the same ids, and the same spans but for the
// marks after a character, which here belong to it.
func TestTokensAgainstHuggingFace(t *testing.T) {
	r := &reader{vocab: testVocabulary(t), most: 1 << 20}
	for _, g := range goldenTexts(t) {
		r.tokens, r.words = r.tokens[:0], r.words[:0]
		r.read(g.Text, 0, len(g.Text))
		if len(r.tokens) != len(g.IDs) {
			t.Errorf("%q: %d tokens, want %d", g.Text, len(r.tokens), len(g.IDs))
			continue
		}
		for i, tok := range r.tokens {
			if tok.id != g.IDs[i] {
				t.Errorf("%q: token %d is %d, want %d", g.Text, i, tok.id, g.IDs[i])
			}
			more := ""
			if tok.start == g.Spans[i][0] && tok.end >= g.Spans[i][1] {
				more = g.Text[g.Spans[i][1]:tok.end]
			}
			marks := strings.TrimFunc(more, func(c rune) bool { return unicode.Is(unicode.Mn, c) }) == ""
			if tok.start != g.Spans[i][0] || tok.end < g.Spans[i][1] || !marks {
				t.Errorf("%q: token %d spans %d to %d, want %v", g.Text, i, tok.start, tok.end, g.Spans[i])
			}
		}
	}
}

func TestLongTexts(t *testing.T) {
	e := encoderOf(t, miniature) // 40 positions, 9 for the question
	sc := new(scratch)
	words := strings.Fields(strings.Repeat("a b c d e f g h i j ", 20))
	text := strings.Join(words, " ")
	for _, c := range []struct {
		question       string
		tokens, words  int
		firstType, gap int // gap: the first word of the end
	}{
		{"", 40, 38, 40, 29},
		{"a b", 40, 35, 4, 27},
		{strings.Repeat("why ", 50), 40, 28, 11, 21},
	} {
		e.input(sc, c.question, text)
		r := &sc.reader
		if len(r.tokens) != c.tokens || len(r.words) != c.words || sc.typeStart != c.firstType {
			t.Fatalf("%q: %d tokens, %d words, second type from %d", c.question, len(r.tokens), len(r.words), sc.typeStart)
		}
		for i, w := range r.words {
			want := i
			if i >= c.gap {
				want = len(words) - c.words + i
			}
			if w.Start != 2*want {
				t.Errorf("%q: word %d begins at %d, want %d", c.question, i, w.Start, 2*want)
			}
		}
	}
}

func TestHugeTexts(t *testing.T) {
	e := encoderOf(t, miniature)
	for name, text := range map[string]string{
		"one word":       strings.Repeat("x", 1<<20),
		"white space":    strings.Repeat(" ", 1<<20) + "end",
		"words":          strings.Repeat("word ", 1<<18),
		"emoji":          strings.Repeat("😀", 1<<18),
		"continuation":   strings.Repeat("\x80", 1<<20),
		"broken letters": strings.Repeat("é\xc3", 1<<18),
		"marks":          "e" + strings.Repeat("\u0301", 1<<19),
	} {
		var out Result
		start := time.Now()
		for range 20 {
			e.Encode(text, text, &out)
		}
		if d := time.Since(start); d > 20*100*time.Millisecond {
			t.Errorf("%s: %v for twenty", name, d)
		}
		checkWords(t, text, out.Words)
	}
}

// checkWords: in range, in order, and on boundaries of characters.
func checkWords(t testing.TB, text string, words []Word) {
	t.Helper()
	last := 0
	valid := utf8.ValidString(text)
	for i, w := range words {
		if w.Start < last || w.End <= w.Start || w.End > len(text) {
			t.Fatalf("word %d spans %d to %d after %d in %d bytes", i, w.Start, w.End, last, len(text))
		}
		if valid && !(utf8.RuneStart(text[w.Start]) && (w.End == len(text) || utf8.RuneStart(text[w.End]))) {
			t.Fatalf("word %d spans %d to %d, within a character", i, w.Start, w.End)
		}
		last = w.End
	}
}

func FuzzInput(f *testing.F) {
	for _, g := range goldenTexts(f) {
		f.Add("", g.Text)
		f.Add(g.Text, "text")
	}
	f.Add("q", "\xff\xc3\x28\xe2\x82")
	f.Add("", strings.Repeat("aé😀 ", 3000))
	e := encoderOf(f, miniature)
	sc := new(scratch)
	f.Fuzz(func(t *testing.T, question, text string) {
		e.input(sc, question, text)
		r := &sc.reader
		checkWords(t, text, r.words)
		if len(r.tokens) < 2 || len(r.tokens) > e.MaxTokens() {
			t.Fatalf("%d tokens", len(r.tokens))
		}
		next := int32(0)
		for i, tok := range r.tokens {
			if tok.id < 0 || int(tok.id) >= e.vocab.size {
				t.Fatalf("token %d is %d", i, tok.id)
			}
			if tok.word < 0 {
				continue
			}
			if w := r.words[tok.word]; tok.start < w.Start || tok.end > w.End || tok.start >= tok.end {
				t.Fatalf("token %d spans %d to %d, its word %v", i, tok.start, tok.end, w)
			}
			if tok.word != next && tok.word != next-1 {
				t.Fatalf("token %d belongs to word %d after %d", i, tok.word, next-1)
			}
			next = tok.word + 1
		}
		if int(next) != len(r.words) {
			t.Fatalf("%d words, tokens of %d", len(r.words), next)
		}
	})
}
