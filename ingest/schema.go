package ingest

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"redalert/schemas"
)

// rule is one JSON Schema, compiled for the door's trees. It knows the
// keywords that schemas/*.schema.json use and no others; a test holds its
// answers against a complete JSON Schema library.
type rule struct {
	Ref         string           `json:"$ref"`
	Defs        map[string]*rule `json:"$defs"`
	Type        kinds            `json:"type"`
	Description string           `json:"description"`
	Required    []string         `json:"required"`
	Properties  map[string]*rule `json:"properties"`
	Items       *rule            `json:"items"`
	AnyOf       []*rule          `json:"anyOf"`
	Enum        []*string        `json:"enum"` // texts and null are all we list
	Const       *string          `json:"const"`
	Pattern     string           `json:"pattern"`
	MinLength   int              `json:"minLength"`
	MaxLength   int              `json:"maxLength"` // 0 = no limit
	Minimum     *float64         `json:"minimum"`
	Maximum     *float64         `json:"maximum"`

	// Annotations: read so that an unknown keyword is an error, not a gap.
	Schema string `json:"$schema"`
	ID     string `json:"$id"`
	Title  string `json:"title"`
	Format string `json:"format"`

	pattern *regexp.Regexp
}

// kinds is the type keyword: one name or several; a bit per nodeKind, and
// integerBit for "integer".
type kinds uint8

const integerBit kinds = 1 << 7

func (k *kinds) UnmarshalJSON(b []byte) error {
	var names []string
	if b[0] == '"' {
		names = make([]string, 1)
		if err := json.Unmarshal(b, &names[0]); err != nil {
			return err
		}
	} else if err := json.Unmarshal(b, &names); err != nil {
		return err
	}
	for _, n := range names {
		if n == "integer" {
			*k |= integerBit
			continue
		}
		for kind := nullNode; kind <= objectNode; kind++ {
			if kind.String() == n {
				*k |= 1 << kind
			}
		}
	}
	return nil
}

func (k kinds) allows(n *node) bool {
	return k == 0 || k&(1<<n.kind) != 0 || (k&integerBit != 0 && n.kind == numberNode && integral(n.text))
}

// rules holds every compiled schema by name.
var rules = mustRules()

func mustRules() map[string]*rule {
	m := map[string]*rule{}
	for _, name := range schemas.JSONSchemaNames() {
		r, err := loadRule(name)
		if err != nil {
			panic(err) // an embedded file of ours; a test would have failed
		}
		m[name] = r
	}
	return m
}

func loadRule(name string) (*rule, error) {
	raw, err := fs.ReadFile(schemas.JSONSchemas, name+".schema.json")
	if err != nil {
		return nil, fmt.Errorf("JSON Schema %s: %w", name, err)
	}
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.DisallowUnknownFields()
	r := new(rule)
	if err := dec.Decode(r); err != nil {
		return nil, fmt.Errorf("JSON Schema %s: %w", name, err)
	}
	if err := r.link(r); err != nil {
		return nil, fmt.Errorf("JSON Schema %s: %w", name, err)
	}
	return r, nil
}

// link resolves references to $defs and compiles patterns.
func (r *rule) link(root *rule) error {
	if r.Pattern != "" {
		p, err := regexp.Compile(r.Pattern)
		if err != nil {
			return err
		}
		r.pattern = p
	}
	for name, c := range r.Properties {
		if c.Ref != "" {
			def, ok := root.Defs[strings.TrimPrefix(c.Ref, "#/$defs/")]
			if !ok {
				return fmt.Errorf("no definition %s", c.Ref)
			}
			r.Properties[name] = def
		}
	}
	children := append([]*rule{}, r.AnyOf...)
	if r.Items != nil {
		children = append(children, r.Items)
	}
	for _, c := range r.Properties {
		children = append(children, c)
	}
	for _, c := range r.Defs {
		children = append(children, c)
	}
	for _, c := range children {
		if c.pattern == nil {
			if err := c.link(root); err != nil {
				return err
			}
		}
	}
	return nil
}

// violation is the first thing found that does not fit.
type violation struct {
	path    string // below the root: .total.currency, .lines[3]
	problem string
	want    string
}

// text says where, what and what to do. root is what the path starts from.
func (v *violation) text(root string) string {
	s := strings.TrimPrefix(root+v.path, ".")
	if s == "" {
		return "an event " + v.problem + "; expected: a JSON object with specversion, id, source, type and data"
	}
	s += " " + v.problem
	if v.want != "" {
		s += "; expected: " + v.want
	}
	return s
}

func (r *rule) fails(problem string) *violation {
	return &violation{problem: problem, want: r.Description}
}

