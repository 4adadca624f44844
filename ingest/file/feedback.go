package file

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"redalert/ingest"
	"redalert/schemas"
)

// FeedbackReader reads what every kind of feedback row has in common: who,
// when, where, and the answer itself when it stands in mapped columns. Not for
// concurrent use.
type FeedbackReader struct {
	clock *Clock
	comma bool
	slots map[string]Slot
	meta  []string
}

// NewFeedbackReader binds a mapping to a table.
func NewFeedbackReader(m Mapping, t *Table, clock *Clock) *FeedbackReader {
	r := &FeedbackReader{clock: clock, comma: m.Comma, slots: map[string]Slot{}}
	b := m.Bind(t)
	for _, f := range b.Fields() {
		r.slots[f] = b.Slot(f)
		if strings.HasPrefix(f, "metadata.") {
			r.meta = append(r.meta, f)
		}
	}
	return r
}

// Has reports whether rows can have a value for field.
func (r *FeedbackReader) Has(field string) bool { return r.slots[field].Bound() }

// Text is a field's value in a row, "" when it has none.
func (r *FeedbackReader) Text(row Row, field string) string {
	return string(r.slots[field].Of(row.Fields))
}

// Read answers the record and its time (zero when the row states none). A row
// with an impossible value is broken as a whole.
func (r *FeedbackReader) Read(row Row) (schemas.Feedback, time.Time, *ingest.Broken) {
	if row.Broken != nil {
		return schemas.Feedback{}, time.Time{}, row.Broken
	}
	f := schemas.Feedback{
		SourceName: r.Text(row, "source_name"), SubmissionID: r.Text(row, "submission_id"), FieldID: r.Text(row, "field_id"),
		FieldLabel: r.Text(row, "field_label"), FieldType: schemas.FieldType(strings.ToLower(r.Text(row, "field_type"))),
		ValueText: r.Text(row, "value_text"), Language: r.Text(row, "language"), Location: r.Text(row, "location"), OrderRef: r.Text(row, "order_ref"),
	}
	c := schemas.CustomerRef{Ref: r.Text(row, "customer.ref"), Email: r.Text(row, "customer.email"),
		Phone: r.Text(row, "customer.phone"), Name: r.Text(row, "customer.name")}
	if c != (schemas.CustomerRef{}) {
		f.Customer = &c
	}
	for _, name := range r.meta {
		if v := r.Text(row, name); v != "" {
			if f.Metadata == nil {
				f.Metadata = map[string]any{}
			}
			f.Metadata[strings.TrimPrefix(name, "metadata.")] = v
		}
	}
	at, broken := r.when(row)
	if broken == nil {
		broken = r.numbers(row, &f)
	}
	if !at.IsZero() {
		f.OccurredAt = &at
	}
	return f, at, broken
}

func (r *FeedbackReader) when(row Row) (time.Time, *ingest.Broken) {
	v := r.slots["occurred_at"].Of(row.Fields)
	if len(v) == 0 {
		if !r.Has("occurred_at") {
			return time.Time{}, nil
		}
		return time.Time{}, &ingest.Broken{Code: schemas.QTime, Reason: fmt.Sprintf("line %d: it has no time", row.Line)}
	}
	at, err := r.clock.Parse(v)
	if err != nil {
		return time.Time{}, &ingest.Broken{Code: schemas.QTime, Reason: fmt.Sprintf("line %d: %v", row.Line, err)}
	}
	return at.UTC(), nil
}

func (r *FeedbackReader) numbers(row Row, f *schemas.Feedback) *ingest.Broken {
	for field, to := range map[string]**float64{"value_number": &f.ValueNumber, "scale_min": &f.ScaleMin, "scale_max": &f.ScaleMax} {
		v := r.Text(row, field)
		if v == "" {
			continue
		}
		n, err := ParseDecimal([]byte(v), r.comma)
		if err != nil {
			return &ingest.Broken{Code: schemas.QInvalid, Reason: fmt.Sprintf("line %d: %s %q: %v", row.Line, field, v, err)}
		}
		x := n.Float()
		*to = &x
	}
	if v := r.Text(row, "higher_is_better"); v != "" {
		b, err := strconv.ParseBool(strings.ToLower(v))
		if err != nil {
			return &ingest.Broken{Code: schemas.QInvalid, Reason: fmt.Sprintf("line %d: higher_is_better %q is neither true nor false", row.Line, v)}
		}
		f.HigherIsBetter = &b
	}
	if f.FieldType != "" && !slices.Contains(fieldTypes, f.FieldType) {
		return &ingest.Broken{Code: schemas.QInvalid, Reason: fmt.Sprintf("line %d: field_type %q is none of %v", row.Line, f.FieldType, fieldTypes)}
	}
	return OffScale(row.Line, "value_number", f)
}

var fieldTypes = []schemas.FieldType{schemas.FieldText, schemas.FieldNPS, schemas.FieldCSAT, schemas.FieldCES, schemas.FieldRating,
	schemas.FieldNumber, schemas.FieldCategorical, schemas.FieldBoolean, schemas.FieldDate}

// OffScale answers why a score cannot be used: it lies outside its own scale.
func OffScale(line int, what string, f *schemas.Feedback) *ingest.Broken {
	if f.ValueNumber == nil || f.ScaleMin == nil || f.ScaleMax == nil {
		return nil
	}
	if v := *f.ValueNumber; v >= *f.ScaleMin && v <= *f.ScaleMax {
		return nil
	}
	return &ingest.Broken{Code: schemas.QInvalid, Reason: fmt.Sprintf("line %d: %s %v lies outside its scale %v to %v",
		line, what, *f.ValueNumber, *f.ScaleMin, *f.ScaleMax)}
}
