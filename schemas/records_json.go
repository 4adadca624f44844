package schemas

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Feedback and orders are read by the scorer for every event, so their common
// form has code of its own, as the envelope has. Values that need thought are
// left to encoding/json one by one, a field nobody knows leaves it the whole
// record.

// record is what readRecord can fill.
type record interface {
	// field is a pointer to where a name's value goes; nil = there is no such name.
	field(name string) any
}

func (f *Feedback) field(name string) any {
	switch name {
	case "source_type":
		return (*string)(&f.SourceType)
	case "source_name":
		return &f.SourceName
	case "submission_id":
		return &f.SubmissionID
	case "field_id":
		return &f.FieldID
	case "field_label":
		return &f.FieldLabel
	case "field_type":
		return (*string)(&f.FieldType)
	case "value_text":
		return &f.ValueText
	case "value_number":
		return &f.ValueNumber
	case "scale_min":
		return &f.ScaleMin
	case "scale_max":
		return &f.ScaleMax
	case "higher_is_better":
		return &f.HigherIsBetter
	case "occurred_at":
		return &f.OccurredAt
	case "language":
		return &f.Language
	case "customer":
		return &f.Customer
	case "location":
		return &f.Location
	case "order_ref":
		return &f.OrderRef
	case "metadata":
		return &f.Metadata
	case "customer_id":
		return &f.CustomerID
	case "local_date":
		return &f.LocalDate
	}
	return nil
}

func (o *Order) field(name string) any {
	switch name {
	case "order_ref":
		return &o.OrderRef
	case "customer":
		return &o.Customer
	case "occurred_at":
		return &o.OccurredAt
	case "placed_at":
		return &o.PlacedAt
	case "total":
		return &o.Total
	case "previous_total":
		return &o.PreviousTotal
	case "lines":
		return &o.Lines
	case "tip":
		return &o.Tip
	case "reason":
		return &o.Reason
	case "caused_by":
		return (*string)(&o.CausedBy)
	case "location":
		return &o.Location
	case "customer_id":
		return &o.CustomerID
	case "local_date":
		return &o.LocalDate
	}
	return nil
}

func (m *Money) field(name string) any {
	switch name {
	case "amount":
		return &m.Amount
	case "currency":
		return &m.Currency
	}
	return nil
}

// readRecord fills r, which is empty, from data as encoding/json would. When ok
// is false r holds anything.
func readRecord(data []byte, r record) (ok bool) {
	if !compactJSON(data) || data[0] != '{' {
		return false
	}
	whole := string(data) // texts are parts of it
	for i := 1; whole[i] != '}'; {
		end, _ := compactText(data, i)
		field := r.field(whole[i+1 : end-1])
		if field == nil {
			return false
		}
		from := end + 1
		end, _ = compactValue(data, from, maxNesting)
		if !readField(field, data[from:end], whole[from:end]) {
			return false
		}
		if i = end; whole[i] == ',' {
			i++
		}
	}
	return true
}

// readField reads one value, given as bytes and as text.
func readField(field any, raw []byte, value string) bool {
	switch to := field.(type) {
	case *string:
		if value[0] == '"' && strings.IndexByte(value, '\\') < 0 && utf8.ValidString(value) {
			*to = value[1 : len(value)-1]
			return true
		}
	case *int64:
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			*to = n
			return true
		}
	case **float64:
		if raw[0] != '"' {
			if x, err := strconv.ParseFloat(value, 64); err == nil {
				*to = &x
				return true
			}
		}
	case **Money:
		m := new(Money)
		if *to == nil && readRecord(raw, m) {
			*to = m
			return true
		}
	}
	return json.Unmarshal(raw, field) == nil
}
