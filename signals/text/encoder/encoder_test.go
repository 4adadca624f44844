package encoder

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// message has 220 bytes.
const message = "I am very disappointed because the parcel was damaged, and nobody answers the phone. I want my money back today, so please close my account! We have been customers since 2009, but the login still fails and I will quit!!!"

func readTiny(t testing.TB) *Encoder {
	t.Helper()
	raw, err := os.ReadFile("testdata/tiny.bin")
	if err != nil {
		t.Fatal(err)
	}
	e, err := Read(raw)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestTinyAgainstPyTorch: the reference is in float32 without quantisation.
func TestTinyAgainstPyTorch(t *testing.T) {
	e := readTiny(t)
	raw, err := os.ReadFile("testdata/tiny.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Question, Text        string
		Logits, Pooled, Words []float64
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	if want := []string{"flag", "red", "cat:billing"}; e.Version() != "tiny" || !slices.Equal(e.Outputs(), want) {
		t.Errorf("version %q, outputs %q", e.Version(), e.Outputs())
	}
	var out Result
	for _, c := range cases {
		e.Encode(c.Question, c.Text, &out)
		words := make([]float32, len(out.Words))
		for i, w := range out.Words {
			words[i] = w.Logit
		}
		near(t, c.Text+": logits", out.Logits, c.Logits, 0.3)
		near(t, c.Text+": words", words, c.Words, 0.5)
		near(t, c.Text+": pooled", out.Pooled, c.Pooled, 0.08)
		if cos := cosine(out.Pooled, c.Pooled); cos < 0.999 {
			t.Errorf("%q: cosine of the pooled vectors %v", c.Text, cos)
		}
	}
}

func near(t *testing.T, what string, got []float32, want []float64, within float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i := range got {
		if d := math.Abs(float64(got[i]) - want[i]); !(d <= within) {
			t.Errorf("%s %d: %v, want %v", what, i, got[i], want[i])
		}
	}
}

func cosine(a []float32, b []float64) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab += float64(a[i]) * b[i]
		aa += float64(a[i]) * float64(a[i])
		bb += b[i] * b[i]
	}
	return ab / math.Sqrt(aa*bb)
}

func sameResult(t *testing.T, what string, a, b *Result) {
	t.Helper()
	if !slices.Equal(a.Logits, b.Logits) || !slices.Equal(a.Pooled, b.Pooled) || !slices.Equal(a.Words, b.Words) || !slices.Equal(a.Shares, b.Shares) {
		t.Errorf("%s: results differ", what)
	}
}

// TestKernelsOnAndOff: one verdict on every architecture.
func TestKernelsOnAndOff(t *testing.T) {
	needSIMD(t)
	for _, c := range []config{miniature, asShipped} {
		e := encoderOf(t, c)
		texts := []string{message}
		if c.Hidden < 100 {
			for i := range 60 { // every number of tokens to the most
				texts = append(texts, message[:i], message[i:])
			}
		}
		for _, text := range texts {
			for _, question := range []string{"", "How did we do?"} {
				var fast, portable Result
				e.simd = true
				e.Encode(question, text, &fast)
				e.simd = false
				e.Encode(question, text, &portable)
				sameResult(t, fmt.Sprintf("hidden %d, %q", c.Hidden, text), &fast, &portable)
			}
		}
	}
}

