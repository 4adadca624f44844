package review

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/mmcdole/gofeed"

	"redalert/ingest"
	"redalert/schemas"
)

// Kinds of pages.
const (
	KindJSONLD = "jsonld"
	KindFeed   = "feed"
)

// ReplayKind is the Replay of this package's items; see Replay.
const ReplayKind = "review"

// maxBody caps a page, whatever the client caps.
const maxBody = 5 << 20

// Doer sends requests; it must refuse private addresses itself.
type Doer interface {
	Do(r *http.Request) (*http.Response, error)
}

// Config of a Collector. Name, URL, Kind, Client and Cursors are required.
type Config struct {
	Name    string        // the source
	URL     string        // http or https
	Kind    string        // KindJSONLD or KindFeed
	Every   time.Duration // between polls; 0 = one hour
	Client  Doer
	Cursors ingest.Cursors
	// Timezone of dates without one; nil = UTC.
	Timezone *time.Location
	Now      func() time.Time // nil = time.Now
	// Wait pauses between polls; nil sleeps on the real clock.
	Wait func(ctx context.Context, d time.Duration) error
}

// Collector polls one page or feed; it is an ingest.Collector.
type Collector struct {
	c     Config
	url   *url.URL
	state *state // nil before the first Read
	idle  bool   // the last poll is done with: wait before the next
}

