// Command redalert tells a business, early and without noise, which customer
// it is about to lose, and sees the recovery through.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // time zones also where the system has none: images without a file system, Windows

	"github.com/spf13/cobra"

	"redalert/internal/app"
	"redalert/internal/config"
)

// version is set when the binary is built.
var version = "dev"

// Exit codes; docs and scripts rely on them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitQuarantined = 3
)

// usageError is the caller's to mend: another command line or config.
type usageError struct{ err error }

func (u usageError) Error() string { return u.err.Error() }
func (u usageError) Unwrap() error { return u.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errQuarantined: everything was done, but something is in quarantine.
var errQuarantined = errors.New("something was quarantined")

func main() { os.Exit(realMain(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

func realMain(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	return exitCode(cmd, err, stderr)
}

func exitCode(cmd *cobra.Command, err error, stderr io.Writer) int {
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errQuarantined):
		fmt.Fprintln(stderr, "Done, but something is in quarantine: redalert quarantine list")
		return exitQuarantined
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "Error: %v\nSee %s --help\n", err, cmd.CommandPath())
		return exitUsage
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "Stopped.")
		return exitFailed
	}
	fmt.Fprintf(stderr, "Error: %v\n", err)
	return exitFailed
}

// common are the flags of every command that touches data.
type common struct {
	config string
	data   string
}

func (c *common) flags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&c.config, "config", "c", "", "configuration `FILE` (default: ./redalert.yaml, then the user's)")
	cmd.Flags().StringVar(&c.data, "data", "", "data `DIR` that holds everything (default: the user's data folder)")
}

func (c *common) load() (config.Config, error) {
	cfg, err := config.Load(c.config)
	if err != nil {
		return cfg, usageError{err}
	}
	if c.data != "" {
		cfg.DataDir = c.data
	}
	return cfg, nil
}

// withApp opens the store for a command and closes it afterwards.
func (c *common) withApp(cmd *cobra.Command, do func(*app.App) error) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	a, err := app.New(cmd.Context(), cfg, app.Options{Log: logger(cmd, cfg), Version: version})
	if err != nil {
		return err
	}
	return errors.Join(do(a), a.Close())
}
