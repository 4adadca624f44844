package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"redalert/internal/app"
)

type rescoreFlags struct {
	common
	since, until        string
	apply, dryRun, json bool
}

func rescoreCmd() *cobra.Command {
	var f rescoreFlags
	cmd := &cobra.Command{
		Use: "rescore", Short: "Score history again with the model of today", GroupID: "data", Args: noArgs,
		Long: `Scores the events of history again: with the text model of this version, with
what staff have taught it, and with every order known by now. By default it only
shows what would change: for each source how many go from which level to which,
and up to 20 examples. --apply then puts the new verdicts in the place of the
old ones. A run that was ended goes on where it stopped when it is called again.

It opens no case and sends no mail; open cases stay as they are. What changes is
the trends, the exports and the list of what to look through. --since is
inclusive, --until exclusive, both on the time an event was collected. Works
beside a running server.`,
		Example: "  redalert rescore\n  redalert rescore --since 2026-03-01T00:00:00Z --apply",
		RunE:    func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.common.flags(cmd)
	cmd.Flags().StringVar(&f.since, "since", "", "from `TIME` on, in RFC 3339")
	cmd.Flags().StringVar(&f.until, "until", "", "before `TIME`, in RFC 3339")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "only show what would change (the default)")
	cmd.Flags().BoolVar(&f.apply, "apply", false, "write the new verdicts")
	cmd.Flags().BoolVar(&f.json, "json", false, "print the result as one line of JSON")
	return cmd
}

func (f *rescoreFlags) run(cmd *cobra.Command) error {
	if f.apply && f.dryRun {
		return usagef("--apply and --dry-run exclude each other")
	}
	opt := app.RescoreOptions{Apply: f.apply}
	for _, b := range []struct {
		flag, text string
		into       *time.Time
	}{{"--since", f.since, &opt.Since}, {"--until", f.until, &opt.Until}} {
		if b.text != "" {
			var err error
			if *b.into, err = instant(b.flag, b.text); err != nil {
				return err
			}
		}
	}
	opt.Step = rescoreBar(cmd.ErrOrStderr())
	return f.withApp(cmd, func(a *app.App) error {
		report, err := a.Rescore(cmd.Context(), opt)
		if err != nil {
			if f.apply && report.Events > 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "Stopped after %d events; the same command again goes on from there.\n", report.Resumed+report.Events)
			}
			return err
		}
		if f.json {
			return json.NewEncoder(cmd.OutOrStdout()).Encode(report)
		}
		return printRescore(cmd.OutOrStdout(), report)
	})
}

// rescoreBar draws how far the run has got, on a terminal.
func rescoreBar(w io.Writer) func(int, float64, bool) {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return nil
	}
	const whole = 1000
	bar := progressbar.NewOptions(whole, progressbar.OptionSetWriter(w), progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionFullWidth())
	return func(done int, share float64, last bool) {
		bar.Describe(fmt.Sprintf("%d events", done))
		_ = bar.Set(int(share * whole)) // a bar that cannot be drawn is no reason to stop
		if last {
			_ = bar.Finish()
			fmt.Fprintln(w)
		}
	}
}

func printRescore(w io.Writer, r app.RescoreReport) error {
	var b bytes.Buffer
	verb := "would change"
	if r.Applied {
		verb = "changed"
	}
	if r.Resumed > 0 {
		fmt.Fprintf(&b, "Goes on after %d events that an earlier run had done.\n", r.Resumed)
	}
	moved := 0
	for _, m := range r.Moves {
		if m.From != m.To {
			moved += m.N
		}
	}
	fmt.Fprintf(&b, "%s: of %d events, %d verdicts %s, %d of them their level.\n", r.Model, r.Events, r.Changed, verb, moved)
	if r.Failed > 0 {
		fmt.Fprintf(&b, "%d events could not be scored; their verdicts stand.\n", r.Failed)
	}
	for _, m := range r.Moves {
		note := ""
		if m.From == m.To {
			note = "  (level stays)"
		}
		fmt.Fprintf(&b, "  %-20s %-6s → %-6s %8d%s\n", m.Source, m.From, m.To, m.N, note)
	}
	if len(r.Examples) > 0 {
		b.WriteString("\nFor example:\n")
	}
	for _, x := range r.Examples {
		fmt.Fprintf(&b, "  %s  %-12s %s %.2f → %s %.2f", x.OccurredAt.UTC().Format(time.DateOnly), x.Source, x.From, x.Was, x.To, x.Now)
		if x.Text != "" {
			fmt.Fprintf(&b, "  %q", x.Text)
		}
		b.WriteByte('\n')
	}
	switch {
	case !r.Applied && r.Changed > 0:
		b.WriteString("\nNothing is written yet. To do it: the same command with --apply\n")
	case r.Changed == 0:
		b.WriteString("Every verdict stands as it is.\n")
	}
	_, err := b.WriteTo(w)
	return err
}
