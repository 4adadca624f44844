package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"redalert/internal/app"
)

type runFlags struct {
	common
	listen, role, ready string
	drain               bool
}

func runCmd() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:     "run",
		Short:   "Collect, score, alert and serve the pages",
		GroupID: "serve",
		Long: `Runs everything in one process on one SQLite file: collectors, scorer, cases,
mail and pages. Without any configuration it creates the store and prints a
one-time link that makes the first owner (15 minutes, once).

Ctrl-C or SIGTERM finishes what is under way and exits with 0.`,
		Example: "  redalert run\n  redalert run -c redalert.yaml --listen 0.0.0.0:8787\n  redalert run --drain     # work off what an import brought, then exit",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.common.flags(cmd)
	cmd.Flags().StringVar(&f.listen, "listen", "", "`HOST:PORT` to serve at; port 0 picks a free one")
	cmd.Flags().StringVar(&f.role, "role", "all", "what this process does; this version runs all roles together")
	cmd.Flags().BoolVar(&f.drain, "drain", false, "work off what is there, deliver the outbox, open no listener, exit")
	cmd.Flags().StringVar(&f.ready, "ready-file", "", "`FILE` that gets {\"url\":…,\"pid\":…} once requests are served")
	return cmd
}

var allRoles = []string{"alert", "collect", "score", "web"}

// checkRole takes "all" or all four by name: roles apart come with the servers
// they need between them.
func checkRole(role string) error {
	if role == "all" {
		return nil
	}
	given := strings.Split(role, ",")
	for _, r := range given {
		if !slices.Contains(allRoles, r) {
			return usagef("--role %s: %q is no role; all, or collect,score,alert,web", role, r)
		}
	}
	slices.Sort(given)
	if !slices.Equal(slices.Compact(given), allRoles) {
		return usagef("--role %s: this version runs all roles in one process; leave --role out", role)
	}
	return nil
}

func (f *runFlags) run(cmd *cobra.Command) error {
	if err := checkRole(f.role); err != nil {
		return err
	}
	cfg, err := f.load()
	if err != nil {
		return err
	}
	if f.listen != "" {
		cfg.Server.Listen = f.listen
	}
	log := logger(cmd, cfg)
	a, err := app.New(cmd.Context(), cfg, app.Options{Log: log, Version: version})
	if err != nil {
		return err
	}
	defer func() {
		if err := a.Close(); err != nil {
			log.Error("close", "error", err)
		}
	}()
	if f.drain {
		if err := a.Lock(); err != nil {
			return err
		}
		return a.Drain(cmd.Context())
	}
	return a.Serve(cmd.Context(), app.ServeOptions{ReadyFile: f.ready, Ready: func(s app.Serving) {
		greet(cmd, a, s)
	}})
}

func greet(cmd *cobra.Command, a *app.App, s app.Serving) {
	fmt.Fprintf(cmd.ErrOrStderr(), "Redalert is at %s  (data in %s)\n", s.URL, a.Config.DataDir)
	ctx := context.WithoutCancel(cmd.Context())
	secret, ok, err := a.Auth.FirstOwnerLink(ctx)
	if err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "The link for the first owner could not be made: %v\n", err)
		return
	}
	if ok {
		base := strings.TrimRight(a.Config.Server.PublicURL, "/")
		if base == "" {
			base = s.URL
		}
		fmt.Fprintf(cmd.OutOrStdout(), "Nobody can sign in yet. Make the first owner within 15 minutes, once:\n\n  %s/first-owner?key=%s\n\n", base, secret)
	}
}
