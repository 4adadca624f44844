package postgres

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"redalert/internal/move"
)

// A page ends after so many rows, or with the row that makes it so many bytes.
const (
	movePage  = 2000
	moveBytes = 8 << 20
)

// Rows implements move.State.
func (m *Moving) Rows(ctx context.Context, s move.Shelf, after move.Row) (out []move.Row, err error) {
	keys := strings.Join(s.Names()[:s.Keys], ", ")
	from := " FROM " + s.Name
	var args []any
	if after != nil {
		marks := make([]string, s.Keys)
		for i := range marks {
			marks[i] = fmt.Sprintf("$%d", i+1)
			v, err := columnOf(s.Columns[i], []move.Row{after}, i)
			if err != nil {
				return nil, err
			}
			args = append(args, v.one)
		}
		from += " WHERE (" + keys + ") > (" + strings.Join(marks, ", ") + ")"
	}
	from += fmt.Sprintf(" ORDER BY %s LIMIT %d", keys, movePage)
	// The server adds up the sizes first, which it knows without reading what is
	// large, and sends no more rows than the page takes.
	text := fmt.Sprintf("SELECT * FROM (SELECT %s%s) page ORDER BY %s LIMIT (SELECT count(*) FROM (SELECT sum(bytes) OVER (ORDER BY %s ROWS UNBOUNDED PRECEDING) - bytes AS before "+
		"FROM (SELECT %s, %s AS bytes%s) sizes) sums WHERE before < %d)", strings.Join(s.Names(), ", "), from, keys, keys, keys, sizeOf(s), from, moveBytes)
	err = m.d.read(ctx, func(ctx context.Context, q querier) error {
		out = nil
		rows, err := q.q.Query(ctx, text, args...)
		return forEach(rows, err, func(r row) error {
			if m.scanned != nil {
				m.scanned()
			}
			v, err := scanMoving(r, s)
			out = append(out, v)
			return err
		})
	})
	return out, unavailable("read "+s.Name, err)
}

// sizeOf is the size of a row's texts and bytes, in SQL.
func sizeOf(s move.Shelf) string {
	sum := "0::bigint"
	for _, c := range s.Columns {
		switch c.Kind {
		case move.Text, move.Cut, move.Bytes, move.Hex:
			sum += " + coalesce(octet_length(" + c.Name + "), 0)"
		case move.Texts:
			sum += " + coalesce(pg_column_size(" + c.Name + "), 0)"
		}
	}
	return sum
}

