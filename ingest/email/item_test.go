package email

import (
	"strings"
	"testing"
	"time"

	"redalert/schemas"
)

func TestOrderRef(t *testing.T) {
	for _, tc := range []struct{ subject, text, want string }{
		{"Order #12345 never came", "", "12345"},
		{"", "my order 48213 is late", "48213"},
		{"", "Order no. 77 is wrong", "77"},
		{"", "Order number: AB-1234.", "AB-1234"},
		{"", "Bestellnummer: 2024-00017", "2024-00017"},
		{"Rechnung Nr. 4711", "", "4711"},
		{"", "Meine Bestellung 100234 fehlt", "100234"},
		{"", "la commande n° 55123 est en retard", "55123"},
		{"", "mi pedido 99871 no llegó", "99871"},
		{"", "ordine n. 4432 in ritardo", "4432"},
		{"", "see INV-2024-0012 please", "INV-2024-0012"},
		{"Re: [#98765] Visit", "", "98765"},
		{"", "about #A-2231, thanks", "A-2231"},
		{"Question", "order 222222 then order 333333", "222222"},
		{"Order 1111", "order 2222", "1111"},
		{"", "I ordered on 2024-05-01 and 12/05/2024", ""},
		{"", "order 2024-05-01", ""},
		{"", "my order 2024 was better", ""},
		{"", "call me at 0151 23456789", ""},
		{"", "I want to order 2 pizzas", ""},
		{"", "we order 100 cups a day", ""},
		{"", "you are #1 in town", ""},
		{"", "the border 12345 crossing", ""},
		{"", "an order for 1,299.00 euro; invoice 1,299.00", ""},
		{"", "order 15:30", ""},
		{"", "no numbers here", ""},
	} {
		if got := OrderRef(tc.subject, tc.text); got != tc.want {
			t.Errorf("%q %q: %q, want %q", tc.subject, tc.text, got, tc.want)
		}
	}
}

func TestNativeID(t *testing.T) {
	crlf := Decoder{}.Item("care", []byte("Message-ID: <a@b>\r\nFrom: x@y.z\r\n\r\nhello\r\n"), "", received)
	lf := Decoder{}.Item("care", []byte("Message-ID: <a@b>\nFrom: x@y.z\n\nhello\n\n"), "", received)
	if crlf.NativeID != lf.NativeID || !strings.HasPrefix(crlf.NativeID, "<a@b>:") || len(crlf.NativeID) != len("<a@b>:")+64 {
		t.Errorf("%q and %q", crlf.NativeID, lf.NativeID)
	}
	other := Decoder{}.Item("care", []byte("Message-ID: <a@b>\nFrom: x@y.z\n\nother\n"), "", received)
	if other.NativeID == lf.NativeID {
		t.Error("another body has the same id")
	}
	none1 := Decoder{}.Item("care", []byte("From: x@y.z\n\nhello\n"), "", received)
	none2 := Decoder{}.Item("care", []byte("From: other@y.z\n\nhello\n"), "", received)
	if len(none1.NativeID) != 64 || none1.NativeID == none2.NativeID {
		t.Errorf("without Message-ID: %q and %q", none1.NativeID, none2.NativeID)
	}
}

// TestContentHashOutlivesOurChoices: the same mail has the same content hash
// whichever addresses are ours and whatever we trim; another body has another.
func TestContentHashOutlivesOurChoices(t *testing.T) {
	mail := []byte("Message-ID: <a@b>\r\nFrom: x@y.z\r\nReply-To: form@c.example\r\n\r\nhello\r\n")
	a := Decoder{}.Item("care", mail, "INBOX", received)
	b := Decoder{Own: []string{"x@y.z"}}.Item("care", mail, "Archive", received)
	if string(a.Data) == string(b.Data) {
		t.Fatal("the data does not depend on our addresses; the test tests nothing")
	}
	if a.ContentHash != b.ContentHash || len(a.ContentHash) != 64 {
		t.Errorf("%q and %q", a.ContentHash, b.ContentHash)
	}
	other := Decoder{}.Item("care", []byte("Message-ID: <a@b>\r\nFrom: x@y.z\r\n\r\nother\r\n"), "INBOX", received)
	if other.ContentHash == a.ContentHash {
		t.Error("another body has the same content hash")
	}
}

func TestOccurredAt(t *testing.T) {
	before := received.Add(-time.Hour)
	for _, tc := range []struct{ date, received, want time.Time }{
		{before, received, before},
		{received.Add(time.Hour), received, received},
		{time.Time{}, received, received},
		{time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), received, received},
		{before, time.Time{}, before},
		{time.Time{}, time.Time{}, time.Time{}},
	} {
		if got := occurredAt(tc.date, tc.received); !got.Equal(tc.want) {
			t.Errorf("%v received %v: %v, want %v", tc.date, tc.received, got, tc.want)
		}
	}
}

