package email

import (
	"errors"
	"fmt"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// rawMail is a mail as the server handed it out.
type rawMail struct {
	uid        uint32
	size       int64
	received   time.Time
	raw        []byte // the header alone when headerOnly
	headerOnly bool
	refused    string // why the server does not hand it out
}

var (
	wholeMail  = &imap.FetchItemBodySection{Peek: true}
	headerPart = &imap.FetchItemBodySection{Peek: true, Specifier: imap.PartSpecifierHeader,
		Partial: &imap.SectionPartial{Size: MaxHeaderBytes}}
)

// bodies fetches a batch with one command for the mails and one for the
// headers of those too large, and hands each mail over as it arrives. What the
// server leaves out is asked for once more, alone: gone means expunged, and is
// skipped; a mail that is there and refused is handed over as such.
func (s *session) bodies(mailbox string, batch []entry, each func(rawMail)) error {
	if s.selected != mailbox {
		return fmt.Errorf("mailbox %q is not open", mailbox) // a fault of this package
	}
	s.conn.begin(s.pace.answer)
	defer s.conn.end()
	var small, large []entry
	for _, e := range batch {
		if e.size > MaxMailBytes {
			large = append(large, e)
		} else {
			small = append(small, e)
		}
	}
	for _, part := range []struct {
		entries []entry
		section *imap.FetchItemBodySection
	}{{small, wholeMail}, {large, headerPart}} {
		if len(part.entries) == 0 {
			continue
		}
		missing, err := s.section(part.entries, part.section, each)
		if err != nil && !isRefusal(err) {
			return err
		}
		for _, e := range missing {
			if err := s.alone(e, part.section, each); err != nil {
				return err
			}
		}
	}
	return nil
}

// alone fetches one mail that a larger command did not bring.
func (s *session) alone(e entry, section *imap.FetchItemBodySection, each func(rawMail)) error {
	missing, err := s.section([]entry{e}, section, each)
	switch {
	case err == nil || len(missing) == 0:
		return nil // fetched now, or expunged
	case !isRefusal(err):
		return err
	}
	there, lerr := s.metadata(e.uid, e.uid)
	if lerr != nil {
		return lerr
	}
	if len(there) > 0 {
		each(rawMail{uid: e.uid, size: e.size, received: e.received, refused: refusal(err)})
	}
	return nil
}

// isRefusal tells a NO or BAD of the server from a broken connection.
func isRefusal(err error) bool {
	var answer *imap.Error
	return errors.As(err, &answer) && answer.Type != imap.StatusResponseTypeBye
}

func (s *session) section(entries []entry, section *imap.FetchItemBodySection, each func(rawMail)) (missing []entry, err error) {
	known := make(map[uint32]entry, len(entries))
	for _, e := range entries {
		known[e.uid] = e
	}
	cmd := s.client.Fetch(uidSet(entries), &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{section}})
	for m := cmd.Next(); m != nil; m = cmd.Next() {
		r, ok, rerr := readMail(m, known)
		if rerr != nil {
			err = rerr
			break
		}
		if ok {
			delete(known, r.uid)
			r.headerOnly = r.headerOnly || section == headerPart
			each(r)
		}
	}
	if cerr := cmd.Close(); err == nil {
		err = cerr
	}
	for _, e := range entries {
		if _, still := known[e.uid]; still {
			missing = append(missing, e)
		}
	}
	if err != nil {
		return missing, fmt.Errorf("fetch mails: %w", err)
	}
	return missing, nil
}

// readMail reads one FETCH answer; ok is false for one without a body or for a
// mail not asked for. A mail larger than its announced size is cut down to its
// header.
func readMail(m *imapclient.FetchMessageData, known map[uint32]entry) (r rawMail, ok bool, err error) {
	for it := m.Next(); it != nil; it = m.Next() {
		switch it := it.(type) {
		case imapclient.FetchItemDataUID:
			r.uid = uint32(it.UID)
		case imapclient.FetchItemDataBodySection:
			if it.Literal == nil {
				continue
			}
			limit := int64(MaxMailBytes)
			if it.Literal.Size() > limit {
				limit, r.headerOnly = MaxHeaderBytes, true
			}
			r.size = it.Literal.Size()
			if r.raw, err = readLiteral(it.Literal, limit); err != nil {
				return r, false, err
			}
			ok = true
		}
	}
	e, asked := known[r.uid]
	r.received = e.received
	if e.size > MaxMailBytes {
		r.size = e.size
	}
	return r, ok && asked, nil
}
