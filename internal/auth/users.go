package auth

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"

	"redalert/schemas"
)

// AddUser creates a user. Without a password the user is invited and cannot
// sign in until a link from SetPasswordLink is used. Errors: *Invalid,
// ErrExists.
func (s *Service) AddUser(ctx context.Context, u User, password string) error {
	u, err := s.checkUser(u)
	if err != nil {
		return err
	}
	u.PasswordHash, u.Disabled, u.CreatedAt = "", false, s.now().UTC()
	if password != "" {
		if err := CheckPassword(u.Email, password); err != nil {
			return err
		}
		if u.PasswordHash, err = s.hash.make(ctx, password); err != nil {
			return fmt.Errorf("add user: %w", err)
		}
	}
	if err := s.users.CreateUser(ctx, u); err != nil {
		return fmt.Errorf("add user %s: %w", u.Email, err)
	}
	return nil
}

func (s *Service) checkUser(u User) (User, error) {
	u.Email, u.Name = normalEmail(u.Email), strings.TrimSpace(u.Name)
	if a, err := mail.ParseAddress(u.Email); err != nil || a.Address != u.Email || len(u.Email) > 254 {
		return u, &Invalid{Field: "email", Message: "write an e-mail address such as ana@example.com"}
	}
	if len(u.Name) > 200 || strings.ContainsAny(u.Name, "\r\n") {
		return u, &Invalid{Field: "name", Message: "use one line of at most 200 characters"}
	}
	if u.Role.Rank() == 0 {
		return u, &Invalid{Field: "role", Message: "choose staff, manager or owner"}
	}
	if u.Timezone != "" {
		if _, err := time.LoadLocation(u.Timezone); err != nil {
			return u, &Invalid{Field: "timezone", Message: "write a time zone such as Europe/Berlin"}
		}
	}
	return u, nil
}

// Users lists everybody, by e-mail.
func (s *Service) Users(ctx context.Context) ([]User, error) { return s.users.Users(ctx) }

// User finds one; ErrNotFound.
func (s *Service) User(ctx context.Context, email string) (User, error) {
	return s.users.User(ctx, normalEmail(email))
}

// SetPassword sets a new password and ends every session of the user.
func (s *Service) SetPassword(ctx context.Context, email, password string) error {
	u, err := s.User(ctx, email)
	if err != nil {
		return fmt.Errorf("set password of %s: %w", normalEmail(email), err)
	}
	if err := CheckPassword(u.Email, password); err != nil {
		return err
	}
	if u.PasswordHash, err = s.hash.make(ctx, password); err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	return s.updateAndRevoke(ctx, u)
}

// SetRole changes what a user may do and where (no locations = all), and ends
// every session of the user. ErrLastOwner when nobody would be left as owner.
func (s *Service) SetRole(ctx context.Context, email string, role schemas.Role, locations []string) error {
	u, err := s.User(ctx, email)
	if err != nil {
		return fmt.Errorf("change role of %s: %w", normalEmail(email), err)
	}
	was := u
	u.Role, u.Locations = role, locations
	if u, err = s.checkUser(u); err != nil {
		return err
	}
	if err := s.keepAnOwner(ctx, was, u); err != nil {
		return err
	}
	return s.updateAndRevoke(ctx, u)
}

// SetProfile changes a user's name and time zone; sessions go on.
func (s *Service) SetProfile(ctx context.Context, email, name, timezone string) error {
	u, err := s.User(ctx, email)
	if err != nil {
		return fmt.Errorf("change %s: %w", normalEmail(email), err)
	}
	u.Name, u.Timezone = name, timezone
	if u, err = s.checkUser(u); err != nil {
		return err
	}
	return s.users.UpdateUser(ctx, u)
}

// Disable locks a user out at once; what they did keeps their name.
// ErrLastOwner when nobody would be left as owner.
func (s *Service) Disable(ctx context.Context, email string) error {
	return s.setDisabled(ctx, email, true)
}

// Enable lets a disabled user sign in again.
func (s *Service) Enable(ctx context.Context, email string) error {
	return s.setDisabled(ctx, email, false)
}

func (s *Service) setDisabled(ctx context.Context, email string, disabled bool) error {
	u, err := s.User(ctx, email)
	if err != nil {
		return fmt.Errorf("user %s: %w", normalEmail(email), err)
	}
	was := u
	u.Disabled = disabled
	if err := s.keepAnOwner(ctx, was, u); err != nil {
		return err
	}
	return s.updateAndRevoke(ctx, u)
}

