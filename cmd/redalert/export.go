package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"redalert/internal/app"
	"redalert/internal/export"
)

type exportFlags struct {
	common
	since, until, format, output string
}

func exportCmd() *cobra.Command {
	var f exportFlags
	cmd := &cobra.Command{
		Use: "export KIND", Short: "Write records as JSON lines or CSV", GroupID: "data",
		Long: `KIND is one of events, verdicts, alerts, cases, case-events, notifications,
quarantine, customers, orders. --since is inclusive, --until exclusive, both on
the time a record came to be (collected_at of events). CSV cells that a
spreadsheet would run as a formula are neutralised. Works beside a running server.`,
		Example: "  redalert export cases --since 2026-03-01T00:00:00Z\n  redalert export customers --format csv -o customers.csv",
		Args:    cobra.ArbitraryArgs, ValidArgs: exportKinds(),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	f.common.flags(cmd)
	cmd.Flags().StringVar(&f.since, "since", "", "from `TIME` on, in RFC 3339")
	cmd.Flags().StringVar(&f.until, "until", "", "before `TIME`, in RFC 3339")
	cmd.Flags().StringVar(&f.format, "format", "jsonl", "jsonl or csv")
	cmd.Flags().StringVarP(&f.output, "output", "o", "", "write to `FILE` instead of stdout")
	return cmd
}

func exportKinds() []string {
	var names []string
	for _, k := range export.Kinds() {
		names = append(names, string(k))
	}
	return names
}

func (f *exportFlags) run(cmd *cobra.Command, args []string) error {
	if err := oneOf("kind", exportKinds())(cmd, args); err != nil {
		return err
	}
	if len(args) > 1 {
		return usagef("one kind at a time; %q is one too many", args[1])
	}
	format, err := export.ParseFormat(f.format)
	if err != nil {
		return usageError{err}
	}
	var since, until time.Time
	for _, b := range []struct {
		flag, text string
		into       *time.Time
	}{{"--since", f.since, &since}, {"--until", f.until, &until}} {
		if b.text != "" {
			if *b.into, err = instant(b.flag, b.text); err != nil {
				return err
			}
		}
	}
	return f.withApp(cmd, func(a *app.App) error {
		return toFile(cmd.OutOrStdout(), f.output, func(w io.Writer) error {
			_, err := a.Records().Write(cmd.Context(), w, export.Kind(args[0]), format, since, until)
			return err
		})
	})
}

// toFile writes to a file, or to stdout when there is no name.
func toFile(stdout io.Writer, name string, write func(io.Writer) error) error {
	if name == "" {
		return write(stdout)
	}
	out, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return errors.Join(write(out), out.Close())
}
