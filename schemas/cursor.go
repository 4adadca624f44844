package schemas

import (
	"encoding/base64"
	"encoding/json"
	"errors"
)

// ErrBadCursor is returned by listings for a cursor that none of them wrote;
// doors answer it with 400.
var ErrBadCursor = errors.New("cursor: not one this listing has given out; leave it away to start from the beginning")

// EncodeCursor packs the sort key of a page's last row into the opaque text of
// Page.Next. Every adapter uses it, so that a cursor is safe in a URL.
func EncodeCursor(at int64, id string) string {
	b, err := json.Marshal([]any{at, id})
	if err != nil { // an int64 and a string always encode
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// DecodeCursor reads what EncodeCursor wrote. ok is false for "", the start of
// a listing. Any other text it did not write is ErrBadCursor.
func DecodeCursor(s string) (at int64, id string, ok bool, err error) {
	if s == "" {
		return 0, "", false, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return 0, "", false, ErrBadCursor
	}
	var parts []json.RawMessage
	if json.Unmarshal(b, &parts) != nil || len(parts) != 2 ||
		json.Unmarshal(parts[0], &at) != nil || json.Unmarshal(parts[1], &id) != nil {
		return 0, "", false, ErrBadCursor
	}
	return at, id, true, nil
}

// MaxPage caps the items of one page, whatever limit is asked for.
const MaxPage = 1000

// PageLimit is the number of items a page of q may hold: 100 unless asked for
// otherwise, at most MaxPage.
func (q ListQuery) PageLimit() int {
	switch {
	case q.Limit <= 0:
		return 100
	case q.Limit > MaxPage:
		return MaxPage
	}
	return q.Limit
}
