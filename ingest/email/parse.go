package email

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // more than UTF-8
	"github.com/emersion/go-message/mail"
	"github.com/emersion/go-message/textproto"

	"redalert/ingest"
	"redalert/schemas"
)

// Address is one mailbox of a person: Email in lower case, Name may be "".
type Address struct{ Name, Email string }

// Mail is one message as far as Redalert needs it.
type Mail struct {
	MessageID   string   // with angle brackets; "" = none
	InReplyTo   string   // first id, with angle brackets
	References  []string // References, then In-Reply-To, oldest first, bounded
	Subject     string   // decoded, one line
	From        Address
	ReplyTo     Address
	To          []Address // To, then Cc, bounded
	Date        time.Time // zero when missing or unreadable
	Text        string    // whole text, quotes included, valid UTF-8, lines end in \n
	Attachments []string  // names of the first attachments, "" for unnamed ones
	Attached    int       // how many attachments there are
	Flags       []string
	BodySHA256  string // of the body with \n line ends, hex

	Header message.Header // the top-level header, for Classify
}

// Parse reads one message. It is lenient: broken headers, encodings and
// boundaries cost no more than themselves and are flagged. It fails, with an
// *ingest.Broken, only for mail that is too large or nested or divided beyond
// the caps; the Mail is filled as far as its headers go even then. Time and
// memory are linear in len(raw).
func Parse(raw []byte) (Mail, error) {
	header, body := splitHeader(raw)
	m := readHeader(header)
	if len(raw) > MaxMailBytes {
		return m, tooLarge(int64(len(raw)))
	}
	m.BodySHA256 = bodyHash(body)
	w := walker{mail: &m, left: MaxTextBytes}
	text, err := w.root(m.Header, body)
	if err != nil {
		return m, err
	}
	m.Text = text.text
	if text.html {
		m.flag(FlagHTML)
	}
	return m, nil
}

func tooLarge(size int64) *ingest.Broken {
	return &ingest.Broken{Code: schemas.QTooLarge, Reason: fmt.Sprintf(
		"the mail has %d MiB, the limit is %d MiB: only its headers were read and its bytes were not kept; answer it in your mail program",
		size>>20, MaxMailBytes>>20)}
}

func (m *Mail) flag(f string) {
	if !slices.Contains(m.Flags, f) {
		m.Flags = append(m.Flags, f)
	}
}

// splitHeader cuts raw at the first empty line, at MaxHeaderBytes at the
// latest for the header's part.
func splitHeader(raw []byte) (header, body []byte) {
	for i := 0; i < len(raw); {
		n := bytes.IndexByte(raw[i:], '\n')
		if n < 0 {
			return capped(raw), nil
		}
		if line := bytes.TrimRight(raw[i:i+n], "\r"); len(line) == 0 {
			return capped(raw[:i]), raw[i+n+1:]
		}
		i += n + 1
	}
	return capped(raw), nil
}

func capped(h []byte) []byte { return h[:min(len(h), MaxHeaderBytes)] }

// cleanHeader keeps the lines that are fields or their continuations, so that
// an mbox "From " line or a stray one costs nothing but itself.
func cleanHeader(h []byte) []byte {
	out := make([]byte, 0, len(h)+4)
	kept := false
	for line := range bytes.Lines(h) {
		line = bytes.TrimRight(line, "\r\n")
		switch {
		case len(line) == 0:
			continue
		case line[0] == ' ' || line[0] == '\t':
			if !kept {
				continue
			}
		default:
			kept = isField(line)
			if !kept {
				continue
			}
		}
		out = append(out, line...)
		out = append(out, "\r\n"...)
	}
	return append(out, "\r\n"...)
}

