package ingest

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

func (p *parser) number() (node, error) {
	start := p.i
	p.skip('-')
	if !p.skip('0') && p.digits() == 0 {
		p.i = start
		return node{}, errSyntax
	}
	if p.skip('.') && p.digits() == 0 {
		return node{}, errSyntax
	}
	if p.skip('e') || p.skip('E') {
		if !p.skip('+') {
			p.skip('-')
		}
		if p.digits() == 0 {
			return node{}, errSyntax
		}
	}
	text := p.s[start:p.i]
	if len(text) > 15 || strings.ContainsAny(text, "eE") {
		if _, err := strconv.ParseFloat(text, 64); err != nil {
			return node{}, errNumber
		}
	}
	return node{kind: numberNode, text: text}, nil
}

func (p *parser) skip(c byte) bool {
	if p.i < len(p.s) && p.s[p.i] == c {
		p.i++
		return true
	}
	return false
}

func (p *parser) digits() (n int) {
	for p.i < len(p.s) && p.s[p.i]-'0' <= 9 {
		p.i++
		n++
	}
	return n
}

// str reads a string; p.i stands on its opening quote.
func (p *parser) str() (string, error) {
	p.i++
	start, ascii := p.i, true
	for ; p.i < len(p.s); p.i++ {
		switch c := p.s[p.i]; {
		case c == '"':
			s := p.s[start:p.i]
			if !ascii && !utf8.ValidString(s) {
				return "", errUTF8
			}
			p.i++
			return s, nil
		case c == '\\':
			return p.escaped(start)
		case c < ' ':
			return "", errSyntax
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return "", errSyntax
}

func (p *parser) escaped(start int) (string, error) {
	b := make([]byte, 0, 64)
	b = append(b, p.s[start:p.i]...)
	for p.i < len(p.s) {
		c := p.s[p.i]
		p.i++
		switch {
		case c == '"':
			if !utf8.Valid(b) {
				return "", errUTF8
			}
			return string(b), nil
		case c < ' ':
			return "", errSyntax
		case c != '\\':
			b = append(b, c)
			continue
		}
		var err error
		if b, err = p.escape(b); err != nil {
			return "", err
		}
	}
	return "", errSyntax
}

const escapeNames, escapeBytes = `"\/bfnrt`, "\"\\/\b\f\n\r\t"

// escape appends what one escape stands for; p.i stands behind its backslash.
func (p *parser) escape(b []byte) ([]byte, error) {
	if p.i >= len(p.s) {
		return nil, errSyntax
	}
	c := p.s[p.i]
	p.i++
	if at := strings.IndexByte(escapeNames, c); at >= 0 {
		return append(b, escapeBytes[at]), nil
	}
	if c != 'u' {
		return nil, errSyntax
	}
	r, err := p.hex4()
	if err != nil {
		return nil, err
	}
	if utf16.IsSurrogate(r) {
		if !strings.HasPrefix(p.s[p.i:], `\u`) {
			return nil, errHalf
		}
		p.i += 2
		low, err := p.hex4()
		if err != nil {
			return nil, err
		}
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			return nil, errHalf
		}
	}
	return utf8.AppendRune(b, r), nil
}

func (p *parser) hex4() (rune, error) {
	if p.i+4 > len(p.s) {
		return 0, errSyntax
	}
	var r rune
	for _, c := range []byte(p.s[p.i : p.i+4]) {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c|0x20-'a' < 6:
			c = c | 0x20 - 'a' + 10
		default:
			return 0, errSyntax
		}
		r = r<<4 | rune(c)
	}
	p.i += 4
	return r, nil
}
