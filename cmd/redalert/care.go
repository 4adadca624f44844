package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"redalert/internal/app"
	"redalert/internal/config"
	"redalert/internal/sqlite"
)

func tickCmd() *cobra.Command {
	var f common
	var at string
	cmd := &cobra.Command{
		Use: "tick --at TIME", Short: "Run every clock job that is due at a time, once", GroupID: "care", Args: noArgs,
		Long: `Timers, overdue notices, snoozes and digests, overdue orders, unanswered messages
and the nightly fit of churn_risk: everything that is due at TIME is done, once,
what waits in the log is scored, and the outbox delivered. The server must be stopped. For cron hosts
that run no server, and for tests.`,
		Example: "  redalert tick --at 2026-03-18T07:30:00Z",
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := instant("--at", at)
			if err != nil {
				return err
			}
			cfg, err := f.load()
			if err != nil {
				return err
			}
			a, err := app.New(cmd.Context(), cfg, app.Options{Log: logger(cmd, cfg), Version: version, Now: func() time.Time { return t }})
			if err != nil {
				return err
			}
			return errors.Join(tick(cmd, a, t), a.Close())
		},
	}
	f.flags(cmd)
	cmd.Flags().StringVar(&at, "at", "", "`TIME` in RFC 3339 (required)")
	return cmd
}

func tick(cmd *cobra.Command, a *app.App, t time.Time) error {
	if err := a.Lock(); err != nil {
		return err
	}
	if err := a.Tick(cmd.Context(), t); err != nil {
		return err
	}
	return a.Deliver(cmd.Context())
}

func instant(flag, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, usagef("%s is missing: a time such as 2026-03-18T07:30:00Z", flag)
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, usagef("%s: %q is not a time such as 2026-03-18T07:30:00Z", flag, s)
	}
	return t, nil
}

func doctorCmd() *cobra.Command {
	var f common
	var asJSON bool
	cmd := &cobra.Command{
		Use: "doctor", Short: "Try every configured part and say what to do", GroupID: "care", Args: noArgs,
		Long: `Tries the data folder, the store or each of the three servers, outgoing mail, every
mailbox, review page and webhook, and says what to do about what fails. A server
that is away hides no other: each is tried by itself when redalert cannot start.
Exits with 1 when a check fails.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := f.load()
			if err != nil {
				return err
			}
			checks, closing := app.Examine(cmd.Context(), cfg, app.Options{Log: logger(cmd, cfg), Version: version})
			return errors.Join(printChecks(cmd.OutOrStdout(), checks, asJSON), closing)
		},
	}
	f.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the checks as JSON")
	return cmd
}

// printChecks answers an error when one of them failed.
func printChecks(w io.Writer, checks []app.Check, asJSON bool) error {
	failed := 0
	for _, c := range checks {
		mark := "ok  "
		if !c.OK {
			failed++
			mark = "FAIL"
		}
		if asJSON {
			continue
		}
		fmt.Fprintf(w, "%s  %s: %s\n", mark, c.Name, c.Detail)
		if c.Advice != "" {
			fmt.Fprintf(w, "      → %s\n", c.Advice)
		}
	}
	if asJSON {
		if err := json.NewEncoder(w).Encode(map[string]any{"ok": failed == 0, "checks": checks}); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d checks failed", failed, len(checks))
	}
	return nil
}

func checkConfigCmd() *cobra.Command {
	var f common
	cmd := &cobra.Command{
		Use: "check-config", Short: "Check the configuration file, line by line", GroupID: "care", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := f.load()
			if err != nil {
				return err
			}
			name := cfg.Path
			if name == "" {
				name = "no " + config.FileName + " found; the defaults"
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: fine. %d mailboxes, %d review pages, %d webhooks; data in %s\n",
				name, len(cfg.IMAP), len(cfg.Reviews), len(cfg.Sources), cfg.DataDir)
			return err
		},
	}
	f.flags(cmd)
	return cmd
}

func backupCmd() *cobra.Command {
	var f common
	cmd := &cobra.Command{
		Use: "backup FILE", Short: "Write a copy of the one file, while the server runs", GroupID: "care", Args: exactly(1, "a file name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.withApp(cmd, func(a *app.App) error {
				if _, err := os.Stat(args[0]); err == nil {
					return fmt.Errorf("%s exists; choose another name", args[0])
				}
				if a.Stores.Backup == nil {
					return errors.New("backup copies the one file; the three servers have tools of their own (pg_dump, BACKUP of ClickHouse), see docs/operations.md")
				}
				if err := a.Stores.Backup(cmd.Context(), args[0]); err != nil {
					return err
				}
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "Everything is in %s.\n", args[0])
				return err
			})
		},
	}
	f.flags(cmd)
	return cmd
}

func restoreCmd() *cobra.Command {
	var f common
	cmd := &cobra.Command{
		Use: "restore FILE", Short: "Put a backup into an empty data folder", GroupID: "care", Args: exactly(1, "a file name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := f.load()
			if err != nil {
				return err
			}
			dst := filepath.Join(cfg.DataDir, app.FileName)
			if _, err := os.Stat(dst); err == nil {
				return fmt.Errorf("%s exists; move it away first, or choose an empty folder with --data", dst)
			}
			if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
				return err
			}
			if err := sqlite.Restore(cmd.Context(), args[0], dst); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "Restored into %s.\n", dst)
			return err
		},
	}
	f.flags(cmd)
	return cmd
}

func migrateCmd() *cobra.Command {
	var f common
	cmd := &cobra.Command{
		Use: "migrate", Short: "Bring the store to this version's schema", GroupID: "care", Args: noArgs,
		Long: `Creates or upgrades the tables and topics of the configured stores. Opening the
one file migrates it by itself, so there every command does this. The three
servers are migrated by this command alone: stop nothing, run it before the new
version's processes start. A store that a newer version has written is refused.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := f.load()
			if err != nil {
				return err
			}
			done, err := app.Migrate(cmd.Context(), cfg, app.Options{Log: logger(cmd, cfg), Version: version})
			for _, line := range done {
				fmt.Fprintln(cmd.OutOrStdout(), line)
			}
			return err
		},
	}
	f.flags(cmd)
	return cmd
}

func versionCmd() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", GroupID: "care", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "redalert %s\n", version)
			return err
		},
	}
}

func completionCmd() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use: "completion SHELL", Short: "Print a completion script for bash, zsh, fish or powershell", GroupID: "care",
		Example: "  source <(redalert completion bash)", ValidArgs: shells, Args: oneOf("shell", shells),
		RunE: func(cmd *cobra.Command, args []string) error {
			root, out := cmd.Root(), cmd.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			}
			return root.GenPowerShellCompletionWithDesc(out)
		},
	}
}
