package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"redalert/schemas"
)

// Mapping says how the rows of a file become events. It is written in YAML;
// an unknown key or field is an error naming line and nearest known one.
type Mapping struct {
	Preset      string `yaml:"preset"` // start from this one; keys given here replace its
	Kind        string `yaml:"kind"`   // customers, orders, reviews or surveys
	Description string `yaml:"description"`

	Form      Form   `yaml:"form"`      // csv, table or jsonl; default: by the first line
	Encoding  string `yaml:"encoding"`  // default utf-8; a byte order mark decides before it
	Delimiter string `yaml:"delimiter"` // one character, or tab; default: by the header
	Comma     bool   `yaml:"decimal_comma"`

	Timezone string   `yaml:"timezone"` // IANA, of times without a zone; default: the business's
	Times    []string `yaml:"times"`    // layouts as Go writes them; default ISO 8601
	Currency string   `yaml:"currency"` // default: the business's

	ID        []string          `yaml:"id"`        // columns that name a row for good
	Columns   map[string]string `yaml:"columns"`   // column → field
	Constants map[string]string `yaml:"constants"` // field → value for every row
	CutSuffix map[string]string `yaml:"cut_suffix"`

	CancelPrefix string `yaml:"cancel_prefix"` // orders: what numbers of cancellations begin with

	Ratings map[string]Rating `yaml:"ratings"` // reviews: column → scale; the first field is overall

	NotAnswered []string   `yaml:"not_answered"` // surveys: answers that are none
	Categories  []string   `yaml:"categories"`   // surveys: answers that are a choice, not text
	Answers     []Answers  `yaml:"answers"`      // surveys: answers in words that stand for numbers
	Questions   []Question `yaml:"questions"`    // surveys: by the column's name, first match wins
	lenient     bool       // columns may be missing
	src         map[string]int
}

// Rating is one rating column of a review file.
type Rating struct {
	Label          string  `yaml:"label"`
	Min            float64 `yaml:"min"`
	Max            float64 `yaml:"max"`
	HigherIsBetter *bool   `yaml:"higher_is_better"` // default true
	Overall        bool    `yaml:"overall"`          // the review's own rating; one at most
}

// Answers maps the words of one answer scale to numbers.
type Answers struct {
	Type           string             `yaml:"type"` // csat, ces, nps or rating
	Min            float64            `yaml:"min"`
	Max            float64            `yaml:"max"`
	HigherIsBetter *bool              `yaml:"higher_is_better"`
	Values         map[string]float64 `yaml:"values"` // whatever the case
}

// Question says what a column of a survey asks.
type Question struct {
	Match          string   `yaml:"match"` // regular expression on the column's name
	Type           string   `yaml:"type"`  // a field type, or skip
	Min            *float64 `yaml:"min"`
	Max            *float64 `yaml:"max"`
	HigherIsBetter *bool    `yaml:"higher_is_better"`

	Regexp *regexp.Regexp `yaml:"-"`
}

// Fields lists what columns of each kind may be mapped to. metadata.NAME is a
// field of reviews and surveys too.
var Fields = map[string][]string{
	"orders": {"order_ref", "type", "occurred_at", "placed_at", "customer.ref", "customer.email", "customer.phone", "customer.name",
		"total", "previous_total", "tip", "currency", "reason", "caused_by", "location", "sku", "description", "quantity", "unit_price"},
	"customers": {"customer.ref", "customer.email", "customer.phone", "customer.name", "location", "occurred_at"},
	"reviews": {"value_text", "value_number", "scale_min", "scale_max", "higher_is_better", "occurred_at", "language", "customer.ref",
		"customer.email", "customer.phone", "customer.name", "location", "order_ref", "source_name", "field_label", "type", "revision", "submission_id"},
	"surveys": {"submission_id", "field_id", "field_label", "field_type", "value_text", "value_number", "scale_min", "scale_max",
		"higher_is_better", "occurred_at", "language", "customer.ref", "customer.email", "customer.phone", "customer.name",
		"location", "order_ref", "source_name"},
}

