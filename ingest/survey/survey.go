// Package survey maps the rows of survey exports onto feedback.survey.answered
// events, one for each answered question.
//
// A file either has one answer a row (columns mapped to value_text or
// value_number) or one submission a row: then every column that is not mapped
// is a question. What kind of answer a question takes is found, in this order,
// by the mapping's questions, its answer scales (words that stand for numbers),
// its categories, and whether the column belongs to a grid ("question [row]");
// what remains is text.
package survey

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"redalert/ingest"
	"redalert/ingest/file"
	"redalert/schemas"
)

// Mapper turns rows of one table into answers. Not for concurrent use.
type Mapper struct {
	m         file.Mapping
	read      *file.FeedbackReader
	ids       []int
	questions []question
	skip      map[string]bool
	choices   map[string]bool
	hash      *file.Hasher
	ordinals  file.Ordinals
}

type question struct {
	col   int
	id    string
	label string
	grid  bool
	rule  *file.Question
}

// New makes a mapper for one table.
func New(m file.Mapping, t *file.Table, clock *file.Clock) (*Mapper, error) {
	s := &Mapper{m: m, read: file.NewFeedbackReader(m, t, clock), skip: map[string]bool{"": true}, choices: map[string]bool{}, hash: file.NewHasher(t.Header)}
	find := t.Columns()
	for _, name := range m.ID {
		if i, ok := find(name); ok {
			s.ids = append(s.ids, i)
		}
	}
	for _, v := range m.NotAnswered {
		s.skip[fold(v)] = true
	}
	for _, v := range m.Categories {
		s.choices[fold(v)] = true
	}
	if s.read.Has("value_text") || s.read.Has("value_number") {
		return s, nil
	}
	if t.Form == file.FormJSONL {
		return nil, fmt.Errorf("%w: JSON surveys need keys mapped to value_text or value_number (--map)", file.ErrForm)
	}
	s.ask(t, find)
	if len(s.questions) == 0 {
		return nil, fmt.Errorf("%w: no column is a question; map one to value_text or value_number (--map)", file.ErrForm)
	}
	return s, nil
}

