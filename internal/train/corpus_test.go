package train

import (
	"slices"
	"strings"
	"testing"

	"redalert/schemas"
)

const corpusDir = "../../signals/text/corpus/"

func corpus(t *testing.T, part string) []Message {
	t.Helper()
	ms, err := ReadCorpus(corpusDir + part + ".jsonl")
	if err != nil {
		t.Fatal(err)
	}
	return ms
}

// TestCorpusMessages: every line is whole and means something.
func TestCorpusMessages(t *testing.T) {
	ids := map[string]bool{}
	for _, m := range slices.Concat(corpus(t, "train"), corpus(t, "test")) {
		if ids[m.ID] || strings.TrimSpace(m.Text) == "" || m.Business == "" || m.Writer == "" {
			t.Errorf("%s: its id is used twice, or something is missing", m.ID)
		}
		ids[m.ID] = true
		if !slices.Contains([]string{"email", "survey", "review", "order"}, m.Channel) {
			t.Errorf("%s: channel %q", m.ID, m.Channel)
		}
		for _, w := range m.Words {
			if !strings.Contains(m.Text, w) {
				t.Errorf("%s: %q is not in the text", m.ID, w)
			}
		}
		for _, l := range []Label{{m.Level, m.Categories}, m.First, m.Second} {
			if !slices.Contains([]schemas.Level{schemas.LevelNone, schemas.LevelReview, schemas.LevelRed}, l.Level) || (l.Level == schemas.LevelNone) != (len(l.Categories) == 0) {
				t.Errorf("%s: level %s with categories %v", m.ID, l.Level, l.Categories)
			}
			for _, c := range l.Categories {
				if !slices.Contains(schemas.Categories(), c) {
					t.Errorf("%s: category %q", m.ID, c)
				}
			}
		}
		if m.First.Level == m.Second.Level && m.Level != m.First.Level {
			t.Errorf("%s: both readings say %s, the corpus %s", m.ID, m.First.Level, m.Level)
		}
	}
}

// TestCorpusIsWide: enough of everything, for training and for the test part,
// which shares no text, writer or brief with training.
func TestCorpusIsWide(t *testing.T) {
	train, test := corpus(t, "train"), corpus(t, "test")
	if len(train)+len(test) < corpusFloor || len(test) < 800 {
		t.Errorf("%d messages to train on, %d to test", len(train), len(test))
	}
	seen := map[string]bool{}
	for _, m := range train {
		seen[strings.ToLower(strings.Join(strings.Fields(m.Text), " "))] = true
		seen["writer "+m.Writer] = true
	}
	for _, m := range test {
		if seen[strings.ToLower(strings.Join(strings.Fields(m.Text), " "))] || seen["writer "+m.Writer] {
			t.Errorf("%s: text or writer is known from training", m.ID)
		}
	}
	for name, ms := range map[string][]Message{"train": train, "test": test} {
		business, channel, category := map[string]int{}, map[string]int{}, map[schemas.Category]int{}
		grouped, red, texts := 0, 0, map[string]bool{}
		for _, m := range ms {
			business[m.Business]++
			channel[m.Channel]++
			texts[m.Text] = true
			if m.Group != "" {
				grouped++
			}
			if m.Level == schemas.LevelRed {
				red++
				for _, c := range m.Categories {
					category[c]++
				}
			}
		}
		if len(business) < 12 || len(channel) != 4 || grouped*3 < len(ms) || len(texts) < len(ms)*99/100 {
			t.Errorf("%s: %d kinds of business, channels %v, %d of %d in pairs, %d different texts", name, len(business), channel, grouped, len(ms), len(texts))
		}
		for _, c := range schemas.Categories() {
			if category[c]*33 < red {
				t.Errorf("%s: only %d of %d red messages are about %s", name, category[c], red, c)
			}
		}
	}
}

// corpusFloor is how many messages there are at least.
const corpusFloor = 6000

// TestCorpusPairsTurn: what differs by a small edit has another verdict, and
// stands in one part.
func TestCorpusPairsTurn(t *testing.T) {
	for _, part := range []string{"train", "test"} {
		first, turned, size := map[string]schemas.Level{}, map[string]bool{}, map[string]int{}
		for _, m := range corpus(t, part) {
			if m.Group == "" {
				continue
			}
			if l, ok := first[m.Group]; ok && l != m.Level {
				turned[m.Group] = true
			} else if !ok {
				first[m.Group] = m.Level
			}
			size[m.Group]++
		}
		still := 0
		for g := range first {
			if size[g] < 2 || !turned[g] {
				still++
			}
		}
		// Where the third reading settled a border, a pair may have lost its turn.
		if still*50 > len(first) {
			t.Errorf("%s: %d of %d groups do not turn", part, still, len(first))
		}
	}
}

// TestCorpusAgreement: two readings that knew nothing of each other agree.
// Cohen's kappa: Educational and Psychological Measurement 20 (1960).
func TestCorpusAgreement(t *testing.T) {
	for _, part := range []string{"train", "test"} {
		var agree, n float64
		first, second := map[schemas.Level]float64{}, map[schemas.Level]float64{}
		for _, m := range corpus(t, part) {
			n++
			first[m.First.Level]++
			second[m.Second.Level]++
			if m.First.Level == m.Second.Level {
				agree++
			}
		}
		chance := 0.0
		for l := range first {
			chance += first[l] * second[l] / n / n
		}
		kappa := (agree/n - chance) / (1 - chance)
		t.Logf("%s: %.0f messages, the readings agree on %.1f %%, kappa %.3f", part, n, 100*agree/n, kappa)
		if kappa < 0.8 {
			t.Errorf("%s: kappa %.3f: the definition is read differently", part, kappa)
		}
	}
}

// TestAbout: a category that one of two readings names is half sure; where a
// third reading settled the level, its word stands.
func TestAbout(t *testing.T) {
	late, rude, price := schemas.CatLate, schemas.CatRude, schemas.CatPrice
	red := func(c ...schemas.Category) Label { return Label{Level: schemas.LevelRed, Categories: c} }
	agreed := Message{Level: schemas.LevelRed, Categories: []schemas.Category{late, rude}, First: red(late, rude), Second: red(price, late)}
	settled := agreed
	settled.Second.Level = schemas.LevelReview
	for c, want := range map[schemas.Category][2]float64{late: {1, 1}, rude: {0.5, 1}, price: {0.5, 0}, schemas.CatOther: {0, 0}} {
		if a, s := agreed.About(c), settled.About(c); a != want[0] || s != want[1] {
			t.Errorf("%s: %v where both say red, %v where the level was settled; want %v", c, a, s, want)
		}
	}
}