func TestThreadsAndMetadata(t *testing.T) {
	raw := "References: <root@b> <mid@b>\r\nIn-Reply-To: <mid@b>\r\n" + head + "\r\nAbout order 12345."
	f, it := decode(t, raw)
	if it.ThreadID != "<root@b>" || f.OrderRef != "12345" {
		t.Errorf("thread %q, order %q", it.ThreadID, f.OrderRef)
	}
	for key, want := range map[string]string{
		schemas.MetaSubject: "Your visit", schemas.MetaMessageID: "<a@customers.example>",
		schemas.MetaInReplyTo: "<mid@b>", schemas.MetaMailbox: "INBOX", schemas.MetaMailKind: "",
	} {
		if got := f.MetaString(key); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	store := &threads{}
	d := Decoder{Threads: store}
	first, err := d.ItemIn(t.Context(), "care", []byte(raw), "INBOX", received)
	if err != nil {
		t.Fatal(err)
	}
	next, err := d.ItemIn(t.Context(), "care", []byte("In-Reply-To: <a@customers.example>\r\nMessage-ID: <c@d>\r\nFrom: x@y.z\r\n\r\nx"), "INBOX", received)
	if err != nil || next.ThreadID != first.ThreadID {
		t.Errorf("thread %q, want %q: %v", next.ThreadID, first.ThreadID, err)
	}
}

func TestSentMail(t *testing.T) {
	d := Decoder{Own: []string{"care@example.com"}}
	raw := func(extra string) []byte {
		return []byte(extra + "Message-ID: <s@example.com>\r\nFrom: care@example.com\r\nTo: care@example.com, Jane <jane@c.example>\r\nSubject: Re: Visit\r\n\r\nSorry.\r\n")
	}
	for _, mailbox := range []string{"Sent", "INBOX/Sent Items", "[Gmail]/Sent Mail", "Gesendet"} {
		it := d.Item("care", raw(""), mailbox, received)
		r, err := schemas.Event{Type: it.Type, Data: it.Data}.Reply()
		if err != nil || r.Customer == nil || r.Customer.Email != "jane@c.example" || r.SentBy != "care@example.com" {
			t.Errorf("%s: %+v, %v", mailbox, r, err)
		}
	}
	it := d.Item("care", raw("X-Redalert-Notification: n\r\nX-Redalert-Case: c-1\r\n"), "Sent", received)
	if r, err := (schemas.Event{Type: it.Type, Data: it.Data}).Reply(); err != nil || r.CaseID != "c-1" {
		t.Errorf("our answer from a case: %+v, %v", r, err)
	}
	it = d.Item("care", raw("X-Redalert-Notification: n\r\n"), "Sent", received)
	if f, err := (schemas.Event{Type: it.Type, Data: it.Data}).Feedback(); err != nil || f.MetaString(schemas.MetaMailKind) != schemas.MailOwn {
		t.Errorf("our alert in the Sent mailbox: %s %v", it.Type, err)
	}
}

func TestReplay(t *testing.T) {
	d := Decoder{}
	items, err := d.Replay(sample(1), schemas.Quarantined{Source: "care", Locator: locator("Odd name", 3, 4, true), At: received})
	if err != nil || len(items) != 1 || items[0].Type != schemas.ReplySent || items[0].Source != "care" {
		t.Fatalf("%+v, %v", items, err)
	}
	items, err = d.Replay(sample(1), schemas.Quarantined{Source: "care", Locator: locator("INBOX", 3, 4, false), At: received})
	if err != nil || items[0].Type != schemas.EmailReceived || !strings.Contains(string(items[0].Data), `"mailbox":"INBOX"`) {
		t.Fatalf("%+v, %v", items, err)
	}
	if _, err := d.Replay(nil, schemas.Quarantined{}); err == nil {
		t.Error("a mail without bytes is replayed")
	}
}

func TestParseLenient(t *testing.T) {
	m, err := Parse([]byte("From nobody Thu Jan  1 00:00:00 1970\nstray line\nSubject: =?utf-8?B?S2FwdXR0IQ==?=\n  really\nFrom: x@y.z\nbad header\n\nbody\n"))
	if err != nil || m.Subject != "Kaputt! really" || m.From.Email != "x@y.z" || m.Text != "body" {
		t.Errorf("%+v, %v", m, err)
	}
	if it := (Decoder{}).Item("s", []byte("\x00\x01\x02 no mail"), "", received); it.Broken == nil || it.Broken.Code != schemas.QUnreadable {
		t.Errorf("%v", it.Broken)
	}
	m, err = Parse([]byte(head + "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nThis mail needs an HTML viewer.\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>Nobody came, and nobody called, and I am still waiting.</p>\r\n--b--\r\n"))
	if err != nil || m.Text != "Nobody came, and nobody called, and I am still waiting." {
		t.Errorf("%q, %v", m.Text, err)
	}
	m, err = Parse([]byte(head + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>Nobody came.</p>\r\n--b\r\nContent-Type: text/plain\r\n\r\nScanned by a filter.\r\n--b\r\nContent-Type: image/jpeg; name=leak.jpg\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--b--\r\n"))
	if err != nil || !strings.Contains(m.Text, "Nobody came.") || m.Attached != 1 || m.Attachments[0] != "leak.jpg" {
		t.Errorf("%q, attachments %v, %v", m.Text, m.Attachments, err)
	}
}
