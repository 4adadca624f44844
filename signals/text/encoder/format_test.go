package encoder

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
)

// TestReadDamaged damages one thing each; the error must say which.
func TestReadDamaged(t *testing.T) {
	words := []string{"[UNK]", "[CLS]", "[SEP]", "a"}
	whole := fileOf(t, miniature, words, 1)
	for name, c := range damagedFiles(t, whole, words) {
		_, err := Read(c.file)
		if !errors.Is(err, errDamaged) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := Read(whole); err != nil {
		t.Error(err)
	}
}

type damagedFile struct {
	file []byte
	want string
}

func damagedFiles(t *testing.T, whole []byte, words []string) map[string]damagedFile {
	t.Helper()
	with := func(change func(*config)) []byte {
		c := miniature
		change(&c)
		return fileOf(t, c, words, 1)
	}
	return map[string]damagedFile{
		"empty":          {nil, "does not begin"},
		"other format":   {[]byte("redalert-encoder\x02"), "does not begin"},
		"only magic":     {whole[:len(magic)], "length of the configuration"},
		"half config":    {whole[:len(magic)+20], "within the configuration"},
		"no JSON":        {[]byte(magic + "\x01\x00\x00\x00{"), "the configuration"},
		"cut":            {whole[:len(whole)-1], "word head, bias"},
		"cut early":      {whole[:len(whole)/2], "within layer 0, "},
		"too long":       {append(whole[:len(whole):len(whole)], 0), "goes on for 1 bytes"},
		"no version":     {with(func(c *config) { c.Version = "" }), "no version"},
		"layers":         {with(func(c *config) { c.Layers = 99 }), "99 layers"},
		"hidden":         {with(func(c *config) { c.Hidden = 40 }), "hidden size 40"},
		"intermediate":   {with(func(c *config) { c.Intermediate = 8 }), "intermediate size 8"},
		"heads":          {with(func(c *config) { c.Heads = 5 }), "5 heads"},
		"positions":      {with(func(c *config) { c.Positions = 513 }), "513 positions"},
		"question":       {with(func(c *config) { c.QuestionTokens = 30 }), "for the question"},
		"eps":            {with(func(c *config) { c.LayerNormEps = 0 }), "layer_norm_eps"},
		"outputs":        {with(func(c *config) { c.Outputs = make([]string, 257) }), "257 outputs"},
		"words":          {fileOf(t, miniature, words[1:], 1), "lacks"},
		"an empty word":  {fileOf(t, miniature, append([]string{""}, words...), 1), "word 0"},
		"many words":     {fileOf(t, miniature, append(make65536(), words...), 1), "65540 words"},
		"not a number":   {last(whole, math.NaN()), "word head, bias is NaN"},
		"great number":   {last(whole, 1e6), "word head, bias is 1e+06"},
		"dirty padding":  {dirty(t, whole), "padding before the word embeddings"},
		"negative scale": {scaled(t, whole, len(words)), "scale of word 0"},
	}
}

func make65536() []string {
	out := make([]string, 65536)
	for i := range out {
		out[i] = "w"
	}
	return out
}

// last alters the last number of a file.
func last(file []byte, v float64) []byte {
	w := &fileWriter{b: append([]byte(nil), file[:len(file)-4]...)}
	bits := math.Float32bits(float32(v))
	w.b = append(w.b, byte(bits), byte(bits>>8), byte(bits>>16), byte(bits>>24))
	return w.b
}

// tensorsAt is where the vocabulary ends.
func tensorsAt(t *testing.T, file []byte) int {
	t.Helper()
	p := &parser{file: file, pos: len(magic)}
	p.block("")
	p.block("")
	if p.err != nil || p.pos%alignment == 0 {
		t.Fatalf("no padding at %d, %v", p.pos, p.err)
	}
	return p.pos
}

func dirty(t *testing.T, file []byte) []byte {
	t.Helper()
	out := append([]byte(nil), file...)
	out[tensorsAt(t, file)] = 1
	return out
}

func scaled(t *testing.T, file []byte, words int) []byte {
	t.Helper()
	p := &parser{file: append([]byte(nil), file...), pos: tensorsAt(t, file)}
	p.ints("", words*miniature.Hidden)
	p.tensor("", 4)[3] |= 0x80
	return p.file
}

func FuzzRead(f *testing.F) {
	c := miniature
	c.Layers, c.Hidden, c.Heads, c.Intermediate, c.Positions, c.QuestionTokens = 1, 16, 1, 16, 12, 1
	whole := fileOf(f, c, []string{"[UNK]", "[CLS]", "[SEP]", "a", "##b"}, 1)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte(magic + "\xff\xff\xff\xff"))
	f.Add([]byte(magic + "\x02\x00\x00\x00{}\x00\x00\x00\x00"))
	big, _ := json.Marshal(config{Version: "x", Layers: 24, Hidden: 1024, Heads: 1, Intermediate: 4096, Positions: 512, LayerNormEps: 1})
	f.Add(append([]byte(magic+string(rune(len(big)))+"\x00\x00\x00"), big...))
	f.Fuzz(func(t *testing.T, file []byte) {
		e, err := Read(file)
		if err != nil {
			if !errors.Is(err, errDamaged) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		var out Result
		e.Encode("a?", "ab abb a", &out)
		for _, v := range append(out.Logits, out.Pooled...) {
			if math.IsNaN(float64(v)) {
				t.Fatal("not a number")
			}
		}
	})
}
