package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/jonreiter/govader"

	"redalert/signals/text"
	"redalert/signals/text/encoder"
)

// messages are about 220 bytes each, quiet and unhappy ones.
func messages() []string {
	parts := []string{
		"Hi, I rang twice this week about the leak under the sink and nobody has called me back.",
		"The engineer was on time, friendly and left the kitchen cleaner than he found it.",
		"Could you tell me whether Thursday after four is still free for the boiler service?",
		"We only need two trays this week instead of the usual five, thanks.",
		"I was charged for a call-out that never happened and would like the money back.",
		"Everything arrived in one piece and the fit is perfect, thank you very much.",
		"The room was cold, the shower did not work and reception could not have cared less.",
	}
	var out []string
	for i := range parts {
		for j := range parts {
			s := parts[i] + " " + parts[j] + fmt.Sprintf(" Order %d.", 1000+7*i+j)
			out = append(out, s+strings.Repeat(" Regards.", max(0, 220-len(s))/9))
		}
	}
	return out
}

// text measures both stages of the text model on one core beside a lexicon of
// sentiment in Go.
func (b bench) text() ([]result, error) {
	first, err := text.Load()
	if err != nil {
		return nil, err
	}
	enc, err := text.LoadEncoder()
	if err != nil {
		return nil, err
	}
	vader := govader.NewSentimentIntensityAnalyzer()
	ms := messages()
	var r encoder.Result
	var ours, peer, second float64
	for range 3 { // in turns, so that other work on the machine meets all of them
		ours = max(ours, rate(ms, func(s string) { first.Predict(s, text.Hints{}) }))
		peer = max(peer, rate(ms, func(s string) { vader.PolarityScores(s) }))
		second = max(second, rate(ms, func(s string) { enc.Encode("", s, &r) }))
	}
	line := func(name string, rate, against, goal float64, peer string) result {
		return result{name: name, ours: fmt.Sprintf("%.0f/s", rate), peer: peer, ratio: rate / against, goal: goal}
	}
	return []result{
		line("text, first stage, messages of 220 bytes ÷ govader", ours, peer, 0, fmt.Sprintf("govader %.0f/s", peer)),
		line("text, first stage, of 25,000/s", ours, 25_000, 1, "25,000/s"),
		line("text, second stage, of 20/s", second, 20, 1, "20/s"),
	}, nil
}

// rate is how many messages a second go through f, over a second at least.
func rate(ms []string, f func(string)) float64 {
	n, start := 0, time.Now()
	for time.Since(start) < time.Second {
		f(ms[n%len(ms)])
		n++
	}
	return float64(n) / time.Since(start).Seconds()
}
