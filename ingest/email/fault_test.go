package email

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"redalert/ingest"
	"redalert/internal/linear"
	"redalert/schemas"
)

var received = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

func decode(t testing.TB, raw string) (schemas.Feedback, ingest.Item) {
	t.Helper()
	it := Decoder{Own: []string{"care@example.com"}}.Item("care", []byte(raw), "INBOX", received)
	if it.Broken != nil {
		t.Fatalf("broken: %v", it.Broken)
	}
	f, err := schemas.Event{Type: it.Type, Data: it.Data}.Feedback()
	if err != nil {
		t.Fatal(err)
	}
	return f, it
}

const head = "Message-ID: <a@customers.example>\r\nFrom: Jane Doe <Jane@Customers.Example>\r\nTo: care@example.com\r\nSubject: Your visit\r\nDate: Sun, 01 Mar 2026 08:00:00 +0000\r\n"

func wantBroken(t *testing.T, raw, code string) {
	t.Helper()
	d := Decoder{}
	it := d.Item("care", []byte(raw), "INBOX", received)
	if it.Broken == nil || it.Broken.Code != code || it.NativeID == "" || len(it.Raw) == 0 {
		t.Fatalf("broken %v, want %s; %d raw bytes", it.Broken, code, len(it.Raw))
	}
	if next := d.Item("care", sample(1), "INBOX", received); next.Broken != nil {
		t.Errorf("the next mail did not proceed: %v", next.Broken)
	}
}

func nested(depth int) string {
	var b strings.Builder
	b.WriteString(head)
	for i := range depth {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	b.WriteString("Content-Type: text/plain\r\n\r\nhello\r\n")
	for i := depth - 1; i >= 0; i-- {
		fmt.Fprintf(&b, "--b%d--\r\n", i)
	}
	return b.String()
}

func TestFault_24_MIMEDepth(t *testing.T) {
	linear.Check(t, 1000, func(n int) { wantBroken(t, nested(n), schemas.QStructure) })
	if f, _ := decode(t, nested(MaxDepth)); f.ValueText != "hello" {
		t.Errorf("at the cap: %q", f.ValueText)
	}
}

func parts(n int) string {
	return head + "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\nContent-Type: text/plain\r\n\r\nx\r\n", n) + "--b--\r\n"
}

func TestFault_25_PartCount(t *testing.T) {
	linear.Check(t, 12_500, func(n int) { wantBroken(t, parts(n), schemas.QStructure) })
	if f, _ := decode(t, parts(MaxParts-1)); !strings.HasPrefix(f.ValueText, "x") {
		t.Errorf("at the cap: %q", f.ValueText)
	}
}

func TestFault_26_MissingLastBoundary(t *testing.T) {
	f, _ := decode(t, head+"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nNobody came.\r\nI want my money back.\r\n")
	if f.ValueText != "Nobody came.\nI want my money back." || !strings.Contains(fmt.Sprint(f.Metadata[schemas.MetaFlags]), FlagMissingBoundary) {
		t.Errorf("%q, flags %v", f.ValueText, f.Metadata[schemas.MetaFlags])
	}
	f, _ = decode(t, head+"Content-Type: multipart/mixed; boundary=other\r\n\r\n--b\r\nNobody came.\r\n--b--\r\n")
	if !strings.Contains(f.ValueText, "Nobody came.") {
		t.Errorf("a wrong boundary lost the text: %q", f.ValueText)
	}
}

