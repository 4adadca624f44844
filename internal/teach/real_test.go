package teach_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"

	"redalert/internal/eval"
	"redalert/internal/lane"
	"redalert/schemas"
	"redalert/signals"
	"redalert/signals/learn"
	"redalert/signals/text"
)

// messages reads so many messages of a public set that the model was not trained
// on, in an order that follows from their text alone.
func messages(t *testing.T, dir, set string, most int, m signals.TextModel) []learn.Example {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "text", set+".jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		Text, Split string
		Label       int
		at          uint32
	}
	var rows []row
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r row
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if r.Split == "dev" {
			h := fnv.New32a()
			h.Write([]byte(r.Text))
			r.at = h.Sum32()
			rows = append(rows, r)
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return int(int64(a.at) - int64(b.at)) })
	rows = rows[:min(most, len(rows))]
	out := make([]learn.Example, len(rows))
	next := make(chan int)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range next {
				ev, err := signals.Message{Text: rows[i].Text, Channel: "review"}.Event()
				if err != nil {
					t.Error(err)
				}
				ev.ID, ev.Source = fmt.Sprintf("%s-%d", set, i), set
				if x, ok := signals.Lesson(ev, m); ok && x.P >= schemas.ReviewThreshold {
					x.Red = rows[i].Label == 1
					out[i] = x
				}
			}
		})
	}
	for i := range rows {
		next <- i
	}
	close(next)
	wg.Wait()
	return slices.DeleteFunc(out, func(x learn.Example) bool { return x.EventID == "" })
}

// figures on messages: AUROC, and the mean log loss.
func figures(xs []learn.Example, p func(learn.Example) float64) (auroc, loss float64) {
	var labelled []eval.Labelled
	for _, x := range xs {
		q := min(max(p(x), 0.001), 0.999)
		labelled = append(labelled, eval.Labelled{P: q, Red: x.Red})
		if x.Red {
			loss -= math.Log(q)
		} else {
			loss -= math.Log(1 - q)
		}
	}
	return float64(eval.Measure(labelled).AUROC), loss / float64(len(xs))
}

// TestMeasured: on public sets, each a source of one business, a layer learned
// from some decisions about flagged messages is measured on the messages that
// came after. The figures stand in docs/scoring.md.
func TestMeasured(t *testing.T) {
	lane.Long(t, "measuring what learning brings")
	dir := lane.Data(t, ".")
	m, err := text.LoadCascade()
	if err != nil {
		t.Fatal(err)
	}
	for _, sets := range [][]string{{"cesamard", "fincorp", "hotel_reviews"}, {"amazon_apps", "product_tweets", "skytrax"}} {
		var all []learn.Example
		for _, set := range sets {
			all = append(all, messages(t, dir, set, 500, m)...)
		}
		for _, n := range []int{30, 60, 100, 200} {
			f := measure(all, n)
			t.Logf("%v, %d flagged: of %d draws of %d decisions %d were used; then AUROC %.3f → %.3f, log loss %.3f → %.3f", sets, len(all), draws, n, f.used,
				f.auroc, f.taughtAUROC, f.loss, f.taughtLoss)
			if n == 200 && f.taughtLoss > f.loss {
				t.Errorf("%v: what was used did worse later", sets)
			}
		}
	}
}

// draws is how often decisions are drawn anew.
const draws = 20

type measured struct {
	used                                 int
	auroc, taughtAUROC, loss, taughtLoss float64
}

// measure learns from n messages, drawn again and again, and averages the
// figures on the others over the layers that the check let through.
func measure(all []learn.Example, n int) (f measured) {
	for draw := range draws {
		order := func(x learn.Example) uint32 {
			h := fnv.New32a()
			fmt.Fprintf(h, "%d %s", draw, x.EventID)
			return h.Sum32()
		}
		xs := slices.Clone(all)
		slices.SortStableFunc(xs, func(a, b learn.Example) int { return int(int64(order(a)) - int64(order(b))) })
		l, after := learn.Fit(xs[:n]), xs[n:]
		if !l.Report.Accepted {
			continue
		}
		f.used++
		a, loss := figures(after, func(x learn.Example) float64 { return x.P })
		f.auroc, f.loss = f.auroc+a, f.loss+loss
		a, loss = figures(after, func(x learn.Example) float64 { return learn.Correct(&l, x.P, x.Source, x.Topics) })
		f.taughtAUROC, f.taughtLoss = f.taughtAUROC+a, f.taughtLoss+loss
	}
	if k := float64(f.used); k > 0 {
		f.auroc, f.taughtAUROC, f.loss, f.taughtLoss = f.auroc/k, f.taughtAUROC/k, f.loss/k, f.taughtLoss/k
	}
	return f
}
