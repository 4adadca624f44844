package e2e

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

const (
	oneEvent = "application/cloudevents+json"
	batch    = "application/cloudevents-batch+json"
)

func nps(customer string, n float64) map[string]any {
	return map[string]any{"source_type": "survey", "field_type": "nps", "value_number": n, "scale_min": 0, "scale_max": 10,
		"customer": map[string]any{"ref": customer}}
}

func euro(cents int) map[string]any { return map[string]any{"amount": cents, "currency": "EUR"} }

func TestContractPostEvents(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	bound := strings.TrimSpace(must(t, s.args("token", "add", "bound", "--scope", "ingest", "--source", "till")...))
	good := cloudEvent("shop", "1", "feedback.survey.answered", nps("C1", 9))
	missing := func(key string) []byte {
		var m map[string]any
		_ = json.Unmarshal(cloudEvent("shop", "gone-"+key, "feedback.survey.answered", nps("C1", 9)), &m)
		delete(m, key)
		b, _ := json.Marshal(m)
		return b
	}
	big := cloudEvent("shop", "big", "feedback.survey.answered", map[string]any{"field_type": "text", "value_text": strings.Repeat("word ", 60<<10)})
	array := func(events ...[]byte) []byte {
		return append(append([]byte("["), bytes.Join(events, []byte(","))...), ']')
	}
	many := make([][]byte, 1001)
	for i := range many {
		many[i] = cloudEvent("shop", fmt.Sprint("m", i), "order.placed", map[string]any{"order_ref": fmt.Sprint("M", i), "total": euro(100)})
	}
	for _, c := range []struct {
		what, token, media string
		body               []byte
		code               int
		status             string
	}{
		{"a good event", s.ingest, oneEvent, good, 202, "accepted"},
		{"again", s.ingest, oneEvent, good, 202, "duplicate"},
		{"with a charset", s.ingest, oneEvent + "; charset=utf-8", good, 202, "duplicate"},
		{"other content", s.ingest, oneEvent, cloudEvent("shop", "1", "feedback.survey.answered", nps("C1", 8)), 202, "quarantined"},
		{"a batch", s.ingest, batch, array(good, cloudEvent("shop", "2", "feedback.survey.answered", nps("C1", 9))), 202, "duplicate accepted"},
		{"an empty batch", s.ingest, batch, []byte("[]"), 202, ""},
		{"no id", s.ingest, oneEvent, missing("id"), 202, "quarantined"},
		{"no source", s.ingest, oneEvent, missing("source"), 202, "quarantined"},
		{"no type", s.ingest, oneEvent, missing("type"), 202, "quarantined"},
		{"an unknown type", s.ingest, oneEvent, cloudEvent("shop", "3", "order.eaten", map[string]any{}), 202, "quarantined"},
		{"data that does not fit", s.ingest, oneEvent, cloudEvent("shop", "4", "order.placed", map[string]any{"order_ref": 7}), 202, "quarantined"},
		{"no rate", s.ingest, oneEvent, cloudEvent("shop", "5", "order.placed", map[string]any{"order_ref": "A", "total": map[string]any{"amount": 1, "currency": "USD"}}), 202, "quarantined"},
		{"not JSON", s.ingest, oneEvent, []byte("{"), 400, ""},
		{"not an object", s.ingest, oneEvent, []byte("7"), 400, ""},
		{"deep JSON", s.ingest, oneEvent, []byte(strings.Repeat("[", 10000)), 400, ""},
		{"no token", "", oneEvent, good, 401, ""},
		{"a wrong token", "nonsense", oneEvent, good, 401, ""},
		{"a token of another scope", s.read, oneEvent, good, 403, ""},
		{"another source than bound", bound, oneEvent, good, 403, ""},
		{"the bound source", bound, oneEvent, cloudEvent("till", "1", "order.placed", map[string]any{"order_ref": "T1", "total": euro(100)}), 202, "accepted"},
		{"over 256 KiB", s.ingest, oneEvent, big, 413, ""},
		{"over 256 KiB in a batch", s.ingest, batch, array(cloudEvent("shop", "beside", "order.placed", map[string]any{"order_ref": "B", "total": euro(100)}), big), 413, ""},
		{"over 1,000 events", s.ingest, batch, array(many...), 413, ""},
		{"over 10 MiB", s.ingest, oneEvent, bytes.Repeat([]byte(" "), 10<<20+1), 413, ""},
		{"another media type", s.ingest, "text/plain", good, 415, ""},
	} {
		code, b, err := s.request(http.MethodPost, "/v1/events", c.token, c.media, c.body)
		if err != nil || code != c.code {
			t.Errorf("%s: %d %v %.300s, want %d", c.what, code, err, b, c.code)
			continue
		}
		if code != 202 {
			var p map[string]any
			if json.Unmarshal(b, &p) != nil || str(p, "code") == "" {
				t.Errorf("%s: no problem with a code: %s", c.what, b)
			}
			continue
		}
		var got []string
		for i, r := range results(t, b) {
			got = append(got, r.Status)
			if r.Index != i || (r.Status == "quarantined") != (r.Reason != "") {
				t.Errorf("%s: result %d is %+v", c.what, i, r)
			}
		}
		if strings.Join(got, " ") != c.status {
			t.Errorf("%s: %v, want %s: %s", c.what, got, c.status, b)
		}
	}
	codes := map[string]int{}
	for _, q := range s.items(t, "/v1/quarantine") {
		codes[str(q, "code")]++
		if strings.Contains(str(q, "reason"), "USD") && !strings.Contains(str(q, "reason"), "no rate for USD") {
			t.Errorf("the reason of a missing rate: %v", q)
		}
	}
	if codes["conflict"] != 1 {
		t.Errorf("codes in quarantine: %v", codes)
	}
	eventually(t, 10*time.Second, "three events in history", func() bool { return len(s.items(t, "/v1/events")) == 3 })
}

