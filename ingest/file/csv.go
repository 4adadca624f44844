package file

import (
	"bytes"
	"fmt"
	"io"
	"unicode/utf8"

	"redalert/ingest"
	"redalert/schemas"
)

// Limits of a row.
const (
	MaxField   = 1 << 20 // bytes of one field
	MaxRecord  = 4 << 20 // bytes of one record
	MaxColumns = 1000
	maxBadRaw  = 64 << 10 // bytes kept of a record that is too long
)

// Row is one record. Its bytes are valid until the next row is read.
type Row struct {
	Line   int      // where it begins, from 1
	Fields [][]byte // unquoted; of a broken row those before the fault
	Raw    []byte   // as it stood, in UTF-8, without the line end
	// Broken says why the row cannot be used; the rows after it can.
	Broken *ingest.Broken
	// keys name the fields of a JSON row, which has no header.
	object map[string]string
}

// CSV cuts text into records as RFC 4180 says: fields may be quoted, quoted
// ones may hold delimiters, line ends and doubled quotes. A quote inside an
// unquoted field is an ordinary character. Blank lines are passed over.
//
// After a quote that is never closed (or closes only after MaxField bytes)
// the record's first line is one broken row, and reading goes on with the line
// after it. Memory stays below twice MaxRecord. Not for concurrent use.
type CSV struct {
	r      io.Reader
	delim  byte // ' ' cuts at runs of blanks and knows no quotes
	buf    []byte
	lo, hi int
	eof    bool
	err    error
	line   int
	width  int // expected columns; 0 = any
	fields [][]byte
}

// NewCSV reads UTF-8 text. Delim ' ' means a table set with blanks.
func NewCSV(r io.Reader, delim byte) *CSV {
	return &CSV{r: r, delim: delim, buf: make([]byte, 256<<10), line: 1}
}

// SetWidth makes every later row with another number of fields a broken one;
// empty fields beyond the last column are let pass.
func (c *CSV) SetWidth(n int) { c.width = n }

// Next answers the next row, or io.EOF.
func (c *CSV) Next() (Row, error) {
	for {
		n, why, ok := c.cut()
		if !ok {
			if err := c.more(); err != nil {
				return Row{}, err
			}
			continue
		}
		raw := c.buf[c.lo : c.lo+n]
		row := Row{Line: c.line, Fields: c.fields, Raw: trimEnd(raw)}
		c.lo += n
		c.line += bytes.Count(raw, []byte{'\n'})
		if why == "" && len(row.Raw) == 0 {
			continue
		}
		row.Broken = c.judge(&row, why)
		return row, nil
	}
}

func trimEnd(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\n' {
		b = b[:n-1]
	}
	if n := len(b); n > 0 && b[n-1] == '\r' {
		b = b[:n-1]
	}
	return b
}

// judge checks a row that was cut.
func (c *CSV) judge(row *Row, why string) *ingest.Broken {
	if why != "" {
		return &ingest.Broken{Code: schemas.QUnreadable, Reason: fmt.Sprintf("line %d: %s", row.Line, why)}
	}
	if c.width > 0 && len(row.Fields) > c.width {
		extra := row.Fields[c.width:]
		if !anyFilled(extra) {
			row.Fields = row.Fields[:c.width]
		}
	}
	return CheckRow(*row, c.width)
}

func anyFilled(fields [][]byte) bool {
	for _, f := range fields {
		if len(f) > 0 {
			return true
		}
	}
	return false
}

// CheckRow holds a cut row against the limits: columns, field size, UTF-8.
func CheckRow(row Row, width int) *ingest.Broken {
	broken := func(code, format string, args ...any) *ingest.Broken {
		return &ingest.Broken{Code: code, Reason: fmt.Sprintf("line %d: ", row.Line) + fmt.Sprintf(format, args...)}
	}
	if len(row.Fields) > MaxColumns {
		return broken(schemas.QTooLarge, "it has more than %d columns", MaxColumns)
	}
	if width > 0 && len(row.Fields) != width {
		return broken(schemas.QInvalid, "it has %d columns where the header has %d; look for a missing or extra delimiter or quote", len(row.Fields), width)
	}
	if len(row.Raw) > MaxField {
		for i, f := range row.Fields {
			if len(f) > MaxField {
				return broken(schemas.QTooLarge, "field %d is over 1 MiB", i+1)
			}
		}
	}
	if !utf8.Valid(row.Raw) {
		return broken(schemas.QUnreadable, "it is not UTF-8; if the file is Latin-1, import it with a mapping that says encoding: windows-1252")
	}
	return nil
}

// more makes room and reads on; io.EOF when all has been answered.
func (c *CSV) more() error {
	if c.eof {
		if c.err != nil {
			return c.err
		}
		return io.EOF
	}
	if c.lo > 0 {
		c.hi = copy(c.buf, c.buf[c.lo:c.hi])
		c.lo = 0
	}
	if c.hi == len(c.buf) {
		c.buf = append(c.buf, make([]byte, len(c.buf))...)
	}
	n, err := io.ReadFull(c.r, c.buf[c.hi:])
	c.hi += n
	c.ended(err)
	return nil
}

// ended notes the end of the text, or what cut it off. ReadFull's own
// ErrUnexpectedEOF is an ordinary end; one from below comes wrapped.
func (c *CSV) ended(err error) {
	if err == nil {
		return
	}
	c.eof = true
	if err != io.EOF && err != io.ErrUnexpectedEOF { // compared bare on purpose
		c.err = err
	}
}

