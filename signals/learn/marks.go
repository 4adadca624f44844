package learn

import (
	"strings"
	"unicode"

	"redalert/schemas"
)

// noAlert are the words of a dismissal that can only mean: this was no red
// alert. Whatever is said otherwise (a duplicate, a test, spam, solved by phone)
// teaches nothing: reasons are free text, and a wrong lesson costs more than one
// missed.
var noAlert = []string{
	"no red alert", "not a red alert", "no alert", "false alarm", "false positive",
	"no complaint", "not a complaint", "isnt a complaint", "not complaining", "wasnt a complaint",
	"not unhappy", "is happy", "was happy", "happy customer", "not angry", "no problem at all",
	"a compliment", "just praise", "only praise", "misread", "just a question", "only a question",
}

// otherwise are words that say the dismissal is about something else.
var otherwise = []string{"duplicate", "test", "spam", "twice", "same as", "already", "now happy", "happy now", "made happy", "happy again"}

// NoAlert reports whether the reason of a dismissed case says that it was no
// red alert. It knows English and a few phrases only; what it does not know it
// takes to mean something else.
func NoAlert(reason string) bool {
	words := " " + plain(reason) + " "
	for _, w := range otherwise {
		if strings.Contains(words, " "+w+" ") {
			return false
		}
	}
	for _, w := range noAlert {
		if strings.Contains(words, " "+w+" ") {
			return true
		}
	}
	return false
}

// plain keeps letters and digits in lower case, apostrophes dropped, everything
// else one space.
func plain(s string) string {
	var b strings.Builder
	space := true
	for _, r := range s {
		switch {
		case r == '\'' || r == '’':
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(unicode.ToLower(r))
			space = false
		case !space:
			b.WriteByte(' ')
			space = true
		}
	}
	return strings.TrimSpace(b.String())
}

// FromCase answers the marks that follow from what became of a case: won back
// or lost, each of its events was a red alert; dismissed because it was none
// (NoAlert), none of them was. An open case, a merged one, and one dismissed for
// another reason teach nothing.
func FromCase(c schemas.Case) []schemas.Mark {
	if c.MergedInto != "" || c.ClosedAt == nil {
		return nil
	}
	m := schemas.Mark{By: c.Assignee, At: *c.ClosedAt}
	switch {
	case c.State == schemas.StateRecovered:
		m.Red, m.Cause = true, schemas.MarkRecovered
	case c.State == schemas.StateLost:
		m.Red, m.Cause = true, schemas.MarkLost
	case c.State == schemas.StateDismissed && NoAlert(c.CloseReason):
		m.Cause = schemas.MarkDismissed
	default:
		return nil
	}
	out := make([]schemas.Mark, len(c.EventIDs))
	for i, id := range c.EventIDs {
		out[i] = m
		out[i].EventID = id
	}
	return out
}

// Join answers one mark for each event: what was said of it, else the latest
// that follows from a case.
func Join(said, derived []schemas.Mark) map[string]schemas.Mark {
	out := make(map[string]schemas.Mark, len(said)+len(derived))
	for _, m := range derived {
		if was, ok := out[m.EventID]; !ok || !m.At.Before(was.At) {
			out[m.EventID] = m
		}
	}
	for _, m := range said {
		out[m.EventID] = m
	}
	return out
}
