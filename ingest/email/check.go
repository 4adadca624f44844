package email

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/emersion/go-imap/v2"
)

// Check connects as the collector does, signs in and opens the mailboxes,
// read-only, and changes nothing. Its error says what to do; nil means that
// the collector will work.
func Check(ctx context.Context, cfg Config) error {
	cfg = cfg.withDefaults()
	if cfg.Host == "" || cfg.User == "" {
		return errors.New("host and user must be set")
	}
	s, err := dial(ctx, cfg, defaultPace())
	if err != nil {
		return err
	}
	defer s.close()
	defer context.AfterFunc(ctx, s.close)()
	if _, _, _, err := s.examine(cfg.Mailbox); err != nil {
		return fmt.Errorf("%w; check mailbox", err)
	}
	sent, err := sentMailbox(s, cfg)
	if err != nil {
		return err
	}
	if sent == "" {
		return errors.New("no mailbox of sent mail was found: answers written in a mail program would not be seen; set sent_mailbox to its name")
	}
	if _, _, _, err := s.examine(sent); err != nil {
		return fmt.Errorf("%w; check sent_mailbox", err)
	}
	s.logout()
	return nil
}

// signInError adds what to do to a refused sign-in.
func signInError(cfg Config, err error) error {
	var answer *imap.Error
	if !errors.As(err, &answer) {
		return fmt.Errorf("sign in to %s: %w", cfg.address(), err)
	}
	return fmt.Errorf("%s refuses the sign-in of %s (%s); %s", cfg.address(), cfg.User, strings.TrimSpace(answer.Text), signInAdvice(cfg.Host))
}

// signInAdvice knows the providers that take no ordinary password.
func signInAdvice(host string) string {
	host = strings.ToLower(host)
	is := func(domains ...string) bool {
		for _, d := range domains {
			if host == d || strings.HasSuffix(host, "."+d) {
				return true
			}
		}
		return false
	}
	switch {
	case is("office365.com", "outlook.com", "hotmail.com", "office.com"):
		return "Microsoft 365 and Outlook.com accept no password over IMAP, only OAuth 2.0, which this version does not speak: let the mailbox forward a copy to one that takes a password, and collect that"
	case is("gmail.com", "googlemail.com", "google.com"):
		return "Gmail does not accept the account's password over IMAP: turn on 2-step verification, make an app password at https://myaccount.google.com/apppasswords and use that"
	case is("yahoo.com", "aol.com", "icloud.com", "me.com", "zoho.com", "zoho.eu", "fastmail.com"):
		return "this provider wants an app password made in the account's security settings, not the account's own"
	}
	return "check user and password, and that IMAP is switched on for the mailbox"
}
