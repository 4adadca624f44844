package review

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/mmcdole/gofeed"
)

// parseFeed reads an RSS, Atom or JSON feed of reviews. Feeds carry no ratings
// that are agreed upon: an entry is a text.
func parseFeed(body []byte, base *url.URL) (out []found, err error) {
	defer func() {
		if r := recover(); r != nil { // a parser of foreign XML
			out, err = nil, fmt.Errorf("the feed could not be read (%T)", r)
		}
	}()
	feed, err := gofeed.NewParser().Parse(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("not a feed: %w", err)
	}
	p := &page{base: base}
	seen := map[string]bool{}
	for _, e := range feed.Items {
		if len(out) == maxReviews {
			break
		}
		if f, ok := entry(e, feed.Title, p); ok && !seen[f.id] {
			seen[f.id] = true
			out = append(out, f)
		}
	}
	return out, nil
}

func entry(e *gofeed.Item, of string, p *page) (found, bool) {
	if e == nil {
		return found{}, false
	}
	f := found{
		of: oneLine(of), title: oneLine(e.Title), text: plain(firstOf(e.Content, e.Description), maxText),
		url: p.resolve(e.Link), id: cut(e.GUID, maxField), published: instant(e.PublishedParsed), modified: instant(e.UpdatedParsed),
	}
	for _, a := range e.Authors {
		if a != nil && f.author == "" {
			f.author = oneLine(a.Name)
		}
	}
	if f.id == "" {
		f.id = f.url
	}
	if f.id == "" {
		f.id = derivedID(f.of, f.author, e.Published, f.text)
	}
	raw, err := json.Marshal(e)
	if err != nil || (f.title == "" && f.text == "") {
		return f, false
	}
	f.raw, f.around = raw, surroundings{Name: of}
	return f, true
}

func instant(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
