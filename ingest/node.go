package ingest

import (
	"slices"
	"strconv"
	"strings"
)

// sortMembers orders by UTF-16 code units and answers a name that is there twice.
func sortMembers(m []member) (twice string, found bool) {
	if len(m) > 24 {
		slices.SortFunc(m, func(a, b member) int { return compareUTF16(a.key, b.key) })
	} else {
		for i := 1; i < len(m); i++ {
			for j := i; j > 0 && compareUTF16(m[j-1].key, m[j].key) > 0; j-- {
				m[j-1], m[j] = m[j], m[j-1]
			}
		}
	}
	for i := 1; i < len(m); i++ {
		if m[i-1].key == m[i].key {
			return m[i].key, true
		}
	}
	return "", false
}

// compareUTF16 orders valid UTF-8 as its UTF-16 code units order, which
// differs from byte order only between U+E000–U+FFFF and the planes above.
func compareUTF16(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		x, y := a[i], b[i]
		if x == y {
			continue
		}
		if x >= 0xEE && y >= 0xEE && (x >= 0xF0) != (y >= 0xF0) {
			return strings.Compare(b[i:], a[i:]) // a pair of surrogates sorts below U+E000
		}
		return strings.Compare(a[i:], b[i:])
	}
	return len(a) - len(b)
}

// get answers an object's value by name, nil when it has none.
func (n *node) get(name string) *node {
	for i := range n.kids {
		if n.kids[i].key == name {
			return &n.kids[i].node
		}
	}
	return nil
}

func (n *node) str(name string) string {
	if v := n.get(name); v != nil && v.kind == stringNode {
		return v.text
	}
	return ""
}

func (n *node) float(name string) (float64, bool) {
	v := n.get(name)
	if v == nil || v.kind != numberNode {
		return 0, false
	}
	f, err := strconv.ParseFloat(v.text, 64)
	return f, err == nil
}

func (n *node) set(name string, k nodeKind, text string) {
	if v := n.get(name); v != nil {
		*v = node{kind: k, text: text}
		return
	}
	n.kids = append(n.kids, member{name, node{kind: k, text: text}})
}

func (n *node) drop(names ...string) {
	kept := n.kids[:0]
	for _, m := range n.kids {
		drop := false
		for _, name := range names {
			drop = drop || m.key == name
		}
		if !drop {
			kept = append(kept, m)
		}
	}
	n.kids = kept
}
