package file

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func readAll(t testing.TB, text string, delim byte, width int) (rows [][]string, lines []int, broken int) {
	t.Helper()
	c := NewCSV(iotest.OneByteReader(strings.NewReader(text)), delim)
	c.SetWidth(width)
	for {
		row, err := c.Next()
		if errors.Is(err, io.EOF) {
			return rows, lines, broken
		}
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		lines = append(lines, row.Line)
		if row.Broken != nil {
			broken++
			continue
		}
		var fields []string
		for _, f := range row.Fields {
			fields = append(fields, string(f))
		}
		rows = append(rows, fields)
	}
}

func TestCSV(t *testing.T) {
	for _, c := range []struct {
		text   string
		delim  byte
		want   string // rows joined with /, fields with |
		lines  string
		broken int
	}{
		{"a,b\n1,2\n", ',', "a|b/1|2", "1 2", 0},
		{"a,b\r\n1,2", ',', "a|b/1|2", "1 2", 0},
		{"a,\n,b\n", ',', "a|/|b", "1 2", 0},
		{"\n\na,b\n\n1,2\n", ',', "a|b/1|2", "3 5", 0},
		{"\"a\",\"b\nc\"\n1,2\n", ',', "a|b\nc/1|2", "1 3", 0},
		{"\"say \"\"hi\"\"\",\"\"\n", ',', `say "hi"|`, "1", 0},
		{"\"\"\"\"\n", ',', `"`, "1", 0},
		{"a\"b,5\" pipe\n", ',', `a"b|5" pipe`, "1", 0},
		{"\"a\"b,c\n1,2\n", ',', "1|2", "1 2", 1},
		{"1,\"a\n2,b\n3,c\n", ',', "2|b/3|c", "1 2 3", 1},
		{"x,\"a\"\r\n", ',', "x|a", "1", 0},
		{"x,\"a\"\r", ',', "x|a", "1", 0},
		{"a;b\n\"1;2\";3\n", ';', "a|b/1;2|3", "1 2", 0},
		{"  a  b c\n 1 2   3\r\n", ' ', "a|b|c/1|2|3", "1 2", 0},
		{"", ',', "", "", 0},
	} {
		rows, lines, broken := readAll(t, c.text, c.delim, 0)
		var joined, at []string
		for _, r := range rows {
			joined = append(joined, strings.Join(r, "|"))
		}
		for _, n := range lines {
			at = append(at, string(rune('0'+n)))
		}
		if got := strings.Join(joined, "/"); got != c.want || strings.Join(at, " ") != c.lines || broken != c.broken {
			t.Errorf("%q: %q at %v, %d broken; want %q at %s, %d", c.text, got, at, broken, c.want, c.lines, c.broken)
		}
	}
}

func TestCSVWidth(t *testing.T) {
	rows, _, broken := readAll(t, "1,2\n1\n1,2,3\n1,2,,\n", ',', 2)
	if len(rows) != 2 || broken != 2 {
		t.Errorf("%q, %d broken: empty fields at the end alone may be too many", rows, broken)
	}
}

func TestReadErrorIsAnError(t *testing.T) {
	c := NewCSV(io.MultiReader(strings.NewReader("a,b\n1,"), iotest.ErrReader(errors.New("cable pulled"))), ',')
	if row, err := c.Next(); err != nil || string(row.Raw) != "a,b" {
		t.Fatalf("%q %v", row.Raw, err)
	}
	if row, err := c.Next(); err == nil || err.Error() != "cable pulled" {
		t.Errorf("%q %v: half a row was taken for a row", row.Raw, err)
	}
}

// What the standard library reads without complaint reads the same here, and
// nothing makes the reader panic, stall or lose a line's number.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{"a,b\n\"c\nd\",e\n", "\"\"\"\",\n", "a\"b\n", "1,\"a\n2,b\n", "\r\n\r", "\"a\"\r\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rows, lines, broken := readAll(t, text, ',', 0)
		for i := 1; i < len(lines); i++ {
			if lines[i] <= lines[i-1] {
				t.Fatalf("lines %v", lines)
			}
		}
		r := csv.NewReader(strings.NewReader(text))
		r.FieldsPerRecord = -1
		want, err := r.ReadAll()
		if err != nil || broken > 0 || strings.Contains(text, "\r") {
			return
		}
		if len(want) != len(rows) {
			t.Fatalf("%q: %q, want %q", text, rows, want)
		}
		for i := range want {
			if strings.Join(want[i], "\x01") != strings.Join(rows[i], "\x01") {
				t.Fatalf("%q: %q, want %q", text, rows[i], want[i])
			}
		}
	})
}

// No byte of a mailbox gets lost: the mails, their From lines and the blank
// lines between them make up the file, save for one > of quoted From lines.
func FuzzMbox(f *testing.F) {
	f.Add([]byte("From a@b Mon Jan  5 10:00:00 2026\nSubject: x\n\n>From me\n\nFrom c Mon Jan  5 10:00:00 2026\n\n"))
	f.Add([]byte("From \n\nFrom the moment\n"))
	f.Add([]byte("\nFrom x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := NewMbox(bytes.NewReader(data))
		total, last := 0, -1
		for {
			mail, err := m.Next()
			if err != nil {
				break
			}
			if mail.Line <= last {
				t.Fatalf("line %d after %d", mail.Line, last)
			}
			last = mail.Line
			total += len(mail.Raw)
		}
		if total > len(data) {
			t.Fatalf("%d bytes out of %d", total, len(data))
		}
	})
}

