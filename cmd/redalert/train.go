package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"redalert/internal/train"
)

func trainCmd() *cobra.Command {
	o := train.Options{}
	var folds []string
	var drawn string
	cmd := &cobra.Command{
		Use: "train", Short: "Build the text model from the corpus and public sets", GroupID: "data", Args: noArgs,
		Long: `For whoever changes the model, in a checkout of the source. Fits the first stage on
the corpus and the public sets, joins it with the second stage (an encoder trained
by internal/train/encoder), calibrates on texts neither was trained on, and writes
the weights that the program is built with, and the model card.

The same data and files give the same weights. --fold FILE:SET,SET names an encoder
that public sets were kept from; the card then says how the model does on sets that
it never saw.`,
		Example: "  redalert train --sets DIR --encoder encoder.bin --name NAME",
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, f := range folds {
				file, without, ok := strings.Cut(f, ":")
				if !ok {
					return usagef("--fold %q: FILE:SET,SET", f)
				}
				o.Folds = append(o.Folds, train.Fold{File: file, Without: strings.Split(without, ",")})
			}
			if drawn != "" {
				return train.WriteDrawn(o.Corpus, drawn)
			}
			if o.Data == "" {
				return usagef("--sets names the folder that holds text/*.jsonl.gz")
			}
			if o.Version == "" {
				return usagef("--name is missing: verdicts keep the model's name, so other weights need another, such as text-7")
			}
			if o.Encoder == "" {
				o.Encoder = filepath.Join(o.Out, "encoder.bin")
			}
			o.Told = cmd.ErrOrStderr()
			return train.Build(o)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&o.Data, "sets", os.Getenv("REDALERT_TESTDATA"), "`DIR` of the public sets, text/*.jsonl.gz")
	fs.StringVar(&o.Corpus, "corpus", "signals/text/corpus", "`DIR` of the corpus")
	fs.StringVar(&o.Encoder, "encoder", "", "`FILE` of the second stage (default: the one in --output)")
	fs.StringVar(&drawn, "drawn", "", "only write the messages drawn from the corpus's patterns to `FILE`, for the encoder's training")
	fs.StringArrayVar(&folds, "fold", nil, "`FILE:SET,SET`: a second stage that never saw these sets")
	fs.StringVarP(&o.Out, "output", "o", "signals/text", "`DIR` that gets weights.bin, encoder.bin and joint.json")
	fs.StringVar(&o.Card, "card", "docs/model-card.md", "`FILE` of the model card; empty for none")
	fs.StringVar(&o.Version, "name", "", "`NAME` of the model, one that no other weights have had; verdicts keep it")
	return cmd
}
