package postgres

import (
	"crypto/sha256"
	"encoding/hex"
	"reflect"
	"strings"
	"unicode/utf8"
)

// PostgreSQL's text holds no U+0000 and nothing but UTF-8; SQLite and Go hold
// both, and a mail's header may. So every text goes in and out through escape
// and restore: U+0000 is written as mark and mark, the mark itself as mark and
// U+0002, a byte that is no UTF-8 as mark and the character of its number. All
// else stays as it is, also in order; the mark hardly ever occurs in real text.
const mark = '\x01'

func plain(s string) bool {
	for i := range len(s) {
		if s[i] <= mark {
			return false
		}
	}
	return utf8.ValidString(s)
}

func escape(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 8)
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			b.WriteByte(mark)
			b.WriteRune(rune(s[0]))
		case r == 0:
			b.WriteString("\x01\x01")
		case r == mark:
			b.WriteString("\x01\x02")
		default:
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

func restore(s string) string {
	if strings.IndexByte(s, mark) < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		if s[i] != mark {
			b.WriteByte(s[i])
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i+1:])
		switch r {
		case mark:
			b.WriteByte(0)
		case 2:
			b.WriteByte(mark)
		default:
			b.WriteByte(byte(r))
		}
		i += 1 + n
	}
	return b.String()
}

// stored escapes every text among the arguments of a statement, in a copy: a
// statement that is tried again gets the arguments as they were.
func stored(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		switch v := a.(type) {
		case string:
			out[i] = escape(v)
		case *string:
			if v != nil {
				out[i] = escape(*v)
			}
		case []string:
			out[i] = escapeAll(v)
		default:
			out[i] = a
			if r := reflect.ValueOf(a); r.Kind() == reflect.String {
				out[i] = escape(r.String())
			}
		}
	}
	return out
}

// escapeAll never answers nil: a nil list would become NULL.
func escapeAll(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = escape(s)
	}
	return out
}

// texts makes a list of texts of a list of names.
func texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}

// row is a row of a result. Its Scan undoes what stored has done.
type row struct {
	r interface{ Scan(...any) error }
}

func (r row) Scan(dst ...any) error {
	if err := r.r.Scan(dst...); err != nil {
		return err
	}
	for _, d := range dst {
		switch v := d.(type) {
		case *string:
			*v = restore(*v)
		case **string:
			if *v != nil {
				s := restore(**v)
				*v = &s
			}
		case *[]string:
			for i := range *v {
				(*v)[i] = restore((*v)[i])
			}
		default:
			if e := reflect.ValueOf(d).Elem(); e.Kind() == reflect.String {
				e.SetString(restore(e.String()))
			}
		}
	}
	return nil
}

// maxIndexed is the longest text that an index takes as it is: PostgreSQL's
// limit is a third of a page, 2,704 bytes for all columns together.
const maxIndexed = 1000

// indexed is the form in which a text of any length is stored and looked for
// where an index stands on it and nobody reads it back: a long one is cut and
// told apart by its SHA-256.
func indexed(s string) string {
	if len(s) <= maxIndexed {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return strings.ToValidUTF8(s[:200], "") + " sha256:" + hex.EncodeToString(sum[:])
}

func indexedAll(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = indexed(s)
	}
	return out
}