// cut finds the record at lo: its length with the line end, what is wrong with
// it, and whether it could be told from what is buffered.
func (c *CSV) cut() (n int, why string, ok bool) {
	b := c.buf[c.lo:c.hi]
	if len(b) == 0 {
		return 0, "", false
	}
	n, c.fields, why, ok = split(b, c.delim, c.eof && c.err == nil, c.fields[:0])
	if ok && why == "" {
		return n, "", true
	}
	if !ok && !c.eof && len(b) < MaxRecord {
		return 0, "", false
	}
	if !ok && c.err != nil {
		return 0, "", false
	}
	if !ok {
		why = "a quote is opened and not closed within 1 MiB, or the line is over 4 MiB"
	}
	// Set the first line aside and go on after it.
	if nl := bytes.IndexByte(b, '\n'); nl >= 0 {
		return nl + 1, why, true
	}
	if c.eof {
		return len(b), why, true
	}
	return c.skipLine(why)
}

// skipLine drops the rest of a line that has no end within MaxRecord.
func (c *CSV) skipLine(why string) (int, string, bool) {
	keep := min(maxBadRaw, c.hi-c.lo)
	c.hi = copy(c.buf, c.buf[c.lo:c.lo+keep])
	c.lo, c.fields = 0, c.fields[:0]
	tmp := make([]byte, 64<<10)
	for {
		n, err := c.r.Read(tmp)
		if i := bytes.IndexByte(tmp[:n], '\n'); i >= 0 {
			c.hi += copy(c.buf[c.hi:], tmp[i:n]) // the buffer holds MaxRecord by now
			c.ended(err)
			return keep + 1, why, true
		}
		if err != nil {
			c.ended(err)
			return keep, why, true
		}
	}
}

// Split cuts one complete record, as kept from Row.Raw, into fields appended
// to dst. Why is "" or what is wrong with it.
func Split(raw []byte, delim byte, dst [][]byte) (fields [][]byte, why string) {
	_, fields, why, ok := split(raw, delim, true, dst)
	if !ok {
		why = "a quote is opened and not closed"
	}
	return fields, why
}

// split cuts the record at the front of b. ok is false when its end is not in
// b; at the end of the text that is only so within quotes.
func split(b []byte, delim byte, eof bool, dst [][]byte) (n int, fields [][]byte, why string, ok bool) {
	nl := bytes.IndexByte(b, '\n')
	line := b
	if nl >= 0 {
		line, n = b[:nl], nl+1
	} else {
		n = len(b)
	}
	if delim == ' ' || bytes.IndexByte(line, '"') < 0 {
		if nl < 0 && !eof {
			return 0, dst, "", false
		}
		return n, splitPlain(trimEnd(line), delim, dst), "", true
	}
	return splitQuoted(b, delim, eof, dst)
}

func splitPlain(line []byte, delim byte, dst [][]byte) [][]byte {
	if delim == ' ' {
		return append(dst, bytes.Fields(line)...)
	}
	for {
		i := bytes.IndexByte(line, delim)
		if i < 0 {
			return append(dst, line)
		}
		dst = append(dst, line[:i])
		line = line[i+1:]
	}
}

func splitQuoted(b []byte, delim byte, eof bool, dst [][]byte) (n int, fields [][]byte, why string, ok bool) {
	i := 0
	for {
		var f []byte
		if i < len(b) && b[i] == '"' {
			f, n, why, ok = quoted(b, i, delim, eof)
			if !ok || why != "" {
				return 0, dst, why, ok
			}
		} else {
			n = i
			for n < len(b) && b[n] != delim && b[n] != '\n' {
				n++
			}
			if n == len(b) && !eof {
				return 0, dst, "", false
			}
			f = b[i:n]
			if n == len(b) || b[n] == '\n' {
				f = trimEnd(f)
			}
		}
		dst = append(dst, f)
		if n >= len(b) {
			return n, dst, "", true
		}
		if b[n] == delim {
			i = n + 1
			continue
		}
		if b[n] == '\r' {
			n++
		}
		return min(n+1, len(b)), dst, "", true // the line end
	}
}

// quoted reads the quoted field that begins at i; end is where its delimiter or
// line end stands.
func quoted(b []byte, i int, delim byte, eof bool) (f []byte, end int, why string, ok bool) {
	start := i + 1
	seg, p := start, start
	var joined []byte
	for {
		q := bytes.IndexByte(b[p:], '"')
		if q < 0 {
			return nil, 0, tooLong(len(b) - start), len(b)-start > MaxField
		}
		p += q
		if p-start > MaxField {
			return nil, 0, tooLong(p - start), true
		}
		if p+1 >= len(b) && !eof {
			return nil, 0, "", false
		}
		if p+1 < len(b) && b[p+1] == '"' {
			joined = append(joined, b[seg:p+1]...)
			p += 2
			seg = p
			continue
		}
		break
	}
	f = b[seg:p]
	if joined != nil {
		f = append(joined, f...)
	}
	return closed(b, f, p+1, delim, eof)
}

func tooLong(n int) string {
	if n > MaxField {
		return "a quote is opened and not closed within 1 MiB"
	}
	return ""
}

// closed checks what follows a closing quote: a delimiter or an end.
func closed(b, f []byte, end int, delim byte, eof bool) ([]byte, int, string, bool) {
	switch {
	case end >= len(b), b[end] == delim, b[end] == '\n':
		return f, end, "", true
	case b[end] == '\r' && end+1 >= len(b):
		return f, end, "", eof
	case b[end] == '\r' && b[end+1] == '\n':
		return f, end, "", true
	}
	return f, end, "text follows a closing quote; double the quotes that belong to the text", true
}