func TestContractRevisions(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	for _, typ := range []string{"order.changed", "feedback.review.changed"} {
		data := func(n float64) map[string]any {
			if typ == "order.changed" {
				return map[string]any{"order_ref": "A", "customer": map[string]any{"ref": "C1"}, "total": map[string]any{"amount": n, "currency": "EUR"}}
			}
			return map[string]any{"source_type": "review", "field_type": "rating", "value_number": n, "scale_min": 1, "scale_max": 5}
		}
		first, second := s.post(t, cloudEvent("shop", "1", typ, data(5))), s.post(t, cloudEvent("shop", "1", typ, data(4)))
		again := s.post(t, cloudEvent("shop", "1", typ, data(4)))
		if first.Status != "accepted" || second.Status != "accepted" || first.EventID == second.EventID || again.Status != "duplicate" || again.EventID != second.EventID {
			t.Errorf("%s: %+v, changed %+v, again %+v", typ, first, second, again)
		}
	}
}

func TestContractIdempotencyKey(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	send := func(body []byte) (int, string) {
		req, _ := http.NewRequest(http.MethodPost, s.url+"/v1/events", bytes.NewReader(body))
		req.Header.Set("Authorization", "Bearer "+s.ingest)
		req.Header.Set("Content-Type", oneEvent)
		req.Header.Set("Idempotency-Key", "k-1")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var b bytes.Buffer
		_, _ = b.ReadFrom(resp.Body)
		return resp.StatusCode, b.String()
	}
	body := cloudEvent("shop", "1", "feedback.survey.answered", nps("C1", 9))
	code, first := send(body)
	if code != 202 || !strings.Contains(first, "accepted") {
		t.Fatalf("%d %s", code, first)
	}
	if code, again := send(body); code != 202 || again != first {
		t.Errorf("the same key and body: %d %s, was %s", code, again, first)
	}
	if code, b := send(cloudEvent("shop", "2", "feedback.survey.answered", nps("C1", 9))); code != 409 {
		t.Errorf("the same key with another body: %d %s", code, b)
	}
}

