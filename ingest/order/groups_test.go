package order

import (
	"fmt"
	"os"
	"testing"

	"pgregory.net/rapid"
)

// Whatever the bound, each group holds all of its rows, in file order, once,
// and the order of groups is the same each time.
func TestGroupsProperty(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(rapid.IntRange(0, 40), 1, 300).Draw(t, "keys")
		limit := rapid.Int64Range(2_000, 20_000).Draw(t, "limit")
		collect := func() (order []string) {
			g := NewGroups(limit)
			g.parent = dir
			defer g.Close()
			for i, k := range rows {
				if err := g.Add(fmt.Appendf(nil, "k%d", k), i+1, fmt.Appendf(nil, "k%d row", k)); err != nil {
					t.Fatal(err)
				}
			}
			err := g.Each(func(n int, each func(func(int, []byte))) error {
				group, last := "", 0
				each(func(line int, raw []byte) {
					if line <= last || fmt.Sprintf("k%d row", rows[line-1]) != string(raw) {
						t.Fatalf("line %d after %d: %s", line, last, raw)
					}
					last = line
					n--
					group += fmt.Sprint(line, " ")
				})
				if n != 0 {
					t.Fatalf("%d rows too few", n)
				}
				order = append(order, group)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return order
		}
		first := collect()
		distinct := map[int]bool{}
		for _, k := range rows {
			distinct[k] = true
		}
		if len(first) != len(distinct) {
			t.Fatalf("%d groups of %d keys", len(first), len(distinct))
		}
		if second := collect(); fmt.Sprint(first) != fmt.Sprint(second) {
			t.Fatalf("another order: %v, %v", first, second)
		}
	})
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("temporary files are left: %v %v", left, err)
	}
}

// An order larger than the bound is still one order.
func TestGroupLargerThanMemory(t *testing.T) {
	g := NewGroups(1000)
	g.parent = t.TempDir()
	defer g.Close()
	for i := range 500 {
		for _, k := range []string{"huge", fmt.Sprint(i)} {
			if err := g.Add([]byte(k), i+1, []byte("a row of some length")); err != nil {
				t.Fatal(err)
			}
		}
	}
	sizes := map[int]int{}
	if err := g.Each(func(rows int, _ func(func(int, []byte))) error { sizes[rows]++; return nil }); err != nil {
		t.Fatal(err)
	}
	if sizes[500] != 1 || sizes[1] != 500 {
		t.Errorf("groups by size: %v", sizes)
	}
}
