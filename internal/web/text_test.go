package web

import (
	"strings"
	"testing"
	"testing/quick"
	"time"
	"unicode/utf8"

	"redalert/schemas"
)

// Whatever the spans are, the segments in a row are the whole text.
func TestMarkKeepsEveryByte(t *testing.T) {
	whole := func(text string, spans []struct{ A, B int8 }) bool {
		var rs []schemas.Reason
		for _, s := range spans {
			rs = append(rs, schemas.Reason{Message: "why", Span: &schemas.Span{Start: int(s.A), End: int(s.B)}})
		}
		var b strings.Builder
		for _, s := range mark(text, rs) {
			b.WriteString(s.Text)
		}
		return b.String() == text
	}
	if err := quick.Check(whole, nil); err != nil {
		t.Fatal(err)
	}
	got := mark("never again, never", []schemas.Reason{{Message: "leaves", Span: &schemas.Span{Start: 0, End: 11}},
		{Message: "angry", Span: &schemas.Span{Start: 6, End: 11}}, {Message: "no span"}})
	if len(got) != 2 || got[0] != (segment{"never again", "leaves; angry"}) || got[1].Why != "" {
		t.Fatalf("%+v", got)
	}
}

func TestTimesAsPeopleSayThem(t *testing.T) {
	dublin, err := time.LoadLocation("Europe/Dublin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 28, 14, 0, 0, 0, dublin) // clocks change the night after
	c := reader{now: now, zone: dublin}
	for in, want := range map[time.Duration]string{
		-2 * time.Hour: "2 h late", -40 * time.Minute: "40 min late", -72 * time.Hour: "3 days late", time.Hour: "due 15:00",
		19 * time.Hour: "due tomorrow 10:00", 48 * time.Hour: "due Mon 15:00", 20 * 24 * time.Hour: "due 17 Apr 15:00",
	} {
		at := now.Add(in)
		if m := c.due(&at); m.Text != want || m.Late != (in < 0) || m.Soon != (in == time.Hour) {
			t.Errorf("due in %s: %+v, want %s", in, m, want)
		}
	}
	for in, want := range map[time.Duration]string{
		-10 * time.Second: "just now", -3 * time.Minute: "3 min ago", -26 * time.Hour: "26 h ago", -4 * 24 * time.Hour: "4 days ago",
		-30 * 24 * time.Hour: "26 Feb", -400 * 24 * time.Hour: "21 Feb 2025",
	} {
		at := now.Add(in)
		if m := c.ago(&at); m.Text != want {
			t.Errorf("%s: %q, want %q", in, m.Text, want)
		}
	}
	if c.ago(nil) != nil || c.due(nil) != nil || c.ago(&time.Time{}) != nil {
		t.Error("no time is no text")
	}
}

func TestPathOnly(t *testing.T) {
	for in, want := range map[string]string{"/triage?tab=mine": "/triage?tab=mine", "//evil": "/x", "https://evil": "/x", `/\evil`: "/x",
		"": "/x", "triage": "/x", "/a\r\nSet-Cookie: b": "/x", "javascript:1": "/x"} {
		if got := pathOnly(in, "/x"); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func TestSentence(t *testing.T) {
	for in, want := range map[string]string{"no rate": "No rate.", "value_number 11": "value_number 11.", "": "", "Fine.": "Fine.", "ärger": "Ärger."} {
		if got := sentence(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func FuzzReadBlocks(f *testing.F) {
	for _, s := range []string{"08:00-18:00", "8-12, 13:00-17:30", "closed", "", "24:00-25:00", "18-8", "8-12,11-13", "9:00–24:00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, err := readBlocks(s)
		if err != nil {
			return
		}
		again, err := readBlocks(blocksText(b))
		if err != nil || blocksText(again) != blocksText(b) {
			t.Fatalf("%q reads as %v, and that as %v (%v)", s, b, again, err)
		}
		for i, x := range b {
			if x.From >= x.To || i > 0 && x.From < b[i-1].To {
				t.Fatalf("%q: %v is not in order", s, b)
			}
		}
	})
}

func FuzzReadWeek(f *testing.F) {
	f.Add("mon 08:00-12:00; tue 09:00-17:00")
	f.Add("Monday 8-9;;")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := readWeek(s)
		if err != nil {
			return
		}
		again, err := readWeek(weekText(h))
		if err != nil || weekText(again) != weekText(h) {
			t.Fatalf("%q reads as %v, and that as %v (%v)", s, h, again, err)
		}
	})
}

func FuzzReadable(f *testing.F) {
	f.Add([]byte("a\x00\xff\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s := readable(raw)
		if !utf8.ValidString(s) || strings.ContainsAny(s, "\x00\x1b\r") {
			t.Fatalf("%q", s)
		}
	})
}

func FuzzWalkMail(f *testing.F) {
	f.Add([]byte("Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nhi\r\n--x--"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		n := 0
		walkMail(raw, func(int, *mailEntity) error { n++; return nil })
		if n > maxMailParts {
			t.Fatalf("%d parts", n)
		}
	})
}
