package file

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
)

// ErrForm wraps every refusal of a whole file: an archive, something that is
// no text, a header that cannot be used.
var ErrForm = errors.New("file refused")

// Opened is a file being read. Read answers its content, unpacked if it was
// gzip. It is used by one goroutine, except Position.
type Opened struct {
	Path string
	Name string // base name, for locators
	Size int64  // as stored

	f   *os.File
	r   *bufio.Reader
	pos atomic.Int64
}

// archives are what begins like one and is refused, by magic bytes.
var archives = []struct {
	magic string
	what  string
}{
	{"PK\x03\x04", "a zip archive (or an Excel workbook): unpack it, or save the sheet as CSV"},
	{"PK\x05\x06", "an empty zip archive"},
	{"Rar!", "a RAR archive: unpack it first"},
	{"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"},
	{"BZh", "bzip2: unpack it first, or pack it with gzip"},
	{"\xfd7zXZ\x00", "xz: unpack it first, or pack it with gzip"},
	{"\x28\xb5\x2f\xfd", "zstd: unpack it first, or pack it with gzip"},
	{"\xd0\xcf\x11\xe0", "an old Excel or Word document: save the sheet as CSV"},
	{"%PDF", "a PDF"},
}

// Open opens a regular file; gzip is known by its first bytes, whatever the
// name. Archives, also packed in gzip, are refused with ErrForm: nothing is
// ever unpacked to disk, so no name inside one can reach anywhere.
func Open(path string) (*Opened, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	o := &Opened{Path: path, Name: filepath.Base(path), f: f}
	if err := o.start(); err != nil {
		f.Close()
		return nil, err
	}
	return o, nil
}

func (o *Opened) start() error {
	info, err := o.f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: %s is no regular file", ErrForm, o.Path)
	}
	o.Size = info.Size()
	o.r = bufio.NewReaderSize(countReader{o}, 256<<10)
	if head, _ := o.r.Peek(2); len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b {
		z, err := gzip.NewReader(o.r)
		if err != nil {
			return fmt.Errorf("%w: %s: gzip: %w", ErrForm, o.Path, err)
		}
		o.r = bufio.NewReaderSize(z, 256<<10)
	}
	return o.refuseArchives()
}

func (o *Opened) refuseArchives() error {
	head, err := o.r.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: %s: %w", ErrForm, o.Path, err)
	}
	for _, a := range archives {
		if bytes.HasPrefix(head, []byte(a.magic)) {
			return fmt.Errorf("%w: %s is %s", ErrForm, o.Path, a.what)
		}
	}
	switch {
	case len(head) > 1 && head[0] == 0x1f && head[1] == 0x8b:
		return fmt.Errorf("%w: %s is gzip within gzip: unpack it first", ErrForm, o.Path)
	case len(head) >= 262 && string(head[257:262]) == "ustar":
		return fmt.Errorf("%w: %s is a tar archive: unpack it first", ErrForm, o.Path)
	}
	return nil
}

type countReader struct{ o *Opened }

func (c countReader) Read(p []byte) (int, error) {
	n, err := c.o.f.Read(p)
	c.o.pos.Add(int64(n))
	return n, err
}

// Read answers the content. A gzip stream that is cut off or damaged is an
// error naming the file.
func (o *Opened) Read(p []byte) (int, error) {
	n, err := o.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("%s: %w", o.Path, err)
	}
	return n, err
}

// Position is how many bytes of the stored file have been taken; safe to call
// from anywhere.
func (o *Opened) Position() int64 { return o.pos.Load() }

// Close closes the file.
func (o *Opened) Close() error { return o.f.Close() }

// Sum is the SHA-256 of a file as stored, hex.
func Sum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