// check answers nil when n fits.
func (r *rule) check(n *node) *violation {
	if !r.Type.allows(n) {
		if n.kind == numberNode && r.Type&integerBit != 0 {
			return r.fails("is not a whole number")
		}
		return r.fails("is of JSON type " + n.kind.String())
	}
	if v := r.checkValue(n); v != nil {
		return v
	}
	if len(r.AnyOf) > 0 {
		for _, a := range r.AnyOf {
			if a.check(n) == nil {
				return nil
			}
		}
		return r.fails("says nothing")
	}
	return nil
}

func (r *rule) checkValue(n *node) *violation {
	if (r.Enum != nil || r.Const != nil) && n.kind != stringNode && n.kind != nullNode {
		return r.fails("is of JSON type " + n.kind.String())
	}
	switch n.kind {
	case objectNode:
		return r.checkObject(n)
	case arrayNode:
		if r.Items == nil {
			return nil
		}
		for i := range n.kids {
			if v := r.Items.check(&n.kids[i].node); v != nil {
				v.path = "[" + strconv.Itoa(i) + "]" + v.path
				return v
			}
		}
	case stringNode:
		return r.checkString(n.text)
	case numberNode:
		return r.checkNumber(n.text)
	case nullNode:
		return r.checkNull()
	}
	return nil
}

func (r *rule) checkNull() *violation {
	if r.Const != nil || (r.Enum != nil && !inEnum(r.Enum, nil)) {
		return r.fails("is null")
	}
	return nil
}

func (r *rule) checkObject(n *node) *violation {
	for _, name := range r.Required {
		if n.get(name) == nil {
			v := r.fails("is missing")
			v.path = "." + name
			if p := r.Properties[name]; p != nil {
				v.want = p.Description
			}
			return v
		}
	}
	if len(r.Properties) == 0 {
		return nil
	}
	for i := range n.kids {
		m := &n.kids[i]
		p := r.Properties[m.key]
		if p == nil {
			continue
		}
		if v := p.check(&m.node); v != nil {
			v.path = "." + m.key + v.path
			return v
		}
	}
	return nil
}

func (r *rule) checkString(s string) *violation {
	if r.MaxLength > 0 && len(s) > r.MaxLength && utf8.RuneCountInString(s) > r.MaxLength {
		return r.fails(fmt.Sprintf("is longer than %d characters", r.MaxLength))
	}
	if r.MinLength > 0 && utf8.RuneCountInString(s) < r.MinLength {
		return r.fails("is empty")
	}
	if r.pattern != nil && !r.pattern.MatchString(s) {
		return r.fails("has the wrong form")
	}
	if r.Enum != nil && !inEnum(r.Enum, &s) {
		return r.fails(fmt.Sprintf("is %q", clip(s)))
	}
	if r.Const != nil && s != *r.Const {
		return r.fails(fmt.Sprintf("is %q", clip(s)))
	}
	return nil
}

func (r *rule) checkNumber(text string) *violation {
	if r.Minimum == nil && r.Maximum == nil {
		return nil
	}
	f, _ := strconv.ParseFloat(text, 64)
	if r.Minimum != nil && f < *r.Minimum {
		return r.fails("is " + clip(text) + ", too small")
	}
	if r.Maximum != nil && f > *r.Maximum {
		return r.fails("is " + clip(text) + ", too large")
	}
	return nil
}

func inEnum(enum []*string, s *string) bool {
	for _, e := range enum {
		if e == nil || s == nil {
			if e == s {
				return true
			}
			continue
		}
		if *e == *s {
			return true
		}
	}
	return false
}

// integral reports whether a JSON number literal is a whole number.
func integral(text string) bool {
	if !strings.ContainsAny(text, ".eE") {
		return true
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return false
	}
	if f == 0 {
		mantissa, _, _ := strings.Cut(strings.ToLower(text), "e")
		return strings.Trim(mantissa, "-0.") == ""
	}
	if -1 < f && f < 1 {
		return false
	}
	r, ok := new(big.Rat).SetString(text)
	return ok && r.IsInt()
}

// misnamed finds a name that differs from one of ours in case alone. Readers
// that ignore case would take it for ours (encoding/json does), and an address
// in "Customer" would slip past the door.
func (r *rule) misnamed(n *node) string {
	switch n.kind {
	case arrayNode:
		if r.Items == nil {
			return ""
		}
		for i := range n.kids {
			if s := r.Items.misnamed(&n.kids[i].node); s != "" {
				return s
			}
		}
	case objectNode:
		if len(r.Properties) == 0 {
			return ""
		}
		for i := range n.kids {
			m := &n.kids[i]
			if p := r.Properties[m.key]; p != nil {
				if s := p.misnamed(&m.node); s != "" {
					return s
				}
			} else if r.foldsToOurs(m.key) {
				return m.key
			}
		}
	}
	return ""
}

func (r *rule) foldsToOurs(key string) bool {
	if !strings.ContainsFunc(key, func(c rune) bool { return c >= utf8.RuneSelf || ('A' <= c && c <= 'Z') }) {
		return false
	}
	for name := range r.Properties {
		if strings.EqualFold(name, key) {
			return true
		}
	}
	return false
}
