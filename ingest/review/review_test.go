package review

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"redalert/ingest"
	"redalert/internal/memstore"
	"redalert/schemas"
)

var now = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

func ld(json string) string {
	return `<html><head><script type="application/ld+json">` + json + `</script></head><body>hello</body></html>`
}

func read(t testing.TB, page string) []found {
	t.Helper()
	base, err := url.Parse("https://reviews.example/firm")
	if err != nil {
		t.Fatal(err)
	}
	return parsePage([]byte(page), base, time.UTC)
}

func TestShapesOfJSONLD(t *testing.T) {
	one := `{"@type":"Review","@id":"#r1","reviewBody":"Nobody came","author":{"@type":"Person","name":"M."},"datePublished":"2026-03-01","reviewRating":{"@type":"Rating","ratingValue":"2"}}`
	for name, c := range map[string]struct {
		page string
		want []string // id: of: text: rating
	}{
		"alone":            {ld(one), []string{"https://reviews.example/firm#r1||Nobody came|2 of 1–5"}},
		"array":            {ld("[" + one + "," + one + "]"), []string{"https://reviews.example/firm#r1||Nobody came|2 of 1–5"}},
		"graph":            {ld(`{"@context":"https://schema.org","@graph":[{"@type":"WebSite","name":"site"},` + one + `]}`), []string{"https://reviews.example/firm#r1||Nobody came|2 of 1–5"}},
		"nested":           {ld(`{"@type":"LocalBusiness","name":"Riverside","review":[` + one + `]}`), []string{"https://reviews.example/firm#r1|Riverside|Nobody came|2 of 1–5"}},
		"reviews":          {ld(`{"@type":["Thing","Product"],"name":"Pump","reviews":` + one + `}`), []string{"https://reviews.example/firm#r1|Pump|Nobody came|2 of 1–5"}},
		"item reviewed":    {ld(`{"@type":"Review","@id":"x:1","itemReviewed":{"@type":"Product","name":"Pump","review":` + one + `},"name":"Bad"}`), []string{"x:1|Pump||", "https://reviews.example/firm#r1|Pump|Nobody came|2 of 1–5"}},
		"full type":        {ld(strings.Replace(one, `"Review"`, `"http://schema.org/Review"`, 1)), []string{"https://reviews.example/firm#r1||Nobody came|2 of 1–5"}},
		"scale":            {ld(`{"@type":"Review","@id":"#a","reviewBody":"x","reviewRating":{"ratingValue":"7,5","bestRating":10,"worstRating":0}}`), []string{"https://reviews.example/firm#a||x|7.5 of 0–10"}},
		"scale of the sum": {ld(`{"@type":"Product","name":"P","aggregateRating":{"@type":"AggregateRating","ratingValue":8,"bestRating":10,"reviewCount":3},"review":{"@type":"Review","@id":"#a","reviewBody":"x","reviewRating":{"ratingValue":8}}}`), []string{"https://reviews.example/firm#a|P|x|8 of 1–10"}},
		"off the scale":    {ld(`{"@type":"Review","@id":"#a","reviewBody":"x","reviewRating":{"ratingValue":8}}`), []string{"https://reviews.example/firm#a||x|"}},
		"aggregate alone":  {ld(`{"@type":"Product","aggregateRating":{"@type":"AggregateRating","ratingValue":4}}`), nil},
		"reference":        {ld(`{"@type":"Product","review":{"@id":"#r1"}}`), nil},
		"own address":      {ld(`{"@type":"Review","url":"/r/7","reviewBody":"x"}`), []string{"https://reviews.example/r/7||x|"}},
		"entities":         {ld(`{"@type":"Review","@id":"#a","reviewBody":"Tom &amp; I waited &lt;3 hours&gt;<br>and <b>nobody</b> came<script>alert(1)<\/script>"}`), []string{"https://reviews.example/firm#a||Tom & I waited <3 hours>\nand nobody came|"}},
		"raw line breaks":  {ld("{\"@type\":\"Review\",\"@id\":\"#a\",\"reviewBody\":\"one\ntwo\"}"), []string{"https://reviews.example/firm#a||one two|"}},
		"comment":          {ld("<!--" + one + "-->"), []string{"https://reviews.example/firm#r1||Nobody came|2 of 1–5"}},
		"cdata":            {ld("//<![CDATA[\n" + one + "\n//]]>"), []string{"https://reviews.example/firm#r1||Nobody came|2 of 1–5"}},
		"broken beside":    {ld("{oops") + ld(one), []string{"https://reviews.example/firm#r1||Nobody came|2 of 1–5"}},
		"charset":          {strings.Replace(ld(one), `json"`, `json; charset=utf-8"`, 1), []string{"https://reviews.example/firm#r1||Nobody came|2 of 1–5"}},
		"other script":     {strings.Replace(ld(one), "ld+json", "json", 1), nil},
		"deep":             {ld(strings.Repeat(`{"a":`, 500) + one + strings.Repeat("}", 500)), nil},
		"empty":            {ld(`{"@type":"Review","@id":"#a"}`), nil},
	} {
		var got []string
		for _, f := range read(t, c.page) {
			got = append(got, f.id+"|"+f.of+"|"+f.text+"|"+f.rating.String())
		}
		if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
			t.Errorf("%s:\n got %q\nwant %q", name, got, c.want)
		}
	}
}

