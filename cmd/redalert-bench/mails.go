package main

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// mailbox makes mails of the sizes that a business's mailbox holds, the same
// ones each time: short plain ones, HTML with its plain alternative and the
// thread quoted below, a few with a photo or a bill attached. Half of them have
// less than about 12 KB, on average they have about 40.
func mailbox(n int) [][]byte {
	r := rand.New(rand.NewPCG(2, 26))
	mails := make([][]byte, n)
	for i := range mails {
		switch of100 := r.IntN(100); {
		case of100 < 32:
			mails[i] = compose(i, "text/plain; charset=utf-8", prose(r, 10+r.IntN(120)))
		case of100 < 86:
			kind, body := alternative(r)
			mails[i] = compose(i, kind, body)
		default:
			mails[i] = compose(i, `multipart/mixed; boundary="outer"`, attached(r))
		}
	}
	return mails
}

// shortMails are of the size of a short answer, all the same.
func shortMails(n int) [][]byte {
	mails := make([][]byte, n)
	for i := range mails {
		mails[i] = compose(i, "text/plain", strings.Repeat("The team came on time and did good work. ", 40))
	}
	return mails
}

func compose(i int, kind, body string) []byte {
	return fmt.Appendf(nil, "From: C %d <c%d@mail.example>\r\nTo: care@shop.example\r\nSubject: My order %d\r\nMessage-ID: <b%d@mail.example>\r\nDate: %s\r\nMIME-Version: 1.0\r\nContent-Type: %s\r\n\r\n%s\r\n",
		i%500, i%500, i, i, time.Now().Format(time.RFC1123Z), kind, body)
}

var sentences = []string{
	"The team came on time and did good work.", "Could we move the next visit to the afternoon?", "The key is with the neighbour as usual.",
	"Please send me the invoice again, I cannot find it.", "Nobody rang back although I left two messages.", "Thank you for sorting this out so quickly.",
	"We would like to book the same day next month.", "One window was left out this time, otherwise all is well.",
}

func prose(r *rand.Rand, n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(sentences[r.IntN(len(sentences))])
		if i%5 == 4 {
			b.WriteString("\r\n\r\n")
		} else {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// alternative is a text with its HTML and the thread it answers.
func alternative(r *rand.Rand) (kind, body string) {
	text, thread := prose(r, 3+r.IntN(20)), prose(r, 30+r.IntN(200))
	quoted := "\r\n\r\nOn Sat, 28 Feb 2026 at 10:00, Care <care@shop.example> wrote:\r\n> " + strings.ReplaceAll(thread, "\r\n", "\r\n> ")
	var html strings.Builder
	html.WriteString("<html><head><style>p{margin:0 0 1em;font-family:sans-serif;font-size:11pt}</style></head><body>")
	paragraphs(&html, text)
	html.WriteString("<div class=\"quote\">On Sat, 28 Feb 2026 at 10:00, Care &lt;care@shop.example&gt; wrote:<blockquote>")
	paragraphs(&html, thread)
	html.WriteString("</blockquote></div></body></html>")
	return `multipart/alternative; boundary="inner"`, part("inner", "text/plain; charset=utf-8", "", text+quoted) +
		part("inner", "text/html; charset=utf-8", "", html.String()) + "--inner--\r\n"
}

func paragraphs(b *strings.Builder, text string) {
	for p := range strings.SplitSeq(text, "\r\n\r\n") {
		b.WriteString("<p style=\"margin:0cm 0cm 8pt;line-height:107%\"><span lang=\"EN-GB\">" + p + "</span></p>\r\n")
	}
}

func part(boundary, kind, header, body string) string {
	return "--" + boundary + "\r\nContent-Type: " + kind + "\r\n" + header + "\r\n" + body + "\r\n"
}

// attached is an alternative with a photo or a bill of 40 to 300 KB.
func attached(r *rand.Rand) string {
	kind, body := alternative(r)
	file := make([]byte, 40_000+r.IntN(260_000))
	for i := range file {
		file[i] = byte(r.Uint32())
	}
	text := base64.StdEncoding.EncodeToString(file)
	var lines strings.Builder
	for line := range slices.Chunk([]byte(text), 76) {
		lines.Write(line)
		lines.WriteString("\r\n")
	}
	return part("outer", kind, "", body) +
		part("outer", `image/jpeg; name="photo.jpg"`, "Content-Disposition: attachment; filename=\"photo.jpg\"\r\nContent-Transfer-Encoding: base64\r\n", lines.String()) + "--outer--\r\n"
}
