package email

import (
	"testing"

	"redalert/schemas"
)

// classified are mails and what they are.
var classified = []struct{ name, kind, raw string }{
	{"a person", "", head + "\r\nNobody came."},
	{"a person asks about leave", "", "From: j@c.example\r\nSubject: Re: Automatic reply: closed today?\r\n\r\nAre you closed?"},
	{"a person who replies", "", "Auto-Submitted: no\r\n" + head + "\r\nNobody came."},
	{"a person on holiday work", "", "From: j@c.example\r\nSubject: On holiday your plumber broke the tap\r\n\r\nNobody came."},
	{"a person about our automatic reply", "", "From: j@c.example\r\nSubject: Your automatic reply is an insult\r\n\r\nNobody came."},
	{"a person about office hours", "", "From: j@c.example\r\nSubject: I am out of office hours calling in vain\r\n\r\nNobody came."},
	{"away until", schemas.MailAutoReply, "From: j@c.example\r\nSubject: I'm out of the office until 5 May\r\n\r\nI am away."},
	{"RFC 3834", schemas.MailAutoReply, "Auto-Submitted: auto-replied\r\n" + head + "\r\nI am away."},
	{"X-Autoreply", schemas.MailAutoReply, "X-Autoreply: yes\r\n" + head + "\r\nI am away."},
	{"precedence", schemas.MailAutoReply, "Precedence: auto_reply\r\n" + head + "\r\nI am away."},
	{"English subject", schemas.MailAutoReply, "From: j@c.example\r\nSubject: Out of Office: back on Monday\r\n\r\nI am away."},
	{"German subject", schemas.MailAutoReply, "From: j@c.example\r\nSubject: Automatische Antwort: Ihr Termin\r\n\r\nBin weg."},
	{"French subject, encoded", schemas.MailAutoReply, "From: j@c.example\r\nSubject: =?utf-8?Q?R=C3=A9ponse_automatique_:_absence?=\r\n\r\nAbsent."},
	{"Spanish subject", schemas.MailAutoReply, "From: j@c.example\r\nSubject: Respuesta automática: cita\r\n\r\nFuera."},
	{"Italian subject", schemas.MailAutoReply, "From: j@c.example\r\nSubject: Risposta automatica: visita\r\n\r\nFuori."},
	{"Dutch subject", schemas.MailAutoReply, "From: j@c.example\r\nSubject: Automatisch antwoord: afspraak\r\n\r\nWeg."},
	{"away, empty return path", schemas.MailAutoReply, "Return-Path: <>\r\nAuto-Submitted: auto-replied\r\n" + head + "\r\nI am away."},
	{"read receipt", schemas.MailAutoReply, "From: j@c.example\r\nSubject: Read: Your visit\r\nContent-Type: multipart/report; report-type=disposition-notification; boundary=b\r\n\r\n--b\r\n\r\nread\r\n--b--\r\n"},
	{"delivery status", schemas.MailBounce, "From: MAILER-DAEMON@mx.example\r\nSubject: Undelivered Mail Returned to Sender\r\nAuto-Submitted: auto-replied\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nnot delivered\r\n--b--\r\n"},
	{"plain bounce", schemas.MailBounce, "From: Mail Delivery System <mailer-daemon@mx.example>\r\nSubject: failure notice\r\n\r\nSorry."},
	{"postmaster", schemas.MailBounce, "From: postmaster@mx.example\r\nSubject: Unzustellbar: Ihr Termin\r\n\r\nFehler."},
	{"a person named postmaster", "", "From: postmaster@c.example\r\nSubject: Your visit\r\n\r\nNobody came."},
	{"empty return path", schemas.MailBounce, "Return-Path: <>\r\nFrom: x@mx.example\r\nSubject: problem\r\n\r\nnot delivered"},
	{"Exim", schemas.MailBounce, "X-Failed-Recipients: j@c.example\r\nFrom: x@mx.example\r\nSubject: problem\r\n\r\nnot delivered"},
	{"newsletter", schemas.MailNewsletter, "List-Unsubscribe: <https://shop.example/u>\r\n" + head + "\r\nOffers."},
	{"list", schemas.MailNewsletter, "List-Id: Talk <talk.lists.example>\r\n" + head + "\r\nHello all."},
	{"bulk", schemas.MailNewsletter, "Precedence: bulk\r\n" + head + "\r\nHello all."},
	{"our own shared inbox", "", "List-Id: <care.example.com>\r\nPrecedence: list\r\n" + head + "\r\nNobody came."},
	{"alert of ours", schemas.MailOwn, "X-Redalert-Notification: 1\r\n" + head + "\r\nA red alert."},
	{"Message-ID of ours", schemas.MailOwn, "Message-ID: <ab.redalert@example.com>\r\nFrom: x@y.example\r\nSubject: s\r\n\r\nA red alert."},
	{"from our address", schemas.MailOwn, "From: Care <CARE@example.com>\r\nSubject: s\r\n\r\nNote to self."},
	{"our web form", "", "From: care@example.com\r\nReply-To: Jane <jane@c.example>\r\nSubject: Contact form\r\n\r\nNobody came."},
	{"a hosted form that says it is generated", "", "Auto-Submitted: auto-generated\r\nFrom: wordpress@site.example\r\nReply-To: jane@c.example\r\nSubject: Contact form\r\n\r\nNobody came."},
}

func TestCustomerIsTheWriter(t *testing.T) {
	for _, tc := range []struct{ name, raw, email, person string }{
		{"sender", head + "\r\nx", "jane@customers.example", "Jane Doe"},
		{"form", "From: care@example.com\r\nReply-To: \"Doe, Jane\" <jane@c.example>\r\nSubject: s\r\n\r\nx", "jane@c.example", "Doe, Jane"},
		{"no-reply with Reply-To", "From: no-reply@forms.example\r\nReply-To: jane@c.example\r\nSubject: s\r\n\r\nx", "jane@c.example", ""},
		{"a private Reply-To stays the sender's", "From: jane@c.example\r\nReply-To: jane@home.example\r\nSubject: s\r\n\r\nx", "jane@c.example", ""},
		{"unquoted comma", "From: Doe, Jane <jane@c.example>\r\nSubject: s\r\n\r\nx", "jane@c.example", "Doe, Jane"},
		{"encoded name", "From: =?iso-8859-1?Q?J=FCrgen?= <j@c.example>\r\nSubject: s\r\n\r\nx", "j@c.example", "Jürgen"},
		{"bare", "From: JANE@C.EXAMPLE\r\nSubject: s\r\n\r\nx", "jane@c.example", ""},
	} {
		f, _ := decode(t, tc.raw)
		if f.Customer == nil || f.Customer.Email != tc.email || f.Customer.Name != tc.person {
			t.Errorf("%s: %+v", tc.name, f.Customer)
		}
	}
}
