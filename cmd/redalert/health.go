package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// healthURL is where a server with the default listen address tells of itself.
const healthURL = "http://127.0.0.1:8787/healthz"

func healthCmd() *cobra.Command {
	var target string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use: "health", Short: "Ask a running redalert whether it is well", GroupID: "care", Args: noArgs,
		Long: `Asks a running server's /healthz and exits with 0 when it answers 200, with 1 and
the reason otherwise. It opens no store and reads no configuration. /readyz asks
whether the server can work now: it is not ready while a store is down or silent,
and names it.

Made for images without a shell, where nothing else could ask.`,
		Example: "  redalert health\n  redalert health --url http://127.0.0.1:8787/readyz",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if u, err := url.Parse(target); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
				return usagef("--url: %q is not an address such as %s", target, healthURL)
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			if err := askHealth(ctx, target); err != nil {
				return err
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "well")
			return err
		},
	}
	cmd.Flags().StringVar(&target, "url", healthURL, "`URL` to ask")
	cmd.Flags().DurationVar(&timeout, "timeout", 3*time.Second, "how long to wait for the answer")
	return cmd
}

// askHealth follows no redirect: a sign-in page that answers 200 is not health.
func askHealth(ctx context.Context, target string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return err
	}
	client := &http.Client{
		Transport:     &http.Transport{Proxy: nil, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("no answer: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusOK {
		return nil
	}
	why, err := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	if err != nil {
		return fmt.Errorf("%s answered %s and broke off: %w", target, res.Status, err)
	}
	return fmt.Errorf("%s answered %s: %s", target, res.Status, strings.TrimSpace(string(why)))
}
