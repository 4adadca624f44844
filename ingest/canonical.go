package ingest

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"sync"

	"github.com/gowebpki/jcs"
)

// writer writes trees as JSON. canonical is RFC 8785 to the byte; otherwise
// numbers stay as sent, so that a long number in metadata keeps its digits.
type writer struct {
	b         []byte
	canonical bool
}

func (w *writer) node(n node) {
	switch n.kind {
	case nullNode:
		w.b = append(w.b, "null"...)
	case boolNode:
		w.b = append(w.b, n.text...)
	case numberNode:
		w.number(n.text)
	case stringNode:
		w.str(n.text)
	case arrayNode:
		w.b = append(w.b, '[')
		for i := range n.kids {
			if i > 0 {
				w.b = append(w.b, ',')
			}
			w.node(n.kids[i].node)
		}
		w.b = append(w.b, ']')
	case objectNode:
		w.b = append(w.b, '{')
		for i := range n.kids {
			if i > 0 {
				w.b = append(w.b, ',')
			}
			w.str(n.kids[i].key)
			w.b = append(w.b, ':')
			w.node(n.kids[i].node)
		}
		w.b = append(w.b, '}')
	}
}

func (w *writer) number(text string) {
	if !w.canonical || plainInteger(text) {
		w.b = append(w.b, text...)
		return
	}
	f, _ := strconv.ParseFloat(text, 64) // the parser has refused what does not fit
	s, err := jcs.NumberToJSON(f)
	if err != nil {
		s = text
	}
	w.b = append(w.b, s...)
}

// plainInteger reports whether the literal is its own canonical form: an
// integer of at most 15 digits, which every float64 holds exactly.
func plainInteger(s string) bool {
	d := s
	if d[0] == '-' {
		d = d[1:]
		if d == "0" {
			return false
		}
	}
	if len(d) > 15 {
		return false
	}
	for i := range len(d) {
		if d[i]-'0' > 9 {
			return false
		}
	}
	return true
}

const hexDigits = "0123456789abcdef"

func (w *writer) str(s string) {
	w.b = append(w.b, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		w.b = append(w.b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			w.b = append(w.b, '\\', c)
		case '\b':
			w.b = append(w.b, `\b`...)
		case '\f':
			w.b = append(w.b, `\f`...)
		case '\n':
			w.b = append(w.b, `\n`...)
		case '\r':
			w.b = append(w.b, `\r`...)
		case '\t':
			w.b = append(w.b, `\t`...)
		default:
			w.b = append(w.b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	w.b = append(append(w.b, s[from:]...), '"')
}

var hashBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

// openCasesKey is what an import puts into data to say how it wants old events
// handled. That is no part of what happened: the same file imported again with
// the other choice is known already.
const openCasesKey = "open_cases"

// contentHash is the hex SHA-256 of the RFC 8785 form of n without its
// openCasesKey. n is not changed.
func contentHash(n node) string {
	if n.get(openCasesKey) != nil {
		kids := make([]member, 0, len(n.kids))
		for _, m := range n.kids {
			if m.key != openCasesKey {
				kids = append(kids, m)
			}
		}
		n.kids = kids
	}
	buf := hashBuffers.Get().(*[]byte)
	w := writer{b: (*buf)[:0], canonical: true}
	w.node(n)
	sum := sha256.Sum256(w.b)
	*buf = w.b
	hashBuffers.Put(buf)
	return hex.EncodeToString(sum[:])
}
