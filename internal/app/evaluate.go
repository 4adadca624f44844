package app

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"redalert/internal/eval"
	"redalert/schemas"
	"redalert/signals"
	"redalert/signals/text"
)

// Evaluation is how the scorer does on the labelled messages of one file.
type Evaluation struct {
	File   string  `json:"file"`
	PerSec float64 `json:"messages_per_second"` // of this machine, this time
	eval.Report
}

// maxLabelled bounds one line of a labelled file.
const maxLabelled = 4 << 20

// labelled is a line of such a file. Rating is 0 (worst) to 1 (best); customer
// groups messages and is not read by the scorer.
type labelled struct {
	Text     *string  `json:"text"`
	Label    *int     `json:"label"`
	Question string   `json:"question"`
	Channel  string   `json:"channel"`
	Rating   *float64 `json:"rating"`
}

// Evaluate scores each line of a JSONL file ({"text", "label"}, and question,
// channel, rating where known; .gz is read too), as they would be scored on
// their own, rules included. told gets each probability in the order of the
// lines; it may be nil.
func Evaluate(ctx context.Context, path string, told func(p float64) error) (Evaluation, error) {
	out := Evaluation{File: path}
	model, err := text.LoadCascade()
	if err != nil {
		return out, fmt.Errorf("text model: %w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return out, err
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			return out, fmt.Errorf("%s: %w", path, err)
		}
	}
	var xs []eval.Labelled
	var spent time.Duration
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, maxLabelled)
	for n := 1; sc.Scan(); n++ {
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		line := bytes.TrimSpace(sc.Bytes())
		if len(line) == 0 {
			continue
		}
		ev, red, err := labelledEvent(line)
		if err != nil {
			return out, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		start := time.Now()
		p := signals.Score(ev, signals.CustomerContext{}, model).Probability
		spent += time.Since(start)
		xs = append(xs, eval.Labelled{P: p, Red: red})
		if told != nil {
			if err := told(p); err != nil {
				return out, err
			}
		}
	}
	if err := sc.Err(); err != nil {
		return out, fmt.Errorf("%s: %w", path, err)
	}
	if len(xs) == 0 {
		return out, fmt.Errorf("%s holds no message", path)
	}
	out.Report, out.PerSec = eval.Measure(xs), float64(len(xs))/max(spent.Seconds(), 1e-9)
	return out, nil
}

func labelledEvent(line []byte) (ev schemas.Event, red bool, err error) {
	var l labelled
	if err := json.Unmarshal(line, &l); err != nil {
		return ev, false, fmt.Errorf("no JSON object: %w", err)
	}
	switch {
	case l.Text == nil:
		return ev, false, errors.New(`"text" is missing`)
	case l.Label == nil || *l.Label != 0 && *l.Label != 1:
		return ev, false, errors.New(`"label" must be 0 or 1`)
	}
	ev, err = signals.Message{Text: *l.Text, Question: l.Question, Channel: l.Channel, Rating: l.Rating}.Event()
	return ev, *l.Label == 1, err
}
