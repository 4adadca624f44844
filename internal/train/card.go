package train

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"redalert/internal/eval"
	"redalert/schemas"
	"redalert/signals/text"
)

const cardHead = `# Model card: %s

Written by ` + "`redalert train`" + `; do not edit by hand.

Says how likely a customer's message is a red alert (docs/labelling.md): review from 0.5, red
from 0.8, what it is about and which words say so. Hard rules stand above it and cannot be
out-voted. Two stages:

1. Logistic regression over hashed words, pairs of words (those under a negation apart) and
   character 3- to 5-grams; 2^18 weights of one byte. Below a probability of %.2f its word stands.
2. A sentence encoder (%s): twelve layers of 384, fine-tuned from bge-small-en-v1.5 (MIT, BAAI;
   how it was trained is told in its model card and in arXiv:2309.07597) by internal/train/encoder,
   weights of one byte, run in Go on the processor.

Joined by a logistic regression and calibrated on texts that neither was trained on.
`

func writeCard(o Options, m *text.Cascade, j text.Joint, sets []Set, unseen map[string]eval.Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, cardHead, o.Version, j.SureBelow, j.Encoder)
	if err := corpusFigures(&b, o, m); err != nil {
		return err
	}
	setFigures(&b, m, sets, unseen)
	if err := probeFigures(&b, o, m, trainedOn(sets)); err != nil {
		return err
	}
	b.WriteString("\n## Limits\n\nEnglish; other languages mostly score low and are named on pages, and the hard rules on scores and\n" +
		"orders still work.\n" +
		"Of a long text the second stage reads the first 95 and the last 31 tokens, the first stage a thousand\n" +
		"words. Irony and what is only hinted at are found late or not at all. Severity never comes from it.\n" +
		"Labels of the public sets say complaint or negative, which is near to, but not the same as, a red\n" +
		"alert. The corpus was written and read by readers of one kind, so agreement flatters.\n")
	return os.WriteFile(o.Card, []byte(b.String()), 0o644)
}

// figures is a table's end of a row.
func figures(r eval.Report) string {
	return fmt.Sprintf("%d | %.3f | %.3f | %.3f | %.2f | %.2f | %.3f", r.N, float64(r.AUROC), r.Review.F1, r.Best.F1, r.Red.Precision, r.Red.Recall, float64(r.ECE))
}

func corpusFigures(b *strings.Builder, o Options, m *text.Cascade) error {
	ms, err := ReadCorpus(filepath.Join(o.Corpus, "test.jsonl"))
	if err != nil {
		return err
	}
	b.WriteString("\n## The corpus's own test part\n\nOther writers, businesses and briefs than in training; never trained on. \"Subtle\" messages were\n" +
		"written to be hard (oblique, joking, ironic), \"everyday\" ones as customers mostly write.\n\n" +
		"| part | n | AUROC | F1 at 0.5 | best F1 | precision at 0.8 | recall at 0.8 | ECE |\n|---|---|---|---|---|---|---|---|\n")
	parts := map[string][]Message{}
	for _, msg := range ms {
		parts["all"] = append(parts["all"], msg)
		parts[msg.Part()] = append(parts[msg.Part()], msg)
	}
	var all Measured
	for _, name := range []string{"all", "everyday", "subtle"} {
		at := MeasureCorpus(m, parts[name])
		fmt.Fprintf(b, "| %s | %s |\n", name, figures(at.Report))
		if name == "all" {
			all = at
		}
	}
	fmt.Fprintf(b, "\nMinimal pairs of which one is to be flagged: in the right order %.2f, only that one flagged %.2f (of %d).\n\nFound: of the messages that both readings say are about it, those whose verdict names it. Rightly named: of the\nverdicts on messages to be flagged that name it, those where at least one reading does.\n\n| category | n | found | rightly named |\n|---|---|---|---|\n",
		all.PairsOrdered.Value(), all.PairsApart.Value(), all.PairsApart.N)
	for _, c := range schemas.Categories() {
		fmt.Fprintf(b, "| %s | %d | %.2f | %.2f |\n", c, all.Recall[c].N, all.Recall[c].Value(), all.Precision[c].Value())
	}
	return nil
}

func setFigures(b *strings.Builder, m *text.Cascade, sets []Set, unseen map[string]eval.Report) {
	b.WriteString("\n## Sets\n\nFigures of the texts held back from training; the stages are joined and calibrated on them, so the\ncalibration errors flatter.\n\n| set | source | licence | trained on | held back | AUROC | F1 at 0.5 | best F1 | precision at 0.8 | recall at 0.8 | ECE |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, s := range sets {
		fmt.Fprintf(b, "| %s | %s | %s | %d | %s |\n", s.Name, s.Source, s.Licence, len(s.Train), figures(measure(m, capped(s.Held))))
	}
	if len(unseen) == 0 {
		return
	}
	b.WriteString("\n## Sets never seen\n\nThe same, by models neither stage of which saw any text of the set.\n\n| set | n | AUROC | F1 at 0.5 | best F1 | precision at 0.8 | recall at 0.8 | ECE |\n|---|---|---|---|---|---|---|---|\n")
	var all []eval.Report
	for _, s := range sets {
		if r, ok := unseen[s.Name]; ok {
			fmt.Fprintf(b, "| %s | %s |\n", s.Name, figures(r))
			all = append(all, r)
		}
	}
	fmt.Fprintf(b, "| **mean** | %s |\n", figures(eval.Mean(all)))
}

func probeFigures(b *strings.Builder, o Options, m *text.Cascade, trained map[string]bool) error {
	found, err := probes(m, o.Data, trained)
	if err != nil {
		return err
	}
	b.WriteString("\n## Requests by intent\n\nShare of service requests that are flagged at all, hard rules included. No message of these sets was\ntrained on, and the few that stand in training word for word by chance are left out; patterns and messages\nfor these kinds of request were written.\n\n| set | intent | should be | n | flagged |\n|---|---|---|---|---|\n")
	for _, in := range found {
		should := "flagged"
		if in.Quiet {
			should = "quiet"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %d | %.1f %% |\n", in.Set, in.Name, should, in.Flagged.N, 100*in.Flagged.Value())
	}
	return nil
}
