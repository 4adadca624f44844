package file

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"

	"redalert/ingest"
	"redalert/schemas"
)

// Form is how the rows of a file are written.
type Form string

// Every form.
const (
	FormCSV   Form = "csv"
	FormTable Form = "table" // columns set apart with blanks
	FormJSONL Form = "jsonl" // one JSON object a line
)

// Table is a file of rows under a header. Not for concurrent use.
type Table struct {
	Header []string // trimmed; of JSON the columns the mapping names
	Form   Form
	Delim  byte // of CSV and blank-set tables
	// Head is the header line as it stood; "" for JSON.
	Head  []byte
	width int
	csv   *CSV
	lines *bufio.Scanner
	line  int
	index map[string]int
}

// NewTable reads the header of r, which must be UTF-8 (see Decode). The form
// and the delimiter are found from the first line when m does not name them:
// a line that begins with { is JSON.
func NewTable(r io.Reader, m Mapping) (*Table, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	head, err := br.Peek(64 << 10)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(bytes.TrimSpace(head)) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrForm)
	}
	t := &Table{Form: m.Form}
	if t.Form == "" {
		t.Form = FormCSV
		if bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("{")) {
			t.Form = FormJSONL
		}
	}
	if t.Form == FormJSONL {
		t.startJSON(br, m)
		return t, nil
	}
	if t.Delim, err = delimiter(m, head); err != nil {
		return nil, err
	}
	t.csv = NewCSV(br, t.Delim)
	return t, t.readHeader()
}

// delimiter answers the named delimiter, else the likeliest of , ; tab and |
// in the header line, quoted text left out.
func delimiter(m Mapping, head []byte) (byte, error) {
	if m.Form == FormTable {
		return ' ', nil
	}
	switch d := m.Delimiter; {
	case d == "tab" || d == "\t":
		return '\t', nil
	case len(d) == 1 && d != "\"" && d != "\n" && d != "\r":
		return d[0], nil
	case d != "":
		return 0, fmt.Errorf("%w: delimiter %q must be one character, or tab", ErrForm, d)
	}
	var count [256]int
	quoted := false
	for _, c := range head {
		if c == '"' {
			quoted = !quoted
		}
		if c == '\n' && !quoted {
			break
		}
		if !quoted {
			count[c]++
		}
	}
	best := byte(',')
	for _, c := range []byte{';', '\t', '|'} {
		if count[c] > count[best] {
			best = c
		}
	}
	return best, nil
}

func (t *Table) readHeader() error {
	row, err := t.csv.Next()
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: it has no header line", ErrForm)
	}
	if err != nil {
		return err
	}
	if row.Broken != nil {
		return fmt.Errorf("%w: its header cannot be read: %s", ErrForm, row.Broken.Reason)
	}
	t.Head = bytes.Clone(row.Raw)
	for _, f := range row.Fields {
		t.Header = append(t.Header, strings.TrimSpace(string(f)))
	}
	t.width = len(t.Header)
	t.csv.SetWidth(t.width)
	return nil
}

// startJSON takes the mapping's columns for the header.
func (t *Table) startJSON(br *bufio.Reader, m Mapping) {
	t.Header = m.Names()
	t.index = map[string]int{}
	for i, name := range t.Header {
		t.index[name] = i
	}
	t.lines = bufio.NewScanner(br)
	t.lines.Buffer(make([]byte, 64<<10), MaxRecord)
}

// Width is the number of columns each row must have; 0 for JSON.
func (t *Table) Width() int { return t.width }

// Next answers the next row, or io.EOF. A broken row is no error.
func (t *Table) Next() (Row, error) {
	if t.csv != nil {
		return t.csv.Next()
	}
	for t.lines.Scan() {
		t.line++
		raw := bytes.TrimSpace(t.lines.Bytes())
		if len(raw) == 0 {
			continue
		}
		return t.jsonRow(raw), nil
	}
	if err := t.lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return Row{}, fmt.Errorf("%w: line %d is over 4 MiB", ErrForm, t.line+1)
	} else if err != nil {
		return Row{}, err
	}
	return Row{}, io.EOF
}

func (t *Table) jsonRow(raw []byte) Row {
	row := Row{Line: t.line, Raw: raw, Fields: make([][]byte, len(t.Header))}
	object, err := Flatten(raw)
	if err != nil {
		row.Fields = nil
		row.Broken = &ingest.Broken{Code: schemas.QUnreadable, Reason: fmt.Sprintf("line %d: %v", t.line, err)}
		return row
	}
	row.object = object
	for k, v := range object {
		if i, ok := t.index[k]; ok {
			row.Fields[i] = []byte(v)
		}
	}
	return row
}

// Parse reads raw, a row kept from an earlier read of the same table.
func (t *Table) Parse(raw []byte, line int, dst [][]byte) Row {
	if t.Form == FormJSONL {
		row := t.jsonRow(raw)
		row.Line = line
		return row
	}
	fields, why := Split(raw, t.Delim, dst)
	row := Row{Line: line, Fields: fields, Raw: raw}
	c := CSV{width: t.width}
	row.Broken = c.judge(&row, why)
	return row
}

// Object is the flat form of a JSON row, nil for others.
func (r Row) Object() map[string]string { return r.object }

// Flatten reads one JSON object; names of nested values are joined with dots,
// lists stand as their JSON, null is left out.
func Flatten(raw []byte) (map[string]string, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v map[string]any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	if dec.More() {
		return nil, errors.New("text follows the JSON object")
	}
	out := map[string]string{}
	flatten("", v, out, 0)
	return out, nil
}

func flatten(prefix string, v any, out map[string]string, depth int) {
	switch v := v.(type) {
	case map[string]any:
		if depth > 16 {
			b, _ := json.Marshal(v) // of decoded JSON, cannot fail
			out[prefix] = string(b)
			return
		}
		for k, e := range v {
			name := k
			if prefix != "" {
				name = prefix + "." + k
			}
			flatten(name, e, out, depth+1)
		}
	case []any:
		b, _ := json.Marshal(v) // of decoded JSON, cannot fail
		out[prefix] = string(b)
	case string:
		out[prefix] = v
	case nil:
	default:
		out[prefix] = fmt.Sprint(v)
	}
}

// Columns finds columns by name: exactly, else whatever the case.
func (t *Table) Columns() func(name string) (int, bool) {
	exact, folded := map[string]int{}, map[string]int{}
	for i, h := range t.Header {
		if _, taken := exact[h]; !taken {
			exact[h] = i
		}
		if _, taken := folded[strings.ToLower(h)]; !taken {
			folded[strings.ToLower(h)] = i
		}
	}
	return func(name string) (int, bool) {
		if i, ok := exact[name]; ok {
			return i, true
		}
		i, ok := folded[strings.ToLower(name)]
		return i, ok
	}
}

func sorted(m map[string]string) []string {
	var names []string
	for k := range m {
		names = append(names, k)
	}
	sort.Strings(names)
	return names
}
