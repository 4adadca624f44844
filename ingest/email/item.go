package email

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"redalert/ingest"
	"redalert/schemas"
)

// ReplayKind is how quarantined mail is read again; see schemas.Quarantined.
const ReplayKind = "mail"

// Decoder makes items of mails. The zero value knows no address of ours and
// guesses threads from the mail alone.
type Decoder struct {
	// Own are our addresses: mail from them is ours, and no customer's.
	Own []string
	// Sent are further names of mailboxes that hold what we sent. The common
	// names (Sent, Sent Items, Gesendet …) are known.
	Sent []string
	// Threads joins mails into threads; nil: the oldest reference names it.
	Threads ingest.Threads
}

// Item makes an item of one mail that lay in mailbox and was received then
// (IMAP INTERNALDATE, the "From " line of an mbox; zero when unknown). It never
// fails: what cannot be taken in has Broken set. The thread is the oldest
// message the mail refers to; ItemIn asks Threads instead.
func (d Decoder) Item(source string, raw []byte, mailbox string, received time.Time) ingest.Item {
	it, _ := d.decode(source, raw, d.IsSent(mailbox), mailbox, received)
	it.Locator = mailbox
	return it
}

// ItemIn is Item with the thread looked up, and remembered, in d.Threads. Its
// error is that of the store, never the mail's.
func (d Decoder) ItemIn(ctx context.Context, source string, raw []byte, mailbox string, received time.Time) (ingest.Item, error) {
	it, m := d.decode(source, raw, d.IsSent(mailbox), mailbox, received)
	it.Locator = mailbox
	err := d.thread(ctx, &it, m)
	return it, err
}

// Replay reads a quarantined mail again; it has the shape that the Door's
// RegisterReplay takes, for ReplayKind.
func (d Decoder) Replay(raw []byte, q schemas.Quarantined) ([]ingest.Item, error) {
	if len(raw) == 0 {
		return nil, fmt.Errorf("mail %s: its bytes were not kept, it cannot be read again; answer it in your mail program", q.Locator)
	}
	mailbox, sent := parseLocator(q.Locator)
	it, _ := d.decode(q.Source, raw, sent || d.IsSent(mailbox), mailbox, q.At)
	it.Locator = q.Locator
	return []ingest.Item{it}, nil
}

func (d Decoder) thread(ctx context.Context, it *ingest.Item, m Mail) error {
	if d.Threads == nil || (m.MessageID == "" && len(m.References) == 0) {
		return nil
	}
	id, err := d.Threads.Thread(ctx, m.MessageID, m.References)
	if err != nil {
		return fmt.Errorf("find the thread of mail %s: %w", m.MessageID, err)
	}
	it.ThreadID = id
	return nil
}

// IsSent reports whether a mailbox of this name holds what we sent.
func (d Decoder) IsSent(mailbox string) bool {
	if mailbox == "" {
		return false
	}
	if slices.ContainsFunc(d.Sent, func(s string) bool { return strings.EqualFold(s, mailbox) }) {
		return true
	}
	leaf := mailbox[strings.LastIndexAny(mailbox, "/.\\")+1:]
	return sentNames[strings.ToLower(leaf)] || sentNames[strings.ToLower(mailbox)]
}

var sentNames = set("sent", "sent items", "sent mail", "sent messages", "sent.mbox", "gesendet", "gesendete elemente",
	"gesendete objekte", "gesendete nachrichten", "envoyés", "messages envoyés", "éléments envoyés", "enviados",
	"elementos enviados", "inviati", "posta inviata", "posta inviata.mbox", "verzonden", "verzonden items", "wysłane",
	"skickat", "sendt", "lähetetyt", "отправленные")

func (d Decoder) decode(source string, raw []byte, sent bool, mailbox string, received time.Time) (it ingest.Item, m Mail) {
	defer func() {
		if p := recover(); p != nil { // one mail must never stop the others
			it.Broken = &ingest.Broken{Code: schemas.QUnreadable, Reason: "the program failed on this mail; replay it after an update"}
		}
	}()
	it = ingest.Item{Source: source, Raw: raw, Replay: ReplayKind, Type: schemas.EmailReceived}
	var err error
	m, err = Parse(raw)
	it.OccurredAt = occurredAt(m.Date, received)
	it.NativeID = nativeID(m)
	it.ContentHash = contentHash(it.NativeID)
	it.ThreadID = threadOf(m)
	var broken *ingest.Broken
	if errors.As(err, &broken) {
		if broken.Code == schemas.QTooLarge {
			return d.headersOnly(it, m, sent, mailbox, broken), m
		}
		it.Broken = broken
		return it, m
	}
	if len(bytes.TrimSpace(raw)) == 0 || (m.From.Email == "" && m.MessageID == "" && m.Subject == "" && m.Date.IsZero()) {
		it.Broken = &ingest.Broken{Code: schemas.QUnreadable, Reason: "this is no mail: it has neither sender, subject, date nor Message-ID"}
		return it, m
	}
	d.fill(&it, m, sent, mailbox)
	return it, m
}

// oversized makes the item of a mail of which only the header was read.
func (d Decoder) oversized(source string, header []byte, size int64, sent bool, mailbox string, received time.Time) (ingest.Item, Mail) {
	h, _ := splitHeader(header)
	m := readHeader(h)
	it := ingest.Item{Source: source, Replay: ReplayKind, Type: schemas.EmailReceived, OccurredAt: occurredAt(m.Date, received),
		NativeID: nativeID(m), ThreadID: threadOf(m)}
	return d.headersOnly(it, m, sent, mailbox, tooLarge(size)), m
}

