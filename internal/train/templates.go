package train

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Lists are named choices for patterns.
type Lists map[string][]string

// ReadLists reads lines "name = a|b|"; an empty choice is allowed.
func ReadLists(s string) (Lists, error) {
	lists := Lists{}
	for n, line := range Lines(s) {
		name, choices, ok := strings.Cut(line, "=")
		if !ok {
			return nil, fmt.Errorf("list %d: %q has no =", n+1, line)
		}
		lists[strings.TrimSpace(name)] = strings.Split(strings.TrimSpace(choices), "|")
	}
	return lists, nil
}

// Lines answers the lines of s that say something: not empty, no comment (#).
func Lines(s string) []string {
	var out []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	return out
}

// Draw writes at most n different messages of a pattern: {name} is a choice of
// a list, (a|b|) one on the spot; lists may stand inside choices. A pattern with
// an unknown list or an open bracket is an error. Equal seeds draw equally.
func (l Lists) Draw(pattern string, n int, seed uint64) ([]string, error) {
	r := rand.New(rand.NewPCG(seed, 2))
	var out []string
	seen := map[string]bool{}
	for range n {
		s, err := l.one(pattern, r)
		if err != nil {
			return nil, err
		}
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out, nil
}

func (l Lists) one(pattern string, r *rand.Rand) (string, error) {
	s, err := choose(pattern, '(', ')', func(inner string) (string, error) {
		choices := strings.Split(inner, "|")
		return choices[r.IntN(len(choices))], nil
	})
	if err != nil {
		return "", err
	}
	s, err = choose(s, '{', '}', func(name string) (string, error) {
		choices := l[name]
		if len(choices) == 0 {
			return "", fmt.Errorf("pattern %q: no list %q", pattern, name)
		}
		return choices[r.IntN(len(choices))], nil
	})
	s = strings.Join(strings.Fields(s), " ")
	for _, mark := range []string{".", ",", "?", "!"} {
		s = strings.ReplaceAll(s, " "+mark, mark)
	}
	return s, err
}

// choose replaces each bracketed part of s.
func choose(s string, open, end byte, pick func(string) (string, error)) (string, error) {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, open)
		if i < 0 {
			b.WriteString(s)
			return b.String(), nil
		}
		j := strings.IndexByte(s[i:], end)
		if j < 0 {
			return "", fmt.Errorf("pattern %q: %c is never closed", s, open)
		}
		with, err := pick(s[i+1 : i+j])
		if err != nil {
			return "", err
		}
		b.WriteString(s[:i])
		b.WriteString(with)
		s = s[i+j+1:]
	}
}
