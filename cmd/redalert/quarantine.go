package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"redalert/ingest"
	"redalert/internal/app"
	"redalert/schemas"
)

func quarantineCmd() *cobra.Command {
	return group("quarantine", "See, replay and drop what could not be taken in", "data",
		quarantineList(), quarantineShow(), quarantineReplay(), quarantineDrop())
}

func quarantineList() *cobra.Command {
	var f common
	var all, asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List what is in quarantine, with reasons", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.withApp(cmd, func(a *app.App) error {
				state := schemas.QuarantineOpen
				if all {
					state = ""
				}
				items, err := a.Quarantined(cmd.Context(), state)
				if err != nil {
					return err
				}
				if asJSON {
					enc := json.NewEncoder(cmd.OutOrStdout())
					for _, q := range items {
						if err := enc.Encode(q); err != nil {
							return err
						}
					}
					return nil
				}
				if len(items) == 0 {
					_, err := fmt.Fprintln(cmd.OutOrStdout(), "Quarantine is empty.")
					return err
				}
				w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
				fmt.Fprintln(w, "ID\tSOURCE\tWHERE\tSTATE\tREASON")
				for _, q := range items {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", q.ID, q.Source, q.Locator, q.State, q.Reason)
				}
				return w.Flush()
			})
		},
	}
	f.flags(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "replayed and dropped ones too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}

func quarantineShow() *cobra.Command {
	var f common
	cmd := &cobra.Command{
		Use: "show ID", Short: "Print the reason and the raw bytes", Args: exactly(1, "an id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.withApp(cmd, func(a *app.App) error {
				q, err := a.Stores.Quarantine.Get(cmd.Context(), args[0])
				if errors.Is(err, ingest.ErrNotFound) {
					return fmt.Errorf("nothing in quarantine has the id %s", args[0])
				} else if err != nil {
					return err
				}
				out := cmd.OutOrStdout()
				fmt.Fprintf(out, "id:      %s\nsource:  %s\nwhere:   %s\nat:      %s\nstate:   %s\ncode:    %s\nreason:  %s\n",
					q.ID, q.Source, q.Locator, schemas.FormatTime(q.At), q.State, q.Code, q.Reason)
				if q.RawSHA256 == "" {
					_, err := fmt.Fprintln(out, "raw:     not kept")
					return err
				}
				raw, err := a.Stores.Blobs.Get(cmd.Context(), q.RawSHA256)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(out, "raw (%d bytes):\n%s\n", len(raw), raw)
				return err
			})
		},
	}
	f.flags(cmd)
	return cmd
}

func quarantineReplay() *cobra.Command {
	var f common
	var all bool
	cmd := &cobra.Command{
		Use: "replay [ID…]", Short: "Try items again, after the cause was mended", Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.withApp(cmd, func(a *app.App) error {
				ids, err := chosen(cmd, a, args, all)
				if err != nil {
					return err
				}
				again := 0
				for _, id := range ids {
					r, err := a.Door.ReplayQuarantined(cmd.Context(), id)
					if err != nil {
						return fmt.Errorf("%s: %w", id, err)
					}
					fmt.Fprintf(cmd.OutOrStdout(), "%s: %s %s\n", id, r.Status, r.Reason)
					if r.Status == ingest.InQuarantine {
						again++
					}
				}
				if again > 0 {
					return errQuarantined
				}
				return nil
			})
		},
	}
	f.flags(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "everything that is open")
	return cmd
}

func quarantineDrop() *cobra.Command {
	var f common
	var all bool
	cmd := &cobra.Command{
		Use: "drop [ID…]", Short: "Give items up; they stay listed as dropped", Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.withApp(cmd, func(a *app.App) error {
				ids, err := chosen(cmd, a, args, all)
				if err != nil {
					return err
				}
				for _, id := range ids {
					if err := a.Stores.Quarantine.SetState(cmd.Context(), id, schemas.QuarantineDropped, a.Now()); err != nil {
						return fmt.Errorf("%s: %w", id, err)
					}
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "Dropped %d.\n", len(ids))
				return err
			})
		},
	}
	f.flags(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "everything that is open")
	return cmd
}

func chosen(cmd *cobra.Command, a *app.App, args []string, all bool) ([]string, error) {
	switch {
	case all && len(args) > 0:
		return nil, usagef("give ids or --all, not both")
	case !all && len(args) == 0:
		return nil, usagef("which? Give ids from redalert quarantine list, or --all")
	case !all:
		return args, nil
	}
	items, err := a.Quarantined(cmd.Context(), schemas.QuarantineOpen)
	for _, q := range items {
		args = append(args, q.ID)
	}
	return args, err
}