func isField(line []byte) bool {
	colon := bytes.IndexByte(line, ':')
	if colon < 1 {
		return false
	}
	for _, c := range bytes.TrimRight(line[:colon], " \t") {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

func readHeader(raw []byte) Mail {
	th, err := textproto.ReadHeader(bufio.NewReader(bytes.NewReader(cleanHeader(raw))))
	m := Mail{Header: message.Header{Header: th}}
	if err != nil {
		m.flag(FlagMalformed)
	}
	h := mail.Header{Header: m.Header}
	m.MessageID = firstID(h.Get("Message-Id"))
	m.InReplyTo = firstID(h.Get("In-Reply-To"))
	m.References = references(h.Get("References"), h.Get("In-Reply-To"), m.MessageID)
	m.Subject = cut(oneLine(decoded(h.Header, "Subject")), maxSubject)
	m.From = first(addresses(h, "From", 1))
	m.ReplyTo = first(addresses(h, "Reply-To", 1))
	m.To = append(addresses(h, "To", 20), addresses(h, "Cc", 20)...)
	if t, err := h.Date(); err == nil && !t.IsZero() {
		m.Date = t.UTC()
	}
	return m
}

func decoded(h message.Header, key string) string {
	s, err := h.Text(key)
	if err != nil {
		s = h.Get(key)
	}
	return toUTF8(s)
}

// firstID answers the first "<…>" of a field, else its first word in brackets:
// some programs leave them out. Whitespace within, from folding, is dropped.
func firstID(field string) string {
	if ids := messageIDs(field); len(ids) > 0 {
		return ids[0]
	}
	if f := strings.Fields(field); len(f) > 0 && strings.Contains(f[0], "@") {
		return "<" + cut(strings.Trim(toUTF8(f[0]), "<>"), 900) + ">"
	}
	return ""
}

func messageIDs(field string) []string {
	var ids []string
	for len(ids) < 1000 {
		i := strings.IndexByte(field, '<')
		if i < 0 {
			break
		}
		field = field[i+1:]
		j := strings.IndexByte(field, '>')
		if j < 0 {
			break
		}
		id := strings.Join(strings.Fields(toUTF8(field[:j])), "")
		field = field[j+1:]
		if id != "" && len(id) <= 900 {
			ids = append(ids, "<"+id+">")
		}
	}
	return ids
}

// references joins References and In-Reply-To, oldest first, without the
// mail's own id; of long chains the oldest and the latest count.
func references(refs, inReplyTo, own string) []string {
	var out []string
	seen := map[string]bool{own: true}
	for _, id := range append(messageIDs(refs), messageIDs(inReplyTo)...) {
		if !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	if len(out) > 100 {
		out = slices.Concat(out[:1], out[len(out)-99:])
	}
	return out
}

func addresses(h mail.Header, key string, limit int) []Address {
	field := h.Get(key)
	if field == "" {
		return nil
	}
	if len(field) > 16<<10 {
		field = field[:16<<10]
	}
	var out []Address
	if list, err := h.AddressList(key); err == nil && len(h.Get(key)) == len(field) {
		for _, a := range list {
			if len(out) < limit && validAddress(a.Address) {
				out = append(out, Address{Name: cut(oneLine(toUTF8(a.Name)), maxNameBytes), Email: strings.ToLower(a.Address)})
			}
		}
		return out
	}
	if a, ok := looseAddress(field); ok {
		out = append(out, a)
	}
	return out
}

// looseAddress finds what looks like an address in a field that does not
// parse, such as `Doe, Jane <jane@example.com>`.
func looseAddress(field string) (Address, bool) {
	for _, w := range strings.FieldsFunc(field, func(r rune) bool { return strings.ContainsRune(" \t<>,;\"()[]'", r) }) {
		w = strings.ToLower(strings.TrimPrefix(w, "mailto:"))
		if validAddress(w) {
			name, _, _ := strings.Cut(field, "<")
			if strings.Contains(name, "@") {
				name = ""
			}
			return Address{Name: cut(oneLine(strings.Trim(toUTF8(name), " \t\"'")), maxNameBytes), Email: w}, true
		}
	}
	return Address{}, false
}

func validAddress(a string) bool {
	local, domain, ok := strings.Cut(a, "@")
	return ok && local != "" && domain != "" && len(a) <= 320 && !strings.ContainsAny(a, " \t\r\n<>") && !strings.Contains(domain, "@")
}

func first(as []Address) Address {
	if len(as) == 0 {
		return Address{}
	}
	return as[0]
}

// bodyHash is the SHA-256 of the body with \n line ends and without trailing
// empty lines, so that a mail is the same from IMAP, mbox and Maildir.
func bodyHash(body []byte) string {
	h := sha256.New()
	body = bytes.TrimRight(body, "\r\n")
	for len(body) > 0 {
		i := bytes.Index(body, []byte("\r\n"))
		if i < 0 {
			h.Write(body)
			break
		}
		h.Write(body[:i])
		h.Write([]byte{'\n'})
		body = body[i+2:]
	}
	return hex.EncodeToString(h.Sum(nil))
}