func fold(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

// ask takes every column that is not mapped for a question.
func (s *Mapper) ask(t *file.Table, find func(string) (int, bool)) {
	mapped := map[int]bool{}
	for name := range s.m.Columns {
		if i, ok := find(name); ok {
			mapped[i] = true
		}
	}
	for _, i := range s.ids {
		mapped[i] = true
	}
	taken := map[string]bool{}
	for i, label := range t.Header {
		if mapped[i] {
			continue
		}
		q := question{col: i, label: label, grid: strings.HasSuffix(label, "]") && strings.Contains(label, "[")}
		for j := range s.m.Questions {
			if s.m.Questions[j].Regexp.MatchString(label) {
				q.rule = &s.m.Questions[j]
				break
			}
		}
		if q.rule != nil && q.rule.Type == "skip" {
			continue
		}
		if q.id = slug(label); q.id != "" && taken[q.id] {
			q.id += fmt.Sprintf("-column-%d", i+1)
		}
		taken[q.id] = true
		s.questions = append(s.questions, q)
	}
}

// slug makes an id of a question's text: its words, and from 48 characters on
// a hash of the rest. "" for a column without a name.
func slug(label string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(label) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r > 127:
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	id := strings.TrimSuffix(b.String(), "-")
	if len(id) <= 48 {
		return id
	}
	cut := 40
	for cut > 0 && id[cut]&0xc0 == 0x80 {
		cut--
	}
	sum := sha256.Sum256([]byte(label))
	return strings.TrimSuffix(id[:cut], "-") + "-" + hex.EncodeToString(sum[:4])
}

// ID is the row's submission id: as mapped, else the id columns, else the hash
// of the canonical row and its ordinal. Call it once for each row, in file
// order.
func (s *Mapper) ID(row file.Row) (string, error) {
	if id := file.JoinID(row, s.ids); id != "" {
		return id, nil
	}
	if id := s.read.Text(row, "submission_id"); id != "" {
		return id, nil
	}
	h := s.hash.Hash(row)
	n, err := s.ordinals.Next(h)
	return file.RowID(h, n), err
}

// Items maps one row under its id. A row nobody answered anything in gives
// none; of a broken row there is one item that says why.
func (s *Mapper) Items(row file.Row, id string) []ingest.Item {
	base, at, broken := s.read.Read(row)
	if broken != nil {
		return []ingest.Item{{Type: schemas.SurveyAnswered, NativeID: id, Broken: broken}}
	}
	base.SourceType, base.SubmissionID = schemas.SourceSurvey, id
	var answers []schemas.Feedback
	if len(s.questions) == 0 {
		answers = s.long(base)
	} else {
		answers, broken = s.wide(row, base)
	}
	items := make([]ingest.Item, 0, len(answers))
	for _, f := range answers {
		it := ingest.Item{Type: schemas.SurveyAnswered, NativeID: id, OccurredAt: at}
		if f.FieldID != "" {
			it.NativeID += "/" + f.FieldID
		}
		data, err := json.Marshal(f)
		if err != nil {
			broken = &ingest.Broken{Code: schemas.QInvalid, Reason: fmt.Sprintf("line %d: %v", row.Line, err)}
			break
		}
		it.Data = data
		items = append(items, it)
	}
	if broken != nil {
		return []ingest.Item{{Type: schemas.SurveyAnswered, NativeID: id, Broken: broken}}
	}
	return items
}

// long is a row that is one answer.
func (s *Mapper) long(f schemas.Feedback) []schemas.Feedback {
	if s.skip[fold(f.ValueText)] && f.ValueNumber == nil {
		return nil
	}
	if f.FieldType == "" {
		f.FieldType = schemas.FieldText
		if f.ValueNumber != nil {
			f.FieldType = schemas.FieldNumber
		}
		if f.ValueNumber == nil {
			s.classify(&f, question{label: f.FieldLabel})
		}
	}
	return []schemas.Feedback{f}
}

// wide is a row that is a submission.
func (s *Mapper) wide(row file.Row, base schemas.Feedback) ([]schemas.Feedback, *ingest.Broken) {
	for _, q := range s.questions {
		if v := strings.TrimSpace(string(row.Fields[q.col])); q.id == "" && v != "" {
			if base.Metadata == nil {
				base.Metadata = map[string]any{}
			}
			base.Metadata[fmt.Sprintf("column_%d", q.col+1)] = v
		}
	}
	var answers []schemas.Feedback
	for _, q := range s.questions {
		v := strings.TrimSpace(string(row.Fields[q.col]))
		if q.id == "" || s.skip[fold(v)] {
			continue
		}
		f := base
		f.FieldID, f.FieldLabel, f.ValueText = q.id, q.label, v
		if broken := s.classify(&f, q); broken != nil {
			broken.Reason = fmt.Sprintf("line %d: %s", row.Line, broken.Reason)
			return nil, broken
		}
		answers = append(answers, f)
	}
	return answers, nil
}

// classify finds what kind of answer f is, and its number if it has one.
func (s *Mapper) classify(f *schemas.Feedback, q question) *ingest.Broken {
	if q.rule != nil {
		return s.byRule(f, q.rule)
	}
	for _, a := range s.m.Answers {
		for word, x := range a.Values {
			if fold(word) == fold(f.ValueText) {
				lo, hi, n := a.Min, a.Max, x
				f.FieldType, f.ValueNumber, f.ScaleMin, f.ScaleMax, f.HigherIsBetter = schemas.FieldType(a.Type), &n, &lo, &hi, a.HigherIsBetter
				return nil
			}
		}
	}
	f.FieldType = schemas.FieldText
	if q.grid || s.choices[fold(f.ValueText)] {
		f.FieldType = schemas.FieldCategorical
	} else if n, err := file.ParseDecimal([]byte(f.ValueText), s.m.Comma); err == nil {
		x := n.Float()
		f.FieldType, f.ValueNumber, f.ValueText = schemas.FieldNumber, &x, ""
	}
	return nil
}

func (s *Mapper) byRule(f *schemas.Feedback, rule *file.Question) *ingest.Broken {
	f.FieldType = schemas.FieldType(rule.Type)
	switch f.FieldType {
	case schemas.FieldText, schemas.FieldCategorical, schemas.FieldDate, schemas.FieldBoolean:
		return nil
	}
	n, err := file.ParseDecimal([]byte(f.ValueText), s.m.Comma)
	if err != nil {
		return &ingest.Broken{Code: schemas.QInvalid, Reason: fmt.Sprintf("answer to %q is no number", f.FieldLabel)}
	}
	x := n.Float()
	f.ValueNumber, f.ScaleMin, f.ScaleMax, f.HigherIsBetter, f.ValueText = &x, rule.Min, rule.Max, rule.HigherIsBetter, ""
	lo, hi := 0.0, 10.0
	if f.FieldType == schemas.FieldNPS && rule.Min == nil && rule.Max == nil {
		f.ScaleMin, f.ScaleMax = &lo, &hi
	}
	if lo, hi := f.ScaleMin, f.ScaleMax; lo != nil && hi != nil && (x < *lo || x > *hi) {
		return &ingest.Broken{Code: schemas.QInvalid, Reason: fmt.Sprintf("answer to %q lies outside its scale %v to %v", f.FieldLabel, *lo, *hi)}
	}
	return nil
}
