package importer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"redalert/ingest"
	"redalert/ingest/customer"
	"redalert/ingest/file"
	"redalert/ingest/order"
	"redalert/ingest/reviewfile"
	"redalert/ingest/survey"
)

// units lists what there is to read.
func (r *run) units() ([]unit, error) {
	if r.opt.Kind == Mail {
		return r.mailUnits()
	}
	var units []unit
	for _, path := range r.opt.Files {
		f, err := file.Open(path)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUsage, err)
		}
		name, size := f.Name, f.Size
		f.Close()
		sum, err := file.Sum(path)
		if err != nil {
			return nil, err
		}
		units = append(units, unit{name: name, size: size, key: r.cursorKey(sum), read: func(ctx context.Context, skip int64, emit func(step) error) error {
			return r.readRows(ctx, path, skip, emit)
		}})
	}
	return units, nil
}

// cursorKey names the cursor of one content, read one way.
func (r *run) cursorKey(sum string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %s %t %d %q\n", sum, r.plan.loc, r.opt.OpenCases, r.opt.Memory, r.opt.Business.Currency)
	if err := json.NewEncoder(h).Encode(r.plan.mapping); err != nil {
		panic(err) // plain data: cannot happen
	}
	return fmt.Sprintf("import:%s:%s:%s", r.opt.Kind, r.opt.Source, hex.EncodeToString(h.Sum(nil)[:12]))
}

// reader reads the rows of one file.
type reader struct {
	run   *run
	src   io.Reader
	name  string
	f     *file.Opened // nil when the rows come from quarantine
	table *file.Table
	clock *file.Clock
	m     file.Mapping
	skip  int64
	seq   int64
	alive func() error
	emit  func(step) error
}

func (r *run) readRows(ctx context.Context, path string, skip int64, emit func(step) error) error {
	f, err := file.Open(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUsage, err)
	}
	defer f.Close()
	rd := &reader{run: r, src: f, name: f.Name, f: f, skip: skip, emit: emit, alive: func() error { return context.Cause(ctx) }}
	if err := rd.read(); err != nil {
		if errors.Is(err, file.ErrForm) {
			return fmt.Errorf("%w: %s: %w", ErrUsage, f.Name, err)
		}
		return err
	}
	return nil
}

func (rd *reader) read() error {
	if err := rd.open(); err != nil {
		return err
	}
	if rd.run.plan.generic && rd.table.Form == file.FormJSONL && rd.run.opt.Kind != Customers {
		return rd.objects()
	}
	switch rd.run.opt.Kind {
	case Orders:
		return rd.orders()
	case Reviews:
		return rd.reviews()
	case Surveys:
		return rd.surveys()
	}
	return rd.customers()
}

// open reads the header and finds the mapping's columns.
func (rd *reader) open() error {
	rd.m = rd.run.plan.mapping
	if rd.run.plan.generic {
		rd.m.Columns = generic(rd.run.opt.Kind, nil) // JSON has no header to go by
	}
	text, err := file.Decode(rd.src, rd.m.Encoding)
	if err != nil {
		return err
	}
	if rd.table, err = file.NewTable(text, rd.m); err != nil {
		return err
	}
	if rd.run.plan.generic && rd.table.Form != file.FormJSONL {
		rd.m.Columns = generic(rd.run.opt.Kind, rd.table.Header)
	}
	rd.clock = file.NewClock(rd.run.plan.loc, rd.m.Times, rd.run.opt.Now())
	if len(rd.table.Header) > file.MaxColumns {
		return fmt.Errorf("%w: its header has %d columns; %d are the most", file.ErrForm, len(rd.table.Header), file.MaxColumns)
	}
	return rd.m.Missing(rd.table)
}

// rows calls each for every row, with whether its step is done already.
func (rd *reader) rows(each func(row file.Row, done bool) (step, error)) error {
	for {
		row, err := rd.table.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		s, err := each(row, rd.seq < rd.skip)
		if err != nil {
			return err
		}
		rd.seq++
		s.rows, s.pos = 1, rd.position()
		if err := rd.alive(); err != nil {
			return err
		}
		if err := rd.emit(s); err != nil {
			return err
		}
	}
}

func (rd *reader) position() int64 {
	if rd.f == nil {
		return 0
	}
	return rd.f.Position()
}

// finish completes an item with where it comes from.
func (rd *reader) finish(it ingest.Item, line int, raw []byte) ingest.Item {
	it.Source = rd.run.opt.Source
	it.Raw = raw
	it.Replay = rd.run.plan.replay
	it.Locator = fmt.Sprintf("%s:%d", rd.name, line)
	return it
}