// New checks the configuration.
func New(c Config) (*Collector, error) {
	u, err := url.Parse(c.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("url %q is not an http or https address", c.URL)
	}
	if c.Kind != KindJSONLD && c.Kind != KindFeed {
		return nil, fmt.Errorf("kind %q; expected %s or %s", c.Kind, KindJSONLD, KindFeed)
	}
	if c.Every <= 0 {
		c.Every = time.Hour
	}
	if c.Timezone == nil {
		c.Timezone = time.UTC
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Wait == nil {
		c.Wait = ingest.Sleep
	}
	return &Collector{c: c, url: u}, nil
}

// Name is the source's name.
func (c *Collector) Name() string { return c.c.Name }

// Kind is "review".
func (c *Collector) Kind() string { return "review" }

// Close does nothing: no connection is kept that the client does not own.
func (c *Collector) Close() error { return nil }

// Read waits until the next poll is due, fetches the page and answers the
// reviews that are new or changed. A poll that failed or was not acknowledged
// is repeated without waiting: the pause is then the runner's.
func (c *Collector) Read(ctx context.Context) (ingest.Delivery, error) {
	if c.idle {
		if err := c.c.Wait(ctx, c.c.Every); err != nil {
			return ingest.Delivery{}, err
		}
		c.idle = false
	}
	if c.state == nil {
		cursor, err := c.c.Cursors.Load(ctx, c.c.Name)
		if err != nil && !errors.Is(err, ingest.ErrNotFound) {
			return ingest.Delivery{}, fmt.Errorf("cursor: %w", err)
		}
		c.state = readState(cursor)
	}
	res, body, err := c.fetch(ctx)
	if err != nil {
		return ingest.Delivery{}, err
	}
	if res.StatusCode == http.StatusNotModified {
		return ingest.Delivery{Ack: func(context.Context) error { c.idle = true; return nil }}, nil
	}
	reviews, err := c.parse(body)
	if err != nil {
		return ingest.Delivery{}, err
	}
	next := c.state.with(reviews)
	next.ETag, next.Modified = res.Header.Get("ETag"), res.Header.Get("Last-Modified")
	items, err := c.items(reviews)
	if err != nil {
		return ingest.Delivery{}, err
	}
	return ingest.Delivery{Items: items, Ack: func(ctx context.Context) error { return c.ack(ctx, next) }}, nil
}

func (c *Collector) ack(ctx context.Context, next *state) error {
	cursor, err := next.cursor()
	if err != nil {
		return err
	}
	if err := c.c.Cursors.Save(ctx, c.c.Name, cursor); err != nil {
		return fmt.Errorf("cursor: %w", err)
	}
	c.state, c.idle = next, true
	return nil
}

func (c *Collector) fetch(ctx context.Context) (*http.Response, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url.String(), nil)
	if err != nil {
		return nil, nil, err
	}
	r.Header.Set("Accept", "text/html, application/xhtml+xml, application/ld+json;q=0.9, */*;q=0.5")
	if c.c.Kind == KindFeed {
		r.Header.Set("Accept", "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, */*;q=0.5")
	}
	if c.state.ETag != "" {
		r.Header.Set("If-None-Match", c.state.ETag)
	}
	if c.state.Modified != "" {
		r.Header.Set("If-Modified-Since", c.state.Modified)
	}
	res, err := c.c.Client.Do(r)
	if err != nil {
		return nil, nil, fmt.Errorf("fetch: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusNotModified {
		return res, nil, nil
	}
	if res.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("fetch: the page answered %s; open %s in a browser", res.Status, c.url.Redacted())
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err != nil {
		return nil, nil, fmt.Errorf("fetch: %w", err)
	}
	if len(body) > maxBody {
		return nil, nil, fmt.Errorf("fetch: the page is larger than %d MiB", maxBody>>20)
	}
	return res, body, nil
}

func (c *Collector) parse(body []byte) ([]found, error) {
	if c.c.Kind == KindFeed {
		return parseFeed(body, c.url)
	}
	return parsePage(body, c.url, c.c.Timezone), nil
}

// items answers what is new or changed since the state.
func (c *Collector) items(reviews []found) ([]ingest.Item, error) {
	var items []ingest.Item
	for i := range reviews {
		f := &reviews[i]
		f.forgetFuture(c.c.Now())
		before := c.state.content(f.id)
		if before == f.content() {
			continue
		}
		kept := kept{Kind: c.c.Kind, Page: c.url.String(), Around: f.around, Changed: before != "", Zone: c.c.Timezone.String(), Node: f.raw}
		it, err := f.item(c.c.Name, kept)
		if err != nil {
			return nil, err
		}
		items = append(items, it)
	}
	return items, nil
}

// forgetFuture drops times a page cannot know yet, so that a review with a
// wrong date is filed under the time it was found.
func (f *found) forgetFuture(now time.Time) {
	for _, t := range []*time.Time{&f.published, &f.modified} {
		if t.After(now.Add(24*time.Hour)) || t.Year() < 1970 {
			*t = time.Time{}
		}
	}
}

// kept are the raw bytes of a review: what it was read from, and where.
type kept struct {
	Kind    string          `json:"kind"`
	Page    string          `json:"page"`
	Around  surroundings    `json:"around"`
	Changed bool            `json:"changed"`
	Zone    string          `json:"zone"`
	Node    json.RawMessage `json:"node"`
}

func (f *found) item(source string, k kept) (ingest.Item, error) {
	data, err := json.Marshal(f.feedback(source))
	if err != nil {
		return ingest.Item{}, err
	}
	raw, err := json.Marshal(k)
	if err != nil {
		return ingest.Item{}, err
	}
	it := ingest.Item{
		Source: source, Type: schemas.ReviewPosted, NativeID: f.id, OccurredAt: f.published,
		Data: data, Raw: raw, Replay: ReplayKind, Locator: f.url,
	}
	if k.Changed {
		it.Type, it.OccurredAt = schemas.ReviewChanged, f.modified // zero: when it was found
	}
	return it, nil
}

// Replay reads a quarantined review again; register it with the Door under
// ReplayKind.
func Replay(raw []byte, q schemas.Quarantined) ([]ingest.Item, error) {
	var k kept
	if err := json.Unmarshal(raw, &k); err != nil {
		return nil, fmt.Errorf("review: %w", err)
	}
	base, err := url.Parse(k.Page)
	if err != nil {
		return nil, fmt.Errorf("review: %w", err)
	}
	zone, err := time.LoadLocation(k.Zone)
	if err != nil {
		zone = time.UTC
	}
	p := &page{base: base, zone: zone, seen: map[string]bool{}}
	if k.Kind == KindFeed {
		var e gofeed.Item
		if err := json.Unmarshal(k.Node, &e); err != nil {
			return nil, fmt.Errorf("review: %w", err)
		}
		if f, ok := entry(&e, k.Around.Name, p); ok {
			p.found = append(p.found, f)
		}
	} else if v, ok := decode(k.Node); ok {
		p.walk(v, k.Around, 0)
	}
	if len(p.found) == 0 {
		return nil, errors.New("review: there is no review in the kept bytes")
	}
	it, err := p.found[0].item(q.Source, k)
	return []ingest.Item{it}, err
}
