package eval

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-9 {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

// TestMeasure: figures that were worked out by hand.
func TestMeasure(t *testing.T) {
	r := Measure([]Labelled{{0.9, true}, {0.8, true}, {0.7, false}, {0.6, true}, {0.4, false}, {0.2, false}, {0.1, true}})
	if r.N != 7 || r.Positives != 4 {
		t.Fatalf("%+v", r)
	}
	near(t, "precision at review", r.Review.Precision, 3.0/4)
	near(t, "recall at review", r.Review.Recall, 3.0/4)
	near(t, "F1 at review", r.Review.F1, 0.75)
	near(t, "precision at red", r.Red.Precision, 1)
	near(t, "recall at red", r.Red.Recall, 0.5)
	near(t, "best threshold", r.Best.Threshold, 0.6)
	near(t, "AUROC", float64(r.AUROC), 8.0/12) // of twelve pairs eight are in order
	near(t, "average precision", float64(r.AP), 0.25*(1+1+3.0/4+4.0/7))
	near(t, "recall at precision 0.9", float64(r.RecallAt9), 0.5)
	// Each message is alone in its bin.
	near(t, "calibration error", float64(r.ECE), (0.1+0.2+0.7+0.4+0.4+0.2+0.9)/7)
}

func TestTiesCountHalf(t *testing.T) {
	r := Measure([]Labelled{{0.5, true}, {0.5, false}})
	near(t, "AUROC", float64(r.AUROC), 0.5)
	near(t, "average precision", float64(r.AP), 0.5)
}

// TestOneClassAlone has no order to measure, and says so instead of a number.
func TestOneClassAlone(t *testing.T) {
	for _, xs := range [][]Labelled{nil, {{0.9, true}}, {{0.1, false}, {0.2, false}}} {
		b, err := json.Marshal(Measure(xs))
		if err != nil || !strings.Contains(string(b), `"auroc":null`) {
			t.Errorf("%v: %s, %v", xs, b, err)
		}
	}
}

func TestMeanLeavesOutWhatIsNotThere(t *testing.T) {
	m := Mean([]Report{Measure([]Labelled{{0.9, true}, {0.1, false}}), Measure([]Labelled{{0.9, true}})})
	near(t, "AUROC", float64(m.AUROC), 1)
	if m.N != 3 || m.Positives != 2 {
		t.Errorf("%+v", m)
	}
}

// TestProperties: every figure lies where it must, order does not matter, and
// AUROC is the share of pairs in order, counted one by one.
func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		xs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Labelled {
			return Labelled{P: float64(rapid.IntRange(0, 20).Draw(t, "p")) / 20, Red: rapid.Bool().Draw(t, "red")}
		}), 1, 40).Draw(t, "xs")
		r := Measure(xs)
		back := slices.Clone(xs)
		slices.Reverse(back)
		a, _ := json.Marshal(r)
		b, _ := json.Marshal(Measure(back))
		if string(a) != string(b) {
			t.Fatalf("order matters: %s %s", a, b)
		}
		for _, v := range []float64{r.Review.F1, r.Red.F1, r.Best.F1, float64(r.ECE), float64(r.AP), float64(r.AUROC), float64(r.RecallAt9)} {
			if v < 0 || v > 1 {
				t.Fatalf("%v out of range in %s", v, a)
			}
		}
		if r.Best.F1 < r.Review.F1 || r.Best.F1 < r.Red.F1 {
			t.Fatalf("the best is not the best: %s", a)
		}
		right, pairs := 0.0, 0.0
		for _, x := range xs {
			for _, y := range xs {
				if x.Red && !y.Red {
					pairs++
					switch {
					case x.P > y.P:
						right++
					case x.P == y.P:
						right += 0.5
					}
				}
			}
		}
		if pairs > 0 && math.Abs(float64(r.AUROC)-right/pairs) > 1e-9 {
			t.Fatalf("AUROC %v, counted %v", r.AUROC, right/pairs)
		}
	})
}
