package text

import (
	"os"
	"strings"
	"testing"

	"redalert/internal/linear"
)

// TestMinimalPairs: a small edit turns a message from loud to quiet. The loud
// one should score higher; both stages together manage more of it.
func TestMinimalPairs(t *testing.T) {
	raw, err := os.ReadFile("testdata/pairs.txt")
	if err != nil {
		t.Fatal(err)
	}
	m, c := model(t), cascade(t)
	told, read, n := 0, 0, 0
	for line := range strings.Lines(string(raw)) {
		loud, quiet, ok := strings.Cut(strings.TrimSpace(line), " | ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		n++
		if m.Score(loud) > m.Score(quiet) {
			told++
		}
		if c.Predict(loud, Hints{}).Probability > c.Predict(quiet, Hints{}).Probability {
			read++
		}
	}
	t.Logf("%d of %d pairs in order by words, %d by both stages", told, n, read)
	if n < 100 || told*100 < n*wordsFloor || read*100 < n*pairsFloor {
		t.Errorf("%d of %d pairs in order by words, want %d %%; %d by both stages, want %d %%", told, n, wordsFloor, read, pairsFloor)
	}
}

// In per cent.
const wordsFloor, pairsFloor = 80, 90

// TestGuardsEndWithTheirSentence: guards act in their own sentence only.
func TestGuardsEndWithTheirSentence(t *testing.T) {
	for s, want := range map[string]bool{
		"No. I want a refund.":                                     true,
		"You did not listen, I want a refund.":                     true,
		"There is no need for a refund. I'm fine.":                 false,
		"\"I want a refund\" is what I would never say to you.":    false,
		"\"I want a refund\"":                                      true, // the whole message in quotes is no quotation
		"I said \"hello\" and \"goodbye\" and I want a refund now": true,
		"I want a refund. Just kidding!":                           false,
		"She said \"no way. I want a refund now":                   true, // a quote that never closes
	} {
		got := false
		for _, f := range DefaultFinder().Find(s) {
			got = got || f.Topic == "refund_request"
		}
		if got != want {
			t.Errorf("%q: heard %v", s, got)
		}
	}
}

// TestFindIsLinear: twice the text takes about twice the time, whatever it says.
func TestFindIsLinear(t *testing.T) {
	for _, bait := range []string{"never ", "refund me ", "i want ", "no ", "\" ", "not again not ", "\u0e01"} {
		linear.Check(t, 1<<17, func(n int) { DefaultFinder().Find(strings.Repeat(bait, n/len(bait))) })
	}
}

// TestCascadeIsLinear: so does all that a message goes through, also where it
// consists of one word; and what was taken for it is not kept.
func TestCascadeIsLinear(t *testing.T) {
	c := cascade(t)
	for _, bait := range []string{"a", "never ", "é", "refund me, ", "\u0e01"} {
		linear.Check(t, 1<<17, func(n int) {
			s := strings.Repeat(bait, n/len(bait))
			checkPrediction(t, s, c.Predict(s, Hints{Question: bait}))
		})
	}
}

// FuzzFind: spans lie on rune boundaries and inside the text, in order.
func FuzzFind(f *testing.F) {
	f.Add("I want my money back! \"Never again\" said no one.")
	f.Add("> refund me\n\nno refund \xff needed ’ ‘ “refund me”")
	f.Add("漢字 refund me 🙂 won’t be back")
	f.Fuzz(func(t *testing.T, s string) {
		last := -1
		for _, h := range DefaultFinder().Find(s) {
			checkSpan(t, s, h.Span)
			if h.Span.Start < last {
				t.Fatalf("findings of %q are not in order", s)
			}
			last = h.Span.Start
		}
		toks := Tokenize(s, nil)
		end := int32(0)
		for _, tok := range toks {
			if tok.Start < end || tok.End <= tok.Start || int(tok.End) > len(s) {
				t.Fatalf("token %+v of %q", tok, s)
			}
			end = tok.End
		}
	})
}