// ReadMapping decodes and checks a mapping; name is for messages. Presets it
// builds upon are looked up with base, which may be nil.
func ReadMapping(name string, src []byte, base func(preset string) (Mapping, error)) (Mapping, error) {
	var m, own Mapping
	if err := decode(name, src, &own); err != nil {
		return Mapping{}, err
	}
	if own.Preset != "" && base != nil {
		var err error
		if m, err = base(own.Preset); err != nil {
			return Mapping{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := decode(name, src, &m); err != nil {
		return Mapping{}, err
	}
	m.src = lines(src)
	if own.Kind != "" && m.Kind != own.Kind {
		m.Kind = own.Kind
	}
	return m, m.check(name)
}

func decode(name string, src []byte, m *Mapping) error {
	err := yaml.NewDecoder(bytes.NewReader(src), yaml.Strict()).Decode(m)
	if err == nil || errors.Is(err, io.EOF) {
		return nil
	}
	var unknown *yaml.UnknownFieldError
	if errors.As(err, &unknown) {
		tok := unknown.GetToken()
		return fmt.Errorf("%s:%d: unknown key %q%s", name, tok.Position.Line, tok.Value, didYouMean(tok.Value, keys))
	}
	var ye yaml.Error
	if errors.As(err, &ye) && ye.GetToken() != nil {
		return fmt.Errorf("%s:%d: %s", name, ye.GetToken().Position.Line, ye.GetMessage())
	}
	return fmt.Errorf("%s: %w", name, err)
}

var keys = []string{"preset", "kind", "description", "form", "encoding", "delimiter", "decimal_comma", "timezone", "times", "currency",
	"id", "columns", "constants", "cut_suffix", "cancel_prefix", "ratings", "not_answered", "categories", "answers", "questions",
	"label", "min", "max", "higher_is_better", "overall", "type", "values", "match"}

// didYouMean suggests the nearest of what is known, if any is near.
func didYouMean(word string, known []string) string {
	best, dist := "", len(word)/2+2
	for _, k := range known {
		if d := levenshtein.ComputeDistance(strings.ToLower(word), strings.ToLower(k)); d < dist {
			best, dist = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// lines finds on which line each key of the second level stands: "columns/InvoiceNo".
func lines(src []byte) map[string]int {
	at := map[string]int{}
	f, err := parser.ParseBytes(src, 0)
	if err != nil {
		return at
	}
	for _, doc := range f.Docs {
		for _, top := range pairs(doc.Body) {
			for _, sub := range pairs(top.Value) {
				tok := sub.Key.GetToken()
				at[top.Key.GetToken().Value+"/"+tok.Value] = tok.Position.Line
			}
		}
	}
	return at
}

func pairs(n ast.Node) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	return nil
}

func (m *Mapping) check(name string) error {
	known, ok := Fields[m.Kind]
	if !ok {
		return fmt.Errorf("%s: kind %q is none of customers, orders, reviews, surveys", name, m.Kind)
	}
	bad := func(section, key, format string, args ...any) error {
		return fmt.Errorf("%s:%d: %s", name, m.src[section+"/"+key], fmt.Sprintf(format, args...))
	}
	for _, col := range sorted(m.Columns) {
		if f := m.Columns[col]; !isField(m.Kind, f) {
			return bad("columns", col, "unknown field %q for %s%s", f, m.Kind, didYouMean(f, known))
		}
	}
	for _, f := range sorted(m.Constants) {
		if !isField(m.Kind, f) {
			return bad("constants", f, "unknown field %q for %s%s", f, m.Kind, didYouMean(f, known))
		}
	}
	if m.Form != "" && m.Form != FormCSV && m.Form != FormTable && m.Form != FormJSONL {
		return fmt.Errorf("%s: form %q is none of csv, table, jsonl", name, m.Form)
	}
	if _, err := m.Location(nil); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return m.checkScales(name, bad)
}

func (m *Mapping) checkScales(name string, bad func(section, key, format string, args ...any) error) error {
	overall := 0
	for col, r := range m.Ratings {
		if !(r.Min < r.Max) {
			return bad("ratings", col, "rating %q needs min below max, for example min: 1, max: 5", col)
		}
		if r.Overall {
			overall++
		}
	}
	if overall > 1 {
		return fmt.Errorf("%s: only one rating can be the overall one", name)
	}
	for i, a := range m.Answers {
		if !slices.Contains(fieldTypes, schemas.FieldType(a.Type)) {
			return fmt.Errorf("%s: answers %d: type %q is none of %v", name, i+1, a.Type, fieldTypes)
		}
		if !(a.Min < a.Max) || len(a.Values) == 0 {
			return fmt.Errorf("%s: answers %d needs min below max, and values", name, i+1)
		}
	}
	for i := range m.Questions {
		re, err := regexp.Compile(m.Questions[i].Match)
		if err != nil {
			return fmt.Errorf("%s: question %d: match: %w", name, i+1, err)
		}
		m.Questions[i].Regexp = re
		if typ := m.Questions[i].Type; typ != "skip" && !slices.Contains(fieldTypes, schemas.FieldType(typ)) {
			return fmt.Errorf("%s: question %d: type %q is neither skip nor one of %v", name, i+1, typ, fieldTypes)
		}
	}
	return nil
}

func isField(kind, f string) bool {
	if rest, ok := strings.CutPrefix(f, "metadata."); ok && rest != "" {
		return kind == "reviews" || kind == "surveys"
	}
	return slices.Contains(Fields[kind], f)
}

// Location is the zone of times without one: the mapping's, else def, else UTC.
func (m *Mapping) Location(def *time.Location) (*time.Location, error) {
	if m.Timezone != "" {
		loc, err := time.LoadLocation(m.Timezone)
		if err != nil {
			return nil, fmt.Errorf("timezone %q is not known; write it like Europe/London", m.Timezone)
		}
		return loc, nil
	}
	if def == nil {
		def = time.UTC
	}
	return def, nil
}

// Names lists every column the mapping speaks of, sorted.
func (m *Mapping) Names() []string {
	names := append(sorted(m.Columns), m.ID...)
	for col := range m.Ratings {
		names = append(names, col)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Lenient makes columns that a file lacks no error: for mappings that are not
// the user's own.
func (m *Mapping) Lenient() { m.lenient = true }

// Missing answers an error for the first column that the mapping names and the
// file lacks, unless the mapping is lenient. The error suggests the nearest.
func (m *Mapping) Missing(t *Table) error {
	if t.Form == FormJSONL || m.lenient {
		return nil
	}
	find := t.Columns()
	for _, name := range m.Names() {
		if _, ok := find(name); !ok {
			return fmt.Errorf("%w: it has no column %q%s", ErrForm, name, didYouMean(name, t.Header))
		}
	}
	return nil
}