// raw is a row with its header: what is kept can be read by itself.
func (rd *reader) raw(row file.Row) []byte {
	if rd.table.Form == file.FormJSONL {
		return bytes.Clone(row.Raw)
	}
	b := make([]byte, 0, len(rd.table.Head)+len(row.Raw)+1)
	b = append(append(b, rd.table.Head...), '\n')
	return append(b, row.Raw...)
}

func (rd *reader) reviews() error {
	m, err := reviewfile.New(rd.m, rd.table, rd.clock)
	if err != nil {
		return err
	}
	return rd.rows(func(row file.Row, done bool) (step, error) {
		id, err := m.ID(row)
		if err != nil || done {
			return step{}, err
		}
		return step{items: []ingest.Item{rd.finish(m.Item(row, id), row.Line, rd.raw(row))}}, nil
	})
}

func (rd *reader) surveys() error {
	m, err := survey.New(rd.m, rd.table, rd.clock)
	if err != nil {
		return err
	}
	return rd.rows(func(row file.Row, done bool) (step, error) {
		id, err := m.ID(row)
		if err != nil || done {
			return step{}, err
		}
		raw := rd.raw(row)
		items := m.Items(row, id)
		for i := range items {
			items[i] = rd.finish(items[i], row.Line, raw)
		}
		return step{items: items}, nil
	})
}

func (rd *reader) customers() error {
	m, err := customer.New(rd.m, rd.table, rd.clock, rd.run.opt.Now())
	if err != nil {
		return err
	}
	return rd.rows(func(row file.Row, done bool) (step, error) {
		if done {
			return step{}, nil
		}
		s, broken := m.Sighting(row)
		if broken != nil {
			return step{items: []ingest.Item{rd.finish(ingest.Item{Broken: broken}, row.Line, rd.raw(row))}}, nil
		}
		return step{sighting: &s}, nil
	})
}

func (rd *reader) orders() error {
	m, err := order.New(rd.m, rd.table, rd.clock, rd.run.opt.Business.Currency)
	if err != nil {
		return err
	}
	if m.Grouped() {
		return rd.grouped(m)
	}
	return rd.rows(func(row file.Row, done bool) (step, error) {
		id, err := m.RowID(row)
		if err != nil || done {
			return step{}, err
		}
		m.Begin(id)
		m.Add(row)
		return rd.built(m.End(), rd.raw(row)), nil
	})
}

func (rd *reader) built(b order.Built, raw []byte) step {
	if b.Adjustment {
		return step{adjustment: true}
	}
	it := ingest.Item{Type: b.Type, NativeID: b.NativeID, OccurredAt: b.OccurredAt, Data: b.Data, Broken: b.Broken}
	return step{items: []ingest.Item{rd.finish(it, b.Line, raw)}}
}

// grouped brings the lines of each order together before any is handed over:
// the last line of a file may belong to the first order.
func (rd *reader) grouped(m *order.Mapper) error {
	g := order.NewGroups(rd.run.opt.Memory)
	defer g.Close()
	var key []byte
	rows := int64(0)
	for {
		row, err := rd.table.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if key = m.Key(key[:0], row); len(key) == 0 { // a row without a number stands alone
			key = fmt.Appendf(key, "\x00line %d", row.Line)
		}
		if err := g.Add(key, row.Line, row.Raw); err != nil {
			return err
		}
		if rows++; rows%10_000 == 0 { // notice a stop while reading
			if err := rd.alive(); err != nil {
				return err
			}
		}
	}
	return rd.groups(m, g, rows)
}

func (rd *reader) groups(m *order.Mapper, g *order.Groups, total int64) error {
	var fields [][]byte
	done := int64(0)
	return g.Each(func(rows int, each func(func(int, []byte))) error {
		done += int64(rows)
		s := step{}
		if rd.seq >= rd.skip {
			raw := append(make([]byte, 0, len(rd.table.Head)+rows*96), rd.table.Head...)
			m.Begin("")
			each(func(line int, b []byte) {
				raw = append(append(raw, '\n'), b...)
				row := rd.table.Parse(b, line, fields[:0])
				fields = row.Fields
				m.Add(row)
			})
			s = rd.built(m.End(), raw)
		}
		rd.seq++
		s.rows = int64(rows)
		if rd.f != nil {
			s.pos = rd.f.Size * done / max(total, 1)
		}
		if err := rd.alive(); err != nil {
			return err
		}
		return rd.emit(s)
	})
}
