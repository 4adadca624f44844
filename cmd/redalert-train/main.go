// Command redalert-train makes the weights of the text model and its model card
// from the corpus in this repository (messages, and patterns that messages are
// drawn from) and public sets.
//
//	go run ./cmd/redalert-train -data DIR    # DIR holds text/*.jsonl.gz
//
// The same data and seed give the same weights.
package main

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"redalert/internal/train"
	"redalert/signals/text"
)

// set is one source of texts. Count is how much it counts beside its size.
type set struct {
	name, source, licence string
	count                 float64 // 0 = 1
	train, dev            []train.Example
}

var public = []set{
	// Its quiet half is adverts and news, so that any request looks like a complaint.
	{name: "fincorp", count: 0.25, source: "tweets to financial firms, X-FINCORP (Das et al., PAKDD 2022)", licence: "MIT"},
	{name: "cesamard", source: "product reviews (ECIR 2023)", licence: "MIT"},
	{name: "vader_tweets", source: "VADER ground truth, tweets (Hutto & Gilbert, ICWSM 2014)", licence: "MIT"},
	{name: "vader_amazon", source: "VADER ground truth, product reviews (Hutto & Gilbert, ICWSM 2014)", licence: "MIT"},
	{name: "uci_sentences", source: "sentiment labelled sentences (Kotzias et al. 2015)", licence: "CC0 / CC BY 4.0"},
	{name: "skytrax", source: "lounge and seat reviews", licence: "CC0"},
	{name: "amazon_apps", source: "app reviews", licence: "MIT"},
	{name: "hotel_reviews", source: "hotel reviews, package sentimentr", licence: "MIT"},
	{name: "course_evaluations", source: "course evaluations, package sentimentr", licence: "MIT"},
	{name: "product_tweets", source: "tweets about products, package sentimentr", licence: "MIT"},
}

// quietWeight is how much more often a message is quiet in life than in the
// sets, where two in five are red: a rough, cautious guess.
const quietWeight = 1.3

var settings = train.Settings{Epochs: 4, Rate: 0.08, Decay: 1e-6, Seed: 7}

func main() {
	data := flag.String("data", os.Getenv("REDALERT_TESTDATA"), "folder that holds text/*.jsonl.gz")
	out := flag.String("out", "signals/text/weights.bin", "where the weights go")
	card := flag.String("card", "docs/model-card.md", "where the model card goes")
	version := flag.String("version", "text-2", "name of the model")
	flag.Parse()
	if err := run(*data, *out, *card, *version); err != nil {
		fmt.Fprintln(os.Stderr, "redalert-train:", err)
		os.Exit(1)
	}
}

func run(data, out, card, version string) error {
	sets, err := load(data)
	if err != nil {
		return err
	}
	aurocs, err := leaveOneOut(sets)
	if err != nil {
		return err
	}
	m := train.Fit(join(sets, -1, trainPart), settings)
	weights, bias := m.Quantise()
	var cal []train.Scored
	for _, s := range sets {
		cal = append(cal, scoreAll(weights, bias, s.dev)...)
	}
	raw := text.Raw{Version: version, Weights: weights, Bias: bias}
	for i := range cal { // among real messages fewer are red than in these sets
		if !cal[i].Red {
			cal[i].Weight *= quietWeight
		}
	}
	raw.Scores, raw.Probs = train.Calibrate(cal)
	if err := os.WriteFile(out, raw.Write(), 0o644); err != nil {
		return err
	}
	return writeCard(card, version, raw, sets, aurocs, data)
}

func load(data string) ([]set, error) {
	own, err := ownCorpus("signals/text/corpus")
	if err != nil {
		return nil, err
	}
	drawn, err := patterns("signals/text/corpus")
	if err != nil {
		return nil, err
	}
	sets := []set{own, drawn}
	for _, s := range public {
		if err := s.read(filepath.Join(data, "text", s.name+".jsonl.gz")); err != nil {
			return nil, err
		}
		sets = append(sets, s)
	}
	for i := range sets {
		sets[i].weigh(sets[i].train)
		sets[i].weigh(sets[i].dev)
	}
	return sets, nil
}

