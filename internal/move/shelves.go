package move

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/bits"
	"strings"
)

// Kind is how a column's values look in a Row.
type Kind int

// Every kind. A column that may be null has nil for it.
const (
	Text  Kind = iota // string, any bytes
	Cut               // Text; past 1,000 bytes it travels in the form that Short gives
	Int               // int64; flags are 0 and 1
	Float             // float64
	Bytes             // []byte, never nil
	Hex               // string of hex digits
	Texts             // string: a list of texts as a JSON array
	Flag              // int64: 0 or 1
)

// Column of a shelf.
type Column struct {
	Name string
	Kind Kind
}

// Shelf is one kind of rows of the state. Name and columns are those of the
// tables, which both sides call the same.
type Shelf struct {
	Name    string
	Keys    int // how many of the columns, from the first, are the key
	Columns []Column
}

func shelf(name string, keys int, columns string) Shelf {
	kinds := map[string]Kind{"text": Text, "cut": Cut, "int": Int, "float": Float, "bytes": Bytes, "hex": Hex, "texts": Texts, "flag": Flag}
	s := Shelf{Name: name, Keys: keys}
	for _, c := range strings.Fields(columns) {
		name, kind, ok := strings.Cut(c, ":")
		if !ok {
			kind = "text"
		}
		s.Columns = append(s.Columns, Column{name, kinds[kind]})
	}
	return s
}

// Shelves lists the whole state; a shelf stands after those it depends on. What
// is not here: the logs, which are empty when a business moves, and what is
// derived from the rest.
func Shelves() []Shelf {
	return []Shelf{
		shelf("settings", 1, "id:int doc"),
		shelf("fits", 1, "name at:int doc"),
		shelf("users", 1, "email name role locations:texts timezone password_hash disabled:flag created_at:int"),
		shelf("tokens", 1, "hash name scope source created_at:int revoked_at:int"),
		shelf("sessions", 1, "hash email purpose created_at:int expires_at:int"),
		shelf("cursors", 1, "source:cut cursor"),
		shelf("collectors", 1, "name kind last_success:int last_error last_error_at:int lag_seconds:float accepted:int quarantined:int quiet_after:int"),
		shelf("clock_jobs", 2, "job key lease_until:int done_at:int"),
		shelf("answers", 2, "scope:cut key:cut body_sha256 status:int response:bytes at:int"),
		shelf("quarantine", 1, "id source code reason locator at:int raw_sha256 state state_at:int replay"),
		shelf("blobs", 1, "sha256:hex bytes:bytes"),
		shelf("receipts", 1, "event_id hash"),
		shelf("customers", 1, "id name name_at:int email email_at:int phone phone_at:int location location_at:int opted_out:flag seen_at:int search digits"),
		shelf("customer_keys", 2, "kind value customer_id"),
		shelf("customer_aliases", 1, "id canonical"),
		shelf("threads", 1, "message_id:cut thread_id"),
		shelf("cases", 1, "id number:int key:cut customer_id state open:flag priority:int version:int location source_type assignee value:int currency excerpt "+
			"opened_at:int due:int next_miss:int snoozed_until:int merged_into doc"),
		shelf("case_events", 2, "case_id seq:int at:int event_id doc"),
		shelf("case_alerts", 1, "event_id case_id raised_at:int opened_case:flag order_ref"),
		shelf("notifications", 1, "id case_id episode:int kind cause recipient channel message_id state to_customer:flag attempts:int at:int not_before:int "+
			"lease_until:int error event_id body:bytes"),
		shelf("marks", 1, "event_id at:int doc"),
		shelf("layers", 1, "number:int doc"),
		shelf("layer_uses", 1, "seq:int doc"),
	}
}

// Names lists the columns' names.
func (s Shelf) Names() []string {
	names := make([]string, len(s.Columns))
	for i, c := range s.Columns {
		names[i] = c.Name
	}
	return names
}

// maxText is the longest text that every side's indexes take as it is.
const maxText = 1000

// Short is the form of a Cut text: a long one is cut and told apart by its
// SHA-256. Applied to its own answer it changes nothing.
func Short(s string) string {
	if len(s) <= maxText {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return strings.ToValidUTF8(s[:200], "") + " sha256:" + hex.EncodeToString(sum[:])
}

// Sum is a checksum of many rows: the number of rows, and the sum of their
// SHA-256, taken as numbers of 256 bits. It does not depend on their order.
type Sum struct {
	Rows int64
	sum  [4]uint64
}

// String is the checksum, without the number of rows.
func (s Sum) String() string {
	var b [32]byte
	for i, w := range s.sum {
		binary.BigEndian.PutUint64(b[8*i:], w)
	}
	return hex.EncodeToString(b[:])
}

func (s *Sum) add(hash [32]byte) {
	s.Rows++
	var carry uint64
	for i := 3; i >= 0; i-- {
		s.sum[i], carry = bits.Add64(s.sum[i], binary.BigEndian.Uint64(hash[8*i:]), carry)
	}
}

// Add counts a row in. Every value stands with its type and its length, so that
// two rows that differ never look the same.
func (s *Sum) Add(r Row) {
	var b []byte
	for _, v := range r {
		switch v := v.(type) {
		case nil:
			b = append(b, 0)
		case int64:
			b = binary.BigEndian.AppendUint64(append(b, 1), uint64(v))
		case float64:
			b = binary.BigEndian.AppendUint64(append(b, 2), math.Float64bits(v))
		case string:
			b = binary.BigEndian.AppendUint64(append(b, 3), uint64(len(v)))
			b = append(b, v...)
		case []byte:
			b = binary.BigEndian.AppendUint64(append(b, 4), uint64(len(v)))
			b = append(b, v...)
		}
	}
	s.add(sha256.Sum256(b))
}
