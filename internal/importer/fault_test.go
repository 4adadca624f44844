package importer

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"redalert/ingest"
	"redalert/ingest/file"
	"redalert/schemas"
)

const reviewHead = "author,date,text,rating\n"

func texts(t *testing.T, d *door) []string {
	t.Helper()
	var out []string
	good, _ := d.split()
	for _, it := range good {
		var f schemas.Feedback
		if err := json.Unmarshal(it.Data, &f); err != nil {
			t.Fatal(err)
		}
		out = append(out, f.ValueText)
	}
	return out
}

func utf16le(s string) string {
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

func TestFault_16_encodings(t *testing.T) {
	text := reviewHead + "Zoë,2026-01-05,Très bien 👍,5\n"
	for name, content := range map[string]string{"utf-8": text, "bom": "\xef\xbb\xbf" + text, "utf-16": utf16le(text)} {
		d := newDoor()
		rep := mustRun(t, d, options(Reviews, "", write(t, "r.csv", content)))
		if got := texts(t, d); rep.Accepted != 1 || len(got) != 1 || got[0] != "Très bien 👍" {
			t.Errorf("%s: %+v %q", name, rep, got)
		}
	}
	latin := reviewHead + "A,2026-01-05,fine,5\nB,2026-01-06,Tr\xe8s bien,4\nC,2026-01-07,good,3\n"
	d := newDoor()
	rep := mustRun(t, d, options(Reviews, "", write(t, "latin.csv", latin)))
	_, bad := d.split()
	if rep.Accepted != 2 || rep.Quarantined != 1 || bad[0].Locator != "latin.csv:3" || !strings.Contains(bad[0].Broken.Reason, "line 3") {
		t.Errorf("Latin-1 without a mapping: %+v %v", rep, bad)
	}
	d = newDoor()
	mapping := write(t, "m.yaml", "kind: reviews\nencoding: windows-1252\ncolumns: {author: metadata.author, date: occurred_at, text: value_text, rating: value_number}\n")
	rep = mustRun(t, d, options(Reviews, mapping, write(t, "latin.csv", latin)))
	if got := texts(t, d); rep.Accepted != 3 || got[1] != "Très bien" {
		t.Errorf("Latin-1 with a mapping: %+v %q", rep, got)
	}
	_, err := Run(t.Context(), options(Reviews, "", write(t, "u32.csv", "\xff\xfe\x00\x00a")), newDoor().ports())
	if !errors.Is(err, ErrUsage) {
		t.Errorf("UTF-32: %v", err)
	}
}

func TestFault_17_unclosedQuoteAndHugeField(t *testing.T) {
	var b strings.Builder
	b.WriteString(reviewHead + "A,2026-01-05,fine,5\nB,2026-01-05,\"never closed,1\n")
	for i := range 20_000 {
		fmt.Fprintf(&b, "C%d,2026-01-06,an ordinary line of some length to fill the buffer up,3\n", i)
	}
	b.WriteString("D,2026-01-07," + strings.Repeat("x", 50<<20) + ",1\nE,2026-01-08,\"two\nlines\",2\nF,2026-01-09,last,2\n")
	path := write(t, "r.csv", b.String())
	b.Reset()
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	d := newDoor()
	rep := mustRun(t, d, options(Reviews, "", path))
	runtime.ReadMemStats(&after)
	if grown := int64(after.Sys) - int64(before.Sys); grown > 128<<20 {
		t.Errorf("memory grew by %d MiB", grown>>20)
	}
	_, bad := d.split()
	if rep.Accepted != 20_003 || rep.Quarantined != 2 || len(bad) != 2 {
		t.Fatalf("%+v, %d bad", rep, len(bad))
	}
	if bad[0].Locator != "r.csv:3" || bad[1].Locator != "r.csv:20004" {
		t.Errorf("locators %s, %s", bad[0].Locator, bad[1].Locator)
	}
	good, _ := d.split()
	if last := good[len(good)-1]; last.Locator != "r.csv:20007" {
		t.Errorf("the last row stands at %s", last.Locator)
	}
}

func TestFault_18_tenThousandColumns(t *testing.T) {
	wide := strings.Repeat("c,", 9_999) + "c\n"
	_, err := Run(t.Context(), options(Reviews, "", write(t, "wide.csv", wide+wide)), newDoor().ports())
	if !errors.Is(err, file.ErrForm) || !strings.Contains(err.Error(), "1000 columns") {
		t.Errorf("wide header: %v", err)
	}
	d := newDoor()
	rep := mustRun(t, d, options(Reviews, "", write(t, "row.csv", reviewHead+wide+"A,2026-01-05,fine,5\n")))
	if rep.Accepted != 1 || rep.Quarantined != 1 {
		t.Errorf("wide row: %+v", rep)
	}
}

func TestFault_19_archives(t *testing.T) {
	tar := make([]byte, 1024)
	copy(tar, "../../etc/passwd")
	copy(tar[257:], "ustar")
	dir := t.TempDir()
	for name, content := range map[string][]byte{
		"zip.csv":       []byte("PK\x03\x04\x14\x00../../evil.csv"),
		"zip.csv.gz":    zipped(t, []byte("PK\x03\x04inner")),
		"twice.csv.gz":  zipped(t, zipped(t, []byte(reviewHead))),
		"tar.gz":        zipped(t, tar),
		"book.xls":      []byte("\xd0\xcf\x11\xe0\xa1\xb1"),
		"damaged.csv":   {0x1f, 0x8b, 8, 99, 1, 2},
		"cut.csv.gz":    zipped(t, []byte(reviewHead+strings.Repeat("A,2026-01-05,fine,5\n", 5000)))[:60],
		"empty.csv":     {},
		"picture.csv":   []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"),
		"../escape.csv": nil,
	} {
		path := filepath.Join(dir, filepath.Base(name))
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		d := newDoor()
		if _, err := Run(t.Context(), options(Reviews, "", path), d.ports()); err == nil || !strings.Contains(err.Error(), filepath.Base(name)) {
			t.Errorf("%s: error %v does not name the file", name, err)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 10 {
		t.Errorf("%d files where 10 were written", len(left))
	}
}

func TestFault_20_formulaStoredAsWritten(t *testing.T) {
	d := newDoor()
	mustRun(t, d, options(Reviews, "", write(t, "r.csv", reviewHead+"A,2026-01-05,\"=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\",1\n")))
	if got := texts(t, d); len(got) != 1 || got[0] != `=HYPERLINK("http://x","y")` {
		t.Errorf("%q", got)
	}
}

func TestFault_21_sameFileAgain(t *testing.T) {
	rows := "A,2026-01-05,fine,5\nA,2026-01-05,fine,5\nB,2026-01-06,\"a, b\",4\n"
	d := newDoor()
	first := mustRun(t, d, options(Reviews, "", write(t, "a.csv", reviewHead+rows)))
	if first.Accepted != 3 {
		t.Fatalf("identical rows are rows: %+v", first)
	}
	for name, content := range map[string]string{
		"the same":          reviewHead + rows,
		"packed":            string(zipped(t, []byte(reviewHead+rows))),
		"other quoting":     reviewHead + strings.ReplaceAll(rows, "fine", `"fine"`),
		"other delimiter":   "author;date;text;rating\nA;2026-01-05;fine;5\nA;2026-01-05;fine;5\nB;2026-01-06;a, b;4\n",
		"columns elsewhere": "rating,text,author,date\n5,fine,A,2026-01-05\n5,fine,A,2026-01-05\n4,\"a, b\",B,2026-01-06\n",
		"rows elsewhere":    reviewHead + "B,2026-01-06,\"a, b\",4\nA,2026-01-05,fine,5\nA,2026-01-05,fine,5\n",
	} {
		if rep := mustRun(t, d, options(Reviews, "", write(t, "b.csv", content))); rep.Accepted != 0 || rep.Duplicate != 3 || rep.ResumedAt != 0 {
			t.Errorf("%s: %+v", name, rep)
		}
	}
}

func TestFault_22_killedAndResumed(t *testing.T) {
	const rows = 20_000
	var b bytes.Buffer
	b.WriteString("order_id,date,sku,quantity,unit_price,customer\n")
	for i := range rows { // lines of one order stand far apart
		fmt.Fprintf(&b, "O%d,2026-01-05,S%d,1,2.50,K%d\n", i%5000, i, i%5000)
	}
	for _, c := range []struct {
		kind    Kind
		mapping string
		path    string
		events  int64
	}{
		{Orders, "", write(t, "o.csv", b.String()), 5000},
		{Reviews, "", write(t, "r.csv", reviewHead+strings.Repeat("A,2026-01-05,fine,5\n", rows)), rows},
		{Mail, "", write(t, "m.mbox", strings.Repeat("From a@b Mon Jan  5 10:00:00 2026\nSubject: x\n\nHello\n\n", rows)), rows},
	} {
		d := newDoor()
		d.keep = false
		d.failAt = 3
		o := options(c.kind, c.mapping, c.path)
		o.Batch = 500
		rep, err := Run(t.Context(), o, d.ports())
		if !errors.Is(err, errDown) {
			t.Fatalf("%s: %v", c.kind, err)
		}
		before := len(d.seen)
		rep2 := mustRun(t, d, o)
		if rep2.Read != rows || rep2.ResumedAt == 0 || rep2.ResumedAt >= rows {
			t.Errorf("%s: resumed: %+v after %+v", c.kind, rep2, rep)
		}
		if c.kind != Mail && int64(len(d.seen)) != c.events {
			t.Errorf("%s: %d events after %d, want %d", c.kind, len(d.seen), before, c.events)
		}
		if rep3 := mustRun(t, d, o); rep3.Accepted != 0 || rep3.ResumedAt != 0 || rep3.Duplicate != c.events {
			t.Errorf("%s: once more: %+v", c.kind, rep3)
		}
	}
}

func TestFault_22_stopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	d := newDoor()
	p := d.ports()
	p.Acceptor = stopper{d, cancel}
	o := options(Reviews, "", write(t, "r.csv", reviewHead+strings.Repeat("A,2026-01-05,fine,5\n", 5000)))
	o.Batch = 100
	rep, err := Run(ctx, o, p)
	if !errors.Is(err, context.Canceled) || rep.Accepted != 100 {
		t.Fatalf("%+v %v: the batch under way is finished, no more", rep, err)
	}
	if rep := mustRun(t, d, o); rep.ResumedAt != 100 || rep.Accepted != 4900 || rep.Duplicate != 0 {
		t.Errorf("resumed: %+v", rep)
	}
}

type stopper struct {
	d    *door
	stop func()
}

func (s stopper) Accept(ctx context.Context, items []ingest.Item) ([]ingest.Result, error) {
	s.stop()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.d.Accept(ctx, items)
}

func TestFault_23_impossibleValues(t *testing.T) {
	rows := []string{"2026-01-05 10:00:00,5", "2026-01-05 10:00:00,NaN", "2026-01-05 10:00:00,1e400", "9999-01-05 10:00:00,5",
		"2026-03-29 01:30:00,5", "2026-02-30 10:00:00,5", "1869-02-01 10:00:00,5", "yesterday,5", ",5", "2025-10-26 01:30:00,4"}
	var b strings.Builder
	b.WriteString("date,rating,text\n")
	for _, r := range rows {
		b.WriteString(r + ",words\n")
	}
	d := newDoor()
	o := options(Reviews, "", write(t, "r.csv", b.String()))
	o.TZ = "Europe/London"
	o.Now = func() time.Time { return noon.AddDate(0, 6, 0) }
	rep := mustRun(t, d, o)
	good, bad := d.split()
	if rep.Accepted != 2 || rep.Quarantined != 8 {
		t.Fatalf("%+v", rep)
	}
	for i, it := range bad {
		if want := fmt.Sprintf("r.csv:%d", i+3); it.Locator != want || !strings.Contains(it.Broken.Reason, fmt.Sprintf("line %d", i+3)) {
			t.Errorf("%s: %s", it.Locator, it.Broken.Reason)
		}
	}
	// 01:30 on the day the clocks went back: the first of the two is meant.
	if got := schemas.FormatTime(good[1].OccurredAt); got != "2025-10-26T00:30:00Z" {
		t.Errorf("an hour that came twice is %s", got)
	}
}
