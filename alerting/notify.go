package alerting

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"strconv"
	"strings"

	"redalert/schemas"
)

// NotifyCallDue reminds whoever minds a case that the next call is due.
const NotifyCallDue schemas.NotificationKind = "call_due"

// Headers of our mail: the collectors know it by them when it comes back.
const (
	HeaderNotification = "X-Redalert-Notification"
	HeaderCase         = "X-Redalert-Case"
)

// NotificationID derives a notification's id from its key alone.
func NotificationID(k schemas.NotificationKey) string {
	return derive("notification", k.CaseID, strconv.Itoa(k.Episode), string(k.Kind), k.Cause, strings.ToLower(k.Recipient), k.Channel)
}

// MessageID derives the Message-ID of a notification from its key alone, so
// that a repeat is recognised as the same mail. domain is that of our address.
func MessageID(k schemas.NotificationKey, domain string) string {
	sum := sha256.Sum256([]byte(NotificationID(k)))
	return "<" + hex.EncodeToString(sum[:16]) + ".redalert@" + domain + ">"
}

// mailDomain is the right-hand side of Message-IDs: the domain of our address,
// else the host of the public URL, else localhost.
func mailDomain(from, publicURL string) string {
	if a, err := mail.ParseAddress(from); err == nil {
		if i := strings.LastIndexByte(a.Address, '@'); i >= 0 {
			return strings.ToLower(a.Address[i+1:])
		}
	}
	if u, err := url.Parse(publicURL); err == nil && u.Hostname() != "" && !strings.Contains(u.Hostname(), ":") {
		return strings.ToLower(u.Hostname())
	}
	return "localhost"
}

func (p Person) actor() schemas.Actor {
	return schemas.Actor{Email: p.Email, Role: p.Role, Locations: p.Locations}
}

// manages reports whether the person is told of what happens at a location.
func (p Person) manages(location string) bool {
	return p.actor().AtLeast(schemas.RoleManager) && p.actor().Sees(location)
}

// render turns the edit's mail requests into notifications with their bodies.
// A mail that cannot be composed is left out and logged, so that it never
// keeps a case from being filed; a reply to a customer is *Invalid instead.
func (d *Desk) render(ctx context.Context, e *edit) ([]schemas.Notification, error) {
	if len(e.mails) == 0 {
		return nil, nil
	}
	staff, err := d.cfg.People.Staff(ctx)
	if err != nil {
		return nil, fmt.Errorf("list staff to notify: %w", err)
	}
	customer, err := d.customer(ctx, e.c.CustomerID)
	if err != nil {
		return nil, err
	}
	var out []schemas.Notification
	for _, r := range e.mails {
		if r.to.customer {
			n, err := d.renderReply(e, r, customer)
			if err != nil {
				return nil, err
			}
			out = append(out, n)
			continue
		}
		for _, p := range staff {
			if !(r.to.managers && p.manages(e.c.Location)) && !(r.to.person != "" && strings.EqualFold(p.Email, r.to.person)) {
				continue
			}
			n, err := d.renderStaff(e, r, customer, p, staff)
			if err != nil {
				d.cfg.Log.Warn("a mail cannot be composed and is left out; check the address under Settings", "kind", r.kind, "case", e.c.ID, "err", err)
				continue
			}
			out = append(out, n)
		}
	}
	return out, nil
}

// customer looks a customer up; an unknown one is the zero Customer.
func (d *Desk) customer(ctx context.Context, id string) (schemas.Customer, error) {
	if id == "" {
		return schemas.Customer{}, nil
	}
	c, err := d.cfg.Identities.Customer(ctx, id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return c, fmt.Errorf("look up customer %s: %w", id, err)
	}
	return c, nil
}

func (d *Desk) notification(e *edit, r mailRequest, recipient string) schemas.Notification {
	k := schemas.NotificationKey{CaseID: e.c.ID, Episode: e.c.Episode, Kind: r.kind, Cause: r.cause, Recipient: recipient, Channel: schemas.ChannelEmail}
	return schemas.Notification{ID: NotificationID(k), Key: k, MessageID: MessageID(k, d.domain), State: schemas.NotificationQueued,
		At: e.now, NotBefore: e.now, EventID: r.eventID}
}

func (d *Desk) renderStaff(e *edit, r mailRequest, customer schemas.Customer, p Person, staff []Person) (schemas.Notification, error) {
	n := d.notification(e, r, p.Email)
	m, err := d.staffMail(e, r, customer, p, staff)
	if err != nil {
		return n, err
	}
	m.From, m.To, m.ToName, m.MessageID, m.Date, m.Auto = d.cfg.From, p.Email, p.Name, n.MessageID, e.now, true
	m.Headers = map[string]string{HeaderNotification: n.ID}
	n.Body, err = d.cfg.Composer.Compose(m)
	return n, err
}

func (d *Desk) renderReply(e *edit, r mailRequest, customer schemas.Customer) (schemas.Notification, error) {
	n := d.notification(e, r, customer.Email)
	n.ToCustomer = true
	t := lastThread(e.past)
	m := Mail{From: d.cfg.From, To: customer.Email, ToName: customer.Name, Subject: r.draft.Subject, Text: r.draft.Text + "\n",
		MessageID: n.MessageID, InReplyTo: t.messageID, References: t.references(), Date: e.now,
		Headers: map[string]string{HeaderNotification: n.ID, HeaderCase: e.c.ID}}
	var err error
	if n.Body, err = d.cfg.Composer.Compose(m); err != nil {
		return n, &Invalid{"customer", "This customer's e-mail address cannot be written to. Call them instead."}
	}
	for i := range e.audit {
		if detailString(e.audit[i], "reply_id") == r.cause {
			withDetail(&e.audit[i], map[string]any{"message_id": n.MessageID, "notification_id": n.ID})
		}
	}
	return n, nil
}
