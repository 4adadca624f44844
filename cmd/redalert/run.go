package main

import (
	"context"
	"errors"
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

With kafka, clickhouse and postgres in redalert.yaml the same program works on
the three servers, whole or by role, each role several times over:
  collect   the doors of input, mailboxes and review pages
  score     verdicts, history and the alerts log
  alert     cases, timers, digests and outgoing mail
  web       the pages and the JSON API

Ctrl-C or SIGTERM finishes what is under way and exits with 0.`,
		Example: "  redalert run\n  redalert run -c redalert.yaml --listen 0.0.0.0:8787\n  redalert run --drain     # work off what an import brought, then exit",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.common.flags(cmd)
	cmd.Flags().StringVar(&f.listen, "listen", "", "`HOST:PORT` to serve at; port 0 picks a free one")
	cmd.Flags().StringVar(&f.role, "role", "all", "what this process does: all, or some of collect,score,alert,web (apart only with the three servers)")
	cmd.Flags().BoolVar(&f.drain, "drain", false, "work off what is there, deliver the outbox, open no listener, exit; on servers it waits up to a minute for what was accepted just before")
	cmd.Flags().StringVar(&f.ready, "ready-file", "", "`FILE` that gets {\"url\":…,\"pid\":…} once requests are served")
	return cmd
}

func (f *runFlags) run(cmd *cobra.Command) error {
	roles, err := app.ParseRoles(f.role)
	if err != nil {
		return usagef("--role %s: %v", f.role, err)
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
	err = a.Serve(cmd.Context(), app.ServeOptions{Roles: roles, ReadyFile: f.ready, Ready: func(s app.Serving) {
		greet(cmd, a, roles, s)
	}})
	if errors.Is(err, app.ErrOneProcess) {
		return usagef("--role %s: %v", f.role, err)
	}
	return err
}

func greet(cmd *cobra.Command, a *app.App, roles []app.Role, s app.Serving) {
	fmt.Fprintf(cmd.ErrOrStderr(), "Redalert is at %s  (%s)\n", s.URL, a.Stores.Where)
	if !slices.Contains(roles, app.RoleWeb) {
		return
	}
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
