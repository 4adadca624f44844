package app

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"redalert/schemas"
)

// A metric's label costs memory here and in Prometheus for every value it ever
// had, and whoever posts events may name their source. So only so many names
// are told apart; the numbers are choices.
const (
	mostSources   = 200     // names that no configuration knows
	longestSource = 200     // bytes of one
	otherSources  = "other" // all further ones
)

// sourceNames bounds the values of the label source. It is safe for concurrent
// use.
type sourceNames struct {
	configured func(name string) bool

	mu    sync.Mutex
	known map[string]bool // beside the configured ones, mostSources at most
}

func newSourceNames(configured func(string) bool) *sourceNames {
	return &sourceNames{configured: configured, known: map[string]bool{}}
}

// label answers the name itself when it is configured or among the first
// mostSources that this process has seen, and "other" for every further one,
// also for what can be no label or is longer than longestSource.
func (n *sourceNames) label(name string) string {
	if n.configured(name) {
		return name
	}
	if len(name) > longestSource || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return otherSources
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known[name] {
		return name
	}
	if len(n.known) >= mostSources || name == otherSources {
		return otherSources
	}
	n.known[name] = true
	return name
}

// labelled answers one status for each label, in the order of their first: the
// counts of what shares one are added up, it fails when one of them does, and
// its last success is the latest.
func (n *sourceNames) labelled(statuses []schemas.CollectorStatus) []schemas.CollectorStatus {
	at := map[string]int{}
	var out []schemas.CollectorStatus
	for _, s := range statuses {
		s.Name = n.label(s.Name)
		i, ok := at[s.Name]
		if !ok {
			at[s.Name] = len(out)
			out = append(out, s)
			continue
		}
		o := &out[i]
		o.Accepted += s.Accepted
		o.Quarantined += s.Quarantined
		if o.LastError == "" {
			o.LastError = s.LastError
		}
		if s.LastSuccess != nil && (o.LastSuccess == nil || s.LastSuccess.After(*o.LastSuccess)) {
			o.LastSuccess = s.LastSuccess
		}
	}
	return out
}
