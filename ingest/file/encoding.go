package file

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// Decode answers r as UTF-8. A byte order mark decides first (UTF-8, UTF-16
// either way round); then the encoding that was named ("windows-1252",
// "iso-8859-1", "utf-16le", … as browsers know them); else the text passes as
// it is, and rows that are not UTF-8 are bad rows, never guessed at. Text with
// NUL bytes and no mark is refused with ErrForm.
func Decode(r io.Reader, encoding string) (io.Reader, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	head, err := br.Peek(4096)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(head, []byte{0xff, 0xfe, 0, 0}), bytes.HasPrefix(head, []byte{0, 0, 0xfe, 0xff}):
		return nil, fmt.Errorf("%w: it is UTF-32; save it as UTF-8", ErrForm)
	case bytes.HasPrefix(head, []byte{0xef, 0xbb, 0xbf}):
		_, err := br.Discard(3)
		return br, err
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}), bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return transform.NewReader(br, unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder()), nil
	}
	if encoding != "" && encoding != "utf-8" {
		enc, err := htmlindex.Get(encoding)
		if err != nil {
			return nil, fmt.Errorf("%w: unknown encoding %q; try windows-1252 or utf-16le", ErrForm, encoding)
		}
		return transform.NewReader(br, enc.NewDecoder()), nil
	}
	if bytes.IndexByte(head, 0) >= 0 {
		return nil, fmt.Errorf("%w: it holds NUL bytes: no text, or UTF-16 without a byte order mark (then set encoding: utf-16le in a mapping)", ErrForm)
	}
	return br, nil
}
