package importer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"redalert/ingest"
	"redalert/schemas"
)

const batchBytes = 4 << 20

// step is the smallest thing an import does or has done: one row, one order or
// one mail, with what it became.
type step struct {
	items      []ingest.Item
	sighting   *schemas.Sighting
	rows       int64
	adjustment bool
	pos        int64 // of the file, for the progress
}

// batch is what is handed over at once.
type batch struct {
	items     []ingest.Item
	rowsOf    []int64 // rows that each item stands for in quarantine
	sightings []schemas.Sighting
	rows      int64
	seq       int64 // steps done when this batch is
	adjusted  int64
	pos       int64
	bytes     int
}

// run is one call of Run.
type run struct {
	opt    Options
	ports  Ports
	plan   plan
	report Report
}

// unit is what is read in one go and resumed as one: a file, or a row of
// single-mail files.
type unit struct {
	name string
	key  string // of its cursor
	size int64
	// read calls emit for each step in an order that is the same each time.
	// skip is how many of them are done: those may come without items.
	read func(ctx context.Context, skip int64, emit func(step) error) error
}

// mark is a cursor: how much of a unit is done.
type mark struct {
	Steps int64 `json:"steps,omitempty"`
	// Known says that a file of customers was imported completely before.
	Known bool `json:"known,omitempty"`
}

func (r *run) all(ctx context.Context) (Report, error) {
	units, err := r.units()
	if err != nil {
		return r.report, err
	}
	for _, u := range units {
		if err := r.unit(ctx, u); err != nil {
			return r.report, err
		}
	}
	for _, u := range units { // only now: until then a killed import passes over whole files too
		if err := r.save(ctx, u, mark{Known: r.opt.Kind == Customers}); err != nil {
			return r.report, err
		}
	}
	return r.report, nil
}

func (r *run) load(ctx context.Context, u unit) (mark, error) {
	var m mark
	if r.opt.DryRun {
		return m, nil
	}
	text, err := r.ports.Cursors.Load(ctx, u.key)
	if errors.Is(err, ingest.ErrNotFound) || err == nil && text == "" {
		return m, nil
	}
	if err != nil {
		return m, fmt.Errorf("how far %s was imported: %w", u.name, err)
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return mark{}, nil // written by another version: the import starts over, and adds nothing twice
	}
	return m, nil
}

// save keeps the mark; the zero mark clears it.
func (r *run) save(ctx context.Context, u unit, m mark) error {
	if r.opt.DryRun {
		return nil
	}
	text := ""
	if m != (mark{}) {
		b, err := json.Marshal(m)
		if err != nil {
			return err
		}
		text = string(b)
	}
	if err := r.ports.Cursors.Save(ctx, u.key, text); err != nil {
		return fmt.Errorf("keeping how far %s is imported: %w", u.name, err)
	}
	return nil
}

// unit reads on one goroutine and hands over on another.
func (r *run) unit(ctx context.Context, u unit) error {
	done, err := r.load(ctx, u)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	batches := make(chan batch, 1)
	readErr := make(chan error, 1)
	go func() {
		defer close(batches)
		readErr <- r.produce(ctx, u, done, batches)
	}()
	for b := range batches {
		if err := r.take(ctx, u, done, b); err != nil {
			cancel(err)
			for range batches { // let the reader end
			}
			<-readErr
			return err
		}
	}
	return <-readErr
}