func TestContractSignedHook(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	body := cloudEvent("shop", "h-1", "feedback.survey.answered", nps("C1", 9))
	hook := func(path string, body []byte, at time.Time, secret []byte) int {
		stamp := fmt.Sprint(at.Unix())
		mac := hmac.New(sha256.New, secret)
		fmt.Fprintf(mac, "msg.%s.%s", stamp, body)
		req, _ := http.NewRequest(http.MethodPost, s.url+path, bytes.NewReader(body))
		req.Header.Set("Content-Type", oneEvent)
		req.Header.Set("webhook-id", "msg")
		req.Header.Set("webhook-timestamp", stamp)
		req.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	now := time.Now()
	for _, c := range []struct {
		what, path string
		body       []byte
		at         time.Time
		secret     []byte
		want       int
	}{
		{"well signed", "/v1/hooks/shop", body, now, s.secret, 202},
		{"again", "/v1/hooks/shop", body, now, s.secret, 202},
		{"another secret", "/v1/hooks/shop", body, now, []byte("another"), 401},
		{"301 s old", "/v1/hooks/shop", body, now.Add(-301 * time.Second), s.secret, 401},
		{"301 s ahead", "/v1/hooks/shop", body, now.Add(302 * time.Second), s.secret, 401},
		{"another source", "/v1/hooks/shop", cloudEvent("till", "h-1", "order.placed", map[string]any{"order_ref": "A"}), now, s.secret, 403},
		{"no such hook", "/v1/hooks/none", body, now, s.secret, 404},
	} {
		if got := hook(c.path, c.body, c.at, c.secret); got != c.want {
			t.Errorf("%s: %d, want %d", c.what, got, c.want)
		}
	}
}

func TestContractLists(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	for i := range 7 {
		s.accepted(t, "feedback.survey.answered", nps(fmt.Sprint("C", i), 1))
	}
	for _, kind := range []string{"events", "verdicts", "alerts", "cases", "customers"} {
		path := "/v1/" + kind
		eventually(t, 10*time.Second, "seven "+kind, func() bool { return len(s.items(t, path)) == 7 })
		seen, pages, cursor := map[string]bool{}, 0, ""
		for {
			var page struct {
				Items []map[string]any
				Next  string
			}
			s.getJSON(s.read, path+"?limit=3&cursor="+url.QueryEscape(cursor), &page)
			for _, r := range page.Items {
				b, _ := json.Marshal(r)
				seen[string(b)] = true
			}
			if pages++; page.Next == "" || pages > 9 {
				break
			}
			cursor = page.Next
		}
		if len(seen) != 7 || pages != 3 {
			t.Errorf("%s: %d of 7 over %d pages", path, len(seen), pages)
		}
		if n := len(s.items(t, path+"?since=2999-01-01T00:00:00Z")); n != 0 {
			t.Errorf("%s since 2999: %d", path, n)
		}
	}
	at := str(s.items(t, "/v1/events?limit=1")[0], "collectedat")
	if len(s.items(t, "/v1/events?since="+url.QueryEscape(at))) < 1 {
		t.Error("since is inclusive")
	}
	for _, kind := range []string{"quarantine", "notifications", "collectors"} {
		s.items(t, "/v1/"+kind)
	}
	for _, bad := range []string{"/v1/events?limit=x", "/v1/events?since=yesterday", "/v1/events?cursor=nonsense"} {
		code, body := s.api(t, http.MethodGet, bad, s.read, nil)
		wantCode(t, bad, code, body, 400, "bad_request")
	}
	for path, want := range map[string]int{"/v1/cases": 401, "/healthz": 200, "/readyz": 200, "/metrics": 200, "/openapi.json": 200, "/f/none": 404} {
		if code, b, _ := s.request(http.MethodGet, path, "", "", nil); code != want {
			t.Errorf("GET %s without sign-in: %d %.200s", path, code, b)
		}
	}
	if code, _, _ := s.request(http.MethodGet, "/v1/cases", s.ingest, "", nil); code != 403 {
		t.Errorf("a list with an ingest token: %d", code)
	}
}

func TestContractTrends(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.accepted(t, "feedback.survey.answered", nps("C1", 1))
	s.accepted(t, "order.placed", map[string]any{"order_ref": "A", "total": euro(100), "customer": map[string]any{"ref": "C1"}})
	for _, kind := range []string{"alerts", "churn"} {
		for _, q := range []string{"", "?period=month", "?period=week&from=2026-01-01&to=2026-03-01", "?period=day&from=2026-01-01&to=2026-01-10"} {
			code, body := s.api(t, http.MethodGet, "/v1/trends/"+kind+q, s.read, nil)
			series, _ := body["series"].([]any)
			if code != 200 || str(body, "definition") == "" || str(body, "period") == "" || len(series) == 0 {
				t.Errorf("%s%s: %d %v", kind, q, code, body)
				continue
			}
			one, _ := series[0].(map[string]any)
			points, _ := one["points"].([]any)
			if str(one, "name") == "" || len(points) == 0 {
				t.Errorf("%s%s: %v", kind, q, one)
				continue
			}
			p, _ := points[0].(map[string]any)
			for _, key := range []string{"start", "value", "n", "complete"} {
				if _, ok := p[key]; !ok {
					t.Errorf("%s%s: a point has no %s: %v", kind, q, key, p)
				}
			}
			if len(str(p, "start")) != len("2026-01-01") {
				t.Errorf("%s%s: start %v", kind, q, p["start"])
			}
		}
		for _, by := range []string{"source", "category", "location"} {
			if code, body := s.api(t, http.MethodGet, "/v1/trends/"+kind+"?by="+by, s.read, nil); code != 200 && code != 400 {
				t.Errorf("%s by %s: %d %v", kind, by, code, body)
			}
		}
		code, body := s.api(t, http.MethodGet, "/v1/trends/"+kind+"?period=decade", s.read, nil)
		wantCode(t, "a period there is not", code, body, 400, "bad_request")
	}
	for _, kind := range []string{"retention", "lifecycle", "recovery", "scores", "weather"} {
		code, body := s.api(t, http.MethodGet, "/v1/trends/"+kind, s.read, nil)
		wantCode(t, kind, code, body, 404, "not_found")
	}
}
