package review

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/net/html"

	"redalert/schemas"
)

// Caps on what one page may bring.
const (
	maxReviews = 2000     // of one page
	maxText    = 64 << 10 // bytes of one review's text
	maxField   = 1000     // bytes of a name, title or address
	maxDepth   = 40       // of JSON-LD
)

// found is one review as read from a page or feed.
type found struct {
	id        string
	of        string // what it is a review of
	title     string
	text      string
	author    string
	url       string
	language  string
	rating    *rating
	published time.Time // zero = not said
	modified  time.Time
	raw       json.RawMessage // the node or entry it was read from
	around    surroundings
}

type rating struct{ value, worst, best float64 }

// content is the hash of what makes a review another one when it changes.
func (f *found) content() string {
	b, err := json.Marshal([]any{f.title, f.text, f.rating.String()})
	if err != nil { // three texts always encode
		return ""
	}
	return short(string(b))
}

func (r *rating) String() string {
	if r == nil {
		return ""
	}
	n := func(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
	return n(r.value) + " of " + n(r.worst) + "–" + n(r.best)
}

// short is a 96-bit hash, enough to tell the reviews of one page apart.
func short(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:12])
}

// derivedID names a review that has no id of its own. One without author and
// date is told apart by its text.
func derivedID(of, author, date, text string) string {
	parts := []string{of, author, date}
	if author == "" && date == "" {
		parts = append(parts, text)
	}
	b, err := json.Marshal(parts)
	if err != nil {
		return ""
	}
	return "review:" + short(string(b))
}

// feedback is the review as a record. It holds no time: when it happened
// stands on the event, so that an edit hashes as its content alone.
func (f *found) feedback(source string) schemas.Feedback {
	r := schemas.Feedback{
		SourceType: schemas.SourceReview, SourceName: source, SubmissionID: cut(f.id, 500),
		FieldID: "review", FieldType: schemas.FieldText, ValueText: f.text, Language: cut(f.language, 35),
		Metadata: map[string]any{},
	}
	if f.rating != nil {
		higher := true
		r.FieldType, r.HigherIsBetter = schemas.FieldRating, &higher
		r.ValueNumber, r.ScaleMin, r.ScaleMax = &f.rating.value, &f.rating.worst, &f.rating.best
	}
	for key, v := range map[string]string{schemas.MetaSubject: f.title, schemas.MetaAuthor: f.author, schemas.MetaURL: f.url, "item": f.of} {
		if v != "" {
			r.Metadata[key] = v
		}
	}
	return r
}

// plain turns text that may hold HTML and entities into plain text: tags go,
// blocks become line breaks, scripts and styles go with their content.
func plain(s string, most int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if strings.ContainsAny(s, "<&") {
		s = stripTags(s)
	}
	var b strings.Builder
	lines := 0
	for line := range strings.Lines(strings.ReplaceAll(s, "\r", "\n")) {
		line = strings.Join(strings.Fields(line), " ")
		if line == "" {
			lines++
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
			if lines > 0 {
				b.WriteByte('\n')
			}
		}
		lines = 0
		b.WriteString(line)
	}
	return cut(b.String(), most)
}

func stripTags(s string) string {
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(s))
	z.SetMaxBuf(1 << 20)
	hidden := ""
	for {
		switch z.Next() {
		case html.ErrorToken:
			return b.String()
		case html.TextToken:
			if hidden == "" {
				b.Write(z.Text())
			}
		case html.StartTagToken:
			name, _ := z.TagName()
			switch string(name) {
			case "script", "style", "noscript", "template", "iframe":
				hidden = string(name)
			case "br", "p", "div", "li", "tr", "h1", "h2", "h3", "blockquote":
				b.WriteByte('\n')
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			switch string(name) {
			case hidden:
				hidden = ""
			case "p", "div", "li":
				b.WriteByte('\n')
			}
		case html.SelfClosingTagToken:
			if name, _ := z.TagName(); string(name) == "br" {
				b.WriteByte('\n')
			}
		}
	}
}

// cut shortens to at most n bytes on a rune boundary.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// layouts of dates that pages carry beside RFC 3339. Those without a time mean
// noon, so that the day is right in most time zones.
var layouts = []string{
	"2006-01-02T15:04:05Z0700", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04:05 -0700",
	time.RFC1123Z, time.RFC1123, "Mon, 2 Jan 2006 15:04:05 -0700", time.RFC850,
}

var dayLayouts = []string{time.DateOnly, "January 2, 2006", "Jan 2, 2006", "2 January 2006", "2 Jan 2006", "20060102"}

// parseTime answers the zero time for what it cannot read: the door then
// files the review under the time it was found.
func parseTime(s string, zone *time.Location) time.Time {
	s = strings.TrimSpace(s)
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t.UTC()
	}
	for _, l := range layouts {
		if t, err := time.ParseInLocation(l, s, zone); err == nil {
			return t.UTC()
		}
	}
	for _, l := range dayLayouts {
		if t, err := time.ParseInLocation(l, s, zone); err == nil {
			return time.Date(t.Year(), t.Month(), t.Day(), 12, 0, 0, 0, zone).UTC()
		}
	}
	return time.Time{}
}
