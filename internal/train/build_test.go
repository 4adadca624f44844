package train

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"redalert/signals/text"
	"redalert/signals/text/encoder"
)

const tinyEncoder = "../../signals/text/encoder/testdata/tiny.bin"

// small lays out a corpus and public sets of a few messages.
func small(t *testing.T) Options {
	t.Helper()
	o := Options{Corpus: t.TempDir(), Data: t.TempDir(), Out: t.TempDir(), Encoder: tinyEncoder, Version: "small", Told: io.Discard}
	o.Card = filepath.Join(o.Out, "card.md")
	for name, most := range map[string]int{"train.jsonl": 400, "test.jsonl": 60, "red.txt": 40, "quiet.txt": 40, "red.templates": 6, "quiet.templates": 6, "lists.txt": 1000} {
		b, err := os.ReadFile(corpusDir + name)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(string(b), "\n")
		write1(t, filepath.Join(o.Corpus, name), []byte(strings.Join(lines[:min(most, len(lines))], "")))
	}
	if err := os.Mkdir(filepath.Join(o.Data, "text"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, s := range publicSets {
		var lines []string
		for i := range 20 {
			split := []string{"train", "train", "dev"}[i%3]
			lines = append(lines, fmt.Sprintf(`{"text":"%s number %d, %s","label":%d,"split":%q}`, s.Name, i, []string{"lovely", "terrible, never again"}[i%2], i%2, split))
		}
		writeGz(t, filepath.Join(o.Data, "text", s.Name+".jsonl.gz"), lines)
	}
	for _, p := range []string{"probe_banking77", "probe_bitext"} {
		writeGz(t, filepath.Join(o.Data, "text", p+".jsonl.gz"), []string{`{"text":"which countries?","intent":"country_support"}`, `{"text":"money back","intent":"get_refund"}`})
	}
	return o
}

func write1(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func writeGz(t *testing.T, path string, lines []string) {
	t.Helper()
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	if _, err := io.WriteString(zw, strings.Join(lines, "\n")+"\n"); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	write1(t, path, b.Bytes())
}

// TestBuild_SameDataSameBytes: and what is written can be read and joined.
func TestBuild_SameDataSameBytes(t *testing.T) {
	o := small(t)
	o.Folds = []Fold{{File: tinyEncoder, Without: []string{"fincorp", "skytrax"}}}
	read := func() (files [3][]byte) {
		if err := Build(o); err != nil {
			t.Fatal(err)
		}
		for i, name := range []string{"weights.bin", "joint.json", "card.md"} {
			b, err := os.ReadFile(filepath.Join(o.Out, name))
			if err != nil {
				t.Fatal(err)
			}
			files[i] = b
		}
		return files
	}
	files := read()
	if again := read(); !slices.EqualFunc(files[:], again[:], bytes.Equal) {
		t.Error("the same data give other bytes")
	}
	first, err := text.Read(files[0])
	if err != nil {
		t.Fatal(err)
	}
	var j text.Joint
	if err := json.Unmarshal(files[1], &j); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(o.Out, "encoder.bin"))
	if err != nil {
		t.Fatal(err)
	}
	enc, err := encoder.Read(raw)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := text.NewCascade(first, enc, j); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"# Model card: small", "| fincorp | tweets", "## Sets never seen", "| skytrax |", "country_support | quiet | 1 |", "| legal_safety |"} {
		if !strings.Contains(string(files[2]), want) {
			t.Errorf("the card lacks %q", want)
		}
	}
}

// TestBuild_SaysWhatIsMissing names the file.
func TestBuild_SaysWhatIsMissing(t *testing.T) {
	for name, spoil := range map[string]func(o *Options) string{
		"no public set": func(o *Options) string { return remove(t, filepath.Join(o.Data, "text", "skytrax.jsonl.gz")) },
		"no corpus":     func(o *Options) string { return remove(t, filepath.Join(o.Corpus, "train.jsonl")) },
		"no encoder":    func(o *Options) string { o.Encoder = "nowhere.bin"; return "nowhere.bin" },
		"damaged encoder": func(o *Options) string {
			o.Encoder = filepath.Join(o.Out, "bad.bin")
			write1(t, o.Encoder, []byte("bad"))
			return "bad.bin"
		},
	} {
		o := small(t)
		want := spoil(&o)
		if err := Build(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s named", name, err, want)
		}
	}
}

func remove(t *testing.T, path string) string {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	return filepath.Base(path)
}

// TestHeldBack_KeepsPairsTogether and holds back about a tenth.
func TestHeldBack_KeepsPairsTogether(t *testing.T) {
	held, n, group := 0, 0, map[string]bool{}
	for _, m := range corpus(t, "train") {
		n++
		if HeldBack(m) {
			held++
		}
		if was, ok := group[m.Group]; m.Group != "" && ok && was != HeldBack(m) {
			t.Errorf("group %s is torn", m.Group)
		}
		group[m.Group] = HeldBack(m)
	}
	if share := float64(held) / float64(n); share < 0.07 || share > 0.13 {
		t.Errorf("%.2f is held back", share)
	}
}

func TestNewton_FindsTheLogisticRegression(t *testing.T) {
	// 3 of 4 are red at x = 1, 1 of 4 at x = -1: the weight is ln 3, the bias 0.
	var xs [][3]float64
	var rs []reading
	for i := range 8 {
		x := float64(1 - 2*(i%2))
		red := i%2 == 0 && i != 0 || i == 1
		xs = append(xs, [3]float64{x, 0, 1})
		rs = append(rs, reading{text: &Text{Red: red, Weight: 1}})
	}
	w := newton(xs, rs)
	if d := w[0] - 1.0986123; d > 1e-4 || d < -1e-4 || w[2] > 1e-4 || w[2] < -1e-4 {
		t.Errorf("%v, want ln 3, 0, 0", w)
	}
}

func TestBestThreshold(t *testing.T) {
	for name, c := range map[string]struct {
		said  []float32
		about []bool
		want  float64
	}{
		"apart":                      {[]float32{3, 2, -1, -2}, []bool{true, true, false, false}, 2},
		"one too many is worth one":  {[]float32{3, 2, 1, 0, -1}, []bool{true, false, true, false, false}, 1},
		"many too many are not":      {[]float32{9, 8, 7, 1, 1, 1, 1, 1, 1, 1, 1, 0}, []bool{true, true, true, false, false, false, false, false, false, false, false, true}, 7},
		"equal logits go together":   {[]float32{1, 1, 0}, []bool{true, false, false}, 1},
		"nothing to name":            {[]float32{1, 2}, []bool{false, false}, neverNamed},
		"nothing was held back even": {nil, nil, neverNamed},
	} {
		if at := bestThreshold(c.said, c.about); at != c.want {
			t.Errorf("%s: from %v on, want %v", name, at, c.want)
		}
	}
}
