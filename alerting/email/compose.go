// Package email is the mail channel of alerting: it composes RFC 5322 messages
// and hands them to an SMTP server.
//
// It decides nothing about whom to tell what, and keeps no state.
package email

import (
	"bytes"
	"fmt"
	stdmail "net/mail"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"redalert/alerting"
)

// Composer writes messages from one address. It implements alerting.Composer
// and is safe for concurrent use.
type Composer struct {
	From string // "Name <address>" or a bare address; used when a Mail has none
}

// Compose writes the message: multipart/alternative when there is HTML, text
// alone otherwise, UTF-8, quoted-printable, CRLF. Every header value is folded
// to one line, so nothing a customer wrote can add a header. An address that
// is none is an error; the rest is sent as it is.
func (c Composer) Compose(m alerting.Mail) ([]byte, error) {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	from := oneLine(m.From)
	if from == "" {
		from = oneLine(c.From)
	}
	sender, err := stdmail.ParseAddress(from)
	if err != nil {
		return nil, fmt.Errorf("our own address %q cannot be read; correct smtp.from: %w", from, err)
	}
	msg.FromMailAddress(sender)
	to, err := stdmail.ParseAddress(oneLine(m.To))
	if err != nil {
		return nil, fmt.Errorf("the recipient's address cannot be read: %w", err)
	}
	if name := oneLine(m.ToName); name != "" {
		to.Name = name
	}
	msg.ToMailAddress(to)
	setHeaders(msg, m)
	msg.SetBodyString(gomail.TypeTextPlain, crlf(m.Text))
	if m.HTML != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, crlf(m.HTML))
	}
	var b bytes.Buffer
	if _, err := msg.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("write the message: %w", err)
	}
	return b.Bytes(), nil
}

func setHeaders(msg *gomail.Msg, m alerting.Mail) {
	msg.Subject(oneLine(m.Subject))
	date := m.Date
	if date.IsZero() {
		date = time.Now()
	}
	msg.SetDateWithValue(date)
	if id := strings.Trim(oneLine(m.MessageID), "<>"); id != "" {
		msg.SetMessageIDWithValue(id) // preformatted, a second one would be added
	}
	if id := oneLine(m.InReplyTo); id != "" {
		msg.SetGenHeader(gomail.HeaderInReplyTo, id)
	}
	if len(m.References) > 0 {
		msg.SetGenHeaderPreformatted(gomail.HeaderReferences, foldIDs(m.References))
	}
	if m.Auto {
		msg.SetGenHeader("Auto-Submitted", "auto-generated")
		msg.SetGenHeader("X-Auto-Response-Suppress", "All")
	}
	for k, v := range m.Headers {
		if k = headerName(k); k != "" {
			msg.SetGenHeader(gomail.Header(k), oneLine(v))
		}
	}
}

// foldIDs writes Message-IDs one a line, as RFC 5322 folds them.
func foldIDs(ids []string) string {
	clean := make([]string, 0, len(ids))
	for _, id := range ids {
		if id = oneLine(id); id != "" {
			clean = append(clean, id)
		}
	}
	return strings.Join(clean, "\r\n ")
}

// oneLine folds white space, CR and LF included, to single spaces and drops
// other control characters.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
}

// headerName keeps the characters a header's name may hold.
func headerName(s string) string {
	return strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f && r != ':' {
			return r
		}
		return -1
	}, s)
}

func crlf(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}
