package train

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"slices"

	"redalert/signals/text"
)

// Set is one source of labelled texts, in the part that is trained on and the
// part that is held back to calibrate and to measure.
type Set struct {
	Name, Source, Licence string
	Count                 float64 // how much it counts beside the root of its size; 0 = 1
	Train, Held           []Text
	Public                bool // somebody else's: left out in turn to measure
}

// Text is one message of a set.
type Text struct {
	Text, Question string
	Red            bool // label 1: review or red
	Features       []uint32
	Weight         float64
	Message        *Message // where it is of the corpus
}

// publicSets are the sets of other people that the licence allows to train on.
var publicSets = []Set{
	// Its quiet half is adverts and news, so that any request looks like a complaint.
	{Name: "fincorp", Count: 0.25, Source: "tweets to financial firms, X-FINCORP (Das et al., PAKDD 2022)", Licence: "MIT"},
	{Name: "cesamard", Source: "product reviews (ECIR 2023)", Licence: "MIT"},
	{Name: "vader_tweets", Source: "VADER ground truth, tweets (Hutto & Gilbert, ICWSM 2014)", Licence: "MIT"},
	{Name: "vader_amazon", Source: "VADER ground truth, product reviews (Hutto & Gilbert, ICWSM 2014)", Licence: "MIT"},
	{Name: "uci_sentences", Source: "sentiment labelled sentences (Kotzias et al. 2015)", Licence: "CC0 / CC BY 4.0"},
	{Name: "skytrax", Source: "lounge and seat reviews", Licence: "CC0"},
	{Name: "amazon_apps", Source: "app reviews", Licence: "MIT"},
	{Name: "hotel_reviews", Source: "hotel reviews, package sentimentr", Licence: "MIT"},
	{Name: "course_evaluations", Source: "course evaluations, package sentimentr", Licence: "MIT"},
	{Name: "product_tweets", Source: "tweets about products, package sentimentr", Licence: "MIT"},
}

// ReadSets reads the corpus (a folder with train.jsonl, messages and patterns)
// and the public sets in data/text. Texts are cut into features already.
func ReadSets(corpus, data string) ([]Set, error) {
	own, err := corpusSet(filepath.Join(corpus, "train.jsonl"))
	if err != nil {
		return nil, err
	}
	sentences, err := sentenceSet(corpus)
	if err != nil {
		return nil, err
	}
	patterns, err := patternSet(corpus)
	if err != nil {
		return nil, err
	}
	sets := []Set{own, sentences, patterns}
	for _, s := range publicSets {
		s.Public = true
		if err := s.read(filepath.Join(data, "text", s.Name+".jsonl.gz")); err != nil {
			return nil, err
		}
		sets = append(sets, s)
	}
	for i := range sets {
		sets[i].weigh(sets[i].Train)
		sets[i].weigh(sets[i].Held)
	}
	return sets, nil
}

// HeldBack reports whether a message of the corpus is kept out of training, to
// calibrate: every tenth group, so that minimal pairs stay together.
func HeldBack(m Message) bool {
	key := m.Group
	if key == "" {
		key = m.ID
	}
	return crc32.ChecksumIEEE([]byte(key))%10 == 0
}

func corpusSet(path string) (Set, error) {
	s := Set{Name: "corpus", Source: "messages written for Redalert, signals/text/corpus", Licence: "Apache-2.0", Count: 4}
	ms, err := ReadCorpus(path)
	if err != nil {
		return s, err
	}
	for _, m := range ms {
		s.add(Text{Text: m.Text, Question: m.Question, Red: m.Flagged(), Message: &m}, HeldBack(m))
	}
	return s, nil
}

func sentenceSet(dir string) (Set, error) {
	s := Set{Name: "sentences", Source: "sentences written for Redalert, signals/text/corpus", Licence: "Apache-2.0", Count: 5}
	for _, part := range []struct {
		file string
		red  bool
	}{{"red.txt", true}, {"quiet.txt", false}} {
		b, err := os.ReadFile(filepath.Join(dir, part.file))
		if err != nil {
			return s, err
		}
		for i, line := range Lines(string(b)) {
			s.add(Text{Text: line, Red: part.red}, i%4 == 3)
		}
	}
	return s, nil
}

// drawn is how many messages are drawn of each pattern.
const drawn = 16

// patternSet draws messages from the patterns of the corpus. Every fifth pattern
// is held back as a whole: what is measured was not trained on in other words.
func patternSet(dir string) (Set, error) {
	s := Set{Name: "patterns", Source: "messages drawn from patterns written for Redalert, signals/text/corpus", Licence: "Apache-2.0", Count: 5}
	b, err := os.ReadFile(filepath.Join(dir, "lists.txt"))
	if err != nil {
		return s, err
	}
	lists, err := ReadLists(string(b))
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
		for i, pattern := range Lines(string(b)) {
			msgs, err := lists.Draw(pattern, drawn, uint64(i))
			if err != nil {
				return s, fmt.Errorf("%s: %w", part.file, err)
			}
			for _, msg := range msgs {
				s.add(Text{Text: msg, Red: part.red}, i%5 == 4)
			}
		}
	}
	return s, nil
}

// WriteDrawn writes the training part of the corpus's sentences and of the
// messages drawn from its patterns to a file, a line {text, label} each: what
// the encoder's trainer reads.
func WriteDrawn(corpus, path string) error {
	sentences, err := sentenceSet(corpus)
	if err != nil {
		return err
	}
	patterns, err := patternSet(corpus)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, t := range slices.Concat(sentences.Train, patterns.Train) {
		label := 0
		if t.Red {
			label = 1
		}
		if err := enc.Encode(struct {
			Text  string `json:"text"`
			Label int    `json:"label"`
		}{t.Text, label}); err != nil {
			return err
		}
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

func (s *Set) add(t Text, held bool) {
	t.Features = text.FeaturesOf(t.Text)
	if held {
		s.Held = append(s.Held, t)
	} else {
		s.Train = append(s.Train, t)
	}
}

// weigh lets no set dominate: a set counts as the square root of its size, times
// its count.
func (s *Set) weigh(ts []Text) {
	w := 20 / math.Sqrt(float64(max(len(ts), 1)))
	if s.Count > 0 {
		w *= s.Count
	}
	for i := range ts {
		ts[i].Weight = w
	}
}

func (s *Set) read(path string) error {
	return Gzipped(path, func(b []byte) error {
		var l struct {
			Text  string
			Label int
			Split string
		}
		if err := json.Unmarshal(b, &l); err != nil {
			return err
		}
		s.add(Text{Text: l.Text, Red: l.Label == 1}, l.Split == "dev")
		return nil
	})
}

// Gzipped tells each line of a gzipped file; an error names file and line.
func Gzipped(path string, each func([]byte) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
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

// trainingPart answers the parts of all sets but those left out, for Fit.
func trainingPart(sets []Set, without func(Set) bool) []Example {
	var all []Example
	for _, s := range sets {
		if without != nil && without(s) {
			continue
		}
		for _, t := range s.Train {
			all = append(all, Example{Features: t.Features, Red: t.Red, Weight: t.Weight})
		}
	}
	return all
}
