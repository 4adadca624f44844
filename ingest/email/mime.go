package email

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message"
	"github.com/emersion/go-message/charset"
	"github.com/emersion/go-message/textproto"

	"redalert/ingest"
	"redalert/schemas"
)

// walker reads the parts of one mail. Attachments are counted, not decoded, so
// that a photo costs no memory beyond the mail itself.
type walker struct {
	mail  *Mail
	left  int // decoded bytes still allowed
	parts int
}

// readable is the text of a part; html says it was taken from HTML.
type readable struct {
	text string
	html bool
}

func (t readable) empty() bool { return strings.TrimSpace(t.text) == "" }

func (w *walker) root(h message.Header, body []byte) (readable, error) {
	t, err := w.part(h, bytes.NewReader(body), 0)
	if err != nil {
		return readable{}, err
	}
	kind, params, _ := h.ContentType()
	if strings.HasPrefix(kind, "multipart/") && w.parts <= 1 && t.empty() {
		// No boundary line was found: the header lies, the text is still there.
		w.mail.flag(FlagMalformed)
		delete(params, "boundary")
		return readable{text: w.decode(body, "", params)}, nil
	}
	return t, nil
}

func (w *walker) part(h message.Header, body io.Reader, depth int) (readable, error) {
	if w.parts++; w.parts > MaxParts {
		return readable{}, &ingest.Broken{Code: schemas.QStructure, Reason: fmt.Sprintf(
			"the mail has more than %d parts; it looks like an attack or a broken program: read it in your mail program", MaxParts)}
	}
	kind, params, err := h.ContentType()
	if err != nil && kind == "" {
		kind = "text/plain"
	}
	kind = strings.ToLower(kind)
	if strings.HasPrefix(kind, "multipart/") && params["boundary"] != "" {
		if depth >= MaxDepth {
			return readable{}, &ingest.Broken{Code: schemas.QStructure, Reason: fmt.Sprintf(
				"the mail is nested more than %d levels deep; it looks like an attack or a broken program: read it in your mail program", MaxDepth)}
		}
		return w.multipart(kind, params["boundary"], body, depth)
	}
	disposition, dparams, _ := h.ContentDisposition()
	name := dparams["filename"]
	if name == "" {
		name = params["name"]
	}
	text := kind == "text/plain" || kind == "text/html" || kind == "text" || strings.HasPrefix(kind, "multipart/") ||
		kind == "text/enriched" || kind == "text/markdown"
	if strings.EqualFold(disposition, "attachment") || !text || (name != "" && w.parts > 1) {
		w.attach(kind, name)
		return readable{}, nil
	}
	raw, err := io.ReadAll(io.LimitReader(body, MaxMailBytes))
	if err != nil {
		w.broken(err)
	}
	s := w.decode(raw, h.Get("Content-Transfer-Encoding"), params)
	if kind == "text/html" {
		return readable{text: HTMLText(s), html: true}, nil
	}
	return readable{text: s}, nil
}

func (w *walker) attach(kind, name string) {
	switch kind {
	case "application/pgp-encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime":
		w.mail.flag(FlagEncrypted)
	case "application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature":
		return
	}
	if w.mail.Attached++; len(w.mail.Attachments) < maxAttachments {
		w.mail.Attachments = append(w.mail.Attachments, cut(oneLine(toUTF8(name)), maxNameBytes))
	}
}

func (w *walker) broken(err error) {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		w.mail.flag(FlagMissingBoundary)
		return
	}
	w.mail.flag(FlagMalformed)
}

func (w *walker) multipart(kind, boundary string, body io.Reader, depth int) (readable, error) {
	var found []readable
	mr := textproto.NewMultipartReader(body, boundary)
	for {
		p, err := mr.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if !strings.HasSuffix(err.Error(), "EOF") {
				w.broken(err)
			} else {
				w.mail.flag(FlagMissingBoundary)
			}
			break
		}
		t, err := w.part(message.Header{Header: p.Header}, p, depth+1)
		if err != nil {
			return readable{}, err
		}
		if !t.empty() {
			found = append(found, t)
		}
	}
	if kind == "multipart/alternative" {
		return choose(found), nil
	}
	return join(found), nil
}