func FuzzMapping(f *testing.F) {
	f.Add([]byte("kind: orders\ncolumns: {a: order_ref}\n"))
	f.Add([]byte("kind: reviews\nratings: {a: {min: 1, max: 5}}\nquestions: [{match: '('}]\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		if m, err := ReadMapping("m", src, nil); err == nil && Fields[m.Kind] == nil {
			t.Fatalf("kind %q", m.Kind)
		}
	})
}

func FuzzDecimal(f *testing.F) {
	for _, s := range []string{"1", "-2.55", "0.001", "1e400", "NaN", "9223372036854775807", ".5", "+", "1.0000000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := ParseDecimal([]byte(s), false)
		if err != nil {
			return
		}
		again, err := ParseDecimal(AppendMicro(nil, m), false)
		if err != nil || again != m {
			t.Fatalf("%q: %d, written %s, read %d %v", s, m, AppendMicro(nil, m), again, err)
		}
	})
}

func TestDecimal(t *testing.T) {
	for _, c := range []struct {
		in    string
		comma bool
		want  Micro
		ok    bool
	}{
		{"2.55", false, 2_550_000, true}, {"-12", false, -12_000_000, true}, {" 0.001 ", false, 1000, true}, {"+1.", false, 1_000_000, true},
		{"2,55", true, 2_550_000, true}, {"2,55", false, 0, false}, {"1.1234567", false, 0, false}, {"1.1000000", false, 1_100_000, true},
		{"", false, 0, false}, {"-", false, 0, false}, {"1e400", false, 0, false}, {"NaN", false, 0, false}, {"1 000", false, 0, false},
		{"4611686018427", false, 4611686018427_000000, true}, {"99999999999999999999", false, 0, false}, {"9000000000000", false, 0, false},
	} {
		if got, err := ParseDecimal([]byte(c.in), c.comma); (err == nil) != c.ok || got != c.want {
			t.Errorf("%q: %d %v", c.in, got, err)
		}
	}
	for _, c := range []struct {
		m     Micro
		want  int64
		exact bool
	}{{4_826_466_491_000, 482_646_649, false}, {5000, 1, false}, {4999, 0, false}, {-5000, -1, false}, {-4999, 0, false}, {2_550_000, 255, true}} {
		if got, exact := c.m.Minor(2); got != c.want || exact != c.exact {
			t.Errorf("%d: %d %t", c.m, got, exact)
		}
	}
	if _, ok := Micro(1 << 60).Times(1 << 10); ok {
		t.Error("overflow went unseen")
	}
	if p, ok := Micro(-2_550_000).Times(-3); !ok || p != 7_650_000 {
		t.Errorf("%d", p)
	}
}

func TestAppendJSON(t *testing.T) {
	for _, s := range []string{"", "plain", "q\"b\\s", "tab\tnl\n\r\x00\x1f", "Zoë 👍 \u2028", "bad \xff\xc3", "<&>"} {
		var back string
		if err := json.Unmarshal(AppendJSON(nil, s), &back); err != nil || back != strings.ToValidUTF8(s, "\ufffd") && s != "bad \xff\xc3" {
			t.Errorf("%q: %s, %v", s, AppendJSON(nil, s), err)
		}
	}
}

func TestClock(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	c := NewClock(london, nil, now)
	for in, want := range map[string]string{
		"2026-07-01 10:00:00":       "2026-07-01T09:00:00Z",
		"2026-01-01":                "2026-01-01T00:00:00Z",
		"2026-07-01T10:00:00+02:00": "2026-07-01T08:00:00Z",
		"2026-10-25 01:30:00":       "2026-10-25T00:30:00Z", // twice: the first
		"2026-10-25 00:59:59":       "2026-10-24T23:59:59Z",
		"2026-10-25 02:00:00":       "2026-10-25T02:00:00Z",
		"2026-03-29 01:00:00":       "", // never
		"2026-03-29 02:00:00":       "2026-03-29T01:00:00Z",
		"2026-02-30":                "", "9999-01-01": "", "1969-12-31": "", "3/4/2026": "", "": "",
	} {
		for range 2 { // the second time from memory
			got, err := c.Parse([]byte(in))
			if (err == nil) != (want != "") || err == nil && got.UTC().Format(time.RFC3339) != want {
				t.Errorf("%q: %v %v, want %q", in, got.UTC(), err, want)
			}
		}
	}
}

func TestOrdinals(t *testing.T) {
	var o Ordinals
	for i := range 5000 {
		var h [32]byte
		h[0], h[1], h[2] = byte(i), byte(i>>8), 1
		for want := range 3 {
			if n, err := o.Next(h); err != nil || n != want {
				t.Fatalf("row %d came %d times before, want %d (%v)", i, n, want, err)
			}
		}
	}
}
