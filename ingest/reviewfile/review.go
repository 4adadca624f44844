// Package reviewfile maps the rows of review exports onto
// feedback.review.posted events: one row, one review. The overall rating is the
// event's number with its own scale; ratings of single aspects stand in
// metadata.ratings, each with its scale.
package reviewfile

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"redalert/ingest"
	"redalert/ingest/file"
	"redalert/schemas"
)

// Mapper turns rows of one table into reviews. Not for concurrent use.
type Mapper struct {
	m        file.Mapping
	read     *file.FeedbackReader
	ids      []int
	aspects  []aspect
	hash     *file.Hasher
	ordinals file.Ordinals
}

type aspect struct {
	col  int
	name string
	file.Rating
}

// New makes a mapper for one table.
func New(m file.Mapping, t *file.Table, clock *file.Clock) (*Mapper, error) {
	r := &Mapper{m: m, read: file.NewFeedbackReader(m, t, clock), hash: file.NewHasher(t.Header)}
	find := t.Columns()
	for _, name := range m.ID {
		if i, ok := find(name); ok {
			r.ids = append(r.ids, i)
		}
	}
	for name, rating := range m.Ratings {
		if i, ok := find(name); ok {
			r.aspects = append(r.aspects, aspect{i, name, rating})
		}
	}
	slices.SortFunc(r.aspects, func(a, b aspect) int { return a.col - b.col })
	if !r.read.Has("value_text") && !r.read.Has("value_number") && len(r.aspects) == 0 {
		return nil, fmt.Errorf("%w: a review needs its text or a rating; map columns to value_text, value_number or under ratings (--map)", file.ErrForm)
	}
	return r, nil
}

// ID is the row's native id: the mapping's id columns, else the hash of the
// canonical row and its ordinal. Call it once for each row, in file order.
func (r *Mapper) ID(row file.Row) (string, error) {
	if id := file.JoinID(row, r.ids); id != "" {
		return id, nil
	}
	h := r.hash.Hash(row)
	n, err := r.ordinals.Next(h)
	return file.RowID(h, n), err
}

// Item maps one row under its id.
func (r *Mapper) Item(row file.Row, id string) ingest.Item {
	it := ingest.Item{Type: schemas.ReviewPosted, NativeID: id}
	f, at, broken := r.read.Read(row)
	if broken == nil {
		broken = r.rate(row, &f)
	}
	if broken != nil {
		it.Broken = broken
		return it
	}
	f.SourceType = schemas.SourceReview
	if f.FieldType == "" {
		f.FieldType = schemas.FieldRating
		if f.ValueNumber == nil {
			f.FieldType = schemas.FieldText
		}
	}
	if f.ValueText == "" && f.ValueNumber == nil {
		it.Broken = &ingest.Broken{Code: schemas.QInvalid, Reason: fmt.Sprintf("line %d: it has neither text nor rating", row.Line)}
		return it
	}
	if v := strings.ToLower(r.read.Text(row, "type")); v == "changed" || v == string(schemas.ReviewChanged) {
		it.Type, it.Revision = schemas.ReviewChanged, r.read.Text(row, "revision")
	}
	data, err := json.Marshal(f)
	if err != nil {
		it.Broken = &ingest.Broken{Code: schemas.QInvalid, Reason: fmt.Sprintf("line %d: %v", row.Line, err)}
		return it
	}
	it.OccurredAt, it.Data = at, data
	return it
}

// rate reads the rating columns.
func (r *Mapper) rate(row file.Row, f *schemas.Feedback) *ingest.Broken {
	ratings := map[string]any{}
	for _, a := range r.aspects {
		v := strings.TrimSpace(string(row.Fields[a.col]))
		if v == "" {
			continue
		}
		n, err := file.ParseDecimal([]byte(v), r.m.Comma)
		if err != nil {
			return &ingest.Broken{Code: schemas.QInvalid, Reason: fmt.Sprintf("line %d: %s %q: %v", row.Line, a.name, v, err)}
		}
		x, lo, hi := n.Float(), a.Min, a.Max
		one := schemas.Feedback{ValueNumber: &x, ScaleMin: &lo, ScaleMax: &hi, HigherIsBetter: a.HigherIsBetter}
		if broken := file.OffScale(row.Line, a.name, &one); broken != nil {
			return broken
		}
		if a.Overall {
			f.ValueNumber, f.ScaleMin, f.ScaleMax, f.HigherIsBetter = one.ValueNumber, one.ScaleMin, one.ScaleMax, one.HigherIsBetter
			f.FieldID, f.FieldLabel = a.name, a.Label
			continue
		}
		entry := map[string]any{"value": x, "min": lo, "max": hi}
		if a.Label != "" {
			entry["label"] = a.Label
		}
		if a.HigherIsBetter != nil {
			entry["higher_is_better"] = *a.HigherIsBetter
		}
		ratings[a.name] = entry
	}
	if len(ratings) > 0 {
		if f.Metadata == nil {
			f.Metadata = map[string]any{}
		}
		f.Metadata["ratings"] = ratings
	}
	return nil
}
