package email

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"strings"
	"testing"
	"time"

	"redalert/alerting"
)

var sample = alerting.Mail{From: "Riverside & Söhne <care@firm.example>", To: "maria@home.example", ToName: "Maria Keller",
	Subject: "3 customers need you today – North", Text: "Hello Zoë\nline two\n", HTML: "<p>Hello Zoë</p>",
	MessageID: "<abc.redalert@firm.example>", InReplyTo: "<a@x>", References: []string{"<root@x>", "<a@x>"}, Auto: true,
	Date: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), Headers: map[string]string{alerting.HeaderNotification: "id-1"}}

func compose(t *testing.T, m alerting.Mail) *mail.Message {
	t.Helper()
	raw, err := Composer{}.Compose(m)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(bytes.ReplaceAll(raw, []byte("\r\n"), nil), []byte("\n")) {
		t.Error("a bare LF in the message")
	}
	msg, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
	return msg
}

func decode(t *testing.T, s string) string {
	t.Helper()
	out, err := new(mime.WordDecoder).DecodeHeader(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestComposeIsWhatWasAsked(t *testing.T) {
	msg := compose(t, sample)
	for k, want := range map[string]string{"Message-Id": sample.MessageID, "In-Reply-To": "<a@x>", "References": "<root@x> <a@x>",
		"Auto-Submitted": "auto-generated", "X-Redalert-Notification": "id-1", "Mime-Version": "1.0", "Date": "Mon, 02 Mar 2026 09:00:00 +0000"} {
		if got := msg.Header.Get(k); got != want {
			t.Errorf("%s: %q, want %q", k, got, want)
		}
	}
	if got := decode(t, msg.Header.Get("Subject")); got != sample.Subject {
		t.Errorf("subject %q", got)
	}
	from, err := msg.Header.AddressList("From")
	if err != nil || from[0].Name != "Riverside & Söhne" || from[0].Address != "care@firm.example" {
		t.Errorf("from %v, %v", from, err)
	}
	kind, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("content type %s, %v", kind, err)
	}
	parts := multipart.NewReader(msg.Body, params["boundary"])
	for _, want := range []struct{ kind, body string }{{"text/plain", "Hello Zoë\r\nline two"}, {"text/html", "<p>Hello Zoë</p>"}} {
		p, err := parts.NextPart() // decodes quoted-printable
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(p)
		if err != nil || !strings.HasPrefix(p.Header.Get("Content-Type"), want.kind) || strings.TrimSpace(string(body)) != want.body {
			t.Errorf("part %s: %q, %v", p.Header.Get("Content-Type"), body, err)
		}
	}
}

func TestComposeIsTheSameForTheSameMailButForTheBoundary(t *testing.T) {
	m := sample
	m.HTML = ""
	a, err := Composer{}.Compose(m)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := Composer{}.Compose(m)
	if !bytes.Equal(a, b) {
		t.Errorf("two renderings differ:\n%s\n%s", a, b)
	}
	if msg := compose(t, m); !strings.HasPrefix(msg.Header.Get("Content-Type"), "text/plain") {
		t.Errorf("without HTML: %s", msg.Header.Get("Content-Type"))
	}
}

func TestComposeRefusesWhatIsNoAddress(t *testing.T) {
	for _, to := range []string{"", "nobody", "a@b@c", "a@b.example, c@d.example"} {
		m := sample
		m.To = to
		if _, err := (Composer{}).Compose(m); err == nil {
			t.Errorf("recipient %q was taken", to)
		}
	}
	m := sample
	m.From = ""
	if _, err := (Composer{From: "care@firm.example"}).Compose(m); err != nil {
		t.Errorf("the composer's own address: %v", err)
	}
	if _, err := (Composer{}).Compose(m); err == nil || !strings.Contains(err.Error(), "smtp.from") {
		t.Errorf("no address of ours: %v", err)
	}
}

func FuzzComposeAddsNoHeader(f *testing.F) {
	f.Add("Re: Boiler\r\nBcc: all@x.example", "Maria\r\nX-Evil: 1", "<a@x>\r\nX-Evil: 1", "v\nX-Evil: 1")
	f.Add("=?utf-8?q?=0D=0AX-Evil:_1?=", "\x00\x1b[31m", "", "é")
	f.Fuzz(func(t *testing.T, subject, name, ref, value string) {
		m := sample
		m.Subject, m.ToName, m.InReplyTo, m.References = subject, name, ref, []string{ref, "<b@x>"}
		m.Headers = map[string]string{alerting.HeaderCase: value, "X-Bad\r\nX-Evil": value}
		raw, err := Composer{}.Compose(m)
		if err != nil {
			return
		}
		msg, err := mail.ReadMessage(bytes.NewReader(raw))
		if err != nil {
			t.Fatalf("cannot be read: %v\n%q", err, raw)
		}
		for _, h := range []string{"X-Evil", "Bcc"} {
			if _, ok := msg.Header[h]; ok {
				t.Fatalf("header %s came in:\n%q", h, raw)
			}
		}
		if msg.Header.Get("Message-Id") != sample.MessageID {
			t.Fatalf("Message-ID lost:\n%q", raw)
		}
	})
}
