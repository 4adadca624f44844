package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"redalert/internal/train"
	"redalert/signals/text"
)

// measured is what a model says on texts it was not trained on.
type measured struct {
	n, red, flagged, hit int
}

func (m measured) precision() float64 { return ratio(m.hit, m.flagged) }
func (m measured) recall() float64    { return ratio(m.hit, m.red) }

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

func writeCard(path, version string, raw text.Raw, sets []set, unseen []float64, data string) error {
	m, err := text.Read(raw.Write())
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Model card: %s\n\nWritten by `go run ./cmd/redalert-train`; do not edit by hand.\n\n", version)
	b.WriteString("Logistic regression over hashed words, pairs of words (those under a negation apart) and\n" +
		"character 3- to 5-grams; 2^18 weights of one byte. It says how likely a text is a red alert:\n" +
		"review from 0.5, red from 0.8. Hard rules stand above it and cannot be out-voted.\n\n" +
		"| set | source | licence | trained on | held back | AUROC held back | AUROC, set never seen | precision at 0.8 | recall at 0.8 |\n|---|---|---|---|---|---|---|---|---|\n")
	for i, s := range sets {
		scored := scoreAll(raw.Weights, raw.Bias, s.dev)
		at := measure(m, scored)
		fmt.Fprintf(&b, "| %s | %s | %s | %d | %d | %.3f | %.3f | %.2f | %.2f |\n", s.name, s.source, s.licence, len(s.train), len(s.dev),
			train.AUROC(scored), unseen[i], at.precision(), at.recall())
	}
	b.WriteString("\n\"Never seen\" is the AUROC of a model trained without that set. Labels of the public sets say\n" +
		"complaint or negative, which is near to, but not the same as, a red alert. Of the patterns every\n" +
		"fifth is held back as a whole. Messages, patterns and the demo were written by the same hands, so\n" +
		"these two figures flatter.\n")
	if err := probes(&b, m, data); err != nil {
		return err
	}
	b.WriteString("\n## Limits\n\nEnglish only; other languages mostly score low, and the hard rules on scores and orders still work.\n" +
		"It reads words, not meaning: polite disappointment and irony are found late or not at all.\n" +
		"It reads the first thousand words of a text. Severity never comes from it.\n")
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

func measure(m *text.Model, scored []train.Scored) (out measured) {
	for _, s := range scored {
		p := m.Calibrated(s.Score)
		out.n++
		if s.Red {
			out.red++
		}
		if p >= 0.8 {
			out.flagged++
			if s.Red {
				out.hit++
			}
		}
	}
	return out
}

// probes are sets of service requests by intent that no model was trained on.
var quietIntents = map[string]bool{
	"country_support": true, "order_physical_card": true, "exchange_rate": true, "age_limit": true, "newsletter_subscription": true,
	"create_account": true, "delivery_options": true, "check_payment_methods": true, "atm_support": true,
}

func probes(b *strings.Builder, m *text.Model, data string) error {
	b.WriteString("\n## Neutral requests\n\nShare of neutral service requests that are flagged at all (from 0.5). No message of them was\ntrained on; the quiet patterns were written knowing what they are about:\n\n| set | intent | n | flagged |\n|---|---|---|---|\n")
	for _, name := range []string{"probe_banking77", "probe_bitext"} {
		count := map[string]*measured{}
		var order []string
		err := lines(filepath.Join(data, "text", name+".jsonl.gz"), func(line []byte) error {
			var l struct{ Text, Intent string }
			if err := json.Unmarshal(line, &l); err != nil || !quietIntents[l.Intent] {
				return err
			}
			if count[l.Intent] == nil {
				count[l.Intent] = &measured{}
				order = append(order, l.Intent)
			}
			c := count[l.Intent]
			c.n++
			if m.Predict(l.Text, text.Hints{}).Probability >= 0.5 {
				c.flagged++
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, intent := range order {
			fmt.Fprintf(b, "| %s | %s | %d | %.1f %% |\n", name, intent, count[intent].n, 100*ratio(count[intent].flagged, count[intent].n))
		}
	}
	return nil
}
