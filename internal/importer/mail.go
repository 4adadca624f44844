package importer

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"redalert/ingest"
	"redalert/ingest/file"
	"redalert/schemas"
)

// mailUnits lists mailbox files, each resumed by itself, and runs of files
// with one mail each, resumed together. Folders are searched for .eml, .mbox
// and .mbx files, of mail-text for .txt files, by name.
func (r *run) mailUnits() ([]unit, error) {
	paths, err := r.mailPaths()
	if err != nil {
		return nil, err
	}
	var units []unit
	var single []string
	flush := func() {
		if len(single) > 0 {
			units = append(units, r.singleMails(single))
			single = nil
		}
	}
	for _, path := range paths {
		mbox, err := r.isMbox(path)
		if err != nil {
			return nil, err
		}
		if !mbox {
			single = append(single, path)
			continue
		}
		flush()
		u, err := r.mailbox(path)
		if err != nil {
			return nil, err
		}
		units = append(units, u)
	}
	flush()
	return units, nil
}

func (r *run) mailPaths() ([]string, error) {
	ends := []string{".eml", ".mbox", ".mbx"}
	if r.plan.text {
		ends = []string{".txt"}
	}
	var paths []string
	for _, path := range r.opt.Files {
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUsage, err)
		}
		if !info.IsDir() {
			paths = append(paths, path)
			continue
		}
		before := len(paths)
		err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && slices.Contains(ends, strings.ToLower(filepath.Ext(p))) {
				paths = append(paths, p)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUsage, err)
		}
		if len(paths) == before {
			return nil, fmt.Errorf("%w: %s holds no %s file", ErrUsage, path, strings.Join(ends, ", "))
		}
	}
	return paths, nil
}

func (r *run) isMbox(path string) (bool, error) {
	f, err := file.Open(path)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	defer f.Close()
	head, err := bufio.NewReader(f).Peek(8)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	return !r.plan.text && file.IsMbox(head), nil
}

func (r *run) mailbox(path string) (unit, error) {
	sum, err := file.Sum(path)
	if err != nil {
		return unit{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return unit{}, err
	}
	u := unit{name: filepath.Base(path), size: info.Size(), key: r.cursorKey(sum)}
	u.read = func(ctx context.Context, skip int64, emit func(step) error) error {
		f, err := file.Open(path)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrUsage, err)
		}
		defer f.Close()
		box := file.NewMbox(f)
		for n := int64(0); ; n++ {
			mail, err := box.Next()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			if err := context.Cause(ctx); err != nil {
				return err
			}
			s := step{rows: 1, pos: f.Position()}
			if n >= skip {
				locator := fmt.Sprintf("%s:%d", f.Name, mail.Line)
				it, err := r.mailItem(mail, f.Name, locator)
				if err != nil {
					return fmt.Errorf("%s: %w", locator, err)
				}
				s.items = []ingest.Item{it}
			}
			if err := emit(s); err != nil {
				return err
			}
		}
	}
	return u, nil
}

// singleMails reads files that hold one mail each.
func (r *run) singleMails(paths []string) unit {
	h := sha256.New()
	u := unit{name: fmt.Sprintf("%d mails", len(paths))}
	for _, p := range paths {
		if info, err := os.Stat(p); err == nil {
			fmt.Fprintf(h, "%q %d %d\n", p, info.Size(), info.ModTime().UnixNano())
			u.size += info.Size()
		}
	}
	u.key = r.cursorKey(hex.EncodeToString(h.Sum(nil)))
	u.read = func(ctx context.Context, skip int64, emit func(step) error) error {
		pos := int64(0)
		for i, p := range paths {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			s := step{rows: 1}
			if int64(i) >= skip {
				it, n, err := r.oneMail(p)
				if err != nil {
					return fmt.Errorf("%s: %w", p, err)
				}
				s.items = []ingest.Item{it}
				pos += n
			}
			s.pos = pos
			if err := emit(s); err != nil {
				return err
			}
		}
		return nil
	}
	return u
}

func (r *run) oneMail(path string) (ingest.Item, int64, error) {
	f, err := file.Open(path)
	if err != nil {
		return ingest.Item{}, 0, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, file.MaxMail+1))
	if err != nil {
		return ingest.Item{}, 0, err
	}
	mail := file.Mail{Line: 1, Raw: raw}
	if len(raw) > file.MaxMail {
		mail = file.Mail{Line: 1, TooLarge: true, Header: raw[:64<<10]}
	}
	if r.plan.text && !mail.TooLarge {
		info, err := os.Stat(path)
		if err != nil {
			return ingest.Item{}, 0, err
		}
		mail.Raw = textMail(raw, info.ModTime())
	}
	it, err := r.mailItem(mail, filepath.Base(filepath.Dir(path)), f.Name+":1")
	return it, f.Size, err
}

// textMail puts the least of a header before a text: an id made of what it
// says, and a date.
func textMail(text []byte, at time.Time) []byte {
	sum := sha256.Sum256(text)
	head := fmt.Sprintf("Message-ID: <%s@text.import.invalid>\r\nDate: %s\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
		hex.EncodeToString(sum[:16]), at.UTC().Format(time.RFC1123Z))
	return append([]byte(head), text...)
}

func (r *run) mailItem(mail file.Mail, mailbox, locator string) (ingest.Item, error) {
	var it ingest.Item
	var err error
	switch {
	case mail.TooLarge:
		reason := "the mail is over 25 MB; its text was not kept"
		if id := messageID(mail.Header); id != "" {
			reason += ": Message-ID " + id
		}
		it.Broken = &ingest.Broken{Code: schemas.QTooLarge, Reason: reason}
	case !hasHeader(mail.Raw):
		it = ingest.Item{Raw: mail.Raw, Broken: &ingest.Broken{Code: schemas.QUnreadable,
			Reason: "it has no mail header; texts without one are imported with --map " + MailText}}
	default:
		it, err = r.ports.MailItem(r.opt.Source, mail.Raw, mailbox)
	}
	var broken *ingest.Broken
	if errors.As(err, &broken) {
		it = ingest.Item{Raw: mail.Raw, Broken: broken}
	} else if err != nil {
		return ingest.Item{}, err
	}
	it.Source, it.Locator = r.opt.Source, locator
	if it.Replay == "" {
		it.Replay = r.plan.replay
	}
	return it, nil
}

// hasHeader reports whether the first line is "Name: value".
func hasHeader(raw []byte) bool {
	line, _, _ := bytes.Cut(bytes.TrimLeft(raw, "\r\n"), []byte("\n"))
	name, _, ok := bytes.Cut(line, []byte(":"))
	return ok && len(name) > 0 && !bytes.ContainsAny(name, " \t")
}

// messageID finds the id in a header that is not read any further.
func messageID(header []byte) string {
	for line := range bytes.Lines(header) {
		if name, value, ok := bytes.Cut(line, []byte(":")); ok && strings.EqualFold(string(name), "Message-ID") {
			return string(bytes.TrimSpace(value[:min(len(value), 256)]))
		}
	}
	return ""
}
