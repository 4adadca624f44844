package train

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"redalert/internal/eval"
	"redalert/schemas"
	"redalert/signals/text"
	"redalert/signals/text/encoder"
)

// Options of a build.
type Options struct {
	Corpus  string // folder of the corpus: train.jsonl, test.jsonl, sentences, patterns
	Data    string // folder of the public sets: text/*.jsonl.gz
	Encoder string // file of the second stage, as internal/train/encoder writes it
	Folds   []Fold // second stages that some public sets were kept from, to measure
	Out     string // folder for weights.bin, encoder.bin and joint.json
	Card    string // file of the model card; "" = none
	Version string // of the model; verdicts keep it
	Told    io.Writer
}

// Fold is a second stage trained without some public sets.
type Fold struct {
	File    string
	Without []string
}

var settings = Settings{Epochs: 4, Rate: 0.08, Decay: 1e-6, Seed: 7}

// maxHeld is how many texts of a public set calibrate and measure at most: the
// second stage reads fifty a second. Of the corpus all do.
const maxHeld = 600

// Build fits the first stage on the corpus and the public sets, joins it with
// the second, and writes weights, joint and model card. The same data, files and
// version give the same bytes on one machine. It does not train the second
// stage; that is done in Python, in internal/train/encoder.
func Build(o Options) error {
	sets, err := ReadSets(o.Corpus, o.Data)
	if err != nil {
		return err
	}
	raw, err := os.ReadFile(o.Encoder)
	if err != nil {
		return err
	}
	enc, err := encoder.Read(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", o.Encoder, err)
	}
	fmt.Fprintln(o.Told, "first stage …")
	first, joint, err := fit(o.Version, sets, nil, enc)
	if err != nil {
		return err
	}
	model, err := text.Read(first.Write())
	if err != nil {
		return err
	}
	whole, err := text.NewCascade(model, enc, joint)
	if err != nil {
		return err
	}
	unseen, err := measureFolds(o, sets)
	if err != nil {
		return err
	}
	if err := write(o, first, joint, raw); err != nil {
		return err
	}
	if o.Card == "" {
		return nil
	}
	return writeCard(o, whole, joint, sets, unseen)
}

func write(o Options, first text.Raw, joint text.Joint, enc []byte) error {
	if err := os.WriteFile(filepath.Join(o.Out, "weights.bin"), first.Write(), 0o644); err != nil {
		return err
	}
	b, err := json.MarshalIndent(joint, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(o.Out, "joint.json"), append(b, '\n'), 0o644); err != nil {
		return err
	}
	target := filepath.Join(o.Out, "encoder.bin")
	if same(target, o.Encoder) {
		return nil
	}
	return os.WriteFile(target, enc, 0o644)
}

func same(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// fit fits the first stage and joins it with the second on the parts held back,
// leaving sets out of both.
func fit(version string, sets []Set, without []string, enc *encoder.Encoder) (text.Raw, text.Joint, error) {
	out := func(s Set) bool { return slices.Contains(without, s.Name) }
	m := Fit(trainingPart(sets, out), settings)
	raw := text.Raw{Version: version}
	raw.Weights, raw.Bias = m.Quantise()
	var held []Scored
	for _, s := range sets {
		if out(s) {
			continue
		}
		for _, t := range s.Held {
			if score, ok := rawScore(raw, t.Features); ok {
				held = append(held, Scored{Score: score, Red: t.Red, Weight: weightOf(reading{text: &t})})
			}
		}
	}
	raw.Scores, raw.Probs = Calibrate(held)
	first, err := text.Read(raw.Write())
	if err != nil {
		return raw, text.Joint{}, err
	}
	var rs []reading
	for i := range sets {
		if !out(sets[i]) {
			rs = append(rs, readAll(first, enc, capped(sets[i].Held))...)
		}
	}
	j := fitJoint(version, enc, rs)
	fitCategories(&j, enc, rs)
	fitSure(&j, first, place(enc.Outputs(), "flag"), rs)
	return raw, j, nil
}

// capped takes at most maxHeld texts, evenly; all of the corpus.
func capped(ts []Text) []Text {
	if len(ts) <= maxHeld || ts[0].Message != nil {
		return ts
	}
	out := make([]Text, 0, maxHeld)
	for i := range maxHeld {
		t := ts[i*len(ts)/maxHeld]
		t.Weight *= float64(len(ts)) / maxHeld
		out = append(out, t)
	}
	return out
}

func rawScore(raw text.Raw, features []uint32) (float64, bool) {
	if len(features) == 0 {
		return 0, false
	}
	var sum int64
	for _, f := range features {
		sum += int64(raw.Weights[f])
	}
	return text.Normalise(sum, int64(len(features)), raw.Bias), true
}

// measureFolds measures each public set with a model that neither stage of saw
// anything of it, by set.
func measureFolds(o Options, sets []Set) (map[string]eval.Report, error) {
	out := map[string]eval.Report{}
	for _, f := range o.Folds {
		fmt.Fprintln(o.Told, "without", f.Without, "…")
		b, err := os.ReadFile(f.File)
		if err != nil {
			return nil, err
		}
		enc, err := encoder.Read(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.File, err)
		}
		raw, joint, err := fit(o.Version, sets, f.Without, enc)
		if err != nil {
			return nil, err
		}
		model, err := text.Read(raw.Write())
		if err != nil {
			return nil, err
		}
		whole, err := text.NewCascade(model, enc, joint)
		if err != nil {
			return nil, err
		}
		for _, s := range sets {
			if slices.Contains(f.Without, s.Name) {
				out[s.Name] = measure(whole, s.Held)
				fmt.Fprintf(o.Told, "%-20s unseen AUROC %.3f\n", s.Name, float64(out[s.Name].AUROC))
			}
		}
	}
	return out, nil
}

// measure is what a model says of texts.
func measure(m *text.Cascade, ts []Text) eval.Report {
	return eval.Measure(predictAll(ts, func(t Text) float64 {
		return m.Predict(t.Text, text.Hints{Question: t.Question}).Probability
	}))
}

func predictAll(ts []Text, p func(Text) float64) []eval.Labelled {
	out := make([]eval.Labelled, len(ts))
	each(len(ts), func(i int) { out[i] = eval.Labelled{P: p(ts[i]), Red: ts[i].Red} })
	return out
}

// flagged reports whether a probability is for review at least.
func flagged(p float64) bool { return p >= schemas.ReviewThreshold }
