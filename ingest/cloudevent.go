package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"redalert/schemas"
)

// Limits of one request of events.
const MaxBatch = 1000

// Errors of bytes that are no events at all: nothing of them is kept.
var (
	ErrNotJSON   = errors.New("not JSON")
	ErrTooDeep   = fmt.Errorf("JSON nested deeper than %d levels", MaxJSONDepth)
	ErrTooMany   = fmt.Errorf("more than %d events in one batch", MaxBatch)
	ErrTooLarge  = fmt.Errorf("an event of more than %d bytes", schemas.MaxEventBytes)
	ErrNotObject = errors.New("not a JSON object")
	ErrNotBatch  = errors.New("not a JSON array")
)

// ReadCloudEvent reads one CloudEvent 1.0 in structured JSON mode. CloudEvents
// source and id become source and native id; when it happened is
// data.occurred_at, else the time attribute. The attributes revision and
// threadid are ours.
//
// What is JSON but no event of ours answers the item as far as it was readable
// with Broken set, and that *Broken as the error: hand the item to the Door
// all the same, and it goes to quarantine. Any other error (ErrNotJSON,
// ErrTooDeep) means the bytes are unreadable; nothing is to be kept.
func ReadCloudEvent(raw []byte) (Item, error) {
	it := Item{Raw: raw, Replay: ReplayCloudEvent}
	n, sent, err := parseEvent(raw)
	if err != nil {
		if err := checkDepth(raw, MaxJSONDepth); err != nil {
			return Item{}, err
		}
		if !json.Valid(raw) {
			return Item{}, fmt.Errorf("%w: %w", ErrNotJSON, err)
		}
		return it.breaks(unreadable("the event", err)) // JSON, but not RFC 8785's
	}
	it.Source, it.NativeID, it.Type = n.str("source"), n.str("id"), schemas.EventType(n.str("type"))
	it.Revision, it.ThreadID = n.str("revision"), n.str("threadid")
	if v := rules["envelope"].check(&n); v != nil {
		return it.breaks(&Broken{schemas.QInvalid, v.text("")})
	}
	data := n.get("data")
	it.Data, it.read = sent, &readData{of: sent, tree: *data}
	if data.str("occurred_at") == "" {
		at, err := schemas.ParseTime(n.str("time"))
		if err != nil {
			return it.breaks(&Broken{schemas.QTime, "time: " + err.Error()})
		}
		it.OccurredAt = at
	}
	return it, nil
}

// readData is data read once, for the first that wants it: preparing an item
// changes the tree, so whoever comes again reads the bytes.
type readData struct {
	of    []byte // what was read
	tree  node
	taken atomic.Bool
}

// take answers the tree of data, unless it is of other bytes or was taken.
func (r *readData) take(data []byte) (node, bool) {
	if r == nil || len(data) == 0 || len(data) != len(r.of) || &data[0] != &r.of[0] || r.taken.Swap(true) {
		return node{}, false
	}
	return r.tree, true
}

// tree reads the item's data, unless that was done.
func (it *Item) tree() (node, error) {
	if n, ok := it.read.take(it.Data); ok {
		return n, nil
	}
	return parseJSON(it.Data)
}

func (it Item) breaks(b *Broken) (Item, error) {
	it.Broken = b
	return it, b
}

// SplitBatch splits a batch of CloudEvents into its events without decoding
// them. It checks the syntax of the whole first, so that either every event or
// none is taken; the limits answer ErrTooMany, ErrTooLarge and ErrTooDeep. The
// answer aliases raw.
func SplitBatch(raw []byte) ([][]byte, error) {
	raw = bytes.TrimSpace(raw)
	if err := checkDepth(raw, MaxJSONDepth+1); err != nil {
		return nil, err
	}
	if !json.Valid(raw) {
		return nil, ErrNotJSON
	}
	if raw[0] != '[' {
		return nil, ErrNotBatch
	}
	return splitArray(raw[1 : len(raw)-1])
}

// splitArray cuts the inside of a valid array at its own commas.
func splitArray(in []byte) ([][]byte, error) {
	var out [][]byte
	depth, from := 0, 0
	cut := func(to int) error {
		e := bytes.TrimSpace(in[from:to])
		from = to + 1
		switch {
		case len(e) == 0:
			return nil // the empty array
		case len(e) > schemas.MaxEventBytes:
			return fmt.Errorf("%w (index %d)", ErrTooLarge, len(out))
		case len(out) == MaxBatch:
			return ErrTooMany
		}
		out = append(out, e)
		return nil
	}
	for i := 0; i < len(in); i++ {
		switch in[i] {
		case '"':
			i = stringEnd(in, i)
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ',':
			if depth == 0 {
				if err := cut(i); err != nil {
					return nil, err
				}
			}
		}
	}
	if err := cut(len(in)); err != nil {
		return nil, err
	}
	return out, nil
}

// stringEnd finds the closing quote of the string that opens at i, or the end.
func stringEnd(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return i
}

// checkDepth bounds the nesting before anything is decoded.
func checkDepth(raw []byte, most int) error {
	depth := 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			i = stringEnd(raw, i)
		case '{', '[':
			if depth++; depth > most {
				return ErrTooDeep
			}
		case '}', ']':
			depth--
		}
	}
	return nil
}

// envelopeOf writes an item as a CloudEvent, so that one without raw bytes can
// be replayed. Data that is not JSON stands as text.
func envelopeOf(it *Item) []byte {
	data := any(it.Data)
	if !json.Valid(it.Data) {
		data = string(it.Data)
	}
	raw, err := json.Marshal(struct {
		SpecVersion string            `json:"specversion"`
		ID          string            `json:"id,omitempty"`
		Source      string            `json:"source,omitempty"`
		Type        schemas.EventType `json:"type,omitempty"`
		Time        string            `json:"time,omitempty"`
		Revision    string            `json:"revision,omitempty"`
		ThreadID    string            `json:"threadid,omitempty"`
		Data        any               `json:"data"`
	}{"1.0", it.NativeID, it.Source, it.Type, schemas.FormatTime(it.OccurredAt), it.Revision, it.ThreadID, data})
	if err != nil { // JSON within JSON and texts always encode
		return it.Data
	}
	return raw
}
