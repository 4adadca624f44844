package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"redalert/internal/app"
	"redalert/schemas"
)

// maxMessage bounds what score reads.
const maxMessage = 10 << 20

func scoreCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "score < message", Short: "Print the verdict of one message, with reasons", GroupID: "data", Args: noArgs,
		Long: `Reads text, or a JSON object from stdin (a CloudEvent, the data of a feedback event,
or {text, question, channel, rating} with a rating from 0 to 1), and prints what the scorer says of it. Nothing is stored.`,
		Example: "  echo 'Nobody called back. I want my money back.' | redalert score",
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), maxMessage+1))
			if err != nil {
				return err
			}
			if len(b) > maxMessage {
				return fmt.Errorf("the message is over %d bytes", maxMessage)
			}
			text, v, err := app.ScoreMessage(b)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(v)
			}
			return printVerdict(cmd.OutOrStdout(), text, v)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the verdict as JSON")
	return cmd
}

func printVerdict(w io.Writer, text string, v schemas.Verdict) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s  (probability %.2f, severity %s)\n", v.Level, v.Probability, v.Severity)
	for _, r := range v.Reasons {
		fmt.Fprintf(&b, "  %s", r.Message)
		if s := r.Span; s != nil && s.Start >= 0 && s.End <= len(text) && s.Start < s.End {
			fmt.Fprintf(&b, ": %q", text[s.Start:s.End])
		}
		b.WriteByte('\n')
	}
	if lang, other := app.OtherLanguage(text); other {
		fmt.Fprintf(&b, "  in %s: the text model reads English only; scores, orders and other rules still hold\n", lang)
	}
	_, err := b.WriteTo(w)
	return err
}
