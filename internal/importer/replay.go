package importer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"redalert/ingest"
	"redalert/schemas"
)

// ErrImportAgain is returned for quarantined rows that were read with a mapping
// file or a time zone of their own: these are not kept.
var ErrImportAgain = errors.New("the row was imported with a mapping or time zone of its own; correct it in the file and import that again: what is in already stays as it is")

// Decoder reads quarantined rows again: register it with the Door as the
// decoder of "row". It maps them as an import with the same preset would, with
// the business's time zone.
func Decoder(b schemas.Business, now func() time.Time) func(raw []byte, q schemas.Quarantined) ([]ingest.Item, error) {
	return func(raw []byte, q schemas.Quarantined) ([]ingest.Item, error) {
		name := strings.TrimPrefix(q.Replay, "row:")
		o := Options{Kind: Kind(name), Source: q.Source, Business: b, Now: now, Memory: 64 << 20}
		if name == "file" {
			return nil, ErrImportAgain
		}
		for _, p := range Presets() {
			if p.Name == name {
				o.Kind, o.Map = p.Kind, p.Name
			}
		}
		if o.Kind == Mail || o.Kind == Customers || typePrefix[o.Kind] == "" {
			return nil, fmt.Errorf("quarantined %s: %w", q.Replay, ErrImportAgain)
		}
		pl, err := resolve(o)
		if err != nil {
			return nil, err
		}
		return decode(&run{opt: o, plan: pl}, raw, q)
	}
}

func decode(r *run, raw []byte, q schemas.Quarantined) ([]ingest.Item, error) {
	var items []ingest.Item
	rd := &reader{run: r, src: bytes.NewReader(raw), name: "row", alive: func() error { return nil }, emit: func(s step) error {
		for _, it := range s.items {
			it.Locator = q.Locator
			items = append(items, it)
		}
		return nil
	}}
	if err := rd.read(); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(items) == 0 {
		return nil, fmt.Errorf("%s: nothing in it is an event", q.Locator)
	}
	return items, nil
}
