package file

import (
	"bytes"
	"slices"
)

// Binding finds the values of fields in the rows of one table. Where several
// columns stand for one field the first that is filled counts, then the
// mapping's constant.
type Binding struct {
	cols  map[string][]int
	cut   map[int][]byte
	fixed map[string][]byte
}

// Bind joins a mapping with a table's header.
func (m *Mapping) Bind(t *Table) *Binding {
	b := &Binding{cols: map[string][]int{}, cut: map[int][]byte{}, fixed: map[string][]byte{}}
	find := t.Columns()
	for _, name := range sorted(m.Columns) {
		if i, ok := find(name); ok {
			b.cols[m.Columns[name]] = append(b.cols[m.Columns[name]], i)
			if suffix := m.CutSuffix[name]; suffix != "" {
				b.cut[i] = []byte(suffix)
			}
		}
	}
	for _, cols := range b.cols {
		slices.Sort(cols)
	}
	for field, value := range m.Constants {
		b.fixed[field] = []byte(value)
	}
	return b
}

// Has reports whether rows can have a value for field.
func (b *Binding) Has(field string) bool { return len(b.cols[field]) > 0 || b.fixed[field] != nil }

// Fields lists the fields that have a value in some row, sorted.
func (b *Binding) Fields() []string {
	var names []string
	for f := range b.cols {
		names = append(names, f)
	}
	for f := range b.fixed {
		if len(b.cols[f]) == 0 {
			names = append(names, f)
		}
	}
	slices.Sort(names)
	return names
}

// Slot is a field looked up once, for reading it from many rows.
type Slot struct {
	cols  []int
	cut   [][]byte
	fixed []byte
}

// Slot looks a field up.
func (b *Binding) Slot(field string) Slot {
	s := Slot{cols: b.cols[field], fixed: b.fixed[field]}
	for _, c := range s.cols {
		s.cut = append(s.cut, b.cut[c])
	}
	return s
}

// Of is the row's value, without blanks around it; nil when there is none.
func (s Slot) Of(fields [][]byte) []byte {
	for i, c := range s.cols {
		if c >= len(fields) {
			continue
		}
		if v := bytes.TrimSpace(fields[c]); len(v) > 0 {
			if s.cut[i] != nil {
				v = bytes.TrimSuffix(v, s.cut[i])
			}
			return v
		}
	}
	return s.fixed
}

// Bound reports whether the field has a column or a constant.
func (s Slot) Bound() bool { return len(s.cols) > 0 || s.fixed != nil }
