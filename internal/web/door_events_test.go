package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"redalert/ingest"
	"redalert/ingest/hook"
	"redalert/internal/auth"
	"redalert/internal/memstore"
	"redalert/schemas"
)

var doorClock = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

var hookSecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))

// doorStore is a memstore whose log and answers can be down.
type doorStore struct {
	*memstore.Store
	logDown, answersDown, dieAtPublish atomic.Bool
	accepts                            atomic.Int32
	ahead                              atomic.Int64 // of doorClock, in ns
	reserving                          func()       // runs in every Reserve; nil = nothing

	mu     sync.Mutex
	logged map[string]int // publishes by event id
}

func (s *doorStore) Publish(ctx context.Context, events []schemas.Event) error {
	if s.logDown.Load() {
		return errors.New("log is down")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range events {
		s.logged[e.ID]++
	}
	return s.Store.Publish(ctx, events)
}

func (s *doorStore) Reserve(ctx context.Context, r []ingest.Receipt) ([]ingest.Reservation, error) {
	s.accepts.Add(1)
	if s.reserving != nil {
		s.reserving()
	}
	got, err := s.Store.Reserve(ctx, r)
	if s.dieAtPublish.Load() {
		panic(http.ErrAbortHandler) // the process dies here: reserved, not published, not answered
	}
	return got, err
}

func (s *doorStore) Claim(ctx context.Context, scope, key string, c ingest.Claim) (ingest.KeyState, ingest.Answer, error) {
	if s.answersDown.Load() {
		return 0, ingest.Answer{}, errors.New("answers are down")
	}
	return s.Store.Claim(ctx, scope, key, c)
}

// Release is not heard of from a process that dies.
func (s *doorStore) Release(ctx context.Context, scope, key, holder string, forget bool) error {
	if s.dieAtPublish.Load() {
		return errors.New("dead")
	}
	return s.Store.Release(ctx, scope, key, holder, forget)
}

type doorSite struct {
	*httptest.Server
	store *doorStore
	doors *Doors
}

func newDoorSite(t testing.TB) *doorSite {
	t.Helper()
	s := &doorStore{Store: memstore.New(), logged: map[string]int{}}
	return serveDoors(t, s)
}

func serveDoors(t testing.TB, s *doorStore) *doorSite {
	t.Helper()
	now := func() time.Time { return doorClock.Add(time.Duration(s.ahead.Load())) }
	door := ingest.NewDoor(ingest.DoorConfig{
		Business: schemas.Business{Timezone: time.UTC, Currency: "EUR"}, Receipts: s, Publisher: s,
		Quarantine: s.Quarantine(), Blobs: s.Blobs(), Identities: s, Statuses: s, Now: now,
	})
	check, err := NewHook([]string{hookSecret})
	if err != nil {
		t.Fatal(err)
	}
	d := &Doors{Door: door, Answers: s, Now: now, Hooks: map[string]Hook{"shop": check}, Tokens: func(_ context.Context, secret string) (auth.Token, error) {
		switch secret {
		case "any":
			return auth.Token{Name: "any", Scope: auth.ScopeIngest}, nil
		case "bound":
			return auth.Token{Name: "bound", Scope: auth.ScopeIngest, Source: "shop"}, nil
		case "read":
			return auth.Token{Name: "read", Scope: auth.ScopeRead}, nil
		case "down":
			return auth.Token{}, errors.New("store is down")
		}
		return auth.Token{}, auth.ErrBadToken
	}}
	mux := http.NewServeMux()
	d.Routes(mux)
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return &doorSite{Server: srv, store: s, doors: d}
}

type answer struct {
	status  int
	header  http.Header
	body    string
	Results []doorResult `json:"results"`
	Code    string       `json:"code"`
}

// send posts a body; header pairs may replace the defaults, "" removes one.
func (s *doorSite) send(t testing.TB, path string, body io.Reader, header ...string) answer {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, s.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer any")
	r.Header.Set("Content-Type", typeEvent)
	for i := 0; i < len(header); i += 2 {
		if r.Header.Del(header[i]); header[i+1] != "" {
			r.Header.Set(header[i], header[i+1])
		}
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: res.StatusCode, header: res.Header, body: string(raw)}
	if err := json.Unmarshal(raw, &a); err != nil {
		t.Fatalf("%d %q: %v", a.status, raw, err)
	}
	return a
}

func (s *doorSite) post(t testing.TB, body string, header ...string) answer {
	t.Helper()
	return s.send(t, "/v1/events", strings.NewReader(body), header...)
}

// refused asserts a refusal that kept nothing.
func (s *doorSite) refused(t *testing.T, a answer, status int, code string) {
	t.Helper()
	if a.status != status || a.Code != code || a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %s, want %d %s", a.status, a.body, status, code)
	}
	if n := s.store.accepts.Load(); n != 0 {
		t.Errorf("%d requests reached the door", n)
	}
	q, err := s.store.Quarantine().List(t.Context(), "", schemas.ListQuery{})
	if err != nil || len(q.Items) != 0 {
		t.Errorf("kept in quarantine: %+v %v", q.Items, err)
	}
}

