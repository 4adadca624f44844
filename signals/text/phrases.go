package text

import (
	"bufio"
	"embed"
	"fmt"
	"io/fs"
	"sort"
	"strings"
	"sync"
)

//go:embed phrases/*.txt
var phraseFiles embed.FS

// maxGap is how many words a "*" in a phrase stands for at most.
const maxGap = 3

// maxGaps is how many "*" one phrase may have; it bounds the work per word.
const maxGaps = 2

// maxOptional is how many "?" one phrase may have.
const maxOptional = 4

// Topic is what a phrase list is about: a hard rule ("refund_request"), a
// category of the lexicon ("late"), or a guard.
type Topic uint16

// slot is one place of a phrase: the words that may stand there. The slots of a
// phrase lie one after the other, so the place after slots[i] is slots[i+1].
type slot struct {
	set  []uint64 // bit by word; nil = the phrase is complete
	gap  bool     // up to maxGap other words may stand before
	hits Topic    // of a complete phrase
}

// Phrases is a set of compiled phrase lists, safe for concurrent use.
type Phrases struct {
	topics []string
	words  map[uint64]int32
	starts [][]int32 // by word: the second slot of each phrase that may begin with it
	slots  []slot
	breaks map[uint64]bool // words that begin a new clause, where a negation ends
}

// clauseSection holds those words, one or more (a|b) a line.
const clauseSection = "[clause]"

// Topic finds a list by name.
func (p *Phrases) Topic(name string) (Topic, bool) {
	for i, t := range p.topics {
		if t == name {
			return Topic(i), true
		}
	}
	return 0, false
}

// Topics lists the names of all lists; a Topic is the index into it.
func (p *Phrases) Topics() []string { return p.topics }

// Default answers the phrase lists of every language that ships with the
// program, compiled once.
var Default = sync.OnceValue(func() *Phrases {
	p, err := Compile(phraseFiles)
	if err != nil {
		panic("phrase lists in the binary are broken: " + err.Error()) // a test compiles them
	}
	return p
})

// Compile reads every *.txt under fsys, one a language. A file holds sections
// "[topic]" with one phrase a line, and "[clause]" with the words at which the
// reach of a negation ends. A phrase is words apart by blanks; a|b means either,
// a trailing ? makes a word optional, * stands for up to three words, and @name
// for a list defined by "@name = a|b|c" before in the same file. "#" begins a
// comment. Errors name file and line.
func Compile(fsys fs.FS) (*Phrases, error) {
	c := compiler{p: &Phrases{words: map[uint64]int32{}, breaks: map[uint64]bool{}}}
	var files []string
	err := fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".txt") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("phrase lists: %w", err)
	}
	sort.Strings(files)
	for _, f := range files {
		if err := c.file(fsys, f); err != nil {
			return nil, err
		}
	}
	return c.finish(), nil
}

// place is a slot while compiling; an empty list of words ends a phrase.
type place struct {
	words []int32
	gap   bool
	hits  Topic
}

type compiler struct {
	p      *Phrases
	places []place
	firsts []int32 // index into places of each phrase's first slot
}

// finish turns lists of words into bit sets, shared where they are equal.
func (c *compiler) finish() *Phrases {
	p := c.p
	size := (len(p.words) + 63) / 64
	shared := map[string][]uint64{}
	p.slots = make([]slot, len(c.places))
	for i, pl := range c.places {
		p.slots[i] = slot{gap: pl.gap, hits: pl.hits}
		if len(pl.words) == 0 {
			continue
		}
		key := fmt.Sprint(pl.words)
		set, ok := shared[key]
		if !ok {
			set = make([]uint64, size)
			for _, w := range pl.words {
				set[w/64] |= 1 << (w % 64)
			}
			shared[key] = set
		}
		p.slots[i].set = set
	}
	p.starts = make([][]int32, len(p.words))
	for _, f := range c.firsts {
		seen := map[int32]bool{}
		for _, w := range c.places[f].words {
			if !seen[w] {
				p.starts[w] = append(p.starts[w], f+1)
				seen[w] = true
			}
		}
	}
	return p
}

func (c *compiler) file(fsys fs.FS, name string) error {
	f, err := fsys.Open(name)
	if err != nil {
		return fmt.Errorf("phrase lists: %w", err)
	}
	defer f.Close()
	macros := map[string][]string{}
	topic := Topic(0)
	in, clause := false, false
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for line := 1; sc.Scan(); line++ {
		s, _, _ := strings.Cut(sc.Text(), "#")
		s = strings.TrimSpace(s)
		switch {
		case s == "":
		case s == clauseSection:
			in, clause = true, true
		case strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]"):
			topic, in, clause = c.p.topic(s[1:len(s)-1]), true, false
		case strings.HasPrefix(s, "@") && strings.Contains(s, " = "):
			k, v, _ := strings.Cut(s, " = ")
			alts, err := alternatives(v, macros)
			if err != nil {
				return fmt.Errorf("%s:%d: %w", name, line, err)
			}
			macros[k] = alts
		case !in:
			return fmt.Errorf("%s:%d: a phrase before the first [topic]", name, line)
		case clause:
			if err := c.clause(s, macros); err != nil {
				return fmt.Errorf("%s:%d: %w", name, line, err)
			}
		default:
			if err := c.phrase(s, topic, macros); err != nil {
				return fmt.Errorf("%s:%d: %w", name, line, err)
			}
		}
	}
	return sc.Err()
}