func TestFault_27_UnknownCharsetOrEncoding(t *testing.T) {
	for _, tc := range []struct{ name, headers, body, want, flag string }{
		{"charset", "Content-Type: text/plain; charset=x-klingon\r\n", "Caf\xe9 was late", "Café was late", FlagUnknownCharset},
		{"encoding", "Content-Type: text/plain\r\nContent-Transfer-Encoding: rot13\r\n", "It was late", "It was late", FlagUnknownEncoding},
		{"latin-1", "Content-Type: text/plain; charset=iso-8859-1\r\n", "Gr\xfc\xdfe", "Grüße", ""},
		{"latin-1 not declared", "", "Gr\xfc\xdfe", "Grüße", ""},
		{"utf-8 declared, latin-1 sent", "Content-Type: text/plain; charset=utf-8\r\n", "Gr\xfc\xdfe", "Grüße", FlagUnknownCharset},
		{"koi8-r", "Content-Type: text/plain; charset=koi8-r\r\n", "\xf0\xcc\xcf\xc8\xcf", "Плохо", ""},
		{"iso-2022-jp", "Content-Type: text/plain; charset=iso-2022-jp\r\n", "\x1b$B$R$I$$\x1b(B", "ひどい", ""},
		{"quoted-printable, broken", "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n", "50=25 off =ZZ caf=C3=A9 =", "50% off =ZZ café", ""},
		{"base64, broken", "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n", "SXQgd2FzIGxhdGU=\r\n*** footer", "It was late", FlagMalformed},
	} {
		f, _ := decode(t, head+tc.headers+"\r\n"+tc.body+"\r\n")
		flags := fmt.Sprint(f.Metadata[schemas.MetaFlags])
		if !strings.HasPrefix(f.ValueText, tc.want) || (tc.flag != "" && !strings.Contains(flags, tc.flag)) {
			t.Errorf("%s: %q, flags %s; want %q and %q", tc.name, f.ValueText, flags, tc.want, tc.flag)
		}
	}
}

