package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"redalert/internal/app"
	"redalert/internal/auth"
	"redalert/schemas"
)

func userCmd() *cobra.Command {
	return group("user", "Add, list and disable the people who sign in", "people", userAdd(), userList(), userDisable())
}

func userAdd() *cobra.Command {
	var f common
	var role string
	var locations []string
	var stdin bool
	cmd := &cobra.Command{
		Use:   "add EMAIL --role staff|manager|owner",
		Short: "Add a person; prints a link to set the password, or reads it from stdin",
		Long: `Staff work cases. Managers also override steps, mark customers lost, dismiss
critical alerts, import and clear quarantine. Owners also handle people and
settings. --location limits what a person sees to records of these locations; it
may be given several times and may name a location not seen yet.`,
		Example: "  redalert user add ana@example.com --role staff --location \"Riverside North\"",
		Args:    exactly(1, "an e-mail address"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if role == "" {
				return usagef("--role is missing: staff, manager or owner")
			}
			password := ""
			if stdin {
				line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
				if err != nil && !errors.Is(err, io.EOF) {
					return err
				}
				if password = strings.TrimRight(line, "\r\n"); password == "" {
					return usagef("--password-stdin: nothing on stdin")
				}
			}
			return f.withApp(cmd, func(a *app.App) error {
				return addUser(cmd, a, auth.User{Email: args[0], Role: schemas.Role(role), Locations: locations}, password)
			})
		},
	}
	f.flags(cmd)
	cmd.Flags().StringVar(&role, "role", "", "staff, manager or owner (required)")
	cmd.Flags().StringArrayVar(&locations, "location", nil, "a `LOCATION` the person sees; none = all")
	cmd.Flags().BoolVar(&stdin, "password-stdin", false, "read the password from the first line of stdin")
	return cmd
}

func addUser(cmd *cobra.Command, a *app.App, u auth.User, password string) error {
	var invalid *auth.Invalid
	if err := a.Auth.AddUser(cmd.Context(), u, password); errors.As(err, &invalid) {
		return usageError{err}
	} else if errors.Is(err, auth.ErrExists) {
		return fmt.Errorf("%s is a user already", u.Email)
	} else if err != nil {
		return err
	}
	if password != "" {
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s can sign in as %s.\n", u.Email, u.Role)
		return err
	}
	secret, err := a.Auth.SetPasswordLink(cmd.Context(), u.Email)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s can set a password within three days, once:\n  %s/set-password?key=%s\n", u.Email, a.PublicURL(), secret)
	return err
}

func userList() *cobra.Command {
	var f common
	cmd := &cobra.Command{
		Use: "list", Short: "List everybody who may sign in", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.withApp(cmd, func(a *app.App) error {
				users, err := a.Auth.Users(cmd.Context())
				if err != nil {
					return err
				}
				w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
				fmt.Fprintln(w, "EMAIL\tROLE\tLOCATIONS\tSTATE")
				for _, u := range users {
					where, state := "all", "enabled"
					if len(u.Locations) > 0 {
						where = strings.Join(u.Locations, ", ")
					}
					if u.Disabled {
						state = "disabled"
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", u.Email, u.Role, where, state)
				}
				return w.Flush()
			})
		},
	}
	f.flags(cmd)
	return cmd
}

func userDisable() *cobra.Command {
	var f common
	cmd := &cobra.Command{
		Use: "disable EMAIL", Short: "Disable a person and sign them out everywhere", Args: exactly(1, "an e-mail address"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.withApp(cmd, func(a *app.App) error {
				err := a.Auth.Disable(cmd.Context(), args[0])
				if errors.Is(err, auth.ErrNotFound) {
					return fmt.Errorf("there is no user %s; see redalert user list", args[0])
				}
				if err == nil {
					_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is disabled.\n", args[0])
				}
				return err
			})
		},
	}
	f.flags(cmd)
	return cmd
}

func tokenCmd() *cobra.Command {
	return group("token", "Add, list and revoke tokens for programs", "people", tokenAdd(), tokenList(), tokenRevoke())
}

func tokenAdd() *cobra.Command {
	var f common
	var scope, source string
	cmd := &cobra.Command{
		Use: "add NAME --scope ingest|read|triage", Short: "Make a token; prints only the token, once", Args: exactly(1, "a name"),
		Example: "  TOKEN=$(redalert token add shop --scope ingest --source shop)",
		RunE: func(cmd *cobra.Command, args []string) error {
			if scope == "" {
				return usagef("--scope is missing: ingest, read or triage")
			}
			return f.withApp(cmd, func(a *app.App) error {
				secret, err := a.Auth.NewToken(cmd.Context(), args[0], auth.Scope(scope), source)
				var invalid *auth.Invalid
				if errors.As(err, &invalid) {
					return usageError{err}
				}
				if errors.Is(err, auth.ErrExists) {
					return fmt.Errorf("there is a token %s already; revoke it first or choose another name", args[0])
				}
				if err == nil {
					_, err = fmt.Fprintln(cmd.OutOrStdout(), secret)
				}
				return err
			})
		},
	}
	f.flags(cmd)
	cmd.Flags().StringVar(&scope, "scope", "", "ingest, read or triage (required)")
	cmd.Flags().StringVar(&source, "source", "", "bind the token to one `SOURCE`")
	return cmd
}

func tokenList() *cobra.Command {
	var f common
	cmd := &cobra.Command{
		Use: "list", Short: "List tokens; never their secrets", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.withApp(cmd, func(a *app.App) error {
				tokens, err := a.Auth.Tokens(cmd.Context())
				if err != nil {
					return err
				}
				w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
				fmt.Fprintln(w, "NAME\tSCOPE\tSOURCE\tSINCE\tSTATE")
				for _, t := range tokens {
					source, state := "any", "active"
					if t.Source != "" {
						source = t.Source
					}
					if t.RevokedAt != nil {
						state = "revoked"
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", t.Name, t.Scope, source, t.CreatedAt.Format("2006-01-02"), state)
				}
				return w.Flush()
			})
		},
	}
	f.flags(cmd)
	return cmd
}

func tokenRevoke() *cobra.Command {
	var f common
	cmd := &cobra.Command{
		Use: "revoke NAME", Short: "Revoke a token at once", Args: exactly(1, "a name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.withApp(cmd, func(a *app.App) error {
				err := a.Auth.RevokeToken(cmd.Context(), args[0])
				if errors.Is(err, auth.ErrNotFound) {
					return fmt.Errorf("there is no token %s; see redalert token list", args[0])
				}
				if err == nil {
					_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is revoked.\n", args[0])
				}
				return err
			})
		},
	}
	f.flags(cmd)
	return cmd
}

func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return fmt.Errorf("%s takes %s", cmd.CommandPath(), what)
		}
		return nil
	}
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no argument %q", cmd.CommandPath(), args[0])
	}
	return nil
}

// someFiles refuses a call that names no file.
func someFiles(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("%s needs one or more files", cmd.CommandPath())
	}
	return nil
}