// choose takes the plain text of alternatives, unless it only says that the
// mail is to be read as HTML.
func choose(ts []readable) readable {
	var plain, html readable
	for _, t := range ts {
		if t.html && html.empty() {
			html = t
		} else if !t.html && plain.empty() {
			plain = t
		}
	}
	stub := len(plain.text) < 300 && strings.Contains(strings.ToLower(plain.text), "html") && len(html.text) > len(plain.text)
	if plain.empty() || (stub && !html.empty()) {
		return html
	}
	return plain
}

func join(ts []readable) readable {
	var out readable
	for i, t := range ts {
		if i > 0 {
			out.text += "\n\n"
		}
		out.text += t.text
		out.html = out.html || t.html
	}
	return out
}

// decode undoes the transfer encoding and the charset of a text part, as far
// as the budget of decoded bytes goes.
func (w *walker) decode(raw []byte, encoding string, params map[string]string) string {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "7bit", "8bit", "binary":
	case "quoted-printable":
		raw = decodeQP(raw)
	case "base64":
		var ok bool
		if raw, ok = decodeBase64(raw); !ok {
			w.mail.flag(FlagMalformed)
		}
	default:
		w.mail.flag(FlagUnknownEncoding)
	}
	if len(raw) > w.left {
		raw = raw[:w.left]
		w.mail.flag(FlagTruncated)
	}
	w.left -= len(raw)
	return tidy(w.charset(raw, strings.ToLower(strings.TrimSpace(params["charset"]))))
}

func (w *walker) charset(raw []byte, name string) string {
	switch name {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
		if utf8.Valid(raw) {
			return string(raw)
		}
		// A cut at the budget may have split one character.
		if cutAt := trimPartial(raw); utf8.Valid(cutAt) {
			return string(cutAt)
		}
		if name != "" {
			w.mail.flag(FlagUnknownCharset)
		}
		return toUTF8(string(raw))
	}
	r, err := charset.Reader(name, bytes.NewReader(raw))
	if err != nil {
		w.mail.flag(FlagUnknownCharset)
		return toUTF8(string(raw))
	}
	out, err := io.ReadAll(io.LimitReader(r, MaxTextBytes))
	if err != nil {
		w.mail.flag(FlagUnknownCharset)
		return toUTF8(string(raw))
	}
	return toUTF8(string(out))
}

func trimPartial(b []byte) []byte {
	for i := 1; i <= 3 && i <= len(b); i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-i:]) {
				return b[:len(b)-i]
			}
			break
		}
	}
	return b
}

// decodeQP undoes quoted-printable (RFC 2045 §6.7) without ever failing: what
// is not an escape stays as it stands.
func decodeQP(in []byte) []byte {
	out := make([]byte, 0, len(in))
	for line := range bytes.Lines(in) {
		end := []byte(nil)
		if bytes.HasSuffix(line, []byte("\n")) {
			end = []byte("\n")
		}
		line = bytes.TrimRight(line, " \t\r\n")
		if bytes.HasSuffix(line, []byte("=")) {
			line, end = line[:len(line)-1], nil
		}
		for i := 0; i < len(line); i++ {
			if line[i] == '=' && i+2 < len(line) {
				hi, ok1 := hexDigit(line[i+1])
				lo, ok2 := hexDigit(line[i+2])
				if ok1 && ok2 {
					out = append(out, hi<<4|lo)
					i += 2
					continue
				}
			}
			out = append(out, line[i])
		}
		out = append(out, end...)
	}
	return out
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}

// decodeBase64 undoes base64, ignoring what does not belong to it; ok is false
// when the text ends in the middle of a group or goes on after its padding.
func decodeBase64(in []byte) (out []byte, ok bool) {
	clean := make([]byte, 0, len(in))
	ok = true
	for _, c := range in {
		switch {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '+', c == '/':
			clean = append(clean, c)
		}
	}
	if len(clean)%4 == 1 {
		clean, ok = clean[:len(clean)-1], false
	}
	out = make([]byte, base64.RawStdEncoding.DecodedLen(len(clean)))
	n, err := base64.RawStdEncoding.Decode(out, clean)
	return out[:n], ok && err == nil
}