// TestDerivedIDs: reviews without an id are told apart by item, author and
// date, also when their url is the page's.
func TestDerivedIDs(t *testing.T) {
	review := func(author, date, body string) string {
		return fmt.Sprintf(`{"@type":"Review","url":"https://reviews.example/firm","author":%q,"datePublished":%q,"reviewBody":%q}`, author, date, body)
	}
	got := read(t, ld(`{"@type":"Hotel","name":"H","url":"https://reviews.example/firm","review":[`+review("A", "2026-01-01", "x")+","+review("B", "2026-01-01", "x")+","+review("A", "2026-01-02", "x")+","+review("", "", "x")+","+review("", "", "y")+`]}`))
	ids := map[string]bool{}
	for _, f := range got {
		ids[f.id] = true
	}
	if len(ids) != 5 {
		t.Fatalf("%d ids of 5 reviews: %v", len(ids), ids)
	}
	edited := read(t, ld(`{"@type":"Hotel","name":"H","review":`+review("A", "2026-01-01", "edited")+`}`))
	if edited[0].id != got[0].id || edited[0].content() == got[0].content() {
		t.Error("an edited review is another review")
	}
}

func TestTimes(t *testing.T) {
	for in, want := range map[string]string{
		"2026-03-01T09:00:00+01:00": "2026-03-01T08:00:00Z", "2026-03-01": "2026-03-01T12:00:00Z", "2026-03-01T09:00:00": "2026-03-01T09:00:00Z",
		"2026-03-01T09:00:00+0100": "2026-03-01T08:00:00Z", "March 1, 2026": "2026-03-01T12:00:00Z", "Sun, 01 Mar 2026 09:00:00 GMT": "2026-03-01T09:00:00Z", "yesterday": "", "": "",
	} {
		if got := schemas.FormatTime(parseTime(in, time.UTC)); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

// site serves a page that tests change.
type site struct {
	page     string
	etag     string
	status   int
	requests int
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests++
	if s.etag != "" && r.Header.Get("If-None-Match") == s.etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("ETag", s.etag)
	if s.status != 0 {
		w.WriteHeader(s.status)
	}
	_, _ = w.Write([]byte(s.page))
}

type harness struct {
	site  *site
	store *memstore.Store
	door  *ingest.Door
	url   string
	waits int
}

func newHarness(t *testing.T) *harness {
	t.Helper()
	h := &harness{site: &site{}, store: memstore.New()}
	srv := httptest.NewServer(h.site)
	t.Cleanup(srv.Close)
	h.url = srv.URL
	h.door = ingest.NewDoor(ingest.DoorConfig{
		Business: schemas.Business{Timezone: time.UTC, Currency: "EUR"}, Receipts: h.store, Publisher: h.store, Quarantine: h.store.Quarantine(),
		Blobs: h.store.Blobs(), Identities: h.store, Now: func() time.Time { return now },
	})
	h.door.RegisterReplay(ReplayKind, Replay)
	return h
}

func (h *harness) collector(t *testing.T, kind string) *Collector {
	t.Helper()
	c, err := New(Config{Name: "site", URL: h.url, Kind: kind, Every: time.Minute, Client: http.DefaultClient, Cursors: h.store.Cursors(), Now: func() time.Time { return now },
		Wait: func(_ context.Context, d time.Duration) error {
			if h.waits++; d != time.Minute {
				t.Errorf("waits %v", d)
			}
			return nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// poll reads once, accepts and acknowledges; it answers "type status" of each.
func (h *harness) poll(t *testing.T, c *Collector) []string {
	t.Helper()
	d, err := c.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	res, err := h.door.Accept(t.Context(), d.Items)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for i, r := range res {
		out = append(out, fmt.Sprintf("%s %s %s%s", d.Items[i].NativeID, d.Items[i].Type, r.Status, r.Reason))
	}
	if err := d.Ack(t.Context()); err != nil {
		t.Fatal(err)
	}
	return out
}

func expect(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestPollsPostedThenChanged(t *testing.T) {
	h := newHarness(t)
	page := func(text string, stars int) string {
		return ld(fmt.Sprintf(`{"@type":"Review","@id":"urn:r1","reviewBody":%q,"author":"M.","datePublished":"2026-03-01","reviewRating":{"ratingValue":%d}}`, text, stars))
	}
	c := h.collector(t, KindJSONLD)
	h.site.page, h.site.etag = page("Nobody came", 2), `"1"`
	expect(t, "first", h.poll(t, c), "urn:r1 feedback.review.posted accepted")
	expect(t, "not modified", h.poll(t, c))
	h.site.etag = `"2"`
	expect(t, "other bytes, same review", h.poll(t, c))
	h.site.page, h.site.etag = page("They came after all", 4), `"3"`
	expect(t, "edited", h.poll(t, c), "urn:r1 feedback.review.changed accepted")
	expect(t, "a new process", h.poll(t, h.collector(t, KindJSONLD)))
	h.site.page, h.site.etag = page("They came after all", 5), `"4"`
	expect(t, "stars", h.poll(t, h.collector(t, KindJSONLD)), "urn:r1 feedback.review.changed accepted")
	if h.waits != 3 || h.site.requests != 6 {
		t.Errorf("%d waits, %d requests", h.waits, h.site.requests)
	}
	if err := h.store.Cursors().Save(t.Context(), "site", "not JSON"); err != nil {
		t.Fatal(err)
	}
	h.site.page, h.site.etag = page("Nobody came", 2), ""
	expect(t, "state lost", h.poll(t, h.collector(t, KindJSONLD)), "urn:r1 feedback.review.posted duplicate")
}

func TestWhatIsNotAcknowledgedComesAgain(t *testing.T) {
	h := newHarness(t)
	h.site.page, h.site.etag = ld(`{"@type":"Review","@id":"urn:r1","reviewBody":"x"}`), `"1"`
	c := h.collector(t, KindJSONLD)
	for range 2 {
		if d, err := c.Read(t.Context()); err != nil || len(d.Items) != 1 {
			t.Fatal(d.Items, err)
		}
	}
	h.site.status = http.StatusInternalServerError
	if _, err := c.Read(t.Context()); err == nil || !strings.Contains(err.Error(), "500") {
		t.Error(err)
	}
	h.site.status = 0
	expect(t, "after all", h.poll(t, c), "urn:r1 feedback.review.posted accepted")
	if h.waits != 0 {
		t.Error("waited without an acknowledgement")
	}
}

func TestFeed(t *testing.T) {
	h := newHarness(t)
	h.site.page = `<?xml version="1.0"?><rss version="2.0"><channel><title>Reviews of Riverside</title>
<item><title>Late &amp; rude</title><guid>g1</guid><link>https://x.example/1</link><pubDate>Sun, 01 Mar 2026 09:00:00 GMT</pubDate><description>&lt;p&gt;Two hours late.&lt;/p&gt;</description></item>
<item><title>Fine</title><link>https://x.example/2</link></item></channel></rss>`
	c := h.collector(t, KindFeed)
	d, err := c.Read(t.Context())
	if err != nil || len(d.Items) != 2 {
		t.Fatal(d.Items, err)
	}
	var f schemas.Feedback
	if err := json.Unmarshal(d.Items[0].Data, &f); err != nil || f.ValueText != "Two hours late." || f.MetaString(schemas.MetaSubject) != "Late & rude" || d.Items[0].OccurredAt.Hour() != 9 {
		t.Errorf("%+v %v", f, err)
	}
	expect(t, "feed", h.poll(t, c), "g1 feedback.review.posted accepted", "https://x.example/2 feedback.review.posted accepted")
	h.site.page = "<html>gone"
	if _, err := c.Read(t.Context()); err == nil {
		t.Error("a page that is no feed passed for an empty one")
	}
}

func TestReplay(t *testing.T) {
	h := newHarness(t)
	h.site.page = ld(`{"@type":"LocalBusiness","name":"Riverside","aggregateRating":{"@type":"AggregateRating","bestRating":10},"review":{"@type":"Review","author":"M.","datePublished":"2026-03-01","reviewBody":"x","reviewRating":{"ratingValue":7}}}`)
	d, err := h.collector(t, KindJSONLD).Read(t.Context())
	if err != nil || len(d.Items) != 1 {
		t.Fatal(d.Items, err)
	}
	again, err := Replay(d.Items[0].Raw, schemas.Quarantined{Source: "site"})
	if err != nil || len(again) != 1 {
		t.Fatal(err)
	}
	if again[0].NativeID != d.Items[0].NativeID || string(again[0].Data) != string(d.Items[0].Data) || !again[0].OccurredAt.Equal(d.Items[0].OccurredAt) {
		t.Errorf("%s\n%s", again[0].Data, d.Items[0].Data)
	}
	if _, err := Replay([]byte("{}"), schemas.Quarantined{}); err == nil {
		t.Error("nothing was replayed without an error")
	}
}

func TestCaps(t *testing.T) {
	h := newHarness(t)
	c := h.collector(t, KindJSONLD)
	h.site.page = strings.Repeat(" ", maxBody+1)
	if _, err := c.Read(t.Context()); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Error(err)
	}
	var b strings.Builder
	for i := range maxReviews + 10 {
		fmt.Fprintf(&b, `,{"@type":"Review","@id":"#%d","reviewBody":"x"}`, i)
	}
	if n := len(read(t, ld("["+b.String()[1:]+"]"))); n != maxReviews {
		t.Error(n)
	}
	s := &state{}
	for i := range 4 {
		page := make([]found, 2000)
		for k := range page {
			page[k].id = fmt.Sprint(i, "/", k)
		}
		s = s.with(page)
	}
	if len(s.Seen) != maxSeen || s.content("3/1999") == "" || s.content("0/0") != "" {
		t.Error(len(s.Seen))
	}
	for _, bad := range []Config{{URL: "ftp://x", Kind: KindFeed}, {URL: "https://x", Kind: "magic"}, {URL: "/x", Kind: KindFeed}} {
		if _, err := New(bad); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

func FuzzParsePage(f *testing.F) {
	f.Add(ld(`{"@type":"Review","@id":"#r1","reviewBody":"Tom &amp; I","author":[{"name":["M."]}],"datePublished":"2026-03-01","reviewRating":{"ratingValue":"2"}}`))
	f.Add(ld(`[{"@graph":[{"@type":["Review"],"url":"http://[::1","name":{"@value":"x"}}]}]`))
	f.Add("<script type=application/ld+json><!--{\"@type\":\"Review\"")
	f.Fuzz(func(t *testing.T, page string) {
		for _, r := range read(t, page) {
			if r.id == "" || len(r.text) > maxText || len(r.id) > maxField {
				t.Fatalf("%+v", r)
			}
			it, err := r.item("s", kept{Kind: KindJSONLD, Page: "https://reviews.example/firm", Around: r.around, Zone: "UTC", Node: r.raw})
			if err != nil {
				t.Fatal(err)
			}
			if again, err := Replay(it.Raw, schemas.Quarantined{Source: "s"}); err != nil || again[0].NativeID != it.NativeID {
				t.Fatalf("replay: %v %v", again, err)
			}
		}
	})
}

func FuzzParseFeed(f *testing.F) {
	f.Add([]byte(`<rss version="2.0"><channel><title>t</title><item><guid>g</guid><description>x</description></item></channel></rss>`))
	f.Add([]byte(`<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>1</id><title>t</title></entry></feed>`))
	f.Add([]byte(`{"version":"https://jsonfeed.org/version/1","items":[{"id":"1","content_text":"x"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		base, err := url.Parse("https://reviews.example/feed")
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseFeed(body, base)
		if err != nil {
			return
		}
		for _, r := range got {
			if r.id == "" || len(r.text) > maxText {
				t.Fatalf("%+v", r)
			}
		}
	})
}
