package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"redalert/internal/app"
	"redalert/internal/config"
	"redalert/internal/eval"
	"redalert/internal/importer"
)

func evalChurnCmd() *cobra.Command {
	var o app.ChurnOptions
	var horizon string
	var asJSON, table bool
	cmd := &cobra.Command{
		Use: "churn FILE…", Short: "Measure churn_risk on a file of orders",
		Long: `Reads orders as "import orders" does, goes back to each cut-off day, fits churn_risk
on what was known by then, and looks who placed no order within the horizon. It
prints AUROC and calibration error of churn_risk beside its shipped prior alone
(a business on its first day), the days since the last order alone, and BG/NBD
(Fader, Hardie and Lee 2005) fitted in the same run. Nothing is stored.`,
		Example: `  redalert eval churn CDNOW_master.txt --map cdnow --at 1997-12-31,1998-03-31
  redalert eval churn invoices.csv.gz --map online-retail --horizon 60d --at 2011-03-31,2011-04-30 --json`,
		Args: someFiles,
		RunE: func(cmd *cobra.Command, files []string) error {
			days, err := horizonDays(horizon)
			if err != nil {
				return err
			}
			o.Files, o.Horizon = files, days
			if len(o.At) == 0 {
				return usagef("--at is missing: name one or more days, such as --at 2026-01-31,2026-02-28")
			}
			return evaluateChurn(cmd, o, asJSON, table)
		},
	}
	cmd.Flags().StringVar(&o.Map, "map", "", "mapping `FILE` or the name of a preset, as in import")
	cmd.Flags().StringVar(&o.TZ, "tz", "", "time `ZONE` of times without one (default: the mapping's, else UTC)")
	cmd.Flags().StringVar(&horizon, "horizon", "90d", "who places no order for so long has churned")
	cmd.Flags().StringSliceVar(&o.At, "at", nil, "cut-off `DAYS`, each the last day that is known: 1998-03-31,…")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the figures as JSON")
	cmd.Flags().BoolVar(&table, "reliability", false, "print what was said beside what was so, in tenths")
	return cmd
}

func horizonDays(s string) (int, error) {
	parsed, err := config.ParseDuration(s)
	d := time.Duration(parsed)
	if err != nil || d < 24*time.Hour || d%(24*time.Hour) != 0 || d > 3650*24*time.Hour {
		return 0, usagef("--horizon %q is not a number of days such as 90d", s)
	}
	return int(d / (24 * time.Hour)), nil
}

func evaluateChurn(cmd *cobra.Command, o app.ChurnOptions, asJSON, table bool) error {
	e, err := app.EvaluateChurn(cmd.Context(), o)
	switch {
	case errors.Is(err, importer.ErrUsage), errors.Is(err, app.ErrCutoff):
		return usagef("%v", err)
	case err != nil:
		return err
	case asJSON:
		return json.NewEncoder(cmd.OutOrStdout()).Encode(e)
	}
	if e.Quarantined > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "%d rows could not be read and are left out; import --dry-run says why\n", e.Quarantined)
	}
	return printChurn(cmd.OutOrStdout(), e, table)
}

func printChurn(w io.Writer, e app.ChurnEvaluation, table bool) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "at\tcustomers\tno order in %d days\tchurn_risk\tECE\tprior\tECE\trecency\tBG/NBD\tECE\tlearnt from\n", e.Horizon)
	row := func(c app.ChurnCut) {
		fmt.Fprintf(t, "%s\t%d\t%.1f %%\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\n", c.At, c.Customers, 100*float64(c.Churned)/float64(max(c.Customers, 1)),
			figure(c.Risk.AUROC), figure(c.Risk.ECE), figure(c.Prior.AUROC), figure(c.Prior.ECE), figure(c.Recency.AUROC),
			figure(c.BGNBD.AUROC), figure(c.BGNBD.ECE), c.Rows)
	}
	for _, c := range e.Cuts {
		row(c)
	}
	if len(e.Cuts) > 1 {
		row(e.Mean)
	}
	for _, c := range e.Cuts {
		if !table {
			break
		}
		fmt.Fprintf(t, "\n%s said\tcustomers\tmean\thappened\n", c.At)
		for _, b := range c.Reliability {
			fmt.Fprintf(t, "%.1f–%.1f\t%d\t%s\t%s\n", b.From, b.To, b.N, figure(b.Said), figure(b.Happened))
		}
	}
	return t.Flush()
}

// figure prints three decimals, or a dash for what does not exist.
func figure(n eval.Number) string {
	if math.IsNaN(float64(n)) {
		return "–"
	}
	return fmt.Sprintf("%.3f", float64(n))
}
