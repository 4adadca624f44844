package text

import (
	"errors"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"redalert/schemas"
)

func model(t testing.TB) *Model {
	t.Helper()
	m, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestModelKnowsLoudFromQuiet(t *testing.T) {
	m := model(t)
	for _, tc := range []struct {
		text string
		loud bool
	}{
		{"Terrible service, the room was dirty and nobody helped us.", true},
		{"The app crashes every time and support is useless.", true},
		{"Worst experience ever, avoid.", true},
		{"Thank you, everything arrived in one piece.", false},
		{"What time do you open on Saturday?", false},
		{"Lovely people and a great stay.", false},
		{"Not bad at all, will come again.", false},
		{"Never had a problem with them.", false},
		{"Could we move the cleaning to the afternoon?", false},
		{"Please send me the invoice again.", false},
		{"I need help creating a new user account", false},
		{"Could you please let me know when someone will finally come? I have called three times.", true},
		{"This is the third time I ask for the invoice to be corrected.", true},
	} {
		p := m.Predict(tc.text, Hints{})
		if (p.Probability >= schemas.ReviewThreshold) != tc.loud {
			t.Errorf("%.2f: %s", p.Probability, tc.text)
		}
		if (len(p.Spans) > 0) != tc.loud {
			t.Errorf("%d marks: %s", len(p.Spans), tc.text)
		}
		for _, mark := range p.Spans {
			checkSpan(t, tc.text, mark.Span)
		}
	}
}

func TestProbabilityRisesWithTheScore(t *testing.T) {
	m := model(t)
	last := -1.0
	for z := -300.0; z <= 300; z++ {
		p := m.probability(z)
		if p < last || p < 0 || p > 1 || math.IsNaN(p) {
			t.Fatalf("at %v: %v after %v", z, p, last)
		}
		last = p
	}
	if m.probability(math.Inf(-1)) >= schemas.ReviewThreshold {
		t.Error("an empty text is flagged")
	}
}

func TestDamagedWeightsAreRefused(t *testing.T) {
	for _, b := range [][]byte{nil, []byte("x"), weightsFile[:100], weightsFile[:len(weightsFile)-1], append([]byte(nil), magic...)} {
		if _, err := Read(b); !errors.Is(err, errWeights) {
			t.Errorf("%d bytes: %v", len(b), err)
		}
	}
}

func FuzzPredict(f *testing.F) {
	f.Add("Nobody came. I want my money back!")
	f.Add("no no no \xff\xfe 🙂 …")
	f.Add(strings.Repeat("never ", 2000))
	m := model(f)
	f.Fuzz(func(t *testing.T, s string) {
		p := m.Predict(s, Hints{})
		if p.Probability < 0 || p.Probability > 1 || math.IsNaN(p.Probability) {
			t.Fatalf("%v for %q", p.Probability, s)
		}
		if again := m.Predict(s, Hints{}); again.Probability != p.Probability || len(again.Spans) != len(p.Spans) {
			t.Fatalf("two answers for %q", s)
		}
		if utf8.ValidString(s) {
			for _, mark := range p.Spans {
				checkSpan(t, s, mark.Span)
			}
		}
	})
}

// TestFeaturesOfAWord holds the n-grams against their definition.
func TestFeaturesOfAWord(t *testing.T) {
	for _, w := range []string{"a", "it", "won't", "Refund", "Grüße", "’", "日", "unacceptably"} {
		runes := []rune("^")
		for _, r := range w {
			if !apostrophe(r) {
				runes = append(runes, lower(r))
			}
		}
		runes = append(runes, '$')
		var want []uint32
		for last := range runes {
			for n := 3; n <= 5 && n <= last+1; n++ {
				h := uint64(fnvOffset)
				for k := range n {
					h = hashRune(h, runes[last-k])
				}
				want = append(want, mix(h^saltChars))
			}
		}
		if got := charGrams(w, saltChars, nil); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", w, got, want)
		}
	}
}

// TestHearIsPredictAndFind: one reading says what two do.
func TestHearIsPredictAndFind(t *testing.T) {
	raw, err := os.ReadFile("corpus/test.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	m := model(t)
	for s := range strings.Lines(string(raw)) {
		p, found := m.Hear(s, Hints{})
		if want := m.Predict(s, Hints{}); !reflect.DeepEqual(p, want) {
			t.Errorf("%+v, want %+v: %s", p, want, s)
		}
		if want := DefaultFinder().Find(s); !reflect.DeepEqual(found, want) {
			t.Errorf("%+v, want %+v: %s", found, want, s)
		}
	}
}

// BenchmarkPredict scores messages of 220 bytes that stay below 0.5.
func BenchmarkPredict(b *testing.B) {
	m := model(b)
	msg := strings.Repeat("Thank you, the team was on time and did good work. ", 5)[:220]
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		m.Predict(msg, Hints{})
	}
}

// BenchmarkBait scores a megabyte.
func BenchmarkBait(b *testing.B) {
	m := model(b)
	msg := strings.Repeat("aaaaaaaaaa refund! ", 1<<20/19)
	for b.Loop() {
		m.Predict(msg, Hints{})
	}
}
