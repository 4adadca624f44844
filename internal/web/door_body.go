package web

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"redalert/ingest"
	"redalert/schemas"
)

// maxDoorBody caps a request's body, as sent and decoded.
const maxDoorBody = 10 << 20

var errBodyTooLarge = refuse(http.StatusRequestEntityTooLarge, "too_large",
	fmt.Sprintf("the body is larger than %d MiB; send fewer events at once", maxDoorBody>>20))

// readBody reads a body of one of the door's content types, undoing gzip. It
// never holds more than the cap: one that says it is larger is refused unread.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if _, err := mediaType(r.Header.Get("Content-Type")); err != nil {
		return nil, err
	}
	if r.ContentLength > maxDoorBody {
		return nil, errBodyTooLarge
	}
	var src io.Reader = http.MaxBytesReader(w, r.Body, maxDoorBody)
	switch enc := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); enc {
	case "", "identity":
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(src)
		if err != nil {
			return nil, bodyError(err)
		}
		defer z.Close()
		src = z
	default:
		return nil, refuse(http.StatusUnsupportedMediaType, "unsupported_encoding", "Content-Encoding may be gzip or absent")
	}
	var buf bytes.Buffer
	if r.ContentLength > 0 {
		buf.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	n, err := buf.ReadFrom(io.LimitReader(src, maxDoorBody+1))
	if err != nil {
		return nil, bodyError(err)
	}
	if n > maxDoorBody {
		return nil, errBodyTooLarge
	}
	return buf.Bytes(), nil
}

func bodyError(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return errBodyTooLarge
	}
	return refuse(http.StatusBadRequest, "unreadable", "the body could not be read to its end; send it again")
}

// Content types of the doors. Plain JSON may be either form.
const (
	typeEvent = "application/cloudevents+json"
	typeBatch = "application/cloudevents-batch+json"
	typeJSON  = "application/json"
)

func mediaType(header string) (string, error) {
	if header == typeEvent || header == typeBatch || header == typeJSON {
		return header, nil
	}
	t, params, err := mime.ParseMediaType(header)
	charset := strings.ToLower(params["charset"])
	known := t == typeEvent || t == typeBatch || t == typeJSON
	if err != nil || !known || (charset != "" && charset != "utf-8" && charset != "us-ascii") {
		return "", refuse(http.StatusUnsupportedMediaType, "unsupported_media_type",
			"send Content-Type "+typeEvent+" for one event or "+typeBatch+" for an array of them, in UTF-8")
	}
	return t, nil
}

// readItems reads the events of a body; what is JSON but no event comes back
// as a broken item, for quarantine.
func readItems(contentType string, body []byte) ([]ingest.Item, error) {
	t, err := mediaType(contentType)
	if err != nil {
		return nil, err
	}
	body = bytes.TrimSpace(body)
	array := len(body) > 0 && body[0] == '['
	if t == typeEvent && array {
		return nil, refuse(http.StatusBadRequest, "not_an_event", "the body is an array; send one event, or the array as "+typeBatch)
	}
	if !array && t != typeBatch {
		return readSingle(body)
	}
	raws, err := ingest.SplitBatch(body)
	if err != nil {
		return nil, unparsable(err)
	}
	items := make([]ingest.Item, len(raws))
	for i, raw := range raws {
		if items[i], err = readItem(raw); err != nil {
			return nil, err
		}
		items[i].Locator = fmt.Sprintf("event %d of a batch", i)
	}
	return items, nil
}

func readSingle(body []byte) ([]ingest.Item, error) {
	if len(body) > schemas.MaxEventBytes {
		return nil, unparsable(ingest.ErrTooLarge)
	}
	it, err := readItem(body)
	if err != nil {
		return nil, err
	}
	if body[0] != '{' {
		return nil, unparsable(ingest.ErrNotObject)
	}
	return []ingest.Item{it}, nil
}

// readItem leaves broken events to the Door; every other error is the body's.
func readItem(raw []byte) (ingest.Item, error) {
	it, err := ingest.ReadCloudEvent(raw)
	if _, broken := errors.AsType[*ingest.Broken](err); err != nil && !broken {
		return it, unparsable(err)
	}
	return it, nil
}

func unparsable(err error) error {
	switch {
	case errors.Is(err, ingest.ErrTooLarge), errors.Is(err, ingest.ErrTooMany):
		return refuse(http.StatusRequestEntityTooLarge, "too_large", err.Error())
	case errors.Is(err, ingest.ErrTooDeep):
		return refuse(http.StatusBadRequest, "too_deep", err.Error())
	case errors.Is(err, ingest.ErrNotBatch), errors.Is(err, ingest.ErrNotObject):
		return refuse(http.StatusBadRequest, "not_an_event", "the body is "+err.Error()+"; see schemas/envelope.schema.json")
	}
	return refuse(http.StatusBadRequest, "unparsable", "the body is not valid JSON")
}