func TestFault_28_OversizedFileKeepsMemoryFlat(t *testing.T) {
	raw := append([]byte(head+"\r\n"), make([]byte, 400<<20)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	it := Decoder{}.Item("care", raw, "INBOX", received)
	runtime.ReadMemStats(&after)
	if it.Broken == nil || it.Broken.Code != schemas.QTooLarge || it.Raw != nil {
		t.Fatalf("broken %v, %d raw bytes kept", it.Broken, len(it.Raw))
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 2<<20 {
		t.Errorf("%d bytes allocated for a mail that is not read", used)
	}
}

func TestFault_29_HTMLDepth(t *testing.T) {
	for name, src := range map[string]func(n int) string{
		"div":    func(n int) string { return strings.Repeat("<div>", n) + "Nobody came." },
		"closed": func(n int) string { return strings.Repeat("<b>", n) + "Nobody came." + strings.Repeat("</b>", n) },
		"quotes": func(n int) string { return "Nobody came." + strings.Repeat("<blockquote type=cite>", n) + "old" },
		"stray ends": func(n int) string {
			return strings.Repeat("<div>", n/2) + "Nobody came." + strings.Repeat("</span></i>", n/2)
		},
		"attributes": func(n int) string { return "<p " + strings.Repeat("a=b ", n) + ">Nobody came." },
		"open tags":  func(n int) string { return "Nobody came." + strings.Repeat("<a", n) },
		"comments":   func(n int) string { return "Nobody came." + strings.Repeat("<!--", n) },
	} {
		linear.Check(t, 12_500, func(n int) {
			f, _ := decode(t, head+"Content-Type: text/html\r\n\r\n"+src(n))
			if !strings.Contains(f.ValueText, "Nobody came.") {
				t.Errorf("%s of %d: %q", name, n, cut(f.ValueText, 100))
			}
		})
	}
}

func TestFault_30_ActiveContentIsInert(t *testing.T) {
	const src = `<html><head><title>t</title><style>p{color:red}</style></head><body onload="alert(1)">
<p>Nobody came.</p><script>alert("never")</script><svg onload=alert(2)><text>drawn</text></svg>
<img src=x onerror=alert(3)><a href="javascript:alert(4)">my photos</a><div style="display: none">hidden words</div>
<iframe src="https://example.com">frame</iframe><noscript>ns</noscript><math><mi>m</mi></math><p>I want my money back &lt;b&gt;.</p></body></html>`
	f, _ := decode(t, head+"Content-Type: text/html\r\n\r\n"+src)
	if got := squash(f.ValueText); got != "Nobody came. my photos I want my money back <b>." {
		t.Errorf("%q", got)
	}
}

func TestFault_31_MachinesAreKeptAndNamed(t *testing.T) {
	for _, tc := range classified {
		f, it := decode(t, tc.raw)
		if got := f.MetaString(schemas.MetaMailKind); got != tc.kind {
			t.Errorf("%s: kind %q, want %q", tc.name, got, tc.kind)
		}
		if it.Type != schemas.EmailReceived || len(it.Raw) == 0 {
			t.Errorf("%s: not kept", tc.name)
		}
		machine := tc.kind != "" && tc.kind != schemas.MailAutoReply
		if machine && f.Customer != nil {
			t.Errorf("%s: %s passes for a customer", tc.name, f.Customer.Email)
		}
	}
}

func TestFault_32_OnlyTheNewTextCounts(t *testing.T) {
	const quoted = "On Sun, 1 Mar 2026 at 09:00, Care <care@example.com> wrote:\r\n> You wrote that you want a refund and will sue us.\r\n"
	f, _ := decode(t, "References: <b@example.com>\r\n"+head+"\r\nAll is well now, thank you!\r\n\r\n"+quoted)
	if f.ValueText != "All is well now, thank you!" {
		t.Errorf("%q", f.ValueText)
	}
	f, _ = decode(t, "References: <b@example.com>\r\n"+head+"\r\n"+quoted)
	if f.ValueText != "" || !strings.Contains(fmt.Sprint(f.Metadata[schemas.MetaFlags]), FlagQuoteOnly) {
		t.Errorf("a reply of a quote alone: %q", f.ValueText)
	}
	f, _ = decode(t, head+"\r\n---------- Forwarded message ---------\r\nFrom: Jim <jim@customers.example>\r\nDate: Sun, 1 Mar 2026\r\nSubject: refund\r\nTo: Jane\r\n\r\nI want a refund.\r\n")
	if !strings.Contains(f.ValueText, "I want a refund.") {
		t.Errorf("a bare forward: %q", f.ValueText)
	}
}

func TestLongTextFitsTheEvent(t *testing.T) {
	for _, ch := range []string{"x", "<", "\"", "é", "👍", "\x01\x02y", "line\n"} {
		f, it := decode(t, head+"\r\n"+strings.Repeat(ch, 2<<20/len(ch)))
		if len(it.Data) > schemas.MaxEventBytes-(16<<10) {
			t.Errorf("%q: data has %d bytes", ch, len(it.Data))
		}
		if !strings.Contains(fmt.Sprint(f.Metadata[schemas.MetaFlags]), FlagTruncated) {
			t.Errorf("%q: not flagged", ch)
		}
	}
	names := strings.Repeat("--b\r\nContent-Type: image/png; name=\""+strings.Repeat("n", 3000)+"\"\r\n\r\nx\r\n", 150)
	f, it := decode(t, head+"Content-Type: multipart/mixed; boundary=b\r\n\r\n"+names+"--b--\r\n")
	if len(it.Data) > 16<<10 || f.Metadata["attachments"] != 150.0 {
		t.Errorf("attachments: %v, data has %d bytes", f.Metadata["attachments"], len(it.Data))
	}
}

func FuzzItem(f *testing.F) {
	f.Add(string(sample(1)))
	f.Add(nested(3))
	f.Add(parts(3))
	for _, tc := range classified {
		f.Add(tc.raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		d := Decoder{Own: []string{"care@example.com"}}
		for _, mailbox := range []string{"INBOX", "Sent"} {
			it := d.Item("care", []byte(raw), mailbox, received)
			again := d.Item("care", []byte(raw), mailbox, received)
			if it.NativeID != again.NativeID || string(it.Data) != string(again.Data) {
				t.Fatal("two readings differ")
			}
			if it.Broken != nil {
				if strings.Contains(it.Broken.Reason, "the program failed") {
					t.Fatal(it.Broken)
				}
				var b *ingest.Broken
				if !errors.As(it.Broken, &b) || b.Code == "" {
					t.Fatal(it.Broken)
				}
				continue
			}
			if !json.Valid(it.Data) || len(it.Data) > schemas.MaxEventBytes {
				t.Fatalf("data of %d bytes", len(it.Data))
			}
			if it.OccurredAt.After(received) {
				t.Fatalf("occurred at %v, after it was received", it.OccurredAt)
			}
		}
	})
}