// headersOnly quarantines a mail that is too large, without its bytes but with
// what its header says, so that staff see who wrote.
func (d Decoder) headersOnly(it ingest.Item, m Mail, sent bool, mailbox string, why *ingest.Broken) ingest.Item {
	m.flag(FlagHeadersOnly)
	d.fill(&it, m, sent, mailbox)
	it.Raw, it.Broken = nil, why
	return it
}

// fill sets type and data.
func (d Decoder) fill(it *ingest.Item, m Mail, sent bool, mailbox string) {
	own := d.own()
	kind := Classify(m, own)
	t := trim(m.Text)
	text, cutOff := cutJSON(t.text, maxEventText)
	if t.quoteOnly && isReply(m) {
		text = ""
		m.flag(FlagQuoteOnly)
	}
	if cutOff {
		m.flag(FlagTruncated)
	}
	var data any
	if sent && (kind != schemas.MailOwn || !isOurs(m) || m.Header.Get(headerCase) != "") {
		it.Type = schemas.ReplySent
		data = reply(m, own, text)
	} else {
		data = d.received(m, own, kind, text, mailbox)
	}
	raw, err := json.Marshal(data)
	if err != nil { // cannot happen: strings, numbers and maps of them
		it.Broken = &ingest.Broken{Code: schemas.QUnreadable, Reason: err.Error()}
		return
	}
	it.Data = raw
}

func (d Decoder) own() []string {
	own := make([]string, 0, len(d.Own))
	for _, a := range d.Own {
		own = append(own, strings.ToLower(strings.TrimSpace(a)))
	}
	return own
}

func (d Decoder) received(m Mail, own []string, kind, text, mailbox string) schemas.Feedback {
	meta := map[string]any{}
	put := func(key, value string) {
		if value != "" {
			meta[key] = value
		}
	}
	put(schemas.MetaSubject, m.Subject)
	put(schemas.MetaMessageID, m.MessageID)
	put(schemas.MetaInReplyTo, m.InReplyTo)
	put(schemas.MetaMailKind, kind)
	put(schemas.MetaMailbox, cut(oneLine(toUTF8(mailbox)), maxNameBytes))
	if len(m.Flags) > 0 {
		meta[schemas.MetaFlags] = m.Flags
	}
	if m.Attached > 0 {
		meta["attachments"] = m.Attached
		meta["attachment_names"] = m.Attachments
	}
	f := schemas.Feedback{
		SourceType: schemas.SourceEmail, FieldType: schemas.FieldText, ValueText: text,
		OrderRef: OrderRef(m.Subject, text), Metadata: meta,
	}
	if kind == "" || kind == schemas.MailAutoReply {
		f.Customer = customerOf(m, own)
	}
	return f
}

// customerOf is the sender, or whoever is to be answered when a form wrote.
func customerOf(m Mail, own []string) *schemas.CustomerRef {
	a := m.From
	if writtenByForm(m, own) || a.Email == "" {
		a = m.ReplyTo
	}
	if a.Email == "" {
		return nil
	}
	return &schemas.CustomerRef{Email: a.Email, Name: a.Name}
}

func reply(m Mail, own []string, text string) schemas.Reply {
	r := schemas.Reply{
		MessageID: m.MessageID, InReplyTo: m.InReplyTo, Subject: m.Subject, Text: text, SentBy: m.From.Email,
		OrderRef: OrderRef(m.Subject, text), CaseID: cut(oneLine(m.Header.Get(headerCase)), 64),
	}
	for _, a := range m.To {
		if a.Email != "" && !slices.Contains(own, a.Email) {
			r.Customer = &schemas.CustomerRef{Email: a.Email, Name: a.Name}
			break
		}
	}
	return r
}

func isReply(m Mail) bool { return len(m.References) > 0 || subjectRE.MatchString(m.Subject) }

// nativeID is Message-ID ":" SHA-256 of the body. Without a Message-ID it is a
// hash that sender, date and subject go into as well: two customers may write
// the same three words.
func nativeID(m Mail) string {
	if m.MessageID != "" {
		return m.MessageID + ":" + m.BodySHA256
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{m.From.Email, m.Subject, m.Header.Get("Date"), m.BodySHA256}, "\x00")))
	return hex.EncodeToString(sum[:])
}

// contentHash stands for the content of a mail: its id holds the hash of the
// body already. Data is no measure of it, since it changes with how we trim
// and with which addresses are ours; a mailbox read again from its start would
// then bring every old mail as a conflict.
func contentHash(nativeID string) string {
	sum := sha256.Sum256([]byte("mail\x00" + nativeID))
	return hex.EncodeToString(sum[:])
}

func threadOf(m Mail) string {
	if len(m.References) > 0 {
		return m.References[0]
	}
	return m.MessageID
}

// occurredAt is the Date header, never after received (a wrong clock) nor
// before mail existed; received when there is none; zero when neither is known.
func occurredAt(date, received time.Time) time.Time {
	received = received.UTC()
	switch {
	case date.IsZero(), date.Year() < 1990 && !received.IsZero():
		return received
	case !received.IsZero() && date.After(received):
		return received
	case date.Year() < 1990:
		return time.Time{}
	}
	return date
}
