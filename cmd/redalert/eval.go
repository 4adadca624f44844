package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"redalert/internal/app"
	"redalert/internal/eval"
)

func evalCmd() *cobra.Command {
	var asJSON bool
	var scores string
	cmd := &cobra.Command{
		Use: "eval FILE.jsonl…", Short: "Measure the scorer on labelled messages", GroupID: "data",
		Long: `Scores every line of the files as it would be scored on its own, and prints how
well that agrees with the labels: precision, recall and F1 from review (0.5), from
red (0.8) and at the best threshold, AUROC, average precision, recall at precision
0.9, calibration error and messages a second, per file and in the mean.

A line is {"text": …, "label": 0|1}, label 1 meaning review or red, with
"question", "channel" (email, survey, review, order) and "rating" (0 worst to 1
best) where they are known. Files ending in .gz are read too.`,
		Example: "  redalert eval signals/text/corpus/test.jsonl\n  redalert eval --json --scores p.txt mine.jsonl",
		Args:    someFiles,
		RunE:    func(cmd *cobra.Command, files []string) error { return evaluate(cmd, files, asJSON, scores) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the figures as JSON")
	cmd.Flags().StringVar(&scores, "scores", "", "write the probability of each message to `OUT`, one a line")
	cmd.AddCommand(evalChurnCmd(), evalEarlyCmd())
	return cmd
}

func evaluate(cmd *cobra.Command, files []string, asJSON bool, scores string) (err error) {
	told, done, err := scoreWriter(scores)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	var all []app.Evaluation
	var reports []eval.Report
	for _, f := range files {
		e, err := app.Evaluate(cmd.Context(), f, told)
		if err != nil {
			return err
		}
		all, reports = append(all, e), append(reports, e.Report)
	}
	mean := meanEvaluation{Report: eval.Mean(reports)}
	for _, e := range all {
		mean.PerSec += e.PerSec / float64(len(all))
	}
	if asJSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]any{"files": all, "mean": mean})
	}
	return printEvaluation(cmd.OutOrStdout(), all, mean)
}

// meanEvaluation is the mean of each figure over files, each counting once.
type meanEvaluation struct {
	PerSec float64 `json:"messages_per_second"`
	eval.Report
}

// scoreWriter writes probabilities, one a line; "" writes nothing.
func scoreWriter(path string) (told func(float64) error, done func() error, err error) {
	if path == "" {
		return nil, func() error { return nil }, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, nil, err
	}
	w := bufio.NewWriter(f)
	told = func(p float64) error {
		_, err := fmt.Fprintf(w, "%.4f\n", p)
		return err
	}
	return told, func() error { return errors.Join(w.Flush(), f.Close()) }, nil
}

func printEvaluation(w io.Writer, all []app.Evaluation, mean meanEvaluation) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "file\tn\tred\tP@.5\tR@.5\tF1@.5\tP@.8\tR@.8\tF1@.8\tbest F1\tat\tAUROC\tAP\tR@P.9\tECE\tmsg/s")
	row := func(name string, r eval.Report, rate float64) {
		fmt.Fprintf(t, "%s\t%d\t%d\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.2f\t%.3f\t%.3f\t%.3f\t%.3f\t%.0f\n", name, r.N, r.Positives,
			r.Review.Precision, r.Review.Recall, r.Review.F1, r.Red.Precision, r.Red.Recall, r.Red.F1, r.Best.F1, r.Best.Threshold,
			float64(r.AUROC), float64(r.AP), float64(r.RecallAt9), float64(r.ECE), rate)
	}
	for _, e := range all {
		row(e.File, e.Report, e.PerSec)
	}
	if len(all) > 1 {
		row("mean", mean.Report, mean.PerSec)
	}
	return t.Flush()
}
