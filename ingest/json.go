package ingest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"
)

// MaxJSONDepth caps the nesting of one event.
const MaxJSONDepth = 64

// The door reads each event's JSON once, into a tree from which it hashes,
// validates and rewrites. Objects are kept in the order of RFC 8785, so that
// writing the tree is canonical; names that appear twice, text that is not
// Unicode and numbers beyond a float64 are refused, as RFC 8785 demands.

type nodeKind uint8

const (
	nullNode nodeKind = iota
	boolNode
	numberNode
	stringNode
	arrayNode
	objectNode
)

func (k nodeKind) String() string {
	return [...]string{"null", "boolean", "number", "string", "array", "object"}[k]
}

type node struct {
	kind nodeKind
	text string // decoded string, number literal as sent, "true" or "false"
	kids []member
}

type member struct {
	key  string
	node node
}

var (
	errDepth  = fmt.Errorf("JSON is nested deeper than %d levels", MaxJSONDepth)
	errSyntax = errors.New("not valid JSON")
	errNumber = errors.New("number is too large for JSON numbers (IEEE 754 double)")
	errUTF8   = errors.New("text is not valid UTF-8")
	errHalf   = errors.New(`text holds half a surrogate pair (\uD800–\uDFFF)`)
)

// errTwice says which name an object has twice.
type errTwice string

func (e errTwice) Error() string {
	return fmt.Sprintf("the name %q appears twice in one object", clip(string(e)))
}

type parser struct {
	s        string
	i        int
	stack    []member
	arena    []member
	from, to int // where the value of the outermost object's name "data" stands
}

var stacks = sync.Pool{New: func() any { s := make([]member, 0, 64); return &s }}

// giveBack keeps a stack of a common size for the next text, without holding on
// to parts of this one.
func giveBack(kept *[]member, stack []member) {
	if cap(stack) <= 1024 {
		*kept = stack[:0]
		clear((*kept)[:cap(*kept)])
		stacks.Put(kept)
	}
}

// parseJSON reads one JSON text.
func parseJSON(raw []byte) (node, error) {
	n, _, err := parseEvent(raw)
	return n, err
}

// parseEvent reads one JSON text, and answers where in raw its "data" stands.
func parseEvent(raw []byte) (n node, data []byte, err error) {
	stack := stacks.Get().(*[]member)
	p := parser{s: string(raw), stack: (*stack)[:0]}
	defer func() { giveBack(stack, p.stack) }()
	if n, err = p.value(1); err != nil {
		return node{}, nil, fmt.Errorf("%w (near byte %d)", err, p.i)
	}
	if p.space(); p.i != len(p.s) {
		return node{}, nil, fmt.Errorf("%w: more after its end (near byte %d)", errSyntax, p.i)
	}
	return n, raw[p.from:p.to:p.to], nil
}

func (p *parser) space() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return
		}
	}
}

func (p *parser) value(depth int) (node, error) {
	p.space()
	if p.i >= len(p.s) {
		return node{}, errSyntax
	}
	switch c := p.s[p.i]; c {
	case '{', '[':
		if depth > MaxJSONDepth {
			return node{}, errDepth
		}
		if c == '{' {
			return p.object(depth)
		}
		return p.array(depth)
	case '"':
		s, err := p.str()
		return node{kind: stringNode, text: s}, err
	case 't':
		return p.literal("true", boolNode)
	case 'f':
		return p.literal("false", boolNode)
	case 'n':
		return p.literal("null", nullNode)
	}
	return p.number()
}

func (p *parser) literal(word string, k nodeKind) (node, error) {
	if !strings.HasPrefix(p.s[p.i:], word) {
		return node{}, errSyntax
	}
	p.i += len(word)
	return node{kind: k, text: word}, nil
}

func (p *parser) object(depth int) (node, error) {
	base := len(p.stack)
	p.i++
	p.space()
	if p.i < len(p.s) && p.s[p.i] == '}' {
		p.i++
		return node{kind: objectNode}, nil
	}
	for {
		p.space()
		if p.i >= len(p.s) || p.s[p.i] != '"' {
			return node{}, errSyntax
		}
		key, err := p.str()
		if err != nil {
			return node{}, err
		}
		p.space()
		if p.i >= len(p.s) || p.s[p.i] != ':' {
			return node{}, errSyntax
		}
		p.i++
		p.space()
		from := p.i
		v, err := p.value(depth + 1)
		if err != nil {
			return node{}, err
		}
		if depth == 1 && key == "data" {
			p.from, p.to = from, p.i
		}
		p.stack = append(p.stack, member{key, v})
		end, err := p.next('}')
		if err != nil {
			return node{}, err
		}
		if end {
			kids := p.take(base)
			if twice, ok := sortMembers(kids); ok {
				return node{}, errTwice(twice)
			}
			return node{kind: objectNode, kids: kids}, nil
		}
	}
}

func (p *parser) array(depth int) (node, error) {
	base := len(p.stack)
	p.i++
	p.space()
	if p.i < len(p.s) && p.s[p.i] == ']' {
		p.i++
		return node{kind: arrayNode}, nil
	}
	for {
		v, err := p.value(depth + 1)
		if err != nil {
			return node{}, err
		}
		p.stack = append(p.stack, member{node: v})
		end, err := p.next(']')
		if err != nil {
			return node{}, err
		}
		if end {
			return node{kind: arrayNode, kids: p.take(base)}, nil
		}
	}
}

// next steps over a comma (false) or the closing byte (true).
func (p *parser) next(closing byte) (bool, error) {
	p.space()
	if p.i >= len(p.s) {
		return false, errSyntax
	}
	c := p.s[p.i]
	p.i++
	if c == closing {
		return true, nil
	}
	if c != ',' {
		p.i--
		return false, errSyntax
	}
	return false, nil
}

// take moves what stands above base on the stack into the arena.
func (p *parser) take(base int) []member {
	n := len(p.stack) - base
	if cap(p.arena)-len(p.arena) < n {
		p.arena = make([]member, 0, max(n, 16, min(1024, 2*cap(p.arena))))
	}
	at := len(p.arena)
	p.arena = append(p.arena, p.stack[base:]...)
	p.stack = p.stack[:base]
	return p.arena[at:len(p.arena):len(p.arena)]
}

// clip shortens a name or value for an error text.
func clip(s string) string {
	if len(s) <= 40 {
		return s
	}
	i := 40
	for i > 0 && !utf8.RuneStart(s[i]) {
		i--
	}
	return s[:i] + "…"
}

func isDepth(err error) bool { return errors.Is(err, errDepth) }