func survey(id, text string) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"shop","type":"feedback.survey.answered","data":{"value_text":%q}}`, id, text)
}

func TestEventsAreAccepted(t *testing.T) {
	s := newDoorSite(t)
	one := s.post(t, survey("1", "fine"))
	if one.status != 202 || len(one.Results) != 1 || one.Results[0].Status != ingest.Accepted || one.Results[0].EventID != ingest.EventID("shop", schemas.SurveyAnswered, "1", "") {
		t.Errorf("%d %s", one.status, one.body)
	}
	batch := "[" + survey("1", "fine") + "," + survey("2", "late") + `,{"id":"3","type":"order.placed","data":{}},17,` + survey("4", "x") + "]"
	many := s.post(t, batch, "Content-Type", typeBatch+"; charset=utf-8")
	want := []ingest.Status{ingest.Duplicate, ingest.Accepted, ingest.InQuarantine, ingest.InQuarantine, ingest.Accepted}
	if many.status != 202 || len(many.Results) != len(want) {
		t.Fatalf("%d %s", many.status, many.body)
	}
	for i, r := range many.Results {
		if r.Index != i || r.Status != want[i] || (r.Reason != "") != (r.Status == ingest.InQuarantine) {
			t.Errorf("%+v", r)
		}
	}
	for _, a := range []answer{
		s.post(t, survey("5", "x"), "Content-Type", typeJSON), s.post(t, "["+survey("6", "x")+"]", "Content-Type", typeJSON),
		s.send(t, "/v1/events", zipped(t, survey("7", "x")), "Content-Encoding", "gzip"),
		s.post(t, survey("8", "x"), "Authorization", "bearer bound"),
	} {
		if a.status != 202 || len(a.Results) != 1 || a.Results[0].Status != ingest.Accepted {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if a := s.post(t, " [] ", "Content-Type", typeBatch); a.status != 202 || strings.TrimSpace(a.body) != `{"results":[]}` {
		t.Errorf("an empty batch: %d %s", a.status, a.body)
	}
}

func zipped(t testing.TB, s string) io.Reader {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, s); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

func TestMissingAttributesAreQuarantined(t *testing.T) {
	s := newDoorSite(t)
	for _, body := range []string{`{}`, `{"id":"1","source":"shop","data":{}}`, `{"id":"1","type":"order.placed","data":{}}`, `{"source":"shop","type":"order.placed","data":{}}`} {
		for _, token := range []string{"Bearer any", "Bearer bound"} {
			a := s.post(t, body, "Authorization", token)
			if a.status != 202 || a.Results[0].Status != ingest.InQuarantine || !strings.Contains(a.Results[0].Reason, "missing") {
				t.Errorf("%s: %d %s", body, a.status, a.body)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	big := strings.Repeat("x", schemas.MaxEventBytes)
	other := strings.Replace(survey("1", "x"), `"shop"`, `"till"`, 1)
	for name, c := range map[string]struct {
		body   string
		header []string
		status int
		code   string
	}{
		"no token":          {survey("1", "x"), []string{"Authorization", ""}, 401, "unauthorized"},
		"bad token":         {survey("1", "x"), []string{"Authorization", "Bearer nope"}, 401, "unauthorized"},
		"basic":             {survey("1", "x"), []string{"Authorization", "Basic any"}, 401, "unauthorized"},
		"read token":        {survey("1", "x"), []string{"Authorization", "Bearer read"}, 403, "wrong_scope"},
		"other source":      {other, []string{"Authorization", "Bearer bound"}, 403, "wrong_source"},
		"one of two":        {"[" + survey("1", "x") + "," + other + "]", []string{"Authorization", "Bearer bound", "Content-Type", typeBatch}, 403, "wrong_source"},
		"no type":           {survey("1", "x"), []string{"Content-Type", ""}, 415, "unsupported_media_type"},
		"form":              {survey("1", "x"), []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "unsupported_media_type"},
		"latin-1":           {survey("1", "x"), []string{"Content-Type", typeEvent + "; charset=iso-8859-1"}, 415, "unsupported_media_type"},
		"brotli":            {survey("1", "x"), []string{"Content-Encoding", "br"}, 415, "unsupported_encoding"},
		"no gzip":           {survey("1", "x"), []string{"Content-Encoding", "gzip"}, 400, "unreadable"},
		"empty":             {"", nil, 400, "unparsable"},
		"half":              {`{"id":`, nil, 400, "unparsable"},
		"number":            {`17`, nil, 400, "not_an_event"},
		"array as event":    {"[" + survey("1", "x") + "]", nil, 400, "not_an_event"},
		"event as batch":    {survey("1", "x"), []string{"Content-Type", typeBatch}, 400, "not_an_event"},
		"half batch":        {"[" + survey("1", "x") + ",", []string{"Content-Type", typeBatch}, 400, "unparsable"},
		"large event":       {survey("1", big), nil, 413, "too_large"},
		"large in a batch":  {"[" + survey("1", "x") + "," + survey("2", big) + "]", []string{"Content-Type", typeBatch}, 413, "too_large"},
		"1,001 in a batch":  {"[" + strings.Repeat("1,", 1000) + "1]", []string{"Content-Type", typeBatch}, 413, "too_large"},
		"long key":          {survey("1", "x"), []string{"Idempotency-Key", strings.Repeat("k", 256)}, 400, "bad_idempotency_key"},
		"store of tokens":   {survey("1", "x"), []string{"Authorization", "Bearer down"}, 503, "unavailable"},
		"deep":              {strings.Repeat(`{"data":`, 65) + strings.Repeat("}", 65), nil, 400, "too_deep"},
		"deep in a batch":   {"[" + strings.Repeat("[", 65) + strings.Repeat("]", 65) + "]", []string{"Content-Type", typeBatch}, 400, "too_deep"},
		"cut gzip is no 2x": {"\x1f\x8b\x08\x00\x00\x00\x00\x00", []string{"Content-Encoding", "gzip"}, 400, "unreadable"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newDoorSite(t)
			s.refused(t, s.post(t, c.body, c.header...), c.status, c.code)
		})
	}
}

// endless is a body that counts what is read of it.
type endless struct{ read atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.read.Add(int64(len(p)))
	return len(p), nil
}

func TestFault_01_BodyOverTheCap(t *testing.T) {
	s := newDoorSite(t)
	unread := &endless{}
	said := httptest.NewRequest(http.MethodPost, "/v1/events", unread)
	said.Header.Set("Content-Type", typeEvent)
	said.ContentLength = maxDoorBody + 1
	if _, err := readBody(httptest.NewRecorder(), said); !errors.Is(err, errBodyTooLarge) || unread.read.Load() != 0 {
		t.Error("length over the cap:", err, unread.read.Load())
	}
	unsaid := &endless{}
	r := httptest.NewRequest(http.MethodPost, "/v1/events", unsaid)
	r.Header.Set("Content-Type", typeEvent)
	r.ContentLength = -1
	if _, err := readBody(httptest.NewRecorder(), r); !errors.Is(err, errBodyTooLarge) {
		t.Error("endless:", err)
	}
	if n := unsaid.read.Load(); n > 2*maxDoorBody {
		t.Errorf("%d bytes were read of an endless body", n)
	}
	s.refused(t, s.post(t, strings.Repeat(" ", maxDoorBody+1)), 413, "too_large")
}

func TestFault_02_GzipBomb(t *testing.T) {
	s := newDoorSite(t)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	zeros := make([]byte, 1<<20)
	for range 200 { // 200 MiB in 200 KB
		if _, err := z.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	s.refused(t, s.send(t, "/v1/events", &b, "Content-Encoding", "gzip"), 413, "too_large")
}

func TestFault_03_DeepJSON(t *testing.T) {
	s := newDoorSite(t)
	deep := strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)
	s.refused(t, s.post(t, deep, "Content-Type", typeBatch), 400, "too_deep")
	s.refused(t, s.post(t, strings.Replace(survey("1", "x"), `"x"`, deep, 1)), 400, "too_deep")
	if a := s.post(t, `{"id":"1","source":"shop","type":"feedback.survey.answered","data":{"value_number":"seven"}}`); a.status != 202 || a.Results[0].Status != ingest.InQuarantine || !strings.Contains(a.Results[0].Reason, "data.value_number") {
		t.Errorf("readable but invalid: %d %s", a.status, a.body)
	}
}

// signed posts to a hook with the headers of the body signed at.
func (s *doorSite) signed(t *testing.T, path, body string, at time.Time, change func(http.Header)) answer {
	t.Helper()
	v, err := hook.New([]string{hookSecret})
	if err != nil {
		t.Fatal(err)
	}
	h := v.Sign("msg_1", at, []byte(body))
	if change != nil {
		change(h)
	}
	pairs := []string{"Authorization", "", "Content-Type", typeJSON}
	for k := range h {
		pairs = append(pairs, k, h.Get(k))
	}
	return s.send(t, path, strings.NewReader(body), pairs...)
}

func TestHooks(t *testing.T) {
	s := newDoorSite(t)
	if a := s.signed(t, "/v1/hooks/shop", survey("1", "late"), doorClock, nil); a.status != 202 || a.Results[0].Status != ingest.Accepted {
		t.Errorf("%d %s", a.status, a.body)
	}
	s = newDoorSite(t)
	s.refused(t, s.signed(t, "/v1/hooks/shop", strings.Replace(survey("1", "x"), `"shop"`, `"till"`, 1), doorClock, nil), 403, "wrong_source")
	s.refused(t, s.signed(t, "/v1/hooks/till", survey("1", "x"), doorClock, nil), 404, "no_such_hook")
}

func TestFault_04_WrongSignature(t *testing.T) {
	s := newDoorSite(t)
	for name, change := range map[string]func(http.Header){
		"other": func(h http.Header) {
			h.Set(hook.HeaderSignature, "v1,"+base64.StdEncoding.EncodeToString(make([]byte, 32)))
		},
		"none":      func(h http.Header) { h.Del(hook.HeaderSignature) },
		"other id":  func(h http.Header) { h.Set(hook.HeaderID, "msg_2") },
		"truncated": func(h http.Header) { h.Set(hook.HeaderSignature, h.Get(hook.HeaderSignature)[:20]) },
	} {
		t.Run(name, func(t *testing.T) {
			s.refused(t, s.signed(t, "/v1/hooks/shop", survey("1", "x"), doorClock, change), 401, "bad_signature")
		})
	}
}

func TestFault_05_OldSignature(t *testing.T) {
	s := newDoorSite(t)
	for _, off := range []time.Duration{-301 * time.Second, 301 * time.Second} {
		s.refused(t, s.signed(t, "/v1/hooks/shop", survey("1", "x"), doorClock.Add(off), nil), 401, "bad_signature")
	}
	if a := s.signed(t, "/v1/hooks/shop", survey("1", "x"), doorClock.Add(-300*time.Second), nil); a.status != 202 {
		t.Errorf("300 s: %d %s", a.status, a.body)
	}
}

func TestFault_06_SameEventHundredTimesAtOnce(t *testing.T) {
	s := newDoorSite(t)
	var wg sync.WaitGroup
	var accepted atomic.Int32
	for range 100 {
		wg.Go(func() {
			r, err := http.NewRequest(http.MethodPost, s.URL+"/v1/events", strings.NewReader(survey("1", "late")))
			if err != nil {
				t.Error(err)
				return
			}
			r.Header = http.Header{"Authorization": {"Bearer any"}, "Content-Type": {typeEvent}}
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			raw, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != 202 {
				t.Error(res.StatusCode, string(raw), err)
			}
			if bytes.Contains(raw, []byte(`"accepted"`)) {
				accepted.Add(1)
			}
		})
	}
	wg.Wait()
	if accepted.Load() != 1 || len(s.store.logged) != 1 {
		t.Errorf("%d accepted, %d events", accepted.Load(), len(s.store.logged))
	}
}

func TestFault_07_IdempotencyKeyAndConflict(t *testing.T) {
	s := newDoorSite(t)
	key := []string{"Idempotency-Key", "k1"}
	first := s.post(t, survey("1", "late"), key...)
	again := s.post(t, survey("1", "late"), key...)
	if first.status != 202 || again.status != 202 || again.body != first.body || again.Results[0].Status != ingest.Accepted {
		t.Errorf("again: %s, first %s", again.body, first.body)
	}
	if other := s.post(t, survey("2", "late"), key...); other.status != 409 || other.Code != "idempotency_key_reused" {
		t.Errorf("other body: %d %s", other.status, other.body)
	}
	if others := s.post(t, survey("2", "late"), "Authorization", "Bearer bound", "Idempotency-Key", "k1"); others.status != 202 || others.Results[0].Status != ingest.Accepted {
		t.Errorf("another sender's key: %d %s", others.status, others.body)
	}
	if a := s.post(t, survey("1", "on time")); a.status != 202 || a.Results[0].Status != ingest.InQuarantine || a.Results[0].Code != schemas.QConflict {
		t.Errorf("other content: %d %s", a.status, a.body)
	}
	if a := s.post(t, survey("1", "late")); a.Results[0].Status != ingest.Duplicate {
		t.Errorf("without a key: %s", a.body)
	}
	s.store.answersDown.Store(true)
	if a := s.post(t, survey("3", "late"), "Idempotency-Key", "k3"); a.status != 503 {
		t.Errorf("answers down: %d %s", a.status, a.body)
	}
}

func TestIdempotencyKeyInParallel(t *testing.T) {
	s := newDoorSite(t)
	bodies := make([]string, 20)
	var wg sync.WaitGroup
	for i := range bodies {
		wg.Go(func() { bodies[i] = s.post(t, survey("1", "late"), "Idempotency-Key", "k").body })
	}
	wg.Wait()
	for _, b := range bodies {
		if b != bodies[0] || !strings.Contains(b, `"accepted"`) {
			t.Errorf("%s, another got %s", b, bodies[0])
		}
	}
}

// TestFault_08_KilledBeforeTheAnswer: the process ends after the receipt and
// before the log; the sender's retry, and the recovery at start, make one event.
func TestFault_08_KilledBeforeTheAnswer(t *testing.T) {
	s := newDoorSite(t)
	s.store.dieAtPublish.Store(true)
	r, err := http.NewRequest(http.MethodPost, s.URL+"/v1/events", strings.NewReader(survey("1", "late")))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Authorization": {"Bearer any"}, "Content-Type": {typeEvent}, "Idempotency-Key": {"k"}}
	if res, err := http.DefaultClient.Do(r); err == nil {
		res.Body.Close()
		t.Fatal("answered", res.Status)
	}
	s.store.dieAtPublish.Store(false)
	again := serveDoors(t, s.store) // a new process over the same store
	if a := again.post(t, survey("1", "late"), "Idempotency-Key", "k"); a.status != 202 || a.Results[0].Status != ingest.Duplicate {
		t.Errorf("retry: %d %s", a.status, a.body)
	}
	if len(s.store.logged) != 1 {
		t.Errorf("log: %v", s.store.logged)
	}
	if p, err := s.store.Pending(t.Context(), 10); err != nil || len(p) != 0 {
		t.Errorf("left pending: %v %v", p, err)
	}
}

func TestFault_10_LogDown(t *testing.T) {
	s := newDoorSite(t)
	s.store.logDown.Store(true)
	for range 3 {
		a := s.post(t, survey("1", "late"), "Idempotency-Key", "k")
		if a.status != 503 || a.header.Get("Retry-After") == "" || a.Code != "unavailable" || strings.Contains(a.body, "log is down") {
			t.Errorf("%d %v %s", a.status, a.header, a.body)
		}
	}
	if len(s.store.logged) != 0 {
		t.Error("events in a log that is down")
	}
	s.store.logDown.Store(false)
	if a := s.post(t, survey("1", "late"), "Idempotency-Key", "k"); a.status != 202 || len(s.store.logged) != 1 {
		t.Errorf("after: %d %s", a.status, a.body)
	}
}
