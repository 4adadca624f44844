package move

import (
	"context"
	"fmt"
	"slices"
)

// Progress is told how far a move has got. Its methods are called from one
// goroutine.
type Progress interface {
	Step(shelf string, done, total int64)
	Done()
}

type quiet struct{}

func (quiet) Step(string, int64, int64) {}
func (quiet) Done()                     {}

// Line is what became of one shelf.
type Line struct {
	Name     string `json:"name"`
	Rows     int64  `json:"rows"`
	Copied   int64  `json:"copied"` // by this run; the rest was there
	Checksum string `json:"checksum"`
	Equal    bool   `json:"equal"`
}

// each reads a whole shelf, page by page.
func each(ctx context.Context, st State, s Shelf, fn func(rows []Row) error) error {
	for after := Row(nil); ; {
		rows, err := st.Rows(ctx, s, after)
		if err != nil || len(rows) == 0 {
			return err
		}
		next := rows[len(rows)-1]
		if slices.EqualFunc(next[:s.Keys], after, same) {
			return fmt.Errorf("the rows after %q begin with it again", after)
		}
		after = slices.Clone(next[:s.Keys])
		for _, r := range rows {
			s.shorten(r)
		}
		if err := fn(rows); err != nil {
			return err
		}
	}
}

// same compares values of keys, which are never bytes.
func same(a, b any) bool { return a == b }

// shorten brings a row into the form that every side can hold.
func (s Shelf) shorten(r Row) {
	for i, c := range s.Columns {
		if v, ok := r[i].(string); ok && c.Kind == Cut {
			r[i] = Short(v)
		}
	}
}

func sumOf(ctx context.Context, st State, s Shelf) (sum Sum, err error) {
	err = each(ctx, st, s, func(rows []Row) error {
		for _, r := range rows {
			sum.Add(r)
		}
		return nil
	})
	return sum, err
}

// shelf makes the target's shelf equal to the source's. What an earlier run has
// brought is the beginning of the source's rows, as long as those have not
// changed: then only the rest is copied, otherwise all.
func (m *mover) shelf(ctx context.Context, s Shelf) (Line, error) {
	total, err := m.from.State.Count(ctx, s)
	if err != nil {
		return Line{}, fmt.Errorf("count %s: %w", s.Name, err)
	}
	have, err := sumOf(ctx, m.to.State, s)
	if err != nil {
		return Line{}, fmt.Errorf("look at the target's %s: %w", s.Name, err)
	}
	want, copied, ok, err := m.copyAfter(ctx, s, have, total)
	if err == nil && !ok {
		if err = m.to.State.Clear(ctx, s); err == nil {
			want, copied, _, err = m.copyAfter(ctx, s, Sum{}, total)
		}
	}
	if err != nil {
		return Line{}, fmt.Errorf("%s: %w", s.Name, err)
	}
	got := have
	if copied > 0 || !ok {
		if got, err = sumOf(ctx, m.to.State, s); err != nil {
			return Line{}, fmt.Errorf("read %s back: %w", s.Name, err)
		}
	}
	return Line{Name: s.Name, Rows: want.Rows, Copied: copied, Checksum: want.String(), Equal: got == want}, nil
}

// copyAfter reads the source and copies what comes after the rows that have
// stands for. ok is false, and nothing was copied, if it does not begin so.
func (m *mover) copyAfter(ctx context.Context, s Shelf, have Sum, total int64) (want Sum, copied int64, ok bool, err error) {
	ok = have == Sum{}
	err = each(ctx, m.from.State, s, func(rows []Row) error {
		fresh := rows[:0:0]
		for _, r := range rows {
			switch {
			case ok:
				fresh = append(fresh, r)
			case want.Rows == have.Rows: // and the sums differ
				return errDiffers
			}
			want.Add(r)
			ok = ok || want == have
		}
		if len(fresh) > 0 {
			if err := m.to.State.Put(ctx, s, fresh); err != nil {
				return err
			}
			copied += int64(len(fresh))
		}
		m.progress.Step(s.Name, want.Rows, total)
		return nil
	})
	if err == errDiffers {
		return want, 0, false, nil
	}
	return want, copied, ok, err
}
