package review

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/html"
)

// page reads the reviews of one HTML page.
type page struct {
	base  *url.URL
	zone  *time.Location
	found []found
	seen  map[string]bool
}

// parsePage finds every schema.org Review in the page's JSON-LD: alone, in
// arrays and @graph, nested in what is reviewed, or around it. AggregateRating
// is no review; it lends its scale to reviews that state none.
func parsePage(body []byte, base *url.URL, zone *time.Location) []found {
	p := &page{base: base, zone: zone, seen: map[string]bool{}}
	for _, script := range scripts(body) {
		if v, ok := decode(script); ok {
			p.walk(v, surroundings{}, 0)
		}
	}
	return p.found
}

// scripts finds the JSON-LD of a page.
func scripts(body []byte) [][]byte {
	var out [][]byte
	z := html.NewTokenizer(bytes.NewReader(body))
	inside := false
	for {
		switch z.Next() {
		case html.ErrorToken:
			return out
		case html.StartTagToken:
			name, more := z.TagName()
			inside = false
			if string(name) != "script" {
				continue
			}
			for more {
				var key, value []byte
				key, value, more = z.TagAttr()
				kind, _, _ := strings.Cut(strings.ToLower(string(value)), ";")
				inside = inside || (string(key) == "type" && strings.TrimSpace(kind) == "application/ld+json")
			}
		case html.TextToken:
			if inside {
				out = append(out, bytes.Clone(z.Text()))
			}
		case html.EndTagToken:
			inside = false
		}
	}
}

// decode reads JSON-LD as pages carry it: within comments or CDATA, with raw
// line breaks in texts.
func decode(script []byte) (any, bool) {
	s := strings.TrimSpace(string(script))
	for _, wrap := range [][2]string{{"<!--", "-->"}, {"//<![CDATA[", "//]]>"}, {"/*<![CDATA[*/", "/*]]>*/"}, {"<![CDATA[", "]]>"}} {
		s = strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(s, wrap[0]), wrap[1]))
	}
	for _, text := range []string{s, strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, s)} {
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		var v any
		if d.Decode(&v) == nil {
			return v, true
		}
	}
	return nil, false
}

// surroundings are what a review's surroundings say of it.
type surroundings struct {
	Name  string `json:"name,omitempty"`
	URL   string `json:"url,omitempty"`
	Worst string `json:"worst,omitempty"`
	Best  string `json:"best,omitempty"`
}

func (p *page) walk(v any, c surroundings, depth int) {
	if depth > maxDepth || len(p.found) >= maxReviews {
		return
	}
	switch x := v.(type) {
	case []any:
		for _, e := range x {
			p.walk(e, c, depth+1)
		}
	case map[string]any:
		switch {
		case isType(x, "AggregateRating"):
			return
		case isReview(x):
			p.add(x, c)
		default:
			c = c.within(x)
		}
		for _, key := range sortedKeys(x) {
			switch x[key].(type) {
			case map[string]any, []any:
				p.walk(x[key], c, depth+1)
			}
		}
	}
}

func (c surroundings) within(x map[string]any) surroundings {
	if n := text(x["name"]); n != "" && len(types(x)) > 0 {
		c.Name = n
		c.URL = text(x["url"])
	}
	if a, ok := first(x["aggregateRating"]).(map[string]any); ok {
		c.Worst, c.Best = text(a["worstRating"]), text(a["bestRating"])
	}
	return c
}

// types answers the names of a node's types without their vocabulary.
func types(x map[string]any) []string {
	var out []string
	add := func(v any) {
		if s, ok := v.(string); ok {
			out = append(out, s[strings.LastIndexAny(s, "/#:")+1:])
		}
	}
	if list, ok := x["@type"].([]any); ok {
		for _, v := range list {
			add(v)
		}
	} else {
		add(x["@type"])
	}
	return out
}

func isType(x map[string]any, name string) bool {
	for _, t := range types(x) {
		if t == name {
			return true
		}
	}
	return false
}