func (p *Phrases) topic(name string) Topic {
	if t, ok := p.Topic(name); ok {
		return t
	}
	p.topics = append(p.topics, name)
	return Topic(len(p.topics) - 1)
}

func alternatives(s string, macros map[string][]string) ([]string, error) {
	var out []string
	for a := range strings.SplitSeq(s, "|") {
		a = strings.TrimSpace(a)
		switch {
		case strings.HasPrefix(a, "@"):
			m, ok := macros[a]
			if !ok {
				return nil, fmt.Errorf("%s is not defined above", a)
			}
			out = append(out, m...)
		case a == "":
			return nil, fmt.Errorf("%q has an empty alternative", s)
		default:
			out = append(out, a)
		}
	}
	return out, nil
}

// clause adds the words of one line of the section [clause].
func (c *compiler) clause(line string, macros map[string][]string) error {
	words, err := alternatives(line, macros)
	for _, w := range words {
		c.p.breaks[HashWord(w)] = true
	}
	return err
}

// phrase adds one line, once for every choice of its optional words.
func (c *compiler) phrase(phrase string, topic Topic, macros map[string][]string) error {
	if strings.Count(phrase, "*") > maxGaps || strings.Count(phrase, "?") > maxOptional {
		return fmt.Errorf("%q has more than %d * or %d ?", phrase, maxGaps, maxOptional)
	}
	variants := [][]place{nil}
	gap := false
	for i, w := range strings.Fields(phrase) {
		if w == "*" {
			if gap = true; i == 0 {
				return fmt.Errorf("%q begins with *", phrase)
			}
			continue
		}
		alts, err := alternatives(strings.TrimSuffix(w, "?"), macros)
		if err != nil {
			return err
		}
		pl := place{words: c.wordIDs(alts), gap: gap}
		gap = false
		var next [][]place
		for _, v := range variants {
			if strings.HasSuffix(w, "?") {
				next = append(next, v)
			}
			next = append(next, append(v[:len(v):len(v)], pl))
		}
		variants = next
	}
	for _, v := range variants {
		if len(v) == 0 {
			return fmt.Errorf("%q may be empty", phrase)
		}
		c.firsts = append(c.firsts, int32(len(c.places)))
		c.places = append(append(c.places, v...), place{hits: topic})
	}
	return nil
}

func (c *compiler) wordIDs(words []string) []int32 {
	ids := make([]int32, 0, len(words))
	for _, w := range words {
		h := HashWord(w)
		id, ok := c.p.words[h]
		if !ok {
			id = int32(len(c.p.words))
			c.p.words[h] = id
		}
		ids = append(ids, id)
	}
	return ids
}

// Match is a phrase found: tokens [First, Last] of the text.
type Match struct {
	Topic       Topic
	First, Last int32
}

// matcher tries the phrases on one text.
type matcher struct {
	p     *Phrases
	toks  []Token
	ids   []int32 // word of each token, -1 = in no phrase
	out   []Match
	start int32
}

// find appends every phrase in toks to out, by first token; of one topic the
// longest of those that begin together. Work per token is bounded by the
// longest phrase.
func (p *Phrases) find(toks []Token, ids []int32, out []Match) []Match {
	for i := range toks {
		w, ok := p.words[toks[i].Hash]
		if !ok {
			w = -1
		}
		ids[i] = w
	}
	m := matcher{p: p, toks: toks, ids: ids, out: out}
	for i := range toks {
		if ids[i] < 0 {
			continue
		}
		m.start = int32(i)
		for _, next := range p.starts[ids[i]] {
			m.walk(next, int32(i))
		}
	}
	return m.out
}

// walk looks for slot at after token i, which took the slot before.
func (m *matcher) walk(at, i int32) {
	sl := &m.p.slots[at]
	if sl.set == nil {
		m.hit(sl.hits, i)
		return
	}
	last := i + 1
	if sl.gap {
		last += maxGap
	}
	for j := i + 1; j <= last && int(j) < len(m.toks) && m.toks[j].Flags&FlagSentence == 0; j++ {
		if w := m.ids[j]; w >= 0 && sl.set[w/64]&(1<<(w%64)) != 0 {
			m.walk(at+1, j)
		}
	}
}

func (m *matcher) hit(t Topic, last int32) {
	for k := len(m.out) - 1; k >= 0 && m.out[k].First == m.start; k-- {
		if m.out[k].Topic == t {
			m.out[k].Last = max(m.out[k].Last, last)
			return
		}
	}
	m.out = append(m.out, Match{Topic: t, First: m.start, Last: last})
}
