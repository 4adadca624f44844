package file

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// MaxMail caps one mail; of a larger one only the header is read.
const MaxMail = 25 << 20

const maxMailHeader = 256 << 10

// Mail is one message of a mailbox file.
type Mail struct {
	Line int    // where it begins
	Raw  []byte // own memory; nil when it is too large
	// Header is the header of a mail that is too large, at most 256 KiB.
	Header   []byte
	TooLarge bool
}

// Mbox cuts a mailbox file into mails (mboxrd and mboxo): a mail begins with a
// "From " line that ends in a time and a year, at the top or after a blank line;
// ">From " lines of the text lose one ">". It streams: no more than one mail is
// held. Not for concurrent use.
type Mbox struct {
	r       *bufio.Reader
	line    int
	started bool
	done    bool
}

// NewMbox reads a mailbox from r.
func NewMbox(r io.Reader) *Mbox { return &Mbox{r: bufio.NewReaderSize(r, 64<<10)} }

// IsMbox reports whether a file that begins so is a mailbox file.
func IsMbox(head []byte) bool { return bytes.HasPrefix(head, []byte("From ")) }

// Next answers the next mail, or io.EOF.
func (m *Mbox) Next() (Mail, error) {
	if m.done {
		return Mail{}, io.EOF
	}
	if !m.started {
		m.started = true
		if err := m.preamble(); err != nil {
			return Mail{}, err
		}
	}
	return m.mail()
}

// preamble reads up to the first From line.
func (m *Mbox) preamble() error {
	for {
		line, whole, err := m.read()
		if len(line) > 0 && bytes.HasPrefix(line, []byte("From ")) {
			if !whole {
				return errors.New("its first line is no mailbox line")
			}
			return nil
		}
		if err != nil {
			m.done = true
			return err
		}
		if len(bytes.TrimSpace(line)) > 0 {
			m.done = true
			return errors.New("it does not begin with a From line: no mailbox file")
		}
	}
}

// read answers one line, or a piece of one longer than the buffer.
func (m *Mbox) read() (line []byte, whole bool, err error) {
	line, err = m.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return line, false, nil
	}
	if len(line) > 0 {
		m.line++
	}
	return line, true, err
}

func (m *Mbox) mail() (Mail, error) {
	out := Mail{Line: m.line}
	var raw []byte
	header, blank, fresh := true, false, true
	for {
		line, whole, err := m.read()
		if fresh && blank && isFromLine(line) {
			break
		}
		if len(line) > 0 {
			text := line
			if fresh && isQuotedFrom(line) {
				text = line[1:]
			}
			if header && fresh && len(bytes.TrimSpace(line)) == 0 {
				header = false
			}
			raw = out.take(raw, text, header)
			blank, fresh = fresh && len(bytes.TrimRight(line, "\r\n")) == 0, whole
		}
		if errors.Is(err, io.EOF) {
			m.done = true
			break
		}
		if err != nil {
			return Mail{}, err
		}
	}
	if !out.TooLarge {
		out.Raw = raw
		if !m.done {
			out.Raw = trimEnd(raw) // the blank line before the next mail
		}
	}
	return out, nil
}

// take adds text to the mail, unless it is too large by now.
func (mail *Mail) take(raw, text []byte, header bool) []byte {
	if mail.TooLarge {
		return nil
	}
	if len(raw)+len(text) <= MaxMail {
		return append(raw, text...)
	}
	mail.TooLarge = true
	head := raw
	if !header {
		for _, sep := range []string{"\n\n", "\r\n\r\n"} {
			if i := bytes.Index(head, []byte(sep)); i >= 0 {
				head = head[:i]
			}
		}
	}
	mail.Header = bytes.Clone(head[:min(len(head), maxMailHeader)])
	return nil
}

// isFromLine tells a mailbox's From line from a sentence: it names a clock
// time and a year.
func isFromLine(line []byte) bool {
	if !bytes.HasPrefix(line, []byte("From ")) {
		return false
	}
	fields := bytes.Fields(line)
	clock, year := false, false
	for _, f := range fields[1:] {
		clock = clock || len(f) >= 4 && bytes.IndexByte(f, ':') > 0 && isDigit(f[0]) && isDigit(f[len(f)-1])
		year = year || len(f) == 4 && isDigit(f[0]) && isDigit(f[1]) && isDigit(f[2]) && isDigit(f[3])
	}
	return clock && year
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isQuotedFrom(line []byte) bool {
	return len(line) > 0 && line[0] == '>' && bytes.HasPrefix(bytes.TrimLeft(line, ">"), []byte("From "))
}
