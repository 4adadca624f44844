package order

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

const (
	chunkSize  = 1 << 20
	partitions = 64
	perGroup   = 120 // bytes a group costs beside its rows
	perRow     = 24
)

// Groups brings rows with one key together, wherever they stand in a file, in
// bounded memory: beyond the bound all rows go to temporary files, split by a
// hash of the key, and are brought together file by file. The order of groups
// depends on the rows and the bound alone. Not for concurrent use; Close removes
// the files.
type Groups struct {
	limit  int64
	dir    string // where spilled rows lie
	parent string // folder for temporary files, "" = the system's
	seed   uint64
	held   held
	parts  []*bufio.Writer
	files  []*os.File
}

// held is what stands in memory.
type held struct {
	size   int64
	chunks [][]byte
	rows   []kept
	groups []group
	byKey  map[string]int32
}

type kept struct {
	chunk, off, size uint32
	line             uint32
	next             int32 // row of the same group; -1 = last
}

type group struct {
	first, last int32
	rows        int32
}

// NewGroups holds at most about limit bytes in memory.
func NewGroups(limit int64) *Groups { return &Groups{limit: limit, held: newHeld()} }

func newHeld() held { return held{byKey: map[string]int32{}} }

// Add keeps one row of a group.
func (g *Groups) Add(key []byte, line int, raw []byte) error {
	if g.parts != nil {
		return g.spillRow(key, line, raw)
	}
	g.held.add(key, line, raw)
	if g.held.size > g.limit {
		return g.spill()
	}
	return nil
}

func (h *held) add(key []byte, line int, raw []byte) {
	n := len(h.chunks)
	if n == 0 || len(h.chunks[n-1])+len(raw) > cap(h.chunks[n-1]) {
		h.chunks = append(h.chunks, make([]byte, 0, max(chunkSize, len(raw))))
		n++
	}
	c := &h.chunks[n-1]
	h.rows = append(h.rows, kept{chunk: uint32(n - 1), off: uint32(len(*c)), size: uint32(len(raw)), line: uint32(line), next: -1})
	*c = append(*c, raw...)
	row := int32(len(h.rows) - 1)
	h.size += int64(len(raw)) + perRow
	i, ok := h.byKey[string(key)]
	if !ok {
		h.size += perGroup + 2*int64(len(key))
		h.byKey[string(key)] = int32(len(h.groups))
		h.groups = append(h.groups, group{first: row, last: row, rows: 1})
		return
	}
	gr := &h.groups[i]
	h.rows[gr.last].next = row
	gr.last = row
	gr.rows++
}

// Visit is called for each group, with a function that calls back for each of
// its rows in file order. Raw is valid during the call.

type Visit func(rows int, each func(func(line int, raw []byte))) error

// Each visits every group: in memory by their first row, spilled ones file by
// file. It stops at the first error.
func (g *Groups) Each(visit Visit) error {
	if g.parts == nil {
		return g.held.each(visit)
	}
	for _, w := range g.parts {
		if err := w.Flush(); err != nil {
			return fmt.Errorf("temporary file: %w", err)
		}
	}
	for _, f := range g.files {
		if err := g.eachSpilled(f, visit); err != nil {
			return err
		}
	}
	return nil
}

func (h *held) each(visit Visit) error {
	for _, gr := range h.groups {
		err := visit(int(gr.rows), func(yield func(int, []byte)) {
			for i := gr.first; i >= 0; i = h.rows[i].next {
				r := h.rows[i]
				yield(int(r.line), h.chunks[r.chunk][r.off:r.off+r.size:r.off+r.size])
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// spill moves what is held to files and frees the memory.
func (g *Groups) spill() error {
	var err error
	if g.dir, err = os.MkdirTemp(g.parent, "redalert-import-"); err != nil {
		return fmt.Errorf("no room for temporary files (set TMPDIR to a folder with space): %w", err)
	}
	for i := range partitions {
		f, err := os.OpenFile(filepath.Join(g.dir, fmt.Sprint(i)), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return fmt.Errorf("temporary file: %w", err)
		}
		g.files = append(g.files, f)
		g.parts = append(g.parts, bufio.NewWriterSize(f, 32<<10))
	}
	h := g.held
	g.held = newHeld()
	keys := make([]string, len(h.groups)) // in the order of the groups, not of the map
	for key, i := range h.byKey {
		keys[i] = key
	}
	for i, key := range keys {
		for r := h.groups[i].first; r >= 0; r = h.rows[r].next {
			k := h.rows[r]
			if err := g.spillRow([]byte(key), int(k.line), h.chunks[k.chunk][k.off:k.off+k.size]); err != nil {
				return err
			}
		}
	}
	return nil
}

// fnv1a is a hash that is the same in every run: the order of groups, and with
// it where a resumed import goes on, hangs on it.
func fnv1a(key []byte, seed uint64) uint64 {
	h := 14695981039346656037 ^ seed*1099511628211
	for _, c := range key {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h ^ h>>29
}

func (g *Groups) spillRow(key []byte, line int, raw []byte) error {
	w := g.parts[fnv1a(key, g.seed)%partitions]
	var head [3 * binary.MaxVarintLen64]byte
	n := binary.PutUvarint(head[:], uint64(len(key)))
	n += binary.PutUvarint(head[n:], uint64(line))
	n += binary.PutUvarint(head[n:], uint64(len(raw)))
	for _, b := range [][]byte{head[:n], key, raw} {
		if _, err := w.Write(b); err != nil {
			return fmt.Errorf("temporary file: %w", err)
		}
	}
	return nil
}

// eachSpilled brings one file's rows together; a file over the bound is split
// again under another seed, except when it holds one group alone.
func (g *Groups) eachSpilled(f *os.File, visit Visit) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("temporary file: %w", err)
	}
	sub := &Groups{limit: g.limit, parent: g.dir, seed: g.seed + 1, held: newHeld()}
	defer sub.Close()
	if g.seed >= 3 {
		sub.limit = 1 << 62 // one huge order: it cannot be split
	}
	r := bufio.NewReaderSize(f, 64<<10)
	var buf []byte
	for {
		key, line, raw, err := readSpilled(r, &buf)
		if errors.Is(err, io.EOF) {
			return sub.Each(visit)
		}
		if err != nil {
			return fmt.Errorf("temporary file: %w", err)
		}
		if err := sub.Add(key, line, raw); err != nil {
			return err
		}
	}
}

func readSpilled(r *bufio.Reader, buf *[]byte) (key []byte, line int, raw []byte, err error) {
	var n [3]uint64
	for i := range n {
		if n[i], err = binary.ReadUvarint(r); err != nil {
			return nil, 0, nil, err
		}
	}
	if need := int(n[0] + n[2]); cap(*buf) < need {
		*buf = make([]byte, need)
	}
	b := (*buf)[:n[0]+n[2]]
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, 0, nil, fmt.Errorf("cut off: %w", io.ErrUnexpectedEOF)
	}
	return b[:n[0]], int(n[1]), b[n[0]:], nil
}

// Close removes temporary files, if there are any.
func (g *Groups) Close() error {
	for _, f := range g.files {
		f.Close()
	}
	if g.dir == "" {
		return nil
	}
	return os.RemoveAll(g.dir)
}