// scanMoving reads a row.
func scanMoving(r row, s move.Shelf) (move.Row, error) {
	into := make([]any, len(s.Columns))
	for i, c := range s.Columns {
		switch c.Kind {
		case move.Int:
			into[i] = new(*int64)
		case move.Flag:
			into[i] = new(*bool)
		case move.Float:
			into[i] = new(*float64)
		case move.Bytes, move.Hex:
			into[i] = new([]byte)
		case move.Texts:
			into[i] = new([]string)
		default:
			into[i] = new(*string)
		}
	}
	if err := r.Scan(into...); err != nil {
		return nil, err
	}
	out := make(move.Row, len(into))
	for i, c := range s.Columns {
		var err error
		if out[i], err = neutral(c, into[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// neutral is the value of a Row for one that was scanned.
func neutral(c move.Column, scanned any) (any, error) {
	switch v := scanned.(type) {
	case **int64:
		return orNil(*v), nil
	case **float64:
		return orNil(*v), nil
	case **string:
		return orNil(*v), nil
	case **bool:
		if **v {
			return int64(1), nil
		}
		return int64(0), nil
	case *[]byte:
		switch {
		case *v == nil:
			return nil, nil
		case c.Kind == move.Hex:
			return hex.EncodeToString(*v), nil
		}
		return *v, nil
	case *[]string:
		b, err := json.Marshal(append([]string{}, *v...))
		return string(b), err
	}
	return nil, fmt.Errorf("column %s is read as %T", c.Name, scanned)
}

func orNil[T any](v *T) any {
	if v == nil {
		return nil
	}
	return *v
}

// argument is a column of many rows as an array, or of one row as a value.
type argument struct {
	cast string // type of an element
	all  any
	one  any // of the first row
}

// columnOf makes arguments of a column. Texts are escaped here: lists with
// nulls are nothing that stored knows.
func columnOf(c move.Column, rows []move.Row, i int) (argument, error) {
	switch c.Kind {
	case move.Int:
		return arrayOf(c, rows, i, "bigint", func(v int64) (int64, error) { return v, nil })
	case move.Flag:
		return arrayOf(c, rows, i, "boolean", func(v int64) (bool, error) { return v != 0, nil })
	case move.Float:
		return arrayOf(c, rows, i, "double precision", func(v float64) (float64, error) { return v, nil })
	case move.Hex:
		return arrayOf(c, rows, i, "bytea", hex.DecodeString)
	case move.Bytes:
		return arrayOf(c, rows, i, "bytea", func(v []byte) ([]byte, error) { return v, nil })
	case move.Cut:
		return arrayOf(c, rows, i, "text", func(v string) (string, error) { return escape(move.Short(v)), nil })
	case move.Texts:
		return arrayOf(c, rows, i, "text[]", func(v string) (list []string, err error) {
			err = json.Unmarshal([]byte(v), &list)
			return escapeAll(list), err
		})
	}
	return arrayOf(c, rows, i, "text", func(v string) (string, error) { return escape(v), nil })
}

func arrayOf[V, T any](c move.Column, rows []move.Row, i int, cast string, as func(V) (T, error)) (argument, error) {
	list := make([]*T, len(rows))
	for k, r := range rows {
		if r[i] == nil {
			continue
		}
		v, ok := r[i].(V)
		if !ok {
			return argument{}, fmt.Errorf("column %s: %T instead of %T", c.Name, r[i], v)
		}
		t, err := as(v)
		if err != nil {
			return argument{}, fmt.Errorf("column %s: %w", c.Name, err)
		}
		list[k] = &t
	}
	return argument{cast: cast, all: list, one: orNil(list[0])}, nil
}

// Put implements move.State. Aliases get the next version, as if they had just
// been found.
func (m *Moving) Put(ctx context.Context, s move.Shelf, rows []move.Row) error {
	lists := false
	for _, c := range s.Columns {
		lists = lists || c.Kind == move.Texts // unnest would open a list of lists
	}
	return m.write(ctx, "store "+s.Name, func(ctx context.Context, tx querier) error {
		if !lists {
			return putRows(ctx, tx, s, rows)
		}
		for i := range rows {
			if err := putRows(ctx, tx, s, rows[i:i+1]); err != nil {
				return err
			}
		}
		return nil
	})
}

func putRows(ctx context.Context, tx querier, s move.Shelf, rows []move.Row) error {
	var args []any
	var from, set []string
	for i, c := range s.Columns {
		a, err := columnOf(c, rows, i)
		if err != nil {
			return err
		}
		if len(rows) > 1 {
			args, from = append(args, a.all), append(from, fmt.Sprintf("$%d::%s[]", i+1, a.cast))
		} else {
			args, from = append(args, a.one), append(from, fmt.Sprintf("$%d::%s", i+1, a.cast))
		}
		if i >= s.Keys {
			set = append(set, c.Name+" = excluded."+c.Name)
		}
	}
	source := "VALUES (" + strings.Join(from, ", ") + ")"
	if len(rows) > 1 {
		source = "SELECT * FROM unnest(" + strings.Join(from, ", ") + ")"
	}
	names := strings.Join(s.Names(), ", ")
	if s.Name == "customer_aliases" {
		source = "SELECT g.*, (SELECT coalesce(max(version), 0) + 1 FROM customer_aliases) FROM (" + source + ") g"
		names += ", version"
		set = append(set, "version = excluded.version")
	}
	_, err := tx.q.Exec(ctx, "INSERT INTO "+s.Name+" ("+names+") "+source+" ON CONFLICT ("+strings.Join(s.Names()[:s.Keys], ", ")+
		") DO UPDATE SET "+strings.Join(set, ", "), args...)
	return err
}
