package train

import (
	"os"
	"strings"
	"testing"

	"redalert/schemas"
	"redalert/signals/text"
)

// What the model that ships must reach on the test part of the corpus. These are
// floors, no goals: where it stands is in docs/model-card.md.
const (
	leastAUROC   = 0.85
	leastF1      = 0.80
	mostECE      = 0.10
	leastOrdered = 0.80 // of the minimal pairs
	leastNamed   = 0.50 // of the messages of each category, on average
	mostBytes    = 30_000_000
)

// TestWhatShips: weights, joint and model card are of one model, small enough,
// and as good as is said.
func TestWhatShips(t *testing.T) {
	m, err := text.LoadCascade()
	if err != nil {
		t.Fatal(err)
	}
	enc, err := text.LoadEncoder()
	if err != nil {
		t.Fatal(err)
	}
	card, err := os.ReadFile("../../docs/model-card.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# Model card: " + m.Version() + "\n", "(" + enc.Version() + ")"} {
		if !strings.Contains(string(card), want) {
			t.Errorf("the model card is of another model: it lacks %q", want)
		}
	}
	if file, err := os.Stat("../../signals/text/encoder.bin"); err != nil || file.Size() > mostBytes {
		t.Errorf("the encoder has %d bytes, %v; at most %d", file.Size(), err, mostBytes)
	}
	got := MeasureCorpus(m, corpus(t, "test"))
	if got.AUROC < leastAUROC || got.Review.F1 < leastF1 || got.ECE > mostECE || got.PairsOrdered.Value() < leastOrdered {
		t.Errorf("AUROC %.3f, F1 %.3f, ECE %.3f, pairs in order %.2f: below its floors", float64(got.AUROC), got.Review.F1, float64(got.ECE), got.PairsOrdered.Value())
	}
	sum := 0.0
	for _, c := range schemas.Categories() {
		sum += got.Recall[c].Value()
		if got.Recall[c].N == 0 {
			t.Errorf("no test message is about %s", c)
		}
	}
	if mean := sum / float64(len(schemas.Categories())); mean < leastNamed {
		t.Errorf("categories are named for %.2f of their messages on average", mean)
	}
}
