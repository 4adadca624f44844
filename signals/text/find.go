package text

import (
	"strings"
	"sync"

	"redalert/schemas"
)

// Finding is a phrase that counts: not negated, not quoted, not hushed.
type Finding struct {
	Topic string // name of the list: a hard rule or a category
	Span  schemas.Span
	first int32
	last  int32
}

// role is what a list does for its topic.
type role uint8

const (
	roleLoud role = iota
	roleSure
	roleImperative
	roleQuiet
	roleQuietSentence
	roleNegation
	roleSubject
	roleJoke
)

// kind says which topic a list belongs to and what it does there.
type kind struct {
	base string
	role role
}

func kindOf(name string) kind {
	switch name {
	case "negation":
		return kind{name, roleNegation}
	case "subject":
		return kind{name, roleSubject}
	case "joke":
		return kind{name, roleJoke}
	}
	base, suffix, _ := strings.Cut(name, ".")
	switch suffix {
	case "sure":
		return kind{base, roleSure}
	case "imperative":
		return kind{base, roleImperative}
	case "quiet":
		return kind{base, roleQuiet}
	case "quiet_sentence":
		return kind{base, roleQuietSentence}
	}
	return kind{base, roleLoud}
}

// Finder finds phrases in texts under their guards. It is safe for concurrent
// use.
type Finder struct {
	p     *Phrases
	kinds []kind // by Topic
}

// NewFinder makes a Finder of phrase lists.
func NewFinder(p *Phrases) *Finder {
	f := &Finder{p: p}
	for _, name := range p.Topics() {
		f.kinds = append(f.kinds, kindOf(name))
	}
	return f
}

// DefaultFinder finds with the lists that ship with the program.
var DefaultFinder = sync.OnceValue(func() *Finder { return NewFinder(Default()) })

// scratch is what reading one text needs; it is reused.
type scratch struct {
	toks     []Token
	ids      []int32
	matches  []Match
	found    []Finding
	sentence []int32 // number of each token's sentence
	scope    []uint8 // by token: scopeNegated, scopeSubject
	feats    []uint32
	upto     []int32 // by token: how many of feats belong to it and those before
}

var pool = sync.Pool{New: func() any { return new(scratch) }}

// What bounds the scratch that goes back to the pool.
const (
	keepTokens   = 16 << 10
	keepFeatures = 64 << 10
)

func release(s *scratch) {
	if cap(s.toks) <= keepTokens && cap(s.feats) <= keepFeatures {
		pool.Put(s)
	}
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/4)
	}
	return s[:n]
}

// Find answers the phrases of s that count, in order of the text; of one topic
// overlapping ones are joined to the first. Spans are byte offsets into s.
func (f *Finder) Find(s string) []Finding {
	sc := pool.Get().(*scratch)
	defer release(sc)
	f.read(s, sc)
	return sc.findings()
}

// findings is a copy of what was found; nil = nothing.
func (sc *scratch) findings() []Finding { return append([]Finding(nil), sc.found...) }

// read fills sc with the tokens and findings of s.
func (f *Finder) read(s string, sc *scratch) {
	sc.toks = Tokenize(s, sc.toks)
	n := len(sc.toks)
	sc.ids, sc.sentence, sc.scope = grow(sc.ids, n), grow(sc.sentence, n), grow(sc.scope, n)
	sc.matches = f.p.find(sc.toks, sc.ids, sc.matches[:0])
	sent, from := int32(-1), 0
	for i := range sc.toks {
		if sc.toks[i].Flags&FlagSentence != 0 || i-from >= maxSentence {
			sent++
			from = i
		}
		sc.sentence[i] = sent
		sc.scope[i] = 0
	}
	f.mark(sc)
	f.filter(sc)
}

// maxSentence is how many words a sentence has at most for the guards: what a
// text without full stops costs stays linear.
const maxSentence = 64

// maxJoin is how many findings back one may be joined to another.
const maxJoin = 32

// negationReach is how many words after a negation it covers, unless the
// clause ends before.
const negationReach = 3

// What stands before a token.
const (
	scopeNegated uint8 = 1 << iota // a negation covers it
	scopeSubject                   // a subject or auxiliary stands right before it
)

func (f *Finder) mark(sc *scratch) {
	for _, m := range sc.matches {
		// A negation of several words ("no need") covers its own later words too.
		reach, bit := int32(negationReach), scopeNegated
		switch f.kinds[m.Topic].role {
		case roleNegation:
		case roleSubject:
			reach, bit = 1, scopeSubject
		default:
			continue
		}
		for i := m.First + 1; i <= m.Last+reach && int(i) < len(sc.toks); i++ {
			if sc.toks[i].Flags&FlagClause != 0 || f.p.breaks[sc.toks[i].Hash] {
				break
			}
			sc.scope[i] |= bit
		}
	}
}

func (f *Finder) filter(sc *scratch) {
	sc.found = sc.found[:0]
	for _, m := range sc.matches {
		k := f.kinds[m.Topic]
		if k.role > roleImperative || quoted(sc.toks[m.First:m.Last+1]) || f.joked(sc, m, k.base) {
			continue
		}
		scope := sc.scope[m.First]
		if k.role != roleSure && (scope&scopeNegated != 0 || f.hushed(sc, m, k.base)) ||
			k.role == roleImperative && scope&scopeSubject != 0 {
			continue
		}
		f.keep(sc, m, k.base)
	}
}

func (f *Finder) keep(sc *scratch, m Match, base string) {
	for i := len(sc.found) - 1; i >= max(0, len(sc.found)-maxJoin); i-- {
		if o := &sc.found[i]; o.Topic == base && m.First <= o.last {
			o.last = max(o.last, m.Last)
			o.Span.End = int(sc.toks[o.last].End)
			return
		}
	}
	sc.found = append(sc.found, Finding{Topic: base, first: m.First, last: m.Last,
		Span: schemas.Span{Start: int(sc.toks[m.First].Start), End: int(sc.toks[m.Last].End)}})
}

func quoted(toks []Token) bool {
	for _, t := range toks {
		if t.Flags&(FlagQuoted|FlagReply) == 0 {
			return false
		}
	}
	return true
}

// hushed reports whether a look-alike stands over the match or in its sentence.
// matches are in order of their first token, so the search is kept to the
// neighbourhood of the sentence.
func (f *Finder) hushed(sc *scratch, m Match, base string) bool {
	sent := sc.sentence[m.First]
	lo := firstFrom(sc.matches, sc.sentence, sent)
	for _, o := range sc.matches[lo:] {
		if sc.sentence[o.First] > sent {
			return false
		}
		k := f.kinds[o.Topic]
		if k.base != base {
			continue
		}
		if k.role == roleQuietSentence || k.role == roleQuiet && o.First <= m.Last && o.Last >= m.First {
			return true
		}
	}
	return false
}

// joked reports whether the writer takes it back as a joke in the same sentence
// or the next. What touches law and safety is never a joke.
func (f *Finder) joked(sc *scratch, m Match, base string) bool {
	if base == "legal_safety" {
		return false
	}
	sent := sc.sentence[m.First]
	lo := firstFrom(sc.matches, sc.sentence, sent)
	for _, o := range sc.matches[lo:] {
		if sc.sentence[o.First] > sent+1 {
			return false
		}
		if f.kinds[o.Topic].role == roleJoke {
			return true
		}
	}
	return false
}

// firstFrom is the index of the first match of a sentence, by bisection.
func firstFrom(ms []Match, sentence []int32, sent int32) int {
	lo, hi := 0, len(ms)
	for lo < hi {
		mid := (lo + hi) / 2
		if sentence[ms[mid].First] < sent {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}