// keepAnOwner refuses a change that takes the last enabled owner away.
func (s *Service) keepAnOwner(ctx context.Context, was, now User) error {
	owner := func(u User) bool { return u.Role == schemas.RoleOwner && !u.Disabled }
	if !owner(was) || owner(now) {
		return nil
	}
	all, err := s.users.Users(ctx)
	if err != nil {
		return err
	}
	for _, u := range all {
		if u.Email != was.Email && owner(u) {
			return nil
		}
	}
	return ErrLastOwner
}

// updateAndRevoke stores first: a session reads its user anew with each
// request, so what is stored holds even if the second step is cut off.
func (s *Service) updateAndRevoke(ctx context.Context, u User) error {
	if err := s.users.UpdateUser(ctx, u); err != nil {
		return fmt.Errorf("change user %s: %w", u.Email, err)
	}
	if err := s.sessions.DeleteSessionsOf(ctx, u.Email); err != nil {
		return fmt.Errorf("end the sessions of %s: %w", u.Email, err)
	}
	return nil
}

// FirstOwnerLink makes the one-time link that creates the first owner. ok is
// false when there are users already. A link made earlier stops working.
func (s *Service) FirstOwnerLink(ctx context.Context) (secret string, ok bool, err error) {
	all, err := s.users.Users(ctx)
	if err != nil || len(all) > 0 {
		return "", false, err
	}
	if err := s.sessions.DeleteSessionsOf(ctx, firstOwnerKey); err != nil {
		return "", false, err
	}
	secret, err = s.newSecret(ctx, firstOwnerKey, PurposeFirstOwner, FirstOwnerFor)
	return secret, err == nil, err
}

// ClaimFirstOwner uses the link: it creates the owner and signs them in. What
// was typed is checked before the link is spent. Errors: *Invalid, ErrBadLink.
func (s *Service) ClaimFirstOwner(ctx context.Context, secret, email, name, password string) (string, error) {
	u, err := s.checkUser(User{Email: email, Name: name, Role: schemas.RoleOwner})
	if err != nil {
		return "", err
	}
	if err := CheckPassword(u.Email, password); err != nil {
		return "", err
	}
	if _, err := s.takeLink(ctx, secret, PurposeFirstOwner); err != nil {
		return "", err
	}
	all, err := s.users.Users(ctx)
	if err != nil {
		return "", err
	}
	if len(all) > 0 {
		return "", ErrBadLink
	}
	if err := s.AddUser(ctx, u, password); err != nil {
		return "", err
	}
	return s.startSession(ctx, u.Email)
}

// SetPasswordLink makes a link with which an invited user sets a password;
// earlier links and sessions of the user end. It lasts 72 hours.
func (s *Service) SetPasswordLink(ctx context.Context, email string) (string, error) {
	u, err := s.User(ctx, email)
	if err != nil {
		return "", fmt.Errorf("link for %s: %w", normalEmail(email), err)
	}
	if err := s.sessions.DeleteSessionsOf(ctx, u.Email); err != nil {
		return "", err
	}
	return s.newSecret(ctx, u.Email, PurposeSetPassword, SetPasswordIn)
}

// ClaimPassword uses a set-password link and signs the user in. Errors:
// *Invalid (the link stays good), ErrBadLink.
func (s *Service) ClaimPassword(ctx context.Context, secret, password string) (string, error) {
	l, err := s.Link(ctx, secret, PurposeSetPassword)
	if err != nil {
		return "", err
	}
	if err := CheckPassword(l.Email, password); err != nil {
		return "", err
	}
	if l, err = s.takeLink(ctx, secret, PurposeSetPassword); err != nil {
		return "", err
	}
	if err := s.SetPassword(ctx, l.Email, password); err != nil {
		return "", err
	}
	return s.StartSession(ctx, l.Email)
}

// Link looks at a one-time link without using it, to show its form; ErrBadLink.
func (s *Service) Link(ctx context.Context, secret, purpose string) (Session, error) {
	l, err := s.sessions.Session(ctx, hashSecret(secret))
	return s.checkLink(l, err, purpose)
}

func (s *Service) takeLink(ctx context.Context, secret, purpose string) (Session, error) {
	if _, err := s.Link(ctx, secret, purpose); err != nil {
		return Session{}, err // a browser session is never spent as a link
	}
	l, err := s.sessions.TakeSession(ctx, hashSecret(secret))
	return s.checkLink(l, err, purpose)
}

func (s *Service) checkLink(l Session, err error, purpose string) (Session, error) {
	if errors.Is(err, ErrNotFound) {
		return Session{}, ErrBadLink
	}
	if err != nil {
		return Session{}, fmt.Errorf("link: %w", err)
	}
	if l.Purpose == "" || l.Purpose != purpose || !s.now().Before(l.ExpiresAt) {
		return Session{}, ErrBadLink
	}
	return l, nil
}
