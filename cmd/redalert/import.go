package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"redalert/internal/app"
	"redalert/internal/importer"
)

type importFlags struct {
	common
	source, mapping, tz     string
	openCases, dryRun, json bool
}

func importCmd() *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:     "import KIND FILE…",
		Short:   "Take in files: customers, orders, reviews, surveys or mail",
		GroupID: "data",
		Long: `Takes in CSV, JSONL and their .gz, mbox and .eml. A bad row goes to quarantine
with its line and reason; the rest get in. A killed import resumes where it
stopped, and the same file again adds nothing. It works whether or not the
server runs; a running server, or "redalert run --drain", scores what came in.

Red alerts older than alerting.open_cases_for count in trends but open no case
and send no mail; --open-cases overrides that.

KIND is one of customers, orders, reviews, surveys, mail. --map names a file
that says which column means what, or one of these presets:

` + presetHelp(),
		Example: `  redalert import orders invoices.csv.gz --source shop --map online-retail
  redalert import surveys answers.csv --source spring-survey --map my-mapping.yaml --dry-run
  redalert import mail archive.mbox --source care`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	cmd.ValidArgs = kindNames()
	f.common.flags(cmd)
	cmd.Flags().StringVar(&f.source, "source", "", "`NAME` of the source; ids are made from it, so keep it (required)")
	cmd.Flags().StringVar(&f.mapping, "map", "", "mapping `FILE` or the name of a preset")
	cmd.Flags().StringVar(&f.tz, "tz", "", "time `ZONE` of times without one (default: the mapping's, else the business's)")
	cmd.Flags().BoolVar(&f.openCases, "open-cases", false, "old red alerts open cases and send mail too")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "read and check everything, write nothing")
	cmd.Flags().BoolVar(&f.json, "json", false, "print the result as one line of JSON")
	return cmd
}

func kindNames() []string {
	var names []string
	for _, k := range importer.Kinds() {
		names = append(names, string(k))
	}
	return names
}

func presetHelp() string {
	var b strings.Builder
	for _, p := range importer.Presets() {
		fmt.Fprintf(&b, "  %-16s %-10s %s\n", p.Name, p.Kind, p.Description)
	}
	return b.String()
}

func (f *importFlags) run(cmd *cobra.Command, args []string) error {
	if err := oneOf("kind", kindNames())(cmd, args); err != nil {
		return err
	}
	if len(args) < 2 {
		return usagef("which file? redalert import %s FILE… --source NAME", args[0])
	}
	if f.source == "" {
		return usagef("--source is missing: name the source, the same each time for the same files")
	}
	var report importer.Report
	err := f.withApp(cmd, func(a *app.App) (err error) {
		a.SourceKinds = map[string]string{f.source: "import"}
		report, err = importer.Run(cmd.Context(), importer.Options{
			Kind: importer.Kind(args[0]), Files: args[1:], Source: f.source, Map: f.mapping, TZ: f.tz,
			OpenCases: f.openCases, DryRun: f.dryRun, Business: a.Business, Now: a.Now, Progress: progress(cmd.ErrOrStderr()),
		}, a.ImportPorts())
		return err
	})
	if errors.Is(err, importer.ErrUsage) {
		return usageError{err}
	}
	if perr := f.print(cmd.OutOrStdout(), report, err == nil); perr != nil {
		return perr
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintf(cmd.ErrOrStderr(), "Stopped after %d rows; the same command goes on from there.\n", report.Read)
		return nil
	}
	if err == nil && report.Quarantined > 0 {
		return errQuarantined
	}
	return err
}

func (f *importFlags) print(w io.Writer, r importer.Report, done bool) error {
	if f.json {
		return json.NewEncoder(w).Encode(r)
	}
	if !done {
		return nil
	}
	verb := "Read"
	if f.dryRun {
		verb = "Dry run: read"
	}
	_, err := fmt.Fprintf(w, "%s %d rows as %d events: %d new, %d there already, %d rows quarantined.\n",
		verb, r.Read, r.Events, r.Accepted, r.Duplicate, r.Quarantined)
	if err == nil && r.Adjustments > 0 {
		_, err = fmt.Fprintf(w, "%d adjustments left out (only negative quantities, nothing cancelled).\n", r.Adjustments)
	}
	if err == nil && r.ResumedAt > 0 {
		_, err = fmt.Fprintf(w, "Resumed at row %d.\n", r.ResumedAt)
	}
	return err
}

// progress answers nil where there is no terminal: logs need no bar.
func progress(w io.Writer) importer.Progress {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return importer.NewBar(w)
}
