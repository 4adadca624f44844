package email

import (
	"strings"
	"unicode"
)

// Trim cuts what its writer did not write in this mail: quoted mails with the
// line or header block that introduces them, signatures, mobile taglines,
// list footers and disclaimers. Answers between quotes are kept. When nothing
// else is in the mail (a bare forward, a quote alone) newText is the whole
// text and removed is empty. Neither a greeting nor a name under a closing is
// taken for a signature.
//
// It reads each line a bounded number of times: time is linear in len(text).
func Trim(text string) (newText, removed string) {
	t := trim(text)
	return t.text, t.removed
}

type trimmed struct {
	text, removed string
	// quoteOnly: the text holds nothing but quoted lines and what introduces
	// them, and is kept whole for that reason.
	quoteOnly bool
}

// mark says what a line was found to be.
type mark uint8

const (
	kept      mark = iota
	quoted         // begins with > or belongs to such a block
	intro          // "On … wrote:"
	signature      // and taglines, footers, disclaimers
	after          // below the point where an earlier mail begins
)

// trimmer works on the lines of one text.
type trimmer struct {
	lines []string
	lower []string // see low
	marks []mark
	first int // the first kept line with words, -1 = none so far
}

const maxIntroLine = 400

func trim(text string) trimmed {
	whole := tidy(text)
	t := &trimmer{lines: strings.Split(whole, "\n"), first: -1}
	t.marks = make([]mark, len(t.lines))
	t.lower = make([]string, len(t.lines))
	t.markQuotes()
	cutByMail := t.markEarlier()
	t.markSignatures()
	return t.result(whole, cutByMail)
}

// low answers a line in lower case without emphasis and outer blanks, "" for
// lines too long to introduce anything.
func (t *trimmer) low(i int) string {
	if l := t.lines[i]; t.lower[i] == "" && l != "" && len(l) <= maxIntroLine {
		t.lower[i] = strings.ToLower(strings.Trim(l, " *_"))
	}
	return t.lower[i]
}

func (t *trimmer) result(whole string, cutByMail bool) trimmed {
	var keep, gone []string
	for i, l := range t.lines {
		if t.marks[i] == kept {
			keep = append(keep, l)
		} else {
			gone = append(gone, l)
		}
	}
	for len(keep) > 0 && ruler(keep[len(keep)-1]) {
		gone = append(gone, keep[len(keep)-1])
		keep = keep[:len(keep)-1]
	}
	out := trimmed{text: tidy(strings.Join(keep, "\n")), removed: tidy(strings.Join(gone, "\n"))}
	if out.text == "" {
		return trimmed{text: whole, quoteOnly: !cutByMail && whole != ""}
	}
	return out
}

// ruler reports whether a line is blank or drawn: -----, _____, =====.
func ruler(l string) bool { return strings.Trim(l, " -_=*~—–") == "" }

// markQuotes marks runs of lines that begin with ">". A single such line that
// goes on with a number ("> 3 weeks late") is the writer's own.
func (t *trimmer) markQuotes() {
	for i := 0; i < len(t.lines); {
		if !isQuoted(t.lines[i]) {
			i++
			continue
		}
		j := i
		for j < len(t.lines) && isQuoted(t.lines[j]) {
			j++
		}
		own := strings.TrimLeft(t.lines[i], " >")
		if j == i+1 && own != "" && unicode.IsDigit(rune(own[0])) && !strings.ContainsAny(own, ":@") && strings.Count(strings.TrimSpace(t.lines[i]), ">") == 1 {
			i = j
			continue
		}
		for ; i < j; i++ {
			t.marks[i] = quoted
		}
	}
}

func isQuoted(l string) bool {
	trimmed := strings.TrimLeft(l, " ")
	return len(l)-len(trimmed) <= 3 && strings.HasPrefix(trimmed, ">")
}

// markEarlier finds what introduces an earlier mail, and marks that mail when
// its lines are not marked by ">". It reports whether the text was cut there.
func (t *trimmer) markEarlier() bool {
	for i := 0; i < len(t.lines); i++ {
		if t.marks[i] == intro {
			continue
		}
		if from, ok := t.introEnding(i); ok {
			t.setMarks(from, i+1, intro)
			if t.first >= from {
				t.first = -1 // it was part of the introduction
			}
			switch {
			case t.quoteFollows(i):
				t.markBars(i + 1)
			case t.first >= 0:
				t.setMarks(from, len(t.lines), after)
				return true
			}
			continue
		}
		if t.marks[i] == quoted || t.lines[i] == "" || t.low(i) == "" {
			if t.lines[i] != "" && t.marks[i] == kept {
				t.sawText(i)
			}
			continue
		}
		if separator(t.low(i)) || t.headerBlock(i) || (t.first >= 0 && replyAbove(t.low(i))) {
			t.setMarks(i, len(t.lines), after)
			return true
		}
		if !ruler(t.lines[i]) {
			t.sawText(i)
		}
	}
	return false
}

func (t *trimmer) setMarks(from, to int, m mark) {
	for i := from; i < to; i++ {
		t.marks[i] = m
	}
}

func (t *trimmer) sawText(i int) {
	if t.first < 0 {
		t.first = i
	}
}

// quoteFollows reports whether the next line with words after i is quoted.
func (t *trimmer) quoteFollows(i int) bool {
	for j := i + 1; j < len(t.lines) && j <= i+6; j++ {
		if t.lines[j] != "" {
			return t.marks[j] == quoted || strings.HasPrefix(t.lines[j], "|")
		}
	}
	return false
}

// markBars marks the block of lines that begin with "|", another way to quote.
func (t *trimmer) markBars(i int) {
	for ; i < len(t.lines); i++ {
		if t.lines[i] != "" && !strings.HasPrefix(t.lines[i], "|") {
			return
		}
		if t.lines[i] != "" {
			t.marks[i] = quoted
		}
	}
}
