package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"redalert/alerting"
	"redalert/internal/app"
)

func digestCmd() *cobra.Command {
	return group("digest", "Look at the daily digest", "people", digestPreview())
}

func digestPreview() *cobra.Command {
	var f common
	var email, at, out string
	cmd := &cobra.Command{
		Use: "preview", Short: "Write the digest a person would get, without sending it", Args: noArgs,
		Long: "Prints the text form; with -o FILE.html it writes the mail as a page, with any other name the text.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.withApp(cmd, func(a *app.App) error {
				when := a.Now()
				if at != "" {
					t, err := instant("--at", at)
					if err != nil {
						return err
					}
					when = t
				}
				p, err := digestPerson(cmd, a, email)
				if err != nil {
					return err
				}
				m, err := a.Digests.Preview(cmd.Context(), p, when)
				if err != nil {
					return err
				}
				if out == "" {
					_, err := fmt.Fprintf(cmd.OutOrStdout(), "To: %s\nSubject: %s\n\n%s", p.Email, m.Subject, m.Text)
					return err
				}
				body := m.Text
				if strings.HasSuffix(out, ".html") {
					body = m.HTML
				}
				return os.WriteFile(out, []byte(body), 0o600)
			})
		},
	}
	f.flags(cmd)
	cmd.Flags().StringVar(&email, "for", "", "whose digest, by `EMAIL` (default: the first owner or manager)")
	cmd.Flags().StringVar(&at, "at", "", "as of `TIME` in RFC 3339 (default: now)")
	cmd.Flags().StringVarP(&out, "output", "o", "", "write to `FILE` instead of stdout")
	return cmd
}

func digestPerson(cmd *cobra.Command, a *app.App, email string) (alerting.Person, error) {
	people, err := a.Stores.People.Staff(cmd.Context())
	if err != nil {
		return alerting.Person{}, err
	}
	for _, p := range people {
		if strings.EqualFold(p.Email, email) || email == "" && p.Role.Rank() > 1 {
			return p, nil
		}
	}
	if email == "" {
		return alerting.Person{}, fmt.Errorf("there is no manager or owner yet; see redalert user add")
	}
	return alerting.Person{}, fmt.Errorf("there is no user %s; see redalert user list", email)
}
