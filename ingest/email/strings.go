package email

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// toUTF8 answers s as valid UTF-8: what is not is read as Windows-1252, the
// commonest unlabelled encoding.
func toUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	if d, err := charmap.Windows1252.NewDecoder().String(s); err == nil {
		return d
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// oneLine turns every run of white space and control characters into one space.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\u00a0' || r == '\u2028' }), " ")
}

// cut shortens s to at most n bytes on a rune boundary.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// cutJSON shortens s so that its JSON form has at most n bytes, and reports
// whether it had to.
func cutJSON(s string, n int) (string, bool) {
	size := 0
	for i, r := range s {
		switch {
		case r == '\n' || r == '\t' || r == '"' || r == '\\' || r == '\r':
			size += 2
		case r < ' ' || r == '<' || r == '>' || r == '&' || r == '\u2028' || r == '\u2029':
			size += 6
		default:
			size += utf8.RuneLen(r)
		}
		if size > n {
			return s[:i], true
		}
	}
	return s, false
}

// tidy makes text safe to keep: \n line ends, no control characters, no
// trailing blanks, never more than two empty lines in a row.
func tidy(s string) string {
	if strings.Contains(s, "\r") {
		s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	}
	var b strings.Builder
	b.Grow(len(s))
	blanks := 0
	for line := range strings.Lines(s) {
		line = strings.TrimSuffix(line, "\n")
		if !plainASCII(line) {
			line = strings.Map(printable, line)
		}
		line = strings.TrimRight(line, " ")
		if line == "" {
			if blanks++; blanks > 2 {
				continue
			}
		} else {
			blanks = 0
		}
		b.WriteString(line)
		b.WriteByte('\n')
	}
	return strings.Trim(b.String(), "\n")
}

func plainASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func printable(r rune) rune {
	switch {
	case r == '\t' || r == '\u00a0' || r == '\u202f' || r == '\u3000':
		return ' '
	case r < ' ' || (r >= 0x7f && r < 0xa0) || r == '\u200b' || r == '\u200e' || r == '\u200f' || r == '\ufeff' || r == '\u00ad':
		return -1
	}
	return r
}