func isReview(x map[string]any) bool {
	return isType(x, "Review") || isType(x, "UserReview") || isType(x, "CriticReview") || isType(x, "EmployerReview")
}

// add reads one Review node.
func (p *page) add(x map[string]any, c surroundings) {
	raw, err := json.Marshal(x)
	if err != nil {
		return
	}
	f := found{
		of:    oneLine(cutText(first(x["itemReviewed"]), "name")),
		title: oneLine(firstOf(text(x["name"]), text(x["headline"]))), text: plain(firstOf(text(x["reviewBody"]), text(x["description"]), text(x["text"])), maxText),
		author: oneLine(cutText(first(x["author"]), "name")), language: oneLine(cutText(first(x["inLanguage"]), "alternateName")),
		published: parseTime(firstOf(text(x["datePublished"]), text(x["dateCreated"])), p.zone), modified: parseTime(text(x["dateModified"]), p.zone),
		raw: raw, around: c,
	}
	if f.of == "" {
		f.of = oneLine(c.Name)
	}
	if r, ok := first(x["reviewRating"]).(map[string]any); ok {
		f.rating = readRating(r, c)
	}
	if f.text == "" && f.title == "" && f.rating == nil {
		return
	}
	p.name(&f, x, c)
	if !p.seen[f.id] {
		p.seen[f.id] = true
		p.found = append(p.found, f)
	}
}

// name gives the review its id: @id, else an address of its own, else what, who
// and when.
func (p *page) name(f *found, x map[string]any, c surroundings) {
	f.url = p.resolve(text(x["url"]))
	if f.id = p.resolve(text(x["@id"])); f.id == "" && f.url != "" && f.url != p.resolve(c.URL) && f.url != p.base.String() {
		f.id = f.url
	}
	if f.url == "" {
		f.url = cut(p.base.String(), maxField)
	}
	if f.id == "" || len(f.id) >= maxField {
		f.id = derivedID(f.of, f.author, firstOf(text(x["datePublished"]), text(x["dateCreated"])), f.text)
	}
}

func (p *page) resolve(ref string) string {
	if ref == "" {
		return ""
	}
	u, err := url.Parse(strings.TrimSpace(ref))
	if err != nil || strings.HasPrefix(ref, "_:") { // a blank node's label changes at will
		return ""
	}
	return cut(p.base.ResolveReference(u).String(), maxField)
}

// readRating reads a Rating; schema.org's defaults are 1 and 5. A value off its
// scale is no rating.
func readRating(r map[string]any, c surroundings) *rating {
	value, ok := number(text(r["ratingValue"]))
	if !ok {
		return nil
	}
	worst, ok := number(firstOf(text(r["worstRating"]), c.Worst))
	if !ok {
		worst = 1
	}
	best, ok := number(firstOf(text(r["bestRating"]), c.Best))
	if !ok {
		best = 5
	}
	if worst >= best || value < worst || value > best {
		return nil
	}
	return &rating{value, worst, best}
}

func number(s string) (float64, bool) {
	f, err := strconv.ParseFloat(strings.Replace(strings.TrimSpace(s), ",", ".", 1), 64)
	return f, err == nil && f > -1e9 && f < 1e9
}

// text answers a JSON-LD value as text: a string, a number, {"@value": …}, or
// the first of several.
func text(v any) string {
	switch x := first(v).(type) {
	case string:
		return x
	case json.Number:
		return x.String()
	case map[string]any:
		if s, ok := x["@value"].(string); ok {
			return s
		}
	}
	return ""
}

// cutText is text, or one field of an object.
func cutText(v any, field string) string {
	if m, ok := v.(map[string]any); ok && m[field] != nil {
		return text(m[field])
	}
	return text(v)
}

func first(v any) any {
	if list, ok := v.([]any); ok {
		if len(list) == 0 {
			return nil
		}
		return list[0]
	}
	return v
}

func firstOf(s ...string) string {
	for _, x := range s {
		if strings.TrimSpace(x) != "" {
			return x
		}
	}
	return ""
}

func oneLine(s string) string { return strings.ReplaceAll(plain(s, maxField), "\n", " ") }
