package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"redalert/internal/app"
	"redalert/internal/importer"
)

func evalEarlyCmd() *cobra.Command {
	o := app.EarlyOptions{Thresholds: []float64{0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5, 0.45, 0.4}}
	var asJSON bool
	cmd := &cobra.Command{
		Use: "early FILE…", Short: "Replay orders day by day: how early were lost customers flagged?",
		Long: `Reads orders as "import orders" does and tells them day by day to a pipeline of its
own (door, scorer, history, overdue orders, the nightly refit of churn_risk), so that
no evening knows the next day. Then it looks back: of the customers who were lost by
the definition of churn, how many days before that became visible had they been
flagged, and how often was a customer flagged who bought again in time. The first
line counts red alerts alone; each further one counts a customer as flagged from a
churn_risk on, too, and so draws the trade-off. Nothing is kept.`,
		Example: `  redalert eval early invoices.csv.gz --map online-retail --currency GBP
  redalert eval early CDNOW_master.txt --map cdnow --currency USD --json`,
		Args: someFiles,
		RunE: func(cmd *cobra.Command, files []string) error {
			o.Files = files
			if o.Floor < 1 || o.Floor > 3650 {
				return usagef("--floor %d is no number of days", o.Floor)
			}
			for _, t := range o.Thresholds {
				if !(t > 0 && t <= 1) {
					return usagef("--risk %v is not above 0 and at most 1", t)
				}
			}
			o.Told = progressOf(cmd.ErrOrStderr(), asJSON)
			e, err := app.EvaluateEarly(cmd.Context(), o)
			switch {
			case errors.Is(err, importer.ErrUsage), errors.Is(err, app.ErrEarly):
				return usagef("%v", err)
			case err != nil:
				return err
			case asJSON:
				return json.NewEncoder(cmd.OutOrStdout()).Encode(e)
			}
			return printEarly(cmd.OutOrStdout(), e, o.Lead)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&o.Map, "map", "", "mapping `FILE` or the name of a preset, as in import")
	fs.StringVar(&o.TZ, "tz", "UTC", "time `ZONE` of the business, and of times without one")
	fs.StringVar(&o.Currency, "currency", "EUR", "`CODE` of the business's currency")
	fs.IntVar(&o.Floor, "floor", 60, "`DAYS` without an order for which nobody is called lost")
	fs.IntVar(&o.Lead, "lead", 30, "`DAYS` before a loss is plain that the flag is to come, in the median")
	fs.Float64SliceVar(&o.Thresholds, "risk", o.Thresholds, "churn_risk `FROM,…` which a customer counts as flagged, too")
	fs.BoolVar(&asJSON, "json", false, "print the figures as JSON")
	return cmd
}

// progressOf says a line a month.
func progressOf(w io.Writer, quiet bool) func(string, int) {
	month := ""
	return func(day string, events int) {
		if m := day[:len("2026-01")]; !quiet && m != month {
			month = m
			fmt.Fprintf(w, "%s: %d events so far\n", day, events)
		}
	}
}

func printEarly(w io.Writer, e app.EarlyEvaluation, lead int) error {
	fmt.Fprintf(w, "%d events of %d customers, %s to %s. %s\n", e.Events, e.Customers, e.From, e.To, e.Definition)
	if e.Quarantined > 0 {
		fmt.Fprintf(w, "%d rows could not be read and are left out.\n", e.Quarantined)
	}
	fmt.Fprint(w, "Red alerts:")
	for _, k := range slices.Sorted(maps.Keys(e.RedAlerts)) {
		fmt.Fprintf(w, "  %s %d", k, e.RedAlerts[k])
	}
	fmt.Fprint(w, "\n\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "flagged by\tlost\tflagged before\tdays before (median of all lost)\tof those flagged\tfalse alarms per 100 customers a month")
	for _, f := range e.Curve {
		by := "red alerts alone"
		if p := float64(f.Threshold); !math.IsNaN(p) {
			by = "or churn_risk ≥ " + strconv.FormatFloat(p, 'f', -1, 64)
		}
		fmt.Fprintf(t, "%s\t%d\t%.1f %%\t%d\t%d\t%s\n", by, f.Lost, 100*float64(f.Flagged)/float64(max(f.Lost, 1)), f.Lead, f.LeadFlagged, one(float64(f.Rate)))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if e.Early == nil {
		_, err := fmt.Fprintf(w, "\nNo churn_risk flags the lost a median of %d days before.\n", lead)
		return err
	}
	_, err := fmt.Fprintf(w, "\nFrom churn_risk %.2f on the lost were flagged a median of %d days before their silence was plain,\nat %s false alarms per 100 customers a month.\n",
		float64(e.Early.Threshold), e.Early.Lead, one(float64(e.Early.Rate)))
	return err
}

func one(x float64) string {
	if math.IsNaN(x) {
		return "–"
	}
	return strconv.FormatFloat(x, 'f', 1, 64)
}