// weigh lets no set dominate: a set counts as the square root of its size, times
// its count.
func (s set) weigh(es []train.Example) {
	w := 20 / math.Sqrt(float64(max(len(es), 1)))
	if s.count > 0 {
		w *= s.count
	}
	for i := range es {
		es[i].Weight = w
	}
}

func ownCorpus(dir string) (set, error) {
	s := set{name: "own", source: "messages written for Redalert, signals/text/corpus", licence: "Apache-2.0", count: 5}
	for _, part := range []struct {
		file string
		red  bool
	}{{"red.txt", true}, {"quiet.txt", false}} {
		b, err := os.ReadFile(filepath.Join(dir, part.file))
		if err != nil {
			return s, err
		}
		for i, line := range train.Lines(string(b)) {
			s.add(line, part.red, i%4 == 3)
		}
	}
	return s, nil
}

// drawn is how many messages are drawn of each pattern.
const drawn = 16

// patterns draws messages from the patterns of the corpus. Every fifth pattern
// is held back as a whole: what is measured was not trained on in other words.
func patterns(dir string) (set, error) {
	s := set{name: "patterns", source: "messages drawn from patterns written for Redalert, signals/text/corpus", licence: "Apache-2.0", count: 5}
	b, err := os.ReadFile(filepath.Join(dir, "lists.txt"))
	if err != nil {
		return s, err
	}
	lists, err := train.ReadLists(string(b))
	if err != nil {
		return s, err
	}
	for _, part := range []struct {
		file string
		red  bool
	}{{"red.templates", true}, {"quiet.templates", false}} {
		b, err := os.ReadFile(filepath.Join(dir, part.file))
		if err != nil {
			return s, err
		}
		for i, pattern := range train.Lines(string(b)) {
			msgs, err := lists.Draw(pattern, drawn, uint64(i))
			if err != nil {
				return s, fmt.Errorf("%s: %w", part.file, err)
			}
			for _, msg := range msgs {
				s.add(msg, part.red, i%5 == 4)
			}
		}
	}
	return s, nil
}

func (s *set) add(msg string, red, dev bool) {
	e := train.Example{Features: text.FeaturesOf(msg), Red: red}
	if dev {
		s.dev = append(s.dev, e)
	} else {
		s.train = append(s.train, e)
	}
}

func (s *set) read(path string) error {
	return lines(path, func(b []byte) error {
		var l struct {
			Text  string
			Label int
			Split string
		}
		if err := json.Unmarshal(b, &l); err != nil {
			return err
		}
		s.add(l.Text, l.Label == 1, l.Split == "dev")
		return nil
	})
}

func lines(path string, each func([]byte) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	sc := bufio.NewScanner(zr)
	sc.Buffer(nil, 1<<20)
	for n := 1; sc.Scan(); n++ {
		if err := each(sc.Bytes()); err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
	}
	return sc.Err()
}

func trainPart(s set) []train.Example { return s.train }

// join puts the parts of all sets but one together.
func join(sets []set, without int, part func(set) []train.Example) []train.Example {
	var all []train.Example
	for i, s := range sets {
		if i != without {
			all = append(all, part(s)...)
		}
	}
	return all
}

// leaveOneOut predicts each set by a model that never saw it.
func leaveOneOut(sets []set) ([]float64, error) {
	out := make([]float64, len(sets))
	for i, s := range sets {
		m := train.Fit(join(sets, i, trainPart), settings)
		weights, bias := m.Quantise()
		out[i] = train.AUROC(scoreAll(weights, bias, append(s.train[:len(s.train):len(s.train)], s.dev...)))
		fmt.Printf("%-20s unseen AUROC %.3f\n", s.name, out[i])
	}
	return out, nil
}

func scoreAll(weights []int8, bias int64, es []train.Example) []train.Scored {
	out := make([]train.Scored, 0, len(es))
	for _, e := range es {
		var sum int64
		for _, f := range e.Features {
			sum += int64(weights[f])
		}
		if len(e.Features) > 0 {
			out = append(out, train.Scored{Score: text.Normalise(sum, int64(len(e.Features)), bias), Red: e.Red, Weight: e.Weight})
		}
	}
	return out
}