// produce reads the unit's steps into batches.
func (r *run) produce(ctx context.Context, u unit, done mark, out chan<- batch) error {
	b := batch{}
	send := func() error {
		select {
		case out <- b:
			b = batch{seq: b.seq}
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	err := u.read(ctx, done.Steps, func(s step) error {
		if b.seq < done.Steps {
			b.seq, b.rows, b.pos = b.seq+1, b.rows+s.rows, s.pos
			if b.seq == done.Steps {
				return send()
			}
			return nil
		}
		b.add(s, r.opt.OpenCases)
		if len(b.items)+len(b.sightings) >= r.opt.Batch || b.bytes >= batchBytes || b.rows >= 50_000 {
			return send()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return send()
}

func (b *batch) add(s step, openCases bool) {
	b.seq++
	b.rows += s.rows
	b.pos = s.pos
	if s.adjustment {
		b.adjusted++
	}
	if s.sighting != nil {
		b.sightings = append(b.sightings, *s.sighting)
	}
	for _, it := range s.items {
		if openCases && it.Broken == nil {
			it.Data = withOpenCases(it.Data)
		}
		b.items = append(b.items, it)
		b.rowsOf = append(b.rowsOf, s.rows)
		b.bytes += len(it.Data) + len(it.Raw)
	}
}

// withOpenCases puts "open_cases": true into a JSON object.
func withOpenCases(data []byte) []byte {
	if len(data) < 2 || data[0] != '{' {
		return data
	}
	out := append(make([]byte, 0, len(data)+20), `{"open_cases":true`...)
	if len(data) > 2 {
		out = append(out, ',')
	}
	return append(out, data[1:]...)
}

// take hands a batch over and moves the mark. What is under way when ctx ends
// is finished, so that nothing is done twice.
func (r *run) take(ctx context.Context, u unit, done mark, b batch) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	whole := context.WithoutCancel(ctx)
	r.report.Read += b.rows
	r.report.Adjustments += b.adjusted
	if b.seq <= done.Steps {
		r.report.ResumedAt += b.rows
	} else {
		if err := r.items(whole, b); err != nil {
			return err
		}
		if err := r.sightings(whole, b, done.Known); err != nil {
			return err
		}
		if err := r.save(whole, u, mark{Steps: b.seq, Known: done.Known}); err != nil {
			return err
		}
	}
	if r.opt.Progress != nil {
		r.opt.Progress.Step(u.name, b.pos, u.size, r.report.Read)
	}
	return nil
}

func (r *run) items(ctx context.Context, b batch) error {
	if len(b.items) == 0 {
		return nil
	}
	if r.opt.DryRun {
		for i, it := range b.items {
			if it.Broken != nil {
				r.report.Quarantined += b.rowsOf[i]
			} else {
				r.report.Events++
			}
		}
		return nil
	}
	results, err := r.ports.Acceptor.Accept(ctx, b.items)
	if err != nil {
		return fmt.Errorf("%d rows are in; run the same import again to go on from there: %w", r.report.Read-b.rows, err)
	}
	if len(results) != len(b.items) {
		return fmt.Errorf("the door answered %d of %d items", len(results), len(b.items))
	}
	r.tally(b, results)
	return nil
}

func (r *run) tally(b batch, results []ingest.Result) {
	for i, res := range results {
		if b.items[i].Broken == nil {
			r.report.Events++
		}
		switch res.Status {
		case ingest.Accepted:
			r.report.Accepted++
		case ingest.Duplicate:
			r.report.Duplicate++
		default:
			r.report.Quarantined += b.rowsOf[i]
		}
	}
}

func (r *run) sightings(ctx context.Context, b batch, again bool) error {
	n := int64(len(b.sightings))
	if n == 0 {
		return nil
	}
	r.report.Events += n
	if r.opt.DryRun {
		return nil
	}
	known := make([]bool, n)
	if r.ports.Known != nil {
		var err error
		if known, err = r.ports.Known(ctx, b.sightings); err != nil {
			return fmt.Errorf("which customers are on file: %w", err)
		}
	}
	if _, err := r.ports.Identities.Resolve(ctx, b.sightings); err != nil {
		return fmt.Errorf("%d rows are in; run the same import again to go on from there: %w", r.report.Read-b.rows, err)
	}
	for _, k := range known {
		if k || again && r.ports.Known == nil {
			r.report.Duplicate++
		} else {
			r.report.Accepted++
		}
	}
	return nil
}
