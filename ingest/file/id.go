package file

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
)

// ErrTooManyRows is returned when a file holds more rows without ids than can
// be told apart in bounded memory.
var ErrTooManyRows = errors.New("over 12 million rows without an id of their own: name an id column in a mapping, or split the file")

// Hasher gives rows without an id one that depends on what they say, not on
// where they stand: the hash of their named values, columns in the order of
// their names, empty values left out. Column order, quoting, encoding and blanks
// around values change nothing.
type Hasher struct {
	names []string
	order []int
	buf   []byte
	pairs []string
}

// NewHasher is for rows under this header.
func NewHasher(header []string) *Hasher {
	h := &Hasher{names: header}
	for i := range header {
		h.order = append(h.order, i)
	}
	slices.SortStableFunc(h.order, func(a, b int) int { return bytes.Compare([]byte(header[a]), []byte(header[b])) })
	return h
}

// Hash is the SHA-256 of the canonical row.
func (h *Hasher) Hash(row Row) [32]byte {
	h.buf = h.buf[:0]
	if row.object != nil {
		h.pairs = h.pairs[:0]
		for k := range row.object {
			h.pairs = append(h.pairs, k)
		}
		slices.Sort(h.pairs)
		for _, k := range h.pairs {
			h.add([]byte(k), []byte(row.object[k]))
		}
		return sha256.Sum256(h.buf)
	}
	for _, i := range h.order {
		if i < len(row.Fields) {
			h.add([]byte(h.names[i]), row.Fields[i])
		}
	}
	return sha256.Sum256(h.buf)
}

func (h *Hasher) add(name, value []byte) {
	if value = bytes.TrimSpace(value); len(value) == 0 {
		return
	}
	h.buf = binary.AppendUvarint(h.buf, uint64(len(name)))
	h.buf = append(h.buf, name...)
	h.buf = binary.AppendUvarint(h.buf, uint64(len(value)))
	h.buf = append(h.buf, value...)
}

// Ordinals numbers identical rows of one file: the first is 0. It remembers 8
// bytes of each hash; two rows that agree in these by chance are numbered as
// if identical, which still gives each its own id.
type Ordinals struct {
	slots []uint64
	used  int
	again map[uint64]int
}

const maxOrdinals = 12 << 20

// Next answers how many rows of this hash came before.
func (o *Ordinals) Next(hash [32]byte) (int, error) {
	key := max(1, binary.LittleEndian.Uint64(hash[:])) // 0 marks an empty slot
	if 4*o.used >= 3*len(o.slots) {
		if o.used >= maxOrdinals {
			return 0, ErrTooManyRows
		}
		o.grow()
	}
	if o.insert(key) {
		return 0, nil
	}
	if o.again == nil {
		o.again = map[uint64]int{}
	}
	o.again[key]++
	return o.again[key], nil
}

func (o *Ordinals) insert(key uint64) bool {
	mask := uint64(len(o.slots) - 1)
	for i := key & mask; ; i = (i + 1) & mask {
		switch o.slots[i] {
		case 0:
			o.slots[i] = key
			o.used++
			return true
		case key:
			return false
		}
	}
}

func (o *Ordinals) grow() {
	old := o.slots
	o.slots, o.used = make([]uint64, max(1024, 2*len(old))), 0
	for _, k := range old {
		if k != 0 {
			o.insert(k)
		}
	}
}

// RowID is the id of a row: its hash and, from the second of identical rows
// on, its ordinal.
func RowID(hash [32]byte, ordinal int) string {
	id := hex.EncodeToString(hash[:16])
	if ordinal > 0 {
		id += "-" + strconv.Itoa(ordinal)
	}
	return id
}

// JoinID joins the values of id columns; "" when any is empty.
func JoinID(row Row, cols []int) string {
	var id []byte
	for i, c := range cols {
		if c >= len(row.Fields) {
			return ""
		}
		v := bytes.TrimSpace(row.Fields[c])
		if len(v) == 0 {
			return ""
		}
		if i > 0 {
			id = append(id, '|')
		}
		id = append(id, v...)
	}
	return string(id)
}
