package main

import (
	"log/slog"
	"slices"

	"github.com/spf13/cobra"

	"redalert/internal/config"
)

const rootLong = `Redalert tells a business, early and without noise, which customer it is about
to lose, and sees the recovery through.

Surveys, email replies, reviews and changed orders come in; a scorer flags each
one that is a red alert and says why; staff work a queue that leads them through
a real recovery; managers get a digest; owners see churn.

Start with:   redalert demo          a synthetic business to try it on
              redalert run           your own, everything in one file
              redalert doctor        what is configured, and does it work?`

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "redalert",
		Short:         "Find the customers you are about to lose, and win them back",
		Long:          rootLong,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.ArbitraryArgs,
		RunE:          needsSubcommand,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddGroup(&cobra.Group{ID: "serve", Title: "Run it:"}, &cobra.Group{ID: "data", Title: "Data in and out:"},
		&cobra.Group{ID: "people", Title: "People and programs:"}, &cobra.Group{ID: "care", Title: "Look after it:"})
	root.AddCommand(runCmd(), demoCmd(), importCmd(), exportCmd(), scoreCmd(), rescoreCmd(), evalCmd(), trainCmd(), quarantineCmd(), userCmd(), tokenCmd(),
		digestCmd(), tickCmd(), doctorCmd(), healthCmd(), checkConfigCmd(), backupCmd(), restoreCmd(), migrateCmd(), moveCmd(), versionCmd(), completionCmd())
	root.SetHelpCommandGroupID("care")
	strict(root)
	return root
}

// strict makes every wrong use exit with 2 and groups answer for themselves.
func strict(cmd *cobra.Command) {
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	if cmd.Args != nil {
		check := cmd.Args
		cmd.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usageError{err}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		strict(sub)
	}
}

// needsSubcommand is what a group does when it is called by itself or with a
// word it does not know.
func needsSubcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usagef("%s needs a command", cmd.CommandPath())
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usagef("unknown command %q for %s; did you mean %q?", args[0], cmd.CommandPath(), near[0])
	}
	return usagef("unknown command %q for %s", args[0], cmd.CommandPath())
}

// group is a command that only holds others.
func group(use, short, id string, subs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, GroupID: id, Args: cobra.ArbitraryArgs, RunE: needsSubcommand}
	cmd.SuggestionsMinimumDistance = 2
	cmd.AddCommand(subs...)
	return cmd
}

// oneOf checks a positional argument against a closed list.
func oneOf(what string, list []string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usagef("which %s? One of %v", what, list)
		}
		if !slices.Contains(list, args[0]) {
			return usagef("unknown %s %q; one of %v", what, args[0], list)
		}
		return nil
	}
}

func logger(cmd *cobra.Command, cfg config.Config) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.Log.Level)) // checked when the file was read
	opt := &slog.HandlerOptions{Level: level}
	if cfg.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), opt))
	}
	return slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), opt))
}