// TestPinned: bits that must be the same wherever this test runs.
func TestPinned(t *testing.T) {
	e := encoderOf(t, miniature)
	var out Result
	e.Encode("How was it?", message, &out)
	got := fmt.Sprintf("%08x %08x %08x %08x", math.Float32bits(out.Logits[0]), math.Float32bits(out.Logits[1]),
		math.Float32bits(out.Pooled[47]), math.Float32bits(out.Words[3].Logit))
	if want := "c0b6bfde 4033b288 3de5c583 3f7243a4"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestInputMatters(t *testing.T) {
	e := encoderOf(t, miniature)
	var plain, asked, other, blank Result
	e.Encode("", "bad service", &plain)
	e.Encode("how was it?", "bad service", &asked)
	e.Encode("", "service bad", &other)
	e.Encode(" \u200b\n", "bad service", &blank)
	if slices.Equal(plain.Pooled, asked.Pooled) || slices.Equal(plain.Pooled, other.Pooled) {
		t.Error("neither question nor order counts")
	}
	sameResult(t, "a blank question", &plain, &blank)
	if len(asked.Words) != 2 || asked.Words[1].Start != 4 || asked.Words[1].End != 11 {
		t.Errorf("words %v", asked.Words)
	}
}

// TestSharesAddUp: what the words add to a logit, with the two special tokens and
// the bias, is the logit; and a word's share is that of all its pieces.
func TestSharesAddUp(t *testing.T) {
	e := encoderOf(t, miniature)
	var out Result
	e.Encode("", "unhelpful and rude, again", &out)
	sc := new(scratch)
	e.input(sc, "", "unhelpful and rude, again")
	e.forward(sc)
	h, n := e.config.Hidden, len(out.Logits)
	for o, logit := range out.Logits {
		sum := e.sentenceBias[o]
		for w := range out.Words {
			sum += out.Shares[w*n+o]
		}
		for i, tok := range sc.reader.tokens {
			if tok.word < 0 {
				sum += dot(e.sentence[o*h:][:h], sc.x[i*h:][:h]) / float32(len(sc.reader.tokens))
			}
		}
		if d := sum - logit; d > 1e-4 || d < -1e-4 {
			t.Errorf("output %d: %v, want %v", o, sum, logit)
		}
	}
	if len(out.Shares) != n*len(out.Words) || len(out.Words) != 5 {
		t.Errorf("%d shares of %d words", len(out.Shares), len(out.Words))
	}
}

func TestResultIsReusedWithoutGarbage(t *testing.T) {
	e := encoderOf(t, miniature)
	var out Result
	e.Encode("how?", message, &out)
	want := Result{slices.Clone(out.Logits), slices.Clone(out.Pooled), slices.Clone(out.Words), slices.Clone(out.Shares)}
	allocs := testing.AllocsPerRun(50, func() {
		e.Encode("", "another", &out)
		e.Encode("how?", message, &out)
	})
	sameResult(t, "the second time", &out, &want)
	if allocs >= 1 && !raceDetector { // the race detector drops what a pool holds
		t.Errorf("%v allocations for two messages", allocs)
	}
}

func TestConcurrentUse(t *testing.T) {
	e := encoderOf(t, miniature)
	texts := []string{"", "a bad day", message, strings.Repeat("again ", 50)}
	want := make([]Result, len(texts))
	for i, s := range texts {
		encoderOf(t, miniature).Encode("", s, &want[i])
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			var out Result
			for i := range 40 {
				e.Encode("", texts[i%len(texts)], &out)
				sameResult(t, texts[i%len(texts)], &out, &want[i%len(texts)])
			}
		})
	}
	group.Wait()
}

// TestHeap: the weights stay where they are.
func TestHeap(t *testing.T) {
	words := testWords(t)
	for i := len(words); i < 28000; i++ {
		words = append(words, fmt.Sprintf("word%dx", i))
	}
	raw := fileOf(t, asShipped, words, 1)
	before := heap()
	e, err := Read(raw)
	if err != nil {
		t.Fatal(err)
	}
	read := heap() - before
	var out Result
	e.Encode("", strings.Repeat(message, 4), &out)
	if used := heap() - before; read > 1<<20 || used > 3<<20 {
		t.Errorf("%d bytes after Read, %d in use", read, used)
	}
	runtime.KeepAlive(e)
	runtime.KeepAlive(raw)
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func BenchmarkEncode(b *testing.B) {
	e := encoderOf(b, asShipped)
	for _, simd := range []bool{true, false} {
		if simd && !haveSIMD() {
			continue
		}
		b.Run(map[bool]string{true: "vector", false: "portable"}[simd], func(b *testing.B) {
			e.simd = simd
			var out Result
			b.ReportAllocs()
			for b.Loop() {
				e.Encode("", message, &out)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}
