package importer

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"redalert/ingest"
	"redalert/schemas"
)

// door stands in for the Door: it knows ids and what was said under them.
type door struct {
	mu      sync.Mutex
	seen    map[string][32]byte
	items   []ingest.Item
	keep    bool
	calls   int
	failAt  int // number of the call that fails after taking its items; 0 = none
	cursors map[string]string
	people  map[schemas.CustomerRef]int
}

func newDoor() *door {
	return &door{seen: map[string][32]byte{}, keep: true, cursors: map[string]string{}, people: map[schemas.CustomerRef]int{}}
}

var errDown = errors.New("the store is down")

func (d *door) Accept(_ context.Context, items []ingest.Item) ([]ingest.Result, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls++
	out := make([]ingest.Result, len(items))
	for i, it := range items {
		out[i].Status = ingest.InQuarantine
		if it.Broken == nil {
			out[i].Status = d.one(it)
		}
		if d.keep && out[i].Status != ingest.Duplicate {
			d.items = append(d.items, it)
		}
	}
	if d.calls == d.failAt {
		return nil, errDown
	}
	return out, nil
}

func (d *door) one(it ingest.Item) ingest.Status {
	key := string(it.Type) + "\x00" + it.Source + "\x00" + it.NativeID
	sum := sha256.Sum256(it.Data)
	old, ok := d.seen[key]
	switch {
	case !ok:
		d.seen[key] = sum
		return ingest.Accepted
	case old == sum:
		return ingest.Duplicate
	}
	return ingest.InQuarantine
}

func (d *door) Load(_ context.Context, source string) (string, error) {
	c, ok := d.cursors[source]
	if !ok {
		return "", ingest.ErrNotFound
	}
	return c, nil
}

func (d *door) Save(_ context.Context, source, cursor string) error {
	d.cursors[source] = cursor
	return nil
}

func (d *door) Resolve(_ context.Context, s []schemas.Sighting) ([]string, error) {
	for _, one := range s {
		d.people[one.Customer]++
	}
	return make([]string, len(s)), nil
}

func (d *door) ports() Ports {
	return Ports{Acceptor: d, Cursors: d, Identities: d, MailItem: func(source string, raw []byte, _ string) (ingest.Item, error) {
		sum := sha256.Sum256(raw)
		return ingest.Item{Source: source, Type: schemas.EmailReceived, NativeID: string(sum[:]), Data: []byte(`{"source_type":"email"}`), Raw: raw}, nil
	}}
}

// good and broken items that came in.
func (d *door) split() (good, bad []ingest.Item) {
	for _, it := range d.items {
		if it.Broken != nil {
			bad = append(bad, it)
		} else {
			good = append(good, it)
		}
	}
	return good, bad
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func options(kind Kind, mapping string, files ...string) Options {
	return Options{Kind: kind, Files: files, Source: "till", Map: mapping, Now: func() time.Time { return noon },
		Business: schemas.Business{Currency: "GBP", Timezone: time.UTC}}
}

func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func zipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func mustRun(t testing.TB, d *door, o Options) Report {
	t.Helper()
	rep, err := Run(t.Context(), o, d.ports())
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	return rep
}

func day(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }

// raced says that the race detector is on: the large files then take minutes
// in the store, and are left to the run without it.
var raced bool
