package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/adrg/xdg"
	"github.com/spf13/cobra"

	"redalert/internal/app"
	"redalert/internal/config"
)

type demoFlags struct {
	data, listen, ready string
	config              string
	fresh, noBrowser    bool
	seed                bool
	pause               time.Duration
}

func demoCmd() *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use: "demo", Short: "Start a synthetic business to try Redalert on", GroupID: "serve", Args: noArgs,
		Long: `Starts Riverside Home Services: three locations, about a thousand customers,
fourteen months of history, and alerts that keep coming in. One click signs in as
staff, manager or owner; mail it sends is shown in the page and goes nowhere.

A second start goes on where the first stopped; --fresh begins anew.

With --seed nothing is served: the business's past is told to the stores that
-c names, the three servers for instance, and their scorers work it off.`,
		Example: "  redalert demo\n  redalert demo --seed -c redalert.yaml",
		RunE:    func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	cmd.Flags().StringVar(&f.data, "data", "", "data `DIR` of the demo (default: a folder of its own)")
	cmd.Flags().StringVar(&f.listen, "listen", "127.0.0.1:8787", "`HOST:PORT` to serve at; port 0 picks a free one")
	cmd.Flags().StringVar(&f.ready, "ready-file", "", "`FILE` that gets {\"url\":…,\"pid\":…} once requests are served")
	cmd.Flags().BoolVar(&f.fresh, "fresh", false, "throw the demo's data away and begin anew")
	cmd.Flags().BoolVar(&f.seed, "seed", false, "tell the past to the stores of -c and exit")
	cmd.Flags().StringVarP(&f.config, "config", "c", "", "with --seed: the configuration `FILE`")
	cmd.Flags().BoolVar(&f.noBrowser, "no-browser", false, "do not open the page")
	cmd.Flags().DurationVar(&f.pause, "pause", 15*time.Second, "how long until the next live message, on average")
	return cmd
}

func (f *demoFlags) run(cmd *cobra.Command) error {
	if f.seed {
		return f.tell(cmd)
	}
	if f.config != "" {
		return usagef("-c goes with --seed; the demo itself brings its own configuration")
	}
	if f.data == "" {
		f.data = filepath.Join(xdg.DataHome, "redalert-demo")
	}
	if f.fresh {
		if err := app.ForgetDemo(f.data); err != nil {
			return err
		}
	}
	cfg := config.Defaults()
	cfg.DataDir, cfg.Server.Listen = f.data, f.listen
	cfg.Log.Level = "warn"
	opt := app.DemoOptions{ReadyFile: f.ready, Pause: f.pause, Log: logger(cmd, cfg), Version: version}
	opt.Ready = func(s app.Serving) {
		fmt.Fprintf(cmd.OutOrStdout(), "The demo is at %s — sign in with one click. Ctrl-C stops it.\n", s.URL)
		if !f.noBrowser {
			openBrowser(s.URL)
		}
	}
	opt.Say = func(format string, args ...any) { fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", args...) }
	return app.Demo(cmd.Context(), cfg, opt)
}

// tell seeds the configured stores with the demo's past.
func (f *demoFlags) tell(cmd *cobra.Command) error {
	c := common{config: f.config, data: f.data}
	cfg, err := c.load()
	if err != nil {
		return err
	}
	n, err := app.SeedDemo(cmd.Context(), cfg, app.DemoOptions{
		Log: logger(cmd, cfg), Version: version,
		Say: func(format string, args ...any) { fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", args...) },
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d events of the demo's past are in the log.\n", n)
	return err
}

// openBrowser opens the page where there is a screen to show it on; without
// one, or without a browser, the printed address has to do.
func openBrowser(url string) {
	var cmd *exec.Cmd
	switch {
	case runtime.GOOS == "darwin":
		cmd = exec.Command("open", url)
	case runtime.GOOS == "windows":
		cmd = exec.Command("rundll32", "url.dll,FileProtocolHandler", url)
	case os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != "":
		cmd = exec.Command("xdg-open", url)
	default:
		return
	}
	if err := cmd.Start(); err == nil {
		go func() { _ = cmd.Wait() }() // only so that no zombie stays
	}
}
