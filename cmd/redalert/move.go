package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"redalert/internal/app"
	"redalert/internal/move"
)

func moveCmd() *cobra.Command {
	var f common
	var to string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "move --to servers|file", Short: "Carry everything from the one file to the three servers, or back", GroupID: "care", Args: noArgs,
		Long: `Carries everything that Redalert knows from the one file in the data folder to
the three servers that redalert.yaml names (kafka, clickhouse, postgres), or from
there back into a file: history, cases with their audit, customers, outbox,
quarantine, users and tokens, and how far each source has been read.

Stop every process of redalert first. The move works off what waits in the log
(mail stays in the outbox), keeps the side it reads from being written to,
copies, compares every row of both sides by count and checksum, and only then
switches over. From then on the old side refuses to be used, and says where its
data has gone. At no moment do both sides take writes.

It may be cut off at any moment, also by a power cut: until the switch the old
side is in use as before. The same command goes on where it stopped.

The servers must be migrated and empty (redalert migrate); the file must not be
there, be empty, or be the one that was moved away. How far each mailbox and page
has been read moves along, so collectors go on where they were.`,
		Example: "  redalert move --to servers -c redalert.yaml\n  redalert move --to file -c redalert.yaml --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if to != "servers" && to != "file" {
				return usagef("--to %q: where to? servers or file", to)
			}
			cfg, err := f.load()
			if err != nil {
				return err
			}
			r, err := app.MoveTo(cmd.Context(), cfg, to, app.Options{Log: logger(cmd, cfg), Version: version}, moveBar(cmd.ErrOrStderr()))
			if errors.Is(err, app.ErrNoServers) {
				return usageError{err}
			}
			if len(r.Shelves) > 0 || r.Already {
				err = errors.Join(err, printMove(cmd.OutOrStdout(), r, asJSON, err == nil))
			}
			return err
		},
	}
	f.flags(cmd)
	cmd.Flags().StringVar(&to, "to", "", "where everything goes: `PLACE` is servers or file (required)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what was moved as JSON")
	return cmd
}

// moveBar answers nil where there is no terminal: logs need no bar.
func moveBar(w io.Writer) move.Progress {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return move.NewBar(w)
}

func printMove(w io.Writer, r move.Report, asJSON, done bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(r)
	}
	if r.Already {
		_, err := fmt.Fprintf(w, "Everything has been moved to the %s already.\n", r.To)
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "shelf\trows\tcopied now\tchecksum\tequal")
	var rows int64
	for _, l := range r.Shelves {
		rows += l.Rows
		mark := "yes"
		if !l.Equal {
			mark = "NO"
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%.16s\t%s\n", l.Name, l.Rows, l.Copied, l.Checksum, mark)
	}
	if err := t.Flush(); err != nil || !done {
		return err
	}
	_, err := fmt.Fprintf(w, "Moved to the %s: %d rows, verified, in %.1f s. The old side refuses to be used from now on.\n", r.To, rows, r.Seconds)
	return err
}
